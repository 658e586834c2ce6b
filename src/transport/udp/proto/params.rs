//! What each side tells the other about itself during the handshake, protected by it: the transport
//! parameters of RFC 9000 §7.4, in the same form and as far as possible with the same numbers.

use smallvec::SmallVec;

use super::{
    Side, Violation,
    cid::{CID_BYTES, ConnectionId, ResetToken},
    varint::{Malformed, Reader, put_varint},
};

/// Versions that one side may list.
pub(crate) const MAX_VERSIONS: usize = 8;

/// The least datagram that every path and every node must carry (RFC 9000 §14).
const MIN_DATAGRAM_BYTES: u16 = 1200;

/// The largest delay of an acknowledgement in milliseconds (RFC 9000 §18.2, `max_ack_delay`).
const MAX_ACK_DELAY_MS: u16 = (1 << 14) - 1;

/// Parameters that are looked at, those unknown to us included.
const MAX_PARAMS: usize = 64;

/// The numbers of RFC 9000 §18.2, of RFC 9368 §3 for the versions, and of our own for the credit.
mod id {
    pub(super) const ORIGINAL_DST: u64 = 0x00;
    pub(super) const IDLE_TIMEOUT: u64 = 0x01;
    pub(super) const RESET_TOKEN: u64 = 0x02;
    pub(super) const MAX_DATAGRAM: u64 = 0x03;
    pub(super) const MAX_ACK_DELAY: u64 = 0x0b;
    pub(super) const SOURCE: u64 = 0x0f;
    pub(super) const RETRY_SOURCE: u64 = 0x10;
    pub(super) const VERSIONS: u64 = 0x11;
    pub(super) const CREDIT: [u64; 3] = [0x52_4400, 0x52_4401, 0x52_4402];
}

/// The parameters of one side.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Params {
    /// The destination of the dialer's very first packet; from an acceptor only.
    pub(crate) original_dst: Option<ConnectionId>,
    /// The source of this side's first packet.
    pub(crate) source: ConnectionId,
    /// The source of the Retry, if there was one; from an acceptor only.
    pub(crate) retry_source: Option<ConnectionId>,
    /// The reset token of `source`; from an acceptor only.
    pub(crate) reset_token: Option<ResetToken>,
    /// The version this side uses.
    pub(crate) version: u32,
    /// Every version this side could use, `version` among them, at most [`MAX_VERSIONS`].
    pub(crate) versions: SmallVec<[u32; MAX_VERSIONS]>,
    /// Bytes of UDP payload that this side takes, from 1200.
    pub(crate) max_datagram: u16,
    /// Milliseconds without a word after which this side gives up, from 1.
    pub(crate) idle_timeout_ms: u32,
    /// Milliseconds by which this side may delay an acknowledgement, below 2^14.
    pub(crate) max_ack_delay_ms: u16,
    /// Credit of each class to begin with, in bytes.
    pub(crate) credit: [u64; 3],
}

