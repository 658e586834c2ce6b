//! Retry tokens: how a dialer proves that it can be reached at the address it claims, while the acceptor
//! remembers nothing about it (RFC 9000 §8.1.2).

use std::{collections::BTreeSet, fmt, net::SocketAddr, time::Instant};

use ring::hmac;
use smallvec::SmallVec;

use super::{
    cid::{CID_BYTES, ConnectionId},
    mac::{self, MAC_BYTES, hmac_short},
};

/// Bytes of a token.
pub(crate) const TOKEN_BYTES: usize = 1 + 4 + CID_BYTES + MAC_BYTES;

/// What a Retry asks the dialer to come back with.
pub(crate) type Token = SmallVec<[u8; TOKEN_BYTES]>;

/// Seconds for which a token is good: a round trip and a few repetitions.
const LIFETIME_SECS: u32 = 10;

/// Seconds after which the next key is used.
const KEY_SECS: u32 = 60;

/// Used tokens that are remembered.
const MAX_USED: usize = 4096;

/// A key that is no secret: the tag of a Retry tells that its sender has seen the packet it answers,
/// and that no bit fell over on the way (RFC 9001 §5.8).
const RETRY_KEY: &[u8] = b"sayagain/1 retry integrity";

/// Makes and checks tokens. A token is `key (1) || second (4) || original destination (8) || code (16)`.
pub(crate) struct RetryTokens {
    seed: hmac::Key,
    integrity: hmac::Key,
    start: Instant,
    /// The latest two keys with the numbers of their periods.
    keys: [PeriodKey; 2],
    /// The second and the code of every token taken in the last [`LIFETIME_SECS`].
    used: BTreeSet<(u32, [u8; MAC_BYTES])>,
}

/// A token that is good, and not spent.
#[derive(Debug)]
#[must_use = "it can be had again until it is spent"]
pub(crate) struct Proof {
    second: u32,
    code: [u8; MAC_BYTES],
    original_dst: ConnectionId,
}

#[derive(Clone)]
struct PeriodKey {
    period: u32,
    key: hmac::Key,
}

/// What a token is good for, and nothing else.
struct Claim {
    second: u32,
    remote: SocketAddr,
    /// Of the dialer.
    source: ConnectionId,
    original_dst: ConnectionId,
    retry_source: ConnectionId,
}

impl RetryTokens {
    /// Tokens of an endpoint that starts at `start`. With a fresh `seed` at every start, no token outlives
    /// a restart, and so none is taken twice across one.
    pub(crate) fn new(seed: [u8; 32], start: Instant) -> Self {
        let seed = hmac::Key::new(hmac::HMAC_SHA256, &seed);
        let first = PeriodKey::derive(&seed, 0);
        Self { seed, integrity: integrity_key(), start, keys: [first.clone(), first], used: BTreeSet::new() }
    }

    /// The token for a dialer at `remote` that calls itself `scid` and called us `odcid`, whom we ask to
    /// call us `rscid` from now on.
    pub(crate) fn issue(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        scid: ConnectionId,
        odcid: ConnectionId,
        rscid: ConnectionId,
    ) -> Token {
        let second = self.second(now);
        let claim = Claim { second, remote, source: scid, original_dst: odcid, retry_source: rscid };
        let key = self.key(second);
        let mut token = Token::new();
        token.push(key.id());
        token.extend_from_slice(&second.to_be_bytes());
        token.extend_from_slice(odcid.as_bytes());
        token.extend_from_slice(&claim.code(&key.key));
        token
    }

    /// Looks at a token that came from `remote` in a packet from `scid` to `rscid`. `None`: it is not ours,
    /// not for them, too old, or [spent](Self::spend).
    pub(crate) fn verify(
        &mut self,
        now: Instant,
        token: &[u8],
        remote: SocketAddr,
        scid: ConnectionId,
        rscid: ConnectionId,
    ) -> Option<Proof> {
        let (id, rest) = token.split_first()?;
        let (second, rest) = rest.split_first_chunk()?;
        let (odcid, code) = rest.split_first_chunk::<CID_BYTES>()?;
        let code: &[u8; MAC_BYTES] = code.try_into().ok()?;
        let (second, original_dst) = (u32::from_be_bytes(*second), ConnectionId::from(*odcid));

        let now = self.second(now);
        if now.checked_sub(second)? > LIFETIME_SECS {
            return None;
        }
        let oldest = now.saturating_sub(LIFETIME_SECS);
        while self.used.first().is_some_and(|(second, _)| *second < oldest) {
            self.used.pop_first();
        }
        let key = self.key(second);
        let claim = Claim { second, remote, source: scid, original_dst, retry_source: rscid };
        let good = *id == key.id() && mac::equal(&claim.code(&key.key), code);
        (good && !self.used.contains(&(second, *code))).then_some(Proof { second, code: *code, original_dst })
    }

