//! Who knocked at the wrong door.

/// How the requests of browsers begin.
const VERBS: [&[u8]; 9] =
    [b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ", b"OPTIONS ", b"CONNECT ", b"TRACE ", b"PATCH "];

/// How a TLS connection begins: a handshake record of version 3.
const TLS: &[u8] = &[0x16, 3];

/// Bytes of the longest beginning.
const LONGEST: usize = 8;

/// Whether what begins so is of a program that will never speak a protocol of ours.
pub(super) fn is_foreign(start: &[u8]) -> bool {
    VERBS.iter().copied().chain([TLS]).any(|mark| start.starts_with(mark))
}

/// Looks at the first bytes of a connection for programs that will never speak the protocol, a browser
/// above all: a page of a stranger must not be able to make it say something in a room.
#[derive(Clone, Debug, Default)]
pub(super) struct Stranger {
    first: Vec<u8>,
    is_settled: bool,
}

impl Stranger {
    /// Whether the connection, of which these are the next bytes, is of such a program.
    pub(super) fn is_known_by(&mut self, bytes: &[u8]) -> bool {
        if self.is_settled {
            return false;
        }
        let room = LONGEST.saturating_sub(self.first.len());
        self.first.extend(bytes.iter().take(room));
        let found = is_foreign(&self.first);
        self.is_settled = found || self.first.len() >= LONGEST;
        found
    }
}