impl Params {
    /// The bytes that the handshake carries: number, length and value of each, all as RFC 9000 §18.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        let cid = |cid: &ConnectionId| *cid.as_bytes();
        put_optional(id::ORIGINAL_DST, self.original_dst.as_ref().map(cid), &mut out);
        put_number(id::IDLE_TIMEOUT, u64::from(self.idle_timeout_ms), &mut out);
        put_optional(id::RESET_TOKEN, self.reset_token, &mut out);
        put_number(id::MAX_DATAGRAM, u64::from(self.max_datagram), &mut out);
        put_number(id::MAX_ACK_DELAY, u64::from(self.max_ack_delay_ms), &mut out);
        put(id::SOURCE, self.source.as_bytes(), &mut out);
        put_optional(id::RETRY_SOURCE, self.retry_source.as_ref().map(cid), &mut out);
        let versions = [self.version].into_iter().chain(self.versions.iter().copied().take(MAX_VERSIONS));
        let versions: SmallVec<[u8; 4 * (1 + MAX_VERSIONS)]> = versions.flat_map(u32::to_be_bytes).collect();
        put(id::VERSIONS, &versions, &mut out);
        for (number, credit) in id::CREDIT.into_iter().zip(self.credit) {
            put_number(number, credit, &mut out);
        }
        out
    }

    /// Reads what `sender` sent and [validates](Self::validate) it. What is unknown is skipped.
    ///
    /// # Errors
    /// Something is malformed, missing, there twice or out of range.
    pub(crate) fn decode(bytes: &[u8], sender: Side) -> Result<Self, Violation> {
        let mut found = Found::default();
        let mut seen = SmallVec::<[u64; 16]>::new();
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let number = reader.varint().map_err(malformed)?;
            let len = reader.varint().map_err(malformed)?;
            let len = usize::try_from(len).map_err(|_| MALFORMED)?;
            let value = reader.bytes(len).map_err(malformed)?;
            if seen.contains(&number) || seen.len() >= MAX_PARAMS {
                return Err(Violation("a transport parameter twice, or too many of them"));
            }
            seen.push(number);
            found.take(number, Reader::new(value)).map_err(malformed)?;
        }
        let params = found.complete().ok_or(Violation("a transport parameter is missing"))?;
        params.validate(sender)?;
        Ok(params)
    }

    /// Checks every range, and that `sender` is one who may say what is said (RFC 9000 §18.2).
    ///
    /// # Errors
    /// The first that does not hold.
    pub(crate) fn validate(&self, sender: Side) -> Result<(), Violation> {
        let acceptors =
            [self.original_dst.is_some(), self.retry_source.is_some(), self.reset_token.is_some()];
        let rules = [
            (sender == Side::Acceptor || acceptors == [false; 3], "an acceptor's parameter from a dialer"),
            (sender == Side::Dialer || self.original_dst.is_some(), "a transport parameter is missing"),
            (self.max_datagram >= MIN_DATAGRAM_BYTES, "too small datagrams"),
            (self.idle_timeout_ms > 0, "no idle timeout"),
            (self.max_ack_delay_ms <= MAX_ACK_DELAY_MS, "too slow acknowledgements"),
            (!self.versions.contains(&0), "version 0"),
            (self.versions.contains(&self.version), "a version in use that is not offered"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, broken)| Err(Violation(broken)))
    }

    /// Compares the ids that the parameters protect with those that the headers showed, so that nobody
    /// on the way can have changed them (RFC 9000 §7.3). From a dialer, `original_dst` and `retry_source`
    /// are `None`.
    ///
    /// # Errors
    /// They differ.
    pub(crate) fn check_cids(
        &self,
        source: ConnectionId,
        original_dst: Option<ConnectionId>,
        retry_source: Option<ConnectionId>,
    ) -> Result<(), Violation> {
        let said = (self.source, self.original_dst, self.retry_source);
        if said == (source, original_dst, retry_source) {
            Ok(())
        } else {
            Err(Violation("connection ids were changed on the way"))
        }
    }

    /// Compares the version in use with what the parameters protect, so that nobody on the way can have
    /// talked us into another one (RFC 9368 §4). `ours` are the versions this side offers, best first.
    ///
    /// # Errors
    /// The other side uses another version, or both know one that this side likes better.
    pub(crate) fn check_version(&self, in_use: u32, ours: &[u32]) -> Result<(), Violation> {
        let best = ours.iter().find(|version| self.versions.contains(version));
        if self.version == in_use && best == Some(&in_use) {
            Ok(())
        } else {
            Err(Violation("another version was to be spoken"))
        }
    }
}

impl std::fmt::Debug for Params {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Params")
            .field("source", &self.source)
            .field("version", &self.version)
            .field("max_datagram", &self.max_datagram)
            .field("idle_timeout_ms", &self.idle_timeout_ms)
            .field("max_ack_delay_ms", &self.max_ack_delay_ms)
            .field("credit", &self.credit)
            .finish_non_exhaustive()
    }
}

