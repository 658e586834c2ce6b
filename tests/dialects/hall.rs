//! Servers with doors, and those who come through them.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{
    support::{
        folder::Folder,
        process::{Launch, Process},
    },
    wire::Wire,
};

/// A server that speaks our protocol and has doors for others.
#[derive(Debug)]
pub(crate) struct Hall {
    pub(crate) folder: Folder,
    pub(crate) server: Process,
    /// Where it listens for what, as it says itself.
    places: Vec<(String, SocketAddr)>,
}

impl Hall {
    /// With these doors.
    pub(crate) fn new(doors: &[&str]) -> Self {
        Self::with(doors, &[])
    }

    /// With these doors and flags. A door is `NAME` or `NAME,max=N`.
    pub(crate) fn with(doors: &[&str], flags: &[&str]) -> Self {
        let folder = Folder::new();
        let mut launch = Launch::new("server", &["--role", "server", "--listen", "127.0.0.1:0"])
            .with(&["--transport", "tcp,udp", "--data-dir", &folder.at("server")])
            .with(flags);
        for door in doors {
            let (name, more) =
                door.split_once(',').map_or((*door, String::new()), |(n, m)| (n, format!(",{m}")));
            launch = launch.with(&["--dialect", &format!("{name}=127.0.0.1:0{more}")]);
        }
        let mut server = launch.without_input().start();
        let web = usize::from(flags.contains(&"--web"));
        let places = (0..doors.len() + web + 2).map(|_| place(&server.line())).collect();
        Self { folder, server, places }
    }

    /// Where it listens for a protocol, a transport, or browsers (`web`).
    pub(crate) fn at(&self, what: &str) -> SocketAddr {
        let place = self.places.iter().find(|(name, _)| name == what);
        place.unwrap_or_else(|| panic!("no {what} among {:?}", self.places)).1
    }

    pub(crate) fn port(&self, what: &str) -> String {
        self.at(what).port().to_string()
    }

    /// A connection to the door of a protocol over TCP.
    pub(crate) fn wire(&self, dialect: &str, called: &str) -> Wire {
        Wire::connect(called, self.at(dialect))
    }

    /// A connection to the door of `uwo`, registered under this name.
    pub(crate) fn uwo(&self, name: &str) -> Wire {
        let mut wire = self.wire("uwo", name);
        wire.sends(format!("REGISTER {name} CHAT/1.0\n"));
        wire.hears("200 Registration successful\n");
        wire
    }

    /// One of the programs in `tests/clients`, in a folder of its own.
    pub(crate) fn student(&self, called: &str, script: &str, arguments: &[&str]) -> Process {
        Launch::student(script, arguments).in_folder(&self.home(called)).start()
    }

    /// This program as the client of a course, in a folder of its own.
    pub(crate) fn caller(&self, called: &str, dialect: &str, arguments: &[&str]) -> Process {
        caller(dialect, arguments).in_folder(&self.home(called)).start()
    }

    /// A client of our own protocol that is in the lobby.
    pub(crate) fn native(&self, transport: &str, name: &str) -> Process {
        let mut client = Launch::new(name, &["--role", "client", "--transport", transport, "--name", name])
            .with(&["--server", &self.at(transport).to_string(), "--data-dir", &self.folder.at(name)])
            .in_folder(&self.home(name))
            .start();
        client.says_something_like(&format!("joined lobby as {name}"));
        client
    }

    /// The folder of somebody, in which their program runs.
    pub(crate) fn home(&self, of: &str) -> PathBuf {
        let home = self.folder.path().join("home").join(of);
        fs::create_dir_all(&home).unwrap();
        home
    }

    /// `chat://` and so on.
    pub(crate) fn url(&self, dialect: &str) -> String {
        format!("chat://{}", self.at(dialect))
    }

    /// Kilobytes of memory that the server has in use.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse().unwrap()
    }
}

/// This program as the client or the peer of a course.
pub(crate) fn caller(dialect: &str, arguments: &[&str]) -> Launch {
    Launch::new("node", &["--role", "client", "--dialect", dialect]).with(arguments)
}

/// Reads `listening on uwo 127.0.0.1:4000`.
fn place(line: &str) -> (String, SocketAddr) {
    let words: Vec<&str> = line.split(' ').collect();
    let ["listening", "on", what, addr] = words.as_slice() else { panic!("no place: {line}") };
    ((*what).to_owned(), addr.parse().unwrap())
}

/// One of the servers in `tests/clients` and its port.
pub(crate) fn students_server(folder: &Folder, script: &str, arguments: &[&str]) -> (Process, String) {
    let mut server = Launch::student(script, arguments).in_folder(folder.path()).start();
    let port = if script.starts_with("uwo") {
        let line = server.says_something_like("Will wait for client connections at port ");
        server.says("Waiting for incoming client connections ...");
        line
    } else {
        server.complaint("listening on 127.0.0.1:")
    };
    (server, port.rsplit([' ', ':']).next().unwrap().to_owned())
}

/// A port that nobody uses: below those that the system gives to connections, so that none takes it before
/// the program does that it is meant for. Asked, not tried: a socket that was tried on is still there in a
/// process another thread is just starting, and would take the connection meant for the program.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = process::id().wrapping_mul(97) + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + u16::try_from(number % 12_000).unwrap();
        if !["tcp", "tcp6", "udp", "udp6"].into_iter().any(|table| is_bound(table, port)) {
            return port;
        }
    }
}

/// Whether a table of the kernel's lists a socket with this port of ours.
pub(crate) fn is_bound(table: &str, port: u16) -> bool {
    // A machine without IPv6 has no table of it.
    let table = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
    let ends = format!(":{port:04X}");
    table.lines().filter_map(|line| line.split_whitespace().nth(1)).any(|local| local.ends_with(&ends))
}
