//! The sockets of one machine: connections accepted and dialled, or one socket for datagrams.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream, UdpSocket,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::dialect::{ConnId, DialId, Input, MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES};

/// Connections of one machine at the same time. What a protocol allows is less; these are for strangers who
/// do not say who they are.
pub const MAX_CONNECTIONS: usize = 1_200;

/// Bytes from which on a message is a file: it waits for its reader without counting as waiting, since the
/// machines send one at a time.
const FILE_BYTES: usize = 64 * 1024;

/// Bytes of one read. A program that sends a message in one write on loopback is read in one, too.
const READ_BYTES: usize = 64 * 1024;

/// Reads that wait for the machine; then connections are not read from.
const HEARD_QUEUE: usize = 256;

/// How long one write may wait for a reader.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a refused client is read from after the last word to it: to close while something of it is
/// unread would reset the connection and with it destroy that word.
const LINGER: Duration = Duration::from_secs(1);

/// The pause after an accept that failed: descriptors are used up.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bytes of the longest datagram.
const MAX_DATAGRAM: usize = 65_536;

/// Datagrams that wait for the socket; further ones are lost, as any may be.
const DATAGRAM_QUEUE: usize = 256;

/// The sockets of one machine.
#[derive(Debug)]
pub(super) struct Network {
    connections: BTreeMap<ConnId, Connection>,
    next: u64,
    datagrams: Option<mpsc::Sender<(SocketAddr, Bytes)>>,
    heard: mpsc::Receiver<Heard>,
    tell: mpsc::Sender<Heard>,
    /// Accepting and receiving, which go on for ever.
    standing: JoinSet<()>,
    /// Reading, writing, dialling, and the last words of connections that are closed.
    tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Connection {
    waiting: mpsc::Sender<Bytes>,
    bytes: Arc<AtomicUsize>,
    reader: AbortHandle,
    /// Ends with the reader.
    reading: oneshot::Receiver<()>,
}

#[derive(Debug)]
enum Heard {
    Accepted(TcpStream, SocketAddr),
    Dialed(DialId, Result<TcpStream, String>),
    Received(ConnId, Bytes),
    Ended(ConnId),
    Datagram(SocketAddr, Bytes),
}

impl Network {
    /// Without a socket: for a machine that only dials.
    pub(super) fn new() -> Self {
        let (tell, heard) = mpsc::channel(HEARD_QUEUE);
        Self {
            connections: BTreeMap::new(),
            next: 0,
            datagrams: None,
            heard,
            tell,
            standing: JoinSet::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Accepts from `listener` too.
    pub(super) fn accept(&mut self, listener: TcpListener) {
        self.standing.spawn(accept_all(listener, self.tell.clone()));
    }

    /// Sends and receives datagrams by `socket`.
    pub(super) fn use_socket(&mut self, socket: UdpSocket) {
        let socket = Arc::new(socket);
        let (datagrams, to_send) = mpsc::channel(DATAGRAM_QUEUE);
        self.standing.spawn(receive_all(Arc::clone(&socket), self.tell.clone()));
        self.tasks.spawn(send_all(socket, to_send));
        self.datagrams = Some(datagrams);
    }

    /// The next thing to tell the machine. Cancel safe.
    pub(super) async fn next(&mut self) -> Input {
        loop {
            // The sender is here as well, so there is always one.
            let Some(heard) = self.heard.recv().await else { std::future::pending().await };
            if let Some(input) = self.understand(heard) {
                return input;
            }
        }
    }

    fn understand(&mut self, heard: Heard) -> Option<Input> {
        match heard {
            Heard::Accepted(stream, peer) => {
                if self.connections.len() >= MAX_CONNECTIONS {
                    tracing::warn!(%peer, "refused: {MAX_CONNECTIONS} connections are open");
                    return None;
                }
                Some(Input::Accepted { conn: self.open(stream), peer })
            }
            Heard::Dialed(dial, Ok(stream)) => Some(Input::Connected { dial, conn: self.open(stream) }),
            Heard::Dialed(dial, Err(why)) => Some(Input::NotConnected { dial, why }),
            Heard::Received(conn, bytes) => {
                self.connections.contains_key(&conn).then_some(Input::Received { conn, bytes })
            }
            Heard::Ended(conn) => self.connections.remove(&conn).map(|_| Input::Ended { conn }),
            Heard::Datagram(from, bytes) => Some(Input::Datagram { from, bytes }),
        }
    }

    fn open(&mut self, stream: TcpStream) -> ConnId {
        while self.tasks.try_join_next().is_some() {}
        let conn = ConnId(self.next);
        self.next += 1;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "small messages may wait for each other");
        }
        let (read, write) = stream.into_split();
        let (waiting, to_write) = mpsc::channel(MAX_QUEUED_MESSAGES);
        let bytes = Arc::new(AtomicUsize::new(0));
        let (ends_with_reader, reading) = oneshot::channel();
        let tell = self.tell.clone();
        let reader = self.tasks.spawn(async move {
            read_all(conn, read, tell).await;
            drop::<oneshot::Sender<()>>(ends_with_reader);
        });
        self.tasks.spawn(write_all(conn, write, to_write, Arc::clone(&bytes), self.tell.clone()));
        self.connections.insert(conn, Connection { waiting, bytes, reader, reading });
        conn
    }

