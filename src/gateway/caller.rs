//! The assignment's own client or peer, played by this program: its commands, its lines, its exit status.

use std::{
    io::{self, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::mpsc,
};

use super::{
    dialect::{Input, Machine, Output},
    network::{Network, now, until},
    save::save,
};

/// How long the end waits for last words to be written.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// What the person does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A line.
    Line(String),
    /// No more lines come.
    End,
}

/// What the person sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A line on stdout.
    Line(String),
    /// The same, with the end of line left to what comes next.
    Prompt(String),
    /// A line on stderr.
    Warning(String),
}

/// The sockets that a caller brings: what it is dialled at.
#[derive(Debug, Default)]
pub struct Sockets {
    /// Where it is connected to, of `iowa`.
    pub listener: Option<TcpListener>,
    /// What its datagrams come from.
    pub socket: Option<UdpSocket>,
}

impl Sockets {
    /// For datagrams to `server`.
    ///
    /// # Errors
    /// Those of the operating system.
    pub async fn datagrams(server: SocketAddr) -> io::Result<Self> {
        let any: SocketAddr = match (server.is_ipv4(), server.ip().is_loopback()) {
            (true, true) => ([127, 0, 0, 1], 0).into(),
            (true, false) => ([0, 0, 0, 0], 0).into(),
            (false, _) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        Ok(Self { listener: None, socket: Some(UdpSocket::bind(any).await?) })
    }
}

/// Plays `machine` until it ends, with files read from where the program was started and saved in `folder`.
/// What comes by `interrupts` is heard at once, lines one after the other. Returns the exit status.
pub async fn call(
    machine: Box<dyn Machine>,
    sockets: Sockets,
    folder: PathBuf,
    mut typed: mpsc::Receiver<Typed>,
    mut interrupts: mpsc::Receiver<()>,
    seen: mpsc::Sender<Seen>,
) -> u8 {
    let mut network = Network::new();
    if let Some(listener) = sockets.listener {
        network.accept(listener);
    }
    if let Some(socket) = sockets.socket {
        network.use_socket(socket);
    }
    let mut call = Call { machine, network, folder, seen, unread: Vec::new(), status: None };
    call.tell(Input::Start).await;
    let mut listening = true;
    while call.status.is_none() {
        let timer = until(call.machine.poll_timeout());
        let ready = listening && call.machine.is_ready();
        tokio::select! { biased;
            () = timer => call.wake().await,
            Some(()) = interrupts.recv() => call.tell(Input::Interrupted).await,
            input = call.network.next() => call.tell(input).await,
            line = typed.recv(), if ready => {
                let input = match line {
                    Some(Typed::Line(line)) => Input::Typed(line),
                    Some(Typed::End) | None => { listening = false; Input::TypedEnd }
                };
                call.tell(input).await;
            }
        }
    }
    call.network.flush(STOP_TIMEOUT).await;
    call.status.unwrap_or_default()
}

struct Call {
    machine: Box<dyn Machine>,
    network: Network,
    folder: PathBuf,
    seen: mpsc::Sender<Seen>,
    /// What files gave, to be told when the machine has been drained.
    unread: Vec<Input>,
    status: Option<u8>,
}

impl Call {
    async fn tell(&mut self, input: Input) {
        self.machine.handle(input, now());
        self.drain().await;
    }

    async fn wake(&mut self) {
        self.machine.handle_timeout(now());
        self.drain().await;
    }

    /// A time that has come may ask for a file just as an input may.
    async fn drain(&mut self) {
        loop {
            while let Some(output) = self.machine.poll_output() {
                self.perform(output).await;
            }
            let Some(input) = self.unread.pop() else { return };
            self.machine.handle(input, now());
        }
    }

    async fn perform(&mut self, output: Output) {
        match output {
            Output::Send { conn, bytes } => self.network.send(conn, bytes),
            Output::Close { conn } => self.network.close(conn),
            Output::Datagram { to, bytes } => self.network.send_datagram(to, bytes),
            Output::Dial { dial, to, timeout } => self.network.dial(dial, to, timeout),
            Output::Read { path, max_bytes } => {
                let content = read(Path::new(&path), max_bytes).map_err(|error| error.to_string());
                self.unread.push(Input::Read { path, content });
            }
            Output::Save { name, content, replaces } => {
                let result = save(&self.folder, &name, &content, replaces).map_err(|error| error.to_string());
                self.unread.push(Input::Saved { name, result });
            }
            Output::Print(line) => self.show(Seen::Line(line)).await,
            Output::Prompt(text) => self.show(Seen::Prompt(text)).await,
            Output::Warn(line) => self.show(Seen::Warning(line)).await,
            Output::Log(line) => tracing::info!("{line}"),
            Output::Exit { status } => drop(self.status.get_or_insert(status)),
            Output::Enter { .. } | Output::Command { .. } | Output::Leave { .. } | Output::File { .. } => {
                tracing::debug!(?output, "not for a client");
            }
        }
    }

    async fn show(&mut self, seen: Seen) {
        // Nobody reads any more: a program in a pipe ends then, and so does this one.
        if self.seen.send(seen).await.is_err() {
            self.status.get_or_insert(0);
        }
    }
}

fn read(path: &Path, max_bytes: usize) -> io::Result<Bytes> {
    let file = std::fs::File::open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
    }
    let mut content = Vec::new();
    let most = u64::try_from(max_bytes).unwrap_or(u64::MAX);
    file.take(most.saturating_add(1)).read_to_end(&mut content)?;
    if content.len() > max_bytes {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {max_bytes} bytes")));
    }
    Ok(content.into())
}
