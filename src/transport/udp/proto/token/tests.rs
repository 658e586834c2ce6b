use std::time::Duration;

use proptest::prelude::*;

use super::*;

const SCID: u8 = 1;
const ODCID: u8 = 2;
const RSCID: u8 = 3;

fn cid(byte: u8) -> ConnectionId {
    ConnectionId::from([byte; CID_BYTES])
}

fn remote() -> SocketAddr {
    "192.0.2.1:4000".parse().unwrap()
}

/// Any moment: only what lies between two of them counts.
#[expect(clippy::disallowed_methods, reason = "an Instant comes from nowhere else")]
fn some_moment() -> Instant {
    Instant::now()
}

fn tokens() -> (RetryTokens, Instant) {
    let start = some_moment();
    (RetryTokens::new([5; 32], start), start)
}

fn issue(tokens: &mut RetryTokens, now: Instant) -> Token {
    tokens.issue(now, remote(), cid(SCID), cid(ODCID), cid(RSCID))
}

fn check(tokens: &mut RetryTokens, now: Instant, token: &[u8]) -> Option<ConnectionId> {
    tokens.check(now, token, remote(), cid(SCID), cid(RSCID))
}

impl RetryTokens {
    fn check(
        &mut self,
        now: Instant,
        token: &[u8],
        remote: SocketAddr,
        scid: ConnectionId,
        rscid: ConnectionId,
    ) -> Option<ConnectionId> {
        let proof = self.verify(now, token, remote, scid, rscid)?;
        Some(self.spend(proof))
    }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn a_token_is_good_once() {
    let (mut tokens, now) = tokens();
    let token = issue(&mut tokens, now);
    assert_eq!(token.len(), TOKEN_BYTES);
    assert_eq!(check(&mut tokens, now, &token), Some(cid(ODCID)));
    assert_eq!(check(&mut tokens, now, &token), None);
    assert_eq!(check(&mut tokens, now + secs(10), &token), None, "to the end of its life");
}

#[test]
fn a_token_is_bound_to_everything_it_says() {
    let (mut tokens, now) = tokens();
    let token = issue(&mut tokens, now);
    let others = [
        ("192.0.2.2:4000", SCID, RSCID),
        ("192.0.2.1:4001", SCID, RSCID),
        ("[2001:db8::1]:4000", SCID, RSCID),
        ("192.0.2.1:4000", 9, RSCID),
        ("192.0.2.1:4000", SCID, 9),
    ];
    for (remote, scid, rscid) in others {
        let remote = remote.parse().unwrap();
        assert_eq!(tokens.check(now, &token, remote, cid(scid), cid(rscid)), None, "{remote} {scid} {rscid}");
    }
    let mapped = "[::ffff:192.0.2.1]:4000".parse().unwrap();
    assert!(tokens.check(now, &token, mapped, cid(SCID), cid(RSCID)).is_some(), "nothing was used up");
}

#[test]
fn a_token_lives_ten_seconds() {
    let (mut tokens, start) = tokens();
    for begin in [0, 55, 59, 60, 1_000_000] {
        let now = start + secs(begin);
        let token = issue(&mut tokens, now);
        assert_eq!(check(&mut tokens, now + secs(11), &token), None, "expired");
        assert_eq!(check(&mut tokens, now + secs(10), &token), Some(cid(ODCID)), "also under the next key");
    }
    let early = issue(&mut tokens, start + secs(2_000_000));
    assert_eq!(check(&mut tokens, start + secs(1_999_999), &early), None, "not issued yet");
}

#[test]
fn a_clock_that_stands_still_or_before_the_start_does_no_harm() {
    let now = some_moment();
    let mut tokens = RetryTokens::new([5; 32], now + secs(5));
    let token = issue(&mut tokens, now);
    assert_eq!(check(&mut tokens, now, &token), Some(cid(ODCID)));
}

#[test]
fn another_key_does_not_do() {
    let (mut tokens, start) = tokens();
    let forged = RetryTokens::new([6; 32], start).issue(start, remote(), cid(SCID), cid(ODCID), cid(RSCID));
    assert_eq!(check(&mut tokens, start, &forged), None);
    let mut restarted = RetryTokens::new([7; 32], start);
    let token = issue(&mut tokens, start);
    assert_eq!(check(&mut restarted, start, &token), None, "a token of an earlier life");
    let of = |second| PeriodKey::derive(&tokens.seed, second / KEY_SECS).key;
    let sign = |key: &hmac::Key| hmac_short(key, &[b"x"]);
    assert_ne!(sign(&of(0)), sign(&of(60)));
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let (mut tokens, start) = tokens();
    let now = start + secs(65);
    let token = issue(&mut tokens, now);
    for bit in 0..token.len() * 8 {
        let mut flipped = token.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(check(&mut tokens, now, &flipped), None, "bit {bit}");
    }
    for len in 0..token.len() {
        assert_eq!(check(&mut tokens, now, &token[..len]), None, "{len} bytes");
    }
    assert_eq!(check(&mut tokens, now, &[token.as_slice(), &[0]].concat()), None, "one byte more");
    assert!(check(&mut tokens, now, &token).is_some());
}

#[test]
fn the_memory_of_used_tokens_is_bounded_and_fades() {
    let (mut tokens, now) = tokens();
    for port in 0..=5000 {
        let remote = SocketAddr::new(remote().ip(), port);
        let token = tokens.issue(now, remote, cid(SCID), cid(ODCID), cid(RSCID));
        assert!(tokens.check(now, &token, remote, cid(SCID), cid(RSCID)).is_some());
        assert!(tokens.used.len() <= MAX_USED);
    }
    let token = issue(&mut tokens, now + secs(11));
    assert!(check(&mut tokens, now + secs(11), &token).is_some());
    assert_eq!(tokens.used.len(), 1);
}

#[test]
fn a_retry_tag_is_bound_to_the_id_and_every_bit() {
    let tag = retry_tag(&cid(1), b"retry");
    assert!(is_retry_tag(&cid(1), b"retry", &tag));
    assert!(!is_retry_tag(&cid(2), b"retry", &tag));
    assert!(!is_retry_tag(&cid(1), b"retrx", &tag));
    assert!(!is_retry_tag(&cid(1), b"retry", &[0; 16]));
}

proptest! {
    #[test]
    fn garbage_is_no_token(bytes in prop::collection::vec(any::<u8>(), 0..64), later in 0_u64..u64::from(u32::MAX)) {
        let (mut tokens, start) = tokens();
        prop_assert_eq!(check(&mut tokens, start + secs(later), &bytes), None);
    }
}
