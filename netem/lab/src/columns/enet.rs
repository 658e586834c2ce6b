//! ENet, as `rusty_enet` has it: one host a side, a peer a connection, a channel a lane.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use async_trait::async_trait;
use bytes::Bytes;
use rusty_enet::{Event, Host, HostSettings, MTU_MAX, Packet, PacketReceived, PeerID, SocketOptions};
use tokio::{
    net::UdpSocket,
    sync::{Mutex, Semaphore, mpsc, oneshot},
    time::sleep,
};

use super::{Column, Connection, Lane, Listening};
use crate::arrivals::Arrivals;

/// How often its timers are looked at.
const TURN: Duration = Duration::from_millis(1);

const PEERS: usize = 256;
const CHANNELS: usize = 16;
const BULK_CHANNEL: u8 = 15;

/// ENet queues without a bound. The other side says how much of the bulk it has, this often, and the
/// sender lets no more than so much be under way: several times ENet's own window of 64 KiB.
const CREDIT_BYTES: usize = 16 << 10;
const WINDOW_BYTES: usize = 256 << 10;

/// Commands nobody has taken yet.
const COMMANDS: usize = 1 << 16;

#[derive(Default)]
pub(super) struct Enet {
    /// The one host of all dialed connections.
    dialing: Mutex<Option<mpsc::Sender<Command>>>,
}

enum Command {
    Dial(SocketAddr, oneshot::Sender<Peer>),
    Send(PeerID, u8, Bytes),
}

/// What the host tells about a connection that stands.
struct Peer {
    id: PeerID,
    credit: Arc<Semaphore>,
}

#[async_trait]
impl Column for Enet {
    async fn listen(&self, at: SocketAddr, arrivals: Arrivals) -> Result<Listening> {
        let mut host = host(UdpSocket::bind(at).await?)?;
        Ok(Box::pin(async move {
            let mut owed = HashMap::<PeerID, usize>::new();
            loop {
                while let Some(event) = host.service()? {
                    if let Event::Receive { peer, channel_id, packet } = event {
                        arrivals.note(packet.data());
                        let owed = owed.entry(peer.id()).or_default();
                        *owed += if channel_id == BULK_CHANNEL { packet.data().len() } else { 0 };
                        if *owed >= CREDIT_BYTES {
                            let credit = u32::try_from(std::mem::take(owed))?.to_be_bytes();
                            peer.send(BULK_CHANNEL, &Packet::reliable(&credit[..]))
                                .map_err(|_| anyhow!("credit"))?;
                        }
                    }
                }
                next_turn(&host).await?;
            }
        }))
    }

    async fn dial(&self, to: SocketAddr) -> Result<Arc<dyn Connection>> {
        let commands = self.commands().await?;
        let (connected, connecting) = oneshot::channel();
        commands.send(Command::Dial(to, connected)).await.map_err(|_| anyhow!("the host ended"))?;
        let peer = connecting.await.context("disconnected")?;
        Ok(Arc::new(Dialed { peer, commands }))
    }

    /// Its channels have an order each, but one queue.
    fn bulk_apart(&self) -> bool {
        true
    }
}

impl Enet {
    async fn commands(&self) -> Result<mpsc::Sender<Command>> {
        let mut dialing = self.dialing.lock().await;
        if let Some(commands) = dialing.as_ref() {
            return Ok(commands.clone());
        }
        let host = host(UdpSocket::bind("0.0.0.0:0").await?)?;
        let (commands, queued) = mpsc::channel(COMMANDS);
        tokio::spawn(Dialer { host, queued, peers: HashMap::new() }.run());
        *dialing = Some(commands.clone());
        Ok(commands)
    }
}

struct Dialer {
    host: Host<Socket>,
    queued: mpsc::Receiver<Command>,
    peers: HashMap<PeerID, Known>,
}

enum Known {
    Dialed(oneshot::Sender<Peer>),
    Connected(Weak<Semaphore>),
}

impl Dialer {
    async fn run(mut self) -> Result<()> {
        loop {
            self.serve()?;
            tokio::select! {
                turn = next_turn(&self.host) => turn?,
                command = self.queued.recv() => {
                    self.obey(command.context("nobody sends any more")?)?;
                    while let Ok(command) = self.queued.try_recv() {
                        self.obey(command)?;
                    }
                    self.host.flush();
                }
            }
        }
    }

