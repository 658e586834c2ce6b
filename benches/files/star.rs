//! A server, and clients that send each other files.

use std::{fs, path::Path, time::Duration};

use tokio::time::Instant;

use super::node::Node;

/// Of the longest file that is taken: more than any here.
const MAX_BYTES: &str = "1000000000000";

/// A server, a client that has the file and one that takes it.
pub(crate) struct Star {
    transport: &'static str,
    folder: String,
    addr: String,
    pub(crate) server: Node,
    pub(crate) alice: Node,
    pub(crate) bob: Node,
}

impl Star {
    /// In an empty folder.
    pub(crate) fn new(transport: &'static str, folder: &Path) -> Self {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).expect("space on the disk");
        let folder = folder.to_str().expect("a path in words").to_owned();
        let (server, addr) = serve(transport, &folder, "127.0.0.1:0");
        let bob = join(transport, &folder, &addr, "bob");
        let alice = join(transport, &folder, &addr, "alice");
        Self { transport, folder, addr, server, alice, bob }
    }

    /// One more client.
    pub(crate) fn join(&self, name: &str) -> Node {
        join(self.transport, &self.folder, &self.addr, name)
    }

    /// Starts somebody again, who was killed.
    pub(crate) fn restart(&mut self, who: &str) {
        match who {
            "server" => self.server = serve(self.transport, &self.folder, &self.addr).0,
            "alice" => self.alice = client(self.transport, &self.folder, &self.addr, who),
            _ => self.bob = client(self.transport, &self.folder, &self.addr, who),
        }
    }

    pub(crate) fn offer(&mut self, file: &str) -> Instant {
        self.alice.type_line(&format!("/send {file} bob"));
        Instant::now()
    }

    /// Whether the sender knows that all is there.
    pub(crate) fn is_sent(&self) -> bool {
        self.alice.says("\"state\":\"done\"")
    }

    /// Waits until the sender knows that all is there; when that was, and where it is.
    pub(crate) fn is_there(&mut self) -> (Instant, String) {
        let (_, file) = self.bob.event("file", |_| true);
        let path = file.get("path").and_then(|path| path.as_str()).expect("a path");
        let (at, _) = self.alice.event("transfer", |transfer| {
            let state = transfer.get("state").and_then(|state| state.as_str());
            assert_ne!(state, Some("failed"), "{transfer}");
            state == Some("done")
        });
        (at, path.to_owned())
    }

    /// Sends a file; how long it took.
    pub(crate) fn carry(&mut self, file: &str) -> Duration {
        let start = self.offer(file);
        let (end, path) = self.is_there();
        fs::remove_file(path).expect("it is there");
        end - start
    }

    /// Bytes of the one file on its way that the receiver has.
    pub(crate) fn arrived(&self) -> u64 {
        let parts = fs::read_dir(format!("{}/bob/transfers/parts", self.folder));
        let parts = parts.into_iter().flatten().flatten();
        parts.filter_map(|part| part.metadata().ok()).map(|part| part.len()).sum()
    }
}

fn serve(transport: &str, folder: &str, listen: &str) -> (Node, String) {
    let dir = format!("{folder}/server");
    let mut server =
        Node::start(&["--role", "server", "--transport", transport, "--listen", listen, "--data-dir", &dir]);
    let (_, listening) = server.event("listening", |_| true);
    let addr = listening.get("addr").and_then(|addr| addr.as_str()).expect("an address").to_owned();
    (server, addr)
}

fn join(transport: &str, folder: &str, addr: &str, name: &str) -> Node {
    let mut client = client(transport, folder, addr, name);
    client.event("joined", |_| true);
    client
}

fn client(transport: &str, folder: &str, addr: &str, name: &str) -> Node {
    let dir = format!("{folder}/{name}");
    Node::start(&[
        "--role",
        "client",
        "--transport",
        transport,
        "--server",
        addr,
        "--reconnect",
        "--name",
        name,
        "--accept-files",
        "all",
        "--max-file-bytes",
        MAX_BYTES,
        "--data-dir",
        &dir,
    ])
}
