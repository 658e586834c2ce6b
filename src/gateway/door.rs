//! A door: a listener for one course protocol beside the native ones, and the guests who come through it.

use std::{collections::BTreeMap, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::{broadcast, mpsc, watch},
    time::timeout,
};

use crate::{
    app::{Command, Event},
    transport::{MemoryNetwork, MemoryTransport, Transport},
    wire::RoomName,
};

use super::{
    dialect::{
        Audience, Board, Carrier, Dialect, GuestId, HostConfig, Input, Machine, Output, file_line, plain,
    },
    guest::{Guests, WayIn},
    network::{Network, now, until},
};

/// How long the end waits for last words to be written and last lines to arrive.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Files on their way from one door to the others.
const FILE_QUEUE: usize = 16;

/// Lines of a door that wait to be printed.
const PRINT_QUEUE: usize = 256;

/// Where the doors and the server of one process meet.
#[derive(Clone, Debug)]
pub struct Indoors {
    transport: Arc<MemoryTransport>,
    server: SocketAddr,
    files: broadcast::Sender<Arc<File>>,
}

/// A file that came through one door, for the guests of the others.
#[derive(Debug)]
struct File {
    /// Through which door.
    door: SocketAddr,
    from: String,
    to: Audience,
    name: String,
    content: Bytes,
}

/// A door that is bound and not open yet.
#[derive(Debug)]
pub struct Door {
    dialect: Dialect,
    addr: SocketAddr,
    socket: Socket,
    room: RoomName,
    config: HostConfig,
}

#[derive(Debug)]
enum Socket {
    Stream(TcpListener),
    Datagram(UdpSocket),
}

/// What a door shows while it is open.
#[derive(Debug)]
pub struct Shown {
    /// The lines that the assignment's server prints. Nobody has to read them.
    pub lines: mpsc::Receiver<String>,
    /// What the page of the assignment shows; the first is empty.
    pub board: watch::Receiver<Board>,
}

impl Default for Indoors {
    fn default() -> Self {
        Self::new()
    }
}

impl Indoors {
    /// A place to meet for one server and its doors.
    pub fn new() -> Self {
        let server = SocketAddr::from(([127, 0, 0, 1], 1));
        let transport = Arc::new(MemoryTransport::new(MemoryNetwork::new(), server.ip(), None));
        let (files, _) = broadcast::channel(FILE_QUEUE);
        Self { transport, server, files }
    }

    /// Where the server listens for guests: for [`Node::indoors`](crate::node::Node::indoors).
    pub fn for_server(&self) -> (SocketAddr, Arc<dyn Transport>) {
        (self.server, Arc::clone(&self.transport) as Arc<dyn Transport>)
    }
}

impl Door {
    /// Binds a door of `dialect` at `listen`; a port of 0 picks one. Its guests come into `room`.
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn bind(
        dialect: Dialect,
        listen: SocketAddr,
        room: RoomName,
        config: HostConfig,
    ) -> io::Result<Self> {
        let (socket, local) = match dialect.carrier {
            Carrier::Stream => {
                let listener = TcpListener::bind(listen).await?;
                let local = listener.local_addr()?;
                (Socket::Stream(listener), local)
            }
            Carrier::Datagram => {
                let socket = UdpSocket::bind(listen).await?;
                let local = socket.local_addr()?;
                (Socket::Datagram(socket), local)
            }
        };
        Ok(Self { dialect, addr: local, socket, room, config: HostConfig { local, ..config } })
    }

    /// Which protocol.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Where, with the port that was picked.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Opens it, until `stop` says true. Returns what it shows, and what to wait for at the end.
    pub fn open(
        self,
        indoors: &Indoors,
        stop: watch::Receiver<bool>,
    ) -> (Shown, tokio::task::JoinHandle<()>) {
        let (print, lines) = mpsc::channel(PRINT_QUEUE);
        let (show, board) = watch::channel(Board::default());
        let mut network = Network::new();
        match self.socket {
            Socket::Stream(listener) => network.accept(listener),
            Socket::Datagram(socket) => network.use_socket(socket),
        }
        let way_in = WayIn {
            door: self.dialect.name,
            transport: Arc::clone(&indoors.transport) as Arc<dyn Transport>,
            server: indoors.server,
            room: self.room,
        };
        let running = Running {
            machine: self.dialect.host(self.config),
            name: self.dialect.name,
            addr: self.addr,
            network,
            guests: Guests::new(way_in),
            nicks: [].into(),
            files: indoors.files.clone(),
            print,
            show,
        };
        let files = indoors.files.subscribe();
        (Shown { lines, board }, tokio::spawn(running.run(files, stop)))
    }
}