const MALFORMED: Violation = Violation("malformed transport parameters");

const fn malformed(_: Malformed) -> Violation {
    MALFORMED
}

/// What was read so far.
#[derive(Default)]
struct Found {
    original_dst: Option<ConnectionId>,
    source: Option<ConnectionId>,
    retry_source: Option<ConnectionId>,
    reset_token: Option<ResetToken>,
    versions: Option<(u32, SmallVec<[u32; MAX_VERSIONS]>)>,
    max_datagram: Option<u16>,
    idle_timeout_ms: Option<u32>,
    max_ack_delay_ms: Option<u16>,
    credit: [Option<u64>; 3],
}

impl Found {
    /// Takes one parameter, whose value is all of `value`.
    fn take(&mut self, number: u64, mut value: Reader<'_>) -> Result<(), Malformed> {
        match number {
            id::ORIGINAL_DST => self.original_dst = Some(cid(&mut value)?),
            id::IDLE_TIMEOUT => self.idle_timeout_ms = Some(number_of(&mut value)?),
            id::RESET_TOKEN => self.reset_token = Some(value.array()?),
            id::MAX_DATAGRAM => self.max_datagram = Some(number_of(&mut value)?),
            id::MAX_ACK_DELAY => self.max_ack_delay_ms = Some(number_of(&mut value)?),
            id::SOURCE => self.source = Some(cid(&mut value)?),
            id::RETRY_SOURCE => self.retry_source = Some(cid(&mut value)?),
            id::VERSIONS => self.versions = Some(versions(&mut value)?),
            _ => {
                let mut credits = id::CREDIT.into_iter().zip(&mut self.credit);
                let Some((_, credit)) = credits.find(|(of, _)| *of == number) else { return Ok(()) };
                *credit = Some(value.varint()?);
            }
        }
        if value.is_empty() { Ok(()) } else { Err(Malformed::Truncated) }
    }

    /// All of them, if there is all that has to be.
    fn complete(self) -> Option<Params> {
        let (version, versions) = self.versions?;
        let [control, thin, bulk] = self.credit;
        Some(Params {
            original_dst: self.original_dst,
            source: self.source?,
            retry_source: self.retry_source,
            reset_token: self.reset_token,
            version,
            versions,
            max_datagram: self.max_datagram?,
            idle_timeout_ms: self.idle_timeout_ms?,
            max_ack_delay_ms: self.max_ack_delay_ms?,
            credit: [control?, thin?, bulk?],
        })
    }
}

fn cid(value: &mut Reader<'_>) -> Result<ConnectionId, Malformed> {
    value.array::<CID_BYTES>().map(ConnectionId::from)
}

/// A number that fits its field; what does not is as malformed as what is cut off.
fn number_of<T: TryFrom<u64>>(value: &mut Reader<'_>) -> Result<T, Malformed> {
    T::try_from(value.varint()?).map_err(|_| Malformed::Truncated)
}

/// The version in use and those offered (RFC 9368 §3).
fn versions(value: &mut Reader<'_>) -> Result<(u32, SmallVec<[u32; MAX_VERSIONS]>), Malformed> {
    let in_use = value.u32()?;
    let mut offered = SmallVec::new();
    while !value.is_empty() && offered.len() < MAX_VERSIONS {
        offered.push(value.u32()?);
    }
    Ok((in_use, offered))
}

fn put(number: u64, value: &[u8], out: &mut Vec<u8>) {
    put_varint(number, out);
    put_varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

fn put_optional<const N: usize>(number: u64, value: Option<[u8; N]>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        put(number, &value, out);
    }
}

fn put_number(number: u64, value: u64, out: &mut Vec<u8>) {
    let mut bytes = Vec::with_capacity(8);
    put_varint(value, &mut bytes);
    put(number, &bytes, out);
}

#[cfg(test)]
mod tests;