    /// Uses a token up, when nothing else speaks against the dialer: a hello that is turned away must not
    /// cost it its only token. Gives the destination of the dialer's very first packet.
    ///
    /// When more than 4096 tokens were spent within their lifetime the oldest are forgotten, so that
    /// nobody can lock others out by spending many.
    pub(crate) fn spend(&mut self, proof: Proof) -> ConnectionId {
        self.used.insert((proof.second, proof.code));
        if self.used.len() > MAX_USED {
            self.used.pop_first();
        }
        proof.original_dst
    }

    /// The [`retry_tag`] of a Retry, without making its key anew.
    pub(crate) fn retry_tag(&self, odcid: &ConnectionId, retry: &[u8]) -> [u8; MAC_BYTES] {
        hmac_short(&self.integrity, &[odcid.as_bytes(), retry])
    }

    /// Seconds since the start.
    fn second(&self, now: Instant) -> u32 {
        u32::try_from(now.saturating_duration_since(self.start).as_secs()).unwrap_or(u32::MAX)
    }

    /// The key of that second's period; remembered when it is the latest or the one before.
    fn key(&mut self, second: u32) -> PeriodKey {
        let period = second / KEY_SECS;
        if let Some(known) = self.keys.iter().find(|key| key.period == period) {
            return known.clone();
        }
        let key = PeriodKey::derive(&self.seed, period);
        let [latest, _] = &self.keys;
        if period > latest.period {
            self.keys = [key.clone(), latest.clone()];
        }
        key
    }
}

impl fmt::Debug for RetryTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryTokens").field("used", &self.used.len()).finish_non_exhaustive()
    }
}

impl PeriodKey {
    fn derive(seed: &hmac::Key, period: u32) -> Self {
        let mut context = hmac::Context::with_key(seed);
        context.update(b"sayagain/1 retry token key");
        context.update(&period.to_be_bytes());
        Self { period, key: hmac::Key::new(hmac::HMAC_SHA256, context.sign().as_ref()) }
    }

    /// What a token says about its key.
    const fn id(&self) -> u8 {
        let [.., id] = self.period.to_be_bytes();
        id
    }
}

impl Claim {
    /// Every part has a fixed length, so no two claims look alike. IPv4 counts as its mapped form
    /// (RFC 4291 §2.5.5.2): a socket of both families shows it so.
    fn code(&self, key: &hmac::Key) -> [u8; MAC_BYTES] {
        let ip = match self.remote.ip() {
            std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            std::net::IpAddr::V6(ip) => ip,
        };
        hmac_short(
            key,
            &[
                &self.second.to_be_bytes(),
                &ip.octets(),
                &self.remote.port().to_be_bytes(),
                self.source.as_bytes(),
                self.original_dst.as_bytes(),
                self.retry_source.as_bytes(),
            ],
        )
    }
}

/// The tag at the end of a Retry that answers a packet to `odcid`: over that id and the Retry before its
/// tag, as in RFC 9001 §5.8 but with HMAC-SHA256.
pub(crate) fn retry_tag(odcid: &ConnectionId, retry: &[u8]) -> [u8; MAC_BYTES] {
    hmac_short(&integrity_key(), &[odcid.as_bytes(), retry])
}

fn integrity_key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, RETRY_KEY)
}

/// Whether `tag` is the [`retry_tag`] of a Retry.
pub(crate) fn is_retry_tag(odcid: &ConnectionId, retry: &[u8], tag: &[u8; MAC_BYTES]) -> bool {
    mac::equal(&retry_tag(odcid, retry), tag)
}

#[cfg(test)]
mod tests;