    fn obey(&mut self, command: Command) -> Result<()> {
        match command {
            Command::Dial(to, connected) => {
                let peer = self.host.connect(to, CHANNELS, 0)?;
                self.peers.insert(peer.id(), Known::Dialed(connected));
            }
            Command::Send(peer, channel, message) => {
                let packet = Packet::reliable(&message[..]);
                // Whom ENet gave up gets nothing; its connection says so with the next message.
                let _ = self.host.peer_mut(peer).send(channel, &packet);
            }
        }
        Ok(())
    }

    fn serve(&mut self) -> Result<()> {
        while let Some(event) = self.host.service()? {
            match event {
                Event::Connect { peer, .. } => {
                    let credit = Arc::new(Semaphore::new(WINDOW_BYTES));
                    let id = peer.id();
                    let known = self.peers.insert(id, Known::Connected(Arc::downgrade(&credit)));
                    if let Some(Known::Dialed(connected)) = known {
                        // A dial that nobody waits for any more leaves a peer that nobody uses.
                        let _ = connected.send(Peer { id, credit });
                    }
                }
                Event::Disconnect { peer, .. } => {
                    if let Some(Known::Connected(credit)) = self.peers.remove(&peer.id())
                        && let Some(credit) = credit.upgrade()
                    {
                        credit.close();
                    }
                }
                Event::Receive { peer, packet, .. } => {
                    let credit = packet.data().first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
                    if let Some(Known::Connected(known)) = self.peers.get(&peer.id())
                        && let Some(known) = known.upgrade()
                    {
                        known.add_permits(credit as usize);
                    }
                }
            }
        }
        Ok(())
    }
}

struct Dialed {
    peer: Peer,
    commands: mpsc::Sender<Command>,
}

#[async_trait]
impl Connection for Dialed {
    async fn send(&self, lane: Lane, message: Bytes) -> Result<()> {
        if self.peer.credit.is_closed() {
            bail!("ENet gave the connection up");
        }
        let channel = match lane {
            Lane::Bulk => {
                self.peer.credit.acquire_many(u32::try_from(message.len())?).await?.forget();
                BULK_CHANNEL
            }
            Lane::Chat(id) => u8::try_from(id)?.min(BULK_CHANNEL - 1),
        };
        self.commands
            .send(Command::Send(self.peer.id, channel, message))
            .await
            .map_err(|_| anyhow!("the host ended"))
    }
}

fn host(socket: UdpSocket) -> Result<Host<Socket>> {
    let settings = HostSettings { peer_limit: PEERS, channel_limit: CHANNELS, ..HostSettings::default() };
    Host::new(Socket(Arc::new(socket)), settings).map_err(|why| anyhow!("{why}"))
}

/// Until something is here to read, or a timer may be due.
async fn next_turn(host: &Host<Socket>) -> io::Result<()> {
    let socket = host.socket().0.clone();
    tokio::select! {
        ready = socket.readable() => ready,
        () = sleep(TURN) => Ok(()),
    }
}

/// Tokio's, so that ENet wakes up when something arrives.
struct Socket(Arc<UdpSocket>);

impl rusty_enet::Socket for Socket {
    type Address = SocketAddr;
    type Error = io::Error;

    fn init(&mut self, _: SocketOptions) -> io::Result<()> {
        Ok(())
    }

    fn send(&mut self, to: SocketAddr, datagram: &[u8]) -> io::Result<usize> {
        none_if_blocked(self.0.try_send_to(datagram, to)).map(Option::unwrap_or_default)
    }

    fn receive(&mut self, datagram: &mut [u8; MTU_MAX]) -> io::Result<Option<(SocketAddr, PacketReceived)>> {
        let received = none_if_blocked(self.0.try_recv_from(datagram))?;
        Ok(received.map(|(len, from)| (from, PacketReceived::Complete(len))))
    }
}

fn none_if_blocked<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(done) => Ok(Some(done)),
        // The other side's port may not be open yet, or no longer.
        Err(why) if matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused) => {
            Ok(None)
        }
        Err(why) => Err(why),
    }
}