/// A door that is open.
struct Running {
    machine: Box<dyn Machine>,
    name: &'static str,
    addr: SocketAddr,
    network: Network,
    guests: Guests,
    /// As the guests are called among us.
    nicks: BTreeMap<GuestId, String>,
    files: broadcast::Sender<Arc<File>>,
    print: mpsc::Sender<String>,
    show: watch::Sender<Board>,
}

impl Running {
    async fn run(mut self, mut files: broadcast::Receiver<Arc<File>>, mut stop: watch::Receiver<bool>) {
        self.tell(Input::Start);
        loop {
            let timer = until(self.machine.poll_timeout());
            tokio::select! { biased;
                _ = stop.wait_for(|stop| *stop) => break,
                input = self.guests.next() => self.tell(input),
                () = timer => self.wake(),
                file = files.recv() => self.pass_on(file),
                input = self.network.next(), if self.guests.keep_up() => self.tell(input),
            }
        }
        self.tell(Input::Stop);
        let Self { network, guests, .. } = self;
        let leaving = timeout(STOP_TIMEOUT, guests.leave_all());
        drop(tokio::join!(network.flush(STOP_TIMEOUT), leaving));
    }

    fn tell(&mut self, input: Input) {
        match &input {
            Input::Entered { guest, nick, .. } => drop(self.nicks.insert(*guest, nick.clone())),
            Input::Told { guest, event: Event::Renamed { to, .. } } => {
                self.nicks.insert(*guest, plain(to).to_owned());
            }
            _ => {}
        }
        self.machine.handle(input, now());
        self.drain();
    }

    fn wake(&mut self) {
        self.machine.handle_timeout(now());
        self.drain();
    }

    fn pass_on(&mut self, file: Result<Arc<File>, broadcast::error::RecvError>) {
        match file {
            Ok(file) if file.door != self.addr => {
                let File { from, to, name, content, .. } = &*file;
                let (from, to, name, content) = (from.clone(), to.clone(), name.clone(), content.clone());
                self.tell(Input::File { from, to, name, content });
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(door = self.name, %error, "files of other doors were not passed on"),
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            self.perform(output);
        }
        if let Some(board) = self.machine.board() {
            self.show.send_if_modified(|shown| {
                let changed = *shown != board;
                *shown = board;
                changed
            });
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Send { conn, bytes } => self.network.send(conn, bytes),
            Output::Close { conn } => self.network.close(conn),
            Output::Datagram { to, bytes } => self.network.send_datagram(to, bytes),
            Output::Dial { dial, to, timeout } => self.network.dial(dial, to, timeout),
            Output::Enter { guest, name, insists } => self.guests.enter(guest, &name, insists),
            Output::Command { guest, command } => self.guests.command(guest, command),
            Output::Leave { guest } => {
                self.guests.leave(guest);
                self.nicks.remove(&guest);
            }
            Output::File { guest, to, name, content } => self.send_file(guest, to, name, content),
            Output::Print(line) => {
                tracing::info!(door = self.name, "{line}");
                // Who does not read what a door prints goes without.
                drop(self.print.try_send(line));
            }
            Output::Log(line) | Output::Warn(line) => tracing::info!(door = self.name, "{line}"),
            Output::Read { .. } | Output::Save { .. } | Output::Prompt(_) | Output::Exit { .. } => {
                tracing::debug!(door = self.name, ?output, "not for a server");
            }
        }
    }

    /// Guests of other doors get the file; who cannot is told of it in the room, or in private.
    fn send_file(&mut self, guest: GuestId, to: Audience, name: String, content: Bytes) {
        let text = file_line(&name, content.len());
        let command = match &to {
            Audience::Followers(_) => Command::Say(text),
            Audience::Names(names) => Command::Tell { to: names.clone(), text },
        };
        let from = self.nicks.get(&guest).map_or_else(String::new, |nick| format!("~{nick}"));
        // With one door there is nobody else to take it.
        drop(self.files.send(Arc::new(File { door: self.addr, from, to, name, content })));
        self.guests.command(guest, command);
    }
}
