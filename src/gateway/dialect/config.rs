//! What machines are made with.

use std::net::SocketAddr;

/// Bytes of the longest file that passes a door, unless told otherwise: it is held in memory, here and by the
/// programs of the assignments.
pub const MAX_FILE_BYTES: usize = 64 << 20;

/// Who gets a line of `uwo`, whose two assignments contradict each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// Those who registered with a header or follow terms get what they follow, the others everything.
    #[default]
    Auto,
    /// Everybody gets everything.
    Broadcast,
    /// Everybody gets what they follow.
    Follow,
}

/// How `lums` names the sender of what it forwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardForm {
    /// Bare over TCP, counted over UDP, as programs of each edition expect it.
    #[default]
    Auto,
    /// `forward_message alice hello`.
    Bare,
    /// `forward_message 1 alice hello`.
    Counted,
}

/// A server of a course protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostConfig {
    /// Where it listens, with the port that was picked.
    pub local: SocketAddr,
    /// Users at the same time; `None`: the limit of the protocol.
    pub max_clients: Option<usize>,
    /// Of `uwo`.
    pub delivery: Delivery,
    /// Of `lums`.
    pub forward: ForwardForm,
    /// Of `uwo`: characters beyond ASCII are sent as `?`, for programs that read a byte at a time.
    pub ascii_safe: bool,
    /// Bytes of the longest file that is passed on.
    pub max_file_bytes: usize,
    /// For what has to be hard to guess, such as the first number of a connection over UDP.
    pub seed: u64,
}

/// A client or peer of a course protocol. Which of its fields mean something depends on the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerConfig {
    /// The user's name; `vsb` needs none.
    pub name: Option<String>,
    /// The server; none for a peer.
    pub server: Option<SocketAddr>,
    /// Where this program listens, with the port that was picked; of `iowa`.
    pub local: Option<SocketAddr>,
    /// The peers that lines go to; of an `iowa` peer.
    pub peers: Vec<SocketAddr>,
    /// Terms to follow from the start; of `uwo`.
    pub follow: Vec<String>,
    /// Packets in flight; of `lums-udp`.
    pub window: usize,
    /// Whether `lums-udp` repeats what is lost (part 2 of the assignment).
    pub reliable: bool,
    /// What `lums` prints for input that it does not understand; `None`: the words of its edition.
    pub format_line: Option<String>,
    /// Whether stdin is a terminal, so that a prompt makes sense to somebody.
    pub interactive: bool,
    /// Bytes of the longest file that is taken.
    pub max_file_bytes: usize,
    /// For what has to be hard to guess.
    pub seed: u64,
}
