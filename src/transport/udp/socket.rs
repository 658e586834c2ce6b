//! One UDP socket: datagrams in batches both ways, marks of congestion, and the network's complaints.

#[cfg(target_os = "linux")]
mod complaints;
mod interface;

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
};

use quinn_udp::{BATCH_SIZE, EcnCodepoint, RecvMeta, UdpSocketState};
use tokio::{io::Interest, net::UdpSocket};
use tracing::{debug, warn};

pub(super) use interface::interface_mtu;

use super::proto::Mark;

/// Bytes asked of the kernel for datagrams that wait for us: a burst of a whole window, for everybody.
const RECEIVE_BUFFER: usize = 8 << 20;

/// Bytes asked of the kernel for datagrams that wait for the network. Small, since chat waits behind
/// files there.
const SEND_BUFFER: usize = 1 << 20;

/// Datagrams that one read may bring, each maybe many joined into one.
const READS: usize = if BATCH_SIZE < 8 { BATCH_SIZE } else { 8 };

/// Bytes of the longest datagram we take and send: what fits a jumbo frame of 9000 bytes beside the headers of IPv4
/// and UDP.
pub(super) const MAX_DATAGRAM: u16 = 8972;

/// Bytes of datagrams that the kernel joins into one read at most.
const MAX_JOINED_BYTES: usize = 1 << 16;

/// Bytes handed over at once: the longest UDP payload over IPv4.
const MAX_TRAIN_BYTES: usize = 65_507;

/// A socket and the buffers to read it.
pub(super) struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    buffer: Vec<u8>,
    local: SocketAddr,
}

/// Datagrams of one peer to be sent at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Train<'a> {
    pub(super) remote: SocketAddr,
    pub(super) ecn: Option<Mark>,
    /// One or more datagrams, all of `segment` bytes but for the last, which may be shorter.
    pub(super) contents: &'a [u8],
    pub(super) segment: usize,
}

impl Socket {
    pub(super) fn bind(addr: SocketAddr) -> io::Result<Self> {
        let socket = std::net::UdpSocket::bind(addr)?;
        socket.set_nonblocking(true)?;
        let io = UdpSocket::from_std(socket)?;
        let state = UdpSocketState::new((&io).into())?;
        if let Err(error) = state.enable_transport_errors((&io).into()) {
            debug!(%error, "the network's complaints will not be heard");
        }
        // The kernel cuts what it does not grant, without a word.
        let _ = state.set_recv_buffer_size((&io).into(), RECEIVE_BUFFER);
        let _ = state.set_send_buffer_size((&io).into(), SEND_BUFFER);
        debug!(
            receive = state.recv_buffer_size((&io).into()).unwrap_or(0),
            send = state.send_buffer_size((&io).into()).unwrap_or(0),
            "bytes of socket buffer granted"
        );
        let each = if state.gro_segments() > 1 { MAX_JOINED_BYTES } else { MAX_DATAGRAM.into() };
        let buffer = vec![0; READS * each];
        let local = io.local_addr()?;
        Ok(Self { io, state, buffer, local })
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Datagrams of `segment` bytes that may be handed over at once: the interface splits so many, and
    /// together they must fit into one datagram before it does.
    pub(super) fn max_train(&self, segment: usize) -> usize {
        self.state.max_gso_segments().min(MAX_TRAIN_BYTES / segment.max(1)).max(1)
    }

    /// Waits until there is something to read or a complaint. Cancel safe.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.io.ready(Interest::READABLE | Interest::ERROR).await.map(|_| ())
    }

    /// Waits until the kernel takes more. Cancel safe.
    pub(super) async fn writable(&self) -> io::Result<()> {
        self.io.writable().await
    }

    /// Reads what is there, handing every datagram to `take`. Whether there was anything.
    pub(super) fn read(&mut self, mut take: impl FnMut(SocketAddr, Option<Mark>, &mut [u8])) -> bool {
        let mut metas = [RecvMeta::default(); READS];
        let each = self.buffer.len() / READS;
        let mut slices = Vec::with_capacity(READS);
        slices.extend(self.buffer.chunks_exact_mut(each.max(1)).map(IoSliceMut::new));
        let (io, state) = (&self.io, &self.state);
        let count = match io.try_io(Interest::READABLE, || state.recv(io.into(), &mut slices, &mut metas)) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            // Another peer's ICMP, a signal: nothing that concerns the next datagram.
            Err(error) => {
                debug!(%error, "reading datagrams");
                return true;
            }
        };
        for (meta, slice) in metas.iter().zip(&mut slices).take(count) {
            let mark = meta.ecn.map(from_codepoint);
            let Some(filled) = slice.get_mut(..meta.len) else { continue };
            for datagram in filled.chunks_mut(meta.stride.max(1)) {
                take(meta.addr, mark, datagram);
            }
        }
        true
    }

    /// Where the network says that nobody listens, once for each datagram it says so of.
    #[cfg(target_os = "linux")]
    pub(super) fn complaint(&self) -> Option<SocketAddr> {
        let next = || complaints::next(&self.io).ok_or_else(|| io::ErrorKind::WouldBlock.into());
        self.io.try_io(Interest::ERROR, next).ok()
    }

    /// Elsewhere nobody is told for which datagram a complaint is.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn complaint(&self) -> Option<SocketAddr> {
        None
    }

    /// Sends a train; `false` when the kernel takes no more now.
    pub(super) fn send(&self, train: Train<'_>) -> bool {
        let several = train.contents.len() > train.segment;
        let transmit = quinn_udp::Transmit {
            destination: train.remote,
            ecn: train.ecn.map(to_codepoint),
            contents: train.contents,
            segment_size: several.then_some(train.segment),
            src_ip: None,
        };
        let (io, state) = (&self.io, &self.state);
        let mut too_long = false;
        // Once more for an error that belonged to another datagram (the kernel also tells of one that was too
        // long when the next is sent), and for trains that the interface turned out not to take.
        for _ in 0..2 {
            match io.try_io(Interest::WRITABLE, || state.try_send(io.into(), &transmit)) {
                Ok(()) => return true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) => {
                    too_long = quinn_udp::is_msg_size_err(&error);
                    debug!(%error, remote = %train.remote, "sending a datagram");
                }
            }
        }
        if too_long {
            // Larger than the interface takes: the discovery of the path's size learns it by silence.
            return true;
        }
        if several {
            let single = |contents| Train { contents, ..train };
            return train.contents.chunks(train.segment).all(|datagram| self.send(single(datagram)));
        }
        warn!(remote = %train.remote, "a datagram could not be sent");
        true
    }
}

fn from_codepoint(codepoint: EcnCodepoint) -> Mark {
    match codepoint {
        EcnCodepoint::Ect0 => Mark::Ect0,
        EcnCodepoint::Ect1 => Mark::Ect1,
        EcnCodepoint::Ce => Mark::Ce,
    }
}

fn to_codepoint(mark: Mark) -> EcnCodepoint {
    match mark {
        Mark::Ect0 => EcnCodepoint::Ect0,
        Mark::Ect1 => EcnCodepoint::Ect1,
        Mark::Ce => EcnCodepoint::Ce,
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("local", &self.local).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
