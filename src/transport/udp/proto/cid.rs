//! Connection ids: what they look like, which ones the other side may use for us, and which ones we may
//! use for it.

use std::fmt;

use rand::{Rng as _, SeedableRng as _, rngs::ChaCha12Rng};
use ring::hmac;
use smallvec::SmallVec;

use super::{
    Violation,
    mac::{MAC_BYTES, SipKey, hmac_short, sip_short},
};

/// Bytes of every connection id.
pub(crate) const CID_BYTES: usize = 8;

/// Connection ids that either side may have in use for one connection, the one of the handshake
/// included (RFC 9000 §18.2, `active_connection_id_limit`).
pub(crate) const MAX_ACTIVE_CIDS: usize = 4;

/// Retirements that may wait for their acknowledgement: twice the active ones (RFC 9000 §5.1.2).
pub(crate) const MAX_RETIRING_CIDS: usize = 2 * MAX_ACTIVE_CIDS;

/// The proof of having had the state of a connection, shown once it is lost (RFC 9000 §10.3).
pub(crate) type ResetToken = [u8; MAC_BYTES];

/// By what a datagram finds its connection, whatever address it comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId([u8; CID_BYTES]);

impl ConnectionId {
    /// Bytes of an id.
    #[cfg(test)]
    pub(crate) const LEN: usize = CID_BYTES;

    /// The id of these bytes.
    pub(crate) const fn new(bytes: [u8; CID_BYTES]) -> Self {
        Self(bytes)
    }

    /// The id as it is sent.
    pub const fn as_bytes(&self) -> &[u8; CID_BYTES] {
        &self.0
    }
}

impl From<[u8; CID_BYTES]> for ConnectionId {
    fn from(bytes: [u8; CID_BYTES]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

/// Makes the connection ids of one worker: `worker (1) || chance (4) || keyed hash of both (3)`. The hash
/// lets an endpoint drop what is not for it before it looks anything up. The chance is longer: whoever was
/// told the reset token of an id must not meet the id again with somebody else (RFC 9000 §10.3.2).
pub(crate) struct CidFactory {
    key: SipKey,
    worker: u8,
    rng: ChaCha12Rng,
}

impl CidFactory {
    /// The ids of `worker`. All workers of a node have the same `key`, and keep it over restarts so that
    /// an endpoint knows its own former ids when it is to reset them; `seed` is fresh every time.
    pub(crate) fn new(key: [u8; 16], worker: u8, seed: [u8; 32]) -> Self {
        Self { key: SipKey::new(key), worker, rng: ChaCha12Rng::from_seed(seed) }
    }

    /// An id of 2^32 that this worker can make, so not always a new one: draw again when it is in use.
    pub(crate) fn next(&mut self) -> ConnectionId {
        let [a, b, c, d] = self.rng.next_u32().to_be_bytes();
        let [e, f, g] = self.check([self.worker, a, b, c, d]);
        ConnectionId([self.worker, a, b, c, d, e, f, g])
    }

    /// Whether a worker with the same key made `cid`. One foreign id in 2^24 passes.
    pub(crate) fn is_ours(&self, cid: &ConnectionId) -> bool {
        let [head @ .., e, f, g] = cid.0;
        self.check(head) == [e, f, g]
    }

    /// The worker that made `cid`, if it [is ours](Self::is_ours).
    #[cfg(test)]
    pub(crate) const fn worker_of(cid: &ConnectionId) -> u8 {
        let [worker, ..] = cid.0;
        worker
    }

    fn check(&self, head: [u8; 5]) -> [u8; 3] {
        let [a, b, c, ..] = sip_short(self.key, &head).to_le_bytes();
        [a, b, c]
    }
}

impl fmt::Debug for CidFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CidFactory").field("worker", &self.worker).finish_non_exhaustive()
    }
}

/// The token with which the owner of `key` can reset the connection that `cid` belongs to, even when all
/// it has left is the key (RFC 9000 §10.3.2).
pub(crate) fn reset_token(key: &hmac::Key, cid: &ConnectionId) -> ResetToken {
    hmac_short(key, &[b"sayagain/1 reset", cid.as_bytes()])
}

/// One connection id that was given out, as NEW_CID says it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct NewCid {
    /// Its number: ids are numbered in the order they are given out.
    pub(crate) seq: u64,
    /// Ids with a smaller number are to be retired.
    pub(crate) retire_prior: u64,
    /// The id.
    pub(crate) cid: ConnectionId,
    /// Its reset token.
    pub(crate) reset: ResetToken,
}

impl fmt::Debug for NewCid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seq, retire_prior, cid, reset: _ } = self;
        write!(f, "NewCid({seq}, {cid:?}, retire prior to {retire_prior})")
    }
}

/// The ids by which the other side may call us. Those not retired count as active.
#[derive(Debug)]
pub(crate) struct LocalCids {
    active: SmallVec<[(u64, ConnectionId); MAX_ACTIVE_CIDS]>,
    next_seq: u64,
}

impl LocalCids {
    /// Starts with the id of the handshake, number 0.
    pub(crate) fn new(first: ConnectionId) -> Self {
        Self { active: SmallVec::from_slice(&[(0, first)]), next_seq: 1 }
    }

    /// How many more the other side can be given now.
    pub(crate) fn room(&self) -> usize {
        MAX_ACTIVE_CIDS.saturating_sub(self.active.len())
    }

    /// Gives out `cid`, unless there is no [room](Self::room) or it was given out already.
    pub(crate) fn issue(&mut self, cid: ConnectionId, reset: ResetToken) -> Option<NewCid> {
        if self.room() == 0 || self.iter().any(|known| known == cid) {
            return None;
        }
        let seq = self.next_seq;
        self.next_seq = seq.checked_add(1)?;
        self.active.push((seq, cid));
        Some(NewCid { seq, retire_prior: 0, cid, reset })
    }

    /// The id with this number, while it is active: a NEW_CID that was lost is worth repeating.
    pub(crate) fn get(&self, seq: u64) -> Option<ConnectionId> {
        self.active.iter().find(|(number, _)| *number == seq).map(|(_, cid)| *cid)
    }

    /// The other side retired an id: the one to forget, `None` when it had said so before.
    ///
    /// # Errors
    /// No id with this number was given out (RFC 9000 §19.16).
    pub(crate) fn on_retire(&mut self, seq: u64) -> Result<Option<ConnectionId>, Violation> {
        if seq >= self.next_seq {
            return Err(Violation("retires a connection id that was never given out"));
        }
        let retired = self.get(seq);
        self.active.retain(|(number, _)| *number != seq);
        Ok(retired)
    }

    /// Every active id, in the order given out.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ConnectionId> {
        self.active.iter().map(|(_, cid)| *cid)
    }
}

mod remote;

pub(crate) use remote::{RemoteCids, Rotation};

#[cfg(test)]
mod tests;