    /// Writes in one write, after what was sent before. Who does not read is disconnected, which the machine
    /// hears as the end of the connection.
    pub(super) fn send(&mut self, conn: ConnId, bytes: Bytes) {
        let Some(connection) = self.connections.get(&conn) else { return };
        let counted = counted(&bytes);
        let before = connection.bytes.fetch_add(counted, Ordering::Relaxed);
        let fits = before.saturating_add(counted) <= MAX_QUEUED_BYTES;
        if !fits || connection.waiting.try_send(bytes).is_err() {
            tracing::info!(?conn, "disconnected: it does not read what it is sent");
            connection.reader.abort();
            let (tell, conn) = (self.tell.clone(), conn);
            self.tasks.spawn(async move { drop(tell.send(Heard::Ended(conn)).await) });
        }
    }

    /// Ends a connection in order.
    pub(super) fn close(&mut self, conn: ConnId) {
        let Some(Connection { waiting, reader, reading, .. }) = self.connections.remove(&conn) else {
            return;
        };
        // The writer ends when it has written what waits; what comes meanwhile is read and dropped.
        self.tasks.spawn(async move {
            drop(waiting);
            drop(timeout(LINGER, reading).await);
            reader.abort();
        });
    }

    /// Sends a datagram; one that finds no room is lost, as any may be.
    pub(super) fn send_datagram(&self, to: SocketAddr, bytes: Bytes) {
        let Some(datagrams) = &self.datagrams else { return };
        if datagrams.try_send((to, bytes)).is_err() {
            tracing::debug!(%to, "a datagram was not sent");
        }
    }

    /// Connects within `within`.
    pub(super) fn dial(&mut self, dial: DialId, to: SocketAddr, within: Duration) {
        let tell = self.tell.clone();
        self.tasks.spawn(async move {
            let dialed = match timeout(within, TcpStream::connect(to)).await {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err(format!("no answer within {} ms", within.as_millis())),
            };
            drop(tell.send(Heard::Dialed(dial, dialed)).await);
        });
    }

    /// Waits until everything sent is out, at most `within`.
    pub(super) async fn flush(mut self, within: Duration) {
        let open: Vec<ConnId> = self.connections.keys().copied().collect();
        open.into_iter().for_each(|conn| self.close(conn));
        drop(self.heard);
        drop(self.tell);
        drop(self.datagrams);
        self.standing.abort_all();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        drop(timeout(within, all).await);
    }
}

fn counted(message: &Bytes) -> usize {
    if message.len() > FILE_BYTES { 0 } else { message.len() }
}

/// The present, for machines.
pub(super) fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// Waits until then; for ever without a time. Cancel safe.
pub(super) async fn until(due: Option<std::time::Instant>) {
    match due {
        Some(due) => sleep_until(Instant::from_std(due)).await,
        None => std::future::pending().await,
    }
}

async fn accept_all(listener: TcpListener, tell: mpsc::Sender<Heard>) {
    loop {
        let heard = match listener.accept().await {
            Ok((stream, peer)) => Heard::Accepted(stream, peer),
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if tell.send(heard).await.is_err() {
            return;
        }
    }
}

async fn receive_all(socket: Arc<UdpSocket>, tell: mpsc::Sender<Heard>) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let (len, from) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                // That nobody listens at a peer's address is said to this socket, too.
                tracing::debug!(%error, "receiving");
                sleep(Duration::from_millis(1)).await;
                continue;
            }
        };
        let bytes = Bytes::copy_from_slice(buffer.get(..len).unwrap_or_default());
        if tell.send(Heard::Datagram(from, bytes)).await.is_err() {
            return;
        }
    }
}

/// A new socket is not known to be writable at first, so datagrams are waited with rather than tried.
async fn send_all(socket: Arc<UdpSocket>, mut to_send: mpsc::Receiver<(SocketAddr, Bytes)>) {
    while let Some((to, bytes)) = to_send.recv().await {
        if let Err(error) = socket.send_to(&bytes, to).await {
            tracing::debug!(%to, %error, "a datagram was not sent");
        }
    }
}

/// Tells what comes; after the last word of this side, whose listener is gone then, reads on for nobody.
async fn read_all(conn: ConnId, mut read: OwnedReadHalf, tell: mpsc::Sender<Heard>) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(READ_BYTES);
        match read.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        // A copy of what came, so that a byte at a time does not hold 64 KiB each.
        let bytes = Bytes::copy_from_slice(&buffer);
        buffer.clear();
        drop(tell.send(Heard::Received(conn, bytes)).await);
    }
    drop(tell.send(Heard::Ended(conn)).await);
}

async fn write_all(
    conn: ConnId,
    mut write: OwnedWriteHalf,
    mut waiting: mpsc::Receiver<Bytes>,
    bytes: Arc<AtomicUsize>,
    tell: mpsc::Sender<Heard>,
) {
    while let Some(message) = waiting.recv().await {
        let written = write_one(&mut write, &message).await;
        bytes.fetch_sub(counted(&message), Ordering::Relaxed);
        if let Err(error) = written {
            tracing::debug!(?conn, %error, "cannot write");
            drop(tell.send(Heard::Ended(conn)).await);
            return;
        }
    }
    // The other side may be gone already.
    drop(write.shutdown().await);
}

/// Writes one message. A long one has its time for each piece: its reader may be slow, not silent.
async fn write_one(write: &mut OwnedWriteHalf, message: &[u8]) -> io::Result<()> {
    for piece in message.chunks(FILE_BYTES) {
        timeout(WRITE_TIMEOUT, write.write_all(piece)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    }
    Ok(())
}
