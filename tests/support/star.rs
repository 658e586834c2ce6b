//! A server with a folder for everybody who comes to it. One transport carries it, whatever else there is.

use super::{
    folder::Folder,
    process::{Launch, Process},
};

/// A server on a free port.
#[derive(Debug)]
pub(crate) struct Star {
    pub(crate) folder: Folder,
    pub(crate) server: Process,
    pub(crate) addr: String,
    transport: &'static str,
    flags: Vec<String>,
}

impl Star {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// With these flags for the server.
    pub(crate) fn with(flags: &[&str]) -> Self {
        Self::over("tcp", flags)
    }

    /// Carried by this transport, with these flags for the server.
    pub(crate) fn over(transport: &'static str, flags: &[&str]) -> Self {
        let folder = Folder::new();
        let mut server = launch(&folder, transport, "server", "127.0.0.1:0", flags).start();
        let addr = listens(&mut server, transport);
        Self { folder, server, addr, transport, flags: flags.iter().map(|&flag| flag.to_owned()).collect() }
    }

    /// Starts the server again on its old port, with what is left in this data directory.
    pub(crate) fn serve_again(&mut self, data_dir: &str) {
        self.server = self.server_again(data_dir).start();
        listens(&mut self.server, self.transport);
    }

    /// The same, before it is started.
    pub(crate) fn server_again(&self, data_dir: &str) -> Launch {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        launch(&self.folder, self.transport, data_dir, &self.addr, &flags)
    }

    /// A client that insists on its name.
    pub(crate) fn client(&self, name: &str) -> Launch {
        self.nameless(name).with(&["--name", name])
    }

    /// A client with this data directory.
    pub(crate) fn nameless(&self, data_dir: &str) -> Launch {
        Launch::new(data_dir, &["--role", "client", "--transport", self.transport, "--server", &self.addr])
            .with(&["--data-dir", &self.folder.at(data_dir)])
    }

    /// A client that is in the lobby.
    pub(crate) fn join(&self, name: &str) -> Process {
        let mut client = self.client(name).start();
        client.says_something_like(&format!("joined lobby as {name} ("));
        client
    }

    /// Clients that are in the lobby and have heard of each other.
    pub(crate) fn join_all<const N: usize>(&self, names: [&str; N]) -> [Process; N] {
        let mut here: Vec<Process> = Vec::new();
        for name in names {
            let client = self.join(name);
            here.iter_mut().for_each(|other| other.says(&format!("[lobby] * {name} joined")));
            here.push(client);
        }
        here.try_into().unwrap()
    }
}

fn launch(folder: &Folder, transport: &str, data_dir: &str, listen: &str, flags: &[&str]) -> Launch {
    Launch::new("server", &["--role", "server", "--transport", transport, "--listen", listen])
        .with(&["--data-dir", &folder.at(data_dir)])
        .with(flags)
        .without_input()
}

/// Waits until it does, and returns where.
fn listens(server: &mut Process, transport: &str) -> String {
    let listening = format!("listening on {transport} ");
    server.says_something_like(&listening).split_off(listening.len())
}
