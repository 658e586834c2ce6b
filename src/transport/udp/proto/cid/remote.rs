//! The ids by which we may call the other side.

use smallvec::SmallVec;

use super::{
    super::{Violation, mac},
    ConnectionId, MAX_ACTIVE_CIDS, MAX_RETIRING_CIDS, NewCid, ResetToken,
};

/// The ids that the other side gave out: one in use, the others for paths to come (RFC 9000 §5.1).
#[derive(Debug)]
pub(crate) struct RemoteCids {
    current: Known,
    /// Ascending by number, all above the current one's: what is between would be taken twice when a
    /// NEW_CID is repeated.
    spare: SmallVec<[Known; 1]>,
    /// Everything below was retired, or is to be as soon as it shows up.
    retired_below: u64,
    /// Retirements that the other side has not acknowledged.
    retiring: SmallVec<[u64; 2]>,
}

#[derive(Clone, Copy)]
struct Known {
    seq: u64,
    cid: ConnectionId,
    reset: Option<ResetToken>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {:?}", self.seq, self.cid)
    }
}

/// A change to another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// The id in use from now on.
    pub(crate) cid: ConnectionId,
    /// The number of the one before, to be said in a RETIRE_CID.
    pub(crate) retired: u64,
}

impl RemoteCids {
    /// Starts with the id of the handshake, number 0.
    pub(crate) fn new(first: ConnectionId) -> Self {
        Self {
            current: Known { seq: 0, cid: first, reset: None },
            spare: SmallVec::new(),
            retired_below: 0,
            retiring: SmallVec::new(),
        }
    }

    /// The acceptor named itself, in a Retry or its first packet: the dialer drops the id that it made up
    /// (RFC 9000 §7.2). Without effect once the id of the handshake is no longer in use.
    pub(crate) const fn set_first(&mut self, cid: ConnectionId) {
        if self.current.seq == 0 {
            self.current.cid = cid;
        }
    }

    /// The reset token of the handshake's id, which travels with the acceptor's parameters.
    pub(crate) const fn set_first_reset(&mut self, reset: ResetToken) {
        if self.current.seq == 0 {
            self.current.reset = Some(reset);
        }
    }

    /// The id in use.
    pub(crate) const fn current(&self) -> ConnectionId {
        self.current.cid
    }

    /// The reset token of the id in use, the only one that counts (RFC 9000 §10.3.1). `None`: the other
    /// side gave none.
    pub(crate) fn reset(&self) -> Option<ResetToken> {
        self.current.reset
    }

    /// Whether [`rotate`](Self::rotate) has something to change to.
    pub(crate) fn can_rotate(&self) -> bool {
        !self.spare.is_empty() && self.retiring.len() < MAX_RETIRING_CIDS
    }

    /// Changes to the next id, so that who watches two paths cannot join them (RFC 9000 §9.5). `None`:
    /// there is no other, or too many retirements wait.
    pub(crate) fn rotate(&mut self) -> Option<Rotation> {
        if !self.can_rotate() {
            return None;
        }
        let retired = self.current.seq;
        self.current = self.spare.remove(0);
        self.retired_below = self.retired_below.max(self.current.seq);
        self.retiring.push(retired);
        Some(Rotation { cid: self.current.cid, retired })
    }

    /// The other side gave out one more: the numbers to be said in a RETIRE_CID now.
    ///
    /// # Errors
    /// One number for two ids, two numbers for one id, too many of them, or too many retirements at once
    /// (RFC 9000 §5.1.1, §5.1.2 and §19.15).
    pub(crate) fn on_new(&mut self, new: NewCid) -> Result<SmallVec<[u64; MAX_ACTIVE_CIDS]>, Violation> {
        if new.retire_prior > new.seq {
            return Err(Violation("a new connection id asks for its own retirement"));
        }
        let known = self.is_known(&new)?;
        let mut retired = SmallVec::new();
        if !known && new.seq < self.retired_below {
            retired.push(new.seq);
        } else if !known {
            let at = self.spare.partition_point(|spare| spare.seq < new.seq);
            self.spare.insert(at, Known { seq: new.seq, cid: new.cid, reset: Some(new.reset) });
        }
        self.retire_prior(new.retire_prior, &mut retired);
        self.remember_retired(&retired)?;
        if self.spare.len() >= MAX_ACTIVE_CIDS {
            return Err(Violation("too many connection ids"));
        }
        Ok(retired)
    }

    /// The other side knows that this number is retired.
    pub(crate) fn on_retire_acked(&mut self, seq: u64) {
        self.retiring.retain(|waiting| *waiting != seq);
    }

    /// Whether this very id is active already.
    fn is_known(&self, new: &NewCid) -> Result<bool, Violation> {
        for known in self.spare.iter().chain([&self.current]) {
            let same_reset = known.reset.is_none_or(|reset| mac::equal(&reset, &new.reset));
            match (known.seq == new.seq, known.cid == new.cid) {
                (true, true) if same_reset => return Ok(true),
                (false, false) => {}
                _ => return Err(Violation("conflicting connection ids")),
            }
        }
        Ok(false)
    }

    fn retire_prior(&mut self, prior: u64, retired: &mut SmallVec<[u64; MAX_ACTIVE_CIDS]>) {
        self.retired_below = self.retired_below.max(prior);
        if self.current.seq < prior {
            // The id that came with `prior` is not below it, so there is one to change to.
            let Some(at) = self.spare.iter().position(|spare| spare.seq >= prior) else { return };
            let next = self.spare.remove(at);
            retired.push(self.current.seq);
            self.current = next;
            self.retired_below = self.retired_below.max(next.seq);
        }
        self.spare.retain(|spare| {
            let stays = spare.seq >= prior;
            if !stays {
                retired.push(spare.seq);
            }
            stays
        });
    }

    fn remember_retired(&mut self, retired: &[u64]) -> Result<(), Violation> {
        for seq in retired {
            if !self.retiring.contains(seq) {
                self.retiring.push(*seq);
            }
        }
        if self.retiring.len() > MAX_RETIRING_CIDS {
            return Err(Violation("too many connection ids to retire"));
        }
        Ok(())
    }
}
