//! Short message authentication codes: SipHash where speed counts and the stakes are small, HMAC-SHA256
//! cut to 16 bytes where an attacker would gain something.

use std::hint::black_box;

use ring::hmac;

/// Bytes of every code here that is sent as a tag or a token.
pub(crate) const MAC_BYTES: usize = 16;

/// A key of [`SipHash`], the two halves of its 16 bytes in little-endian order.
#[derive(Clone, Copy)]
pub(crate) struct SipKey(u64, u64);

impl SipKey {
    /// The key of 16 bytes.
    pub(crate) const fn new(bytes: [u8; 16]) -> Self {
        let both = u128::from_le_bytes(bytes);
        Self(both as u64, (both >> 64) as u64)
    }
}

/// SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012) over 8-byte words, with
/// the result of 64 bits of the paper or the one of 128 bits of the authors' reference code.
#[derive(Clone)]
pub(crate) struct SipHash {
    v: [u64; 4],
    words: u64,
}

impl SipHash {
    /// Starts a hash of 64 bits.
    pub(crate) const fn short(key: SipKey) -> Self {
        let SipKey(k0, k1) = key;
        let v = [
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ];
        Self { v, words: 0 }
    }

    /// Starts a hash of 128 bits.
    pub(crate) const fn long(key: SipKey) -> Self {
        let mut hash = Self::short(key);
        let [v0, v1, v2, v3] = hash.v;
        hash.v = [v0, v1 ^ 0xee, v2, v3];
        hash
    }

    /// Adds 8 bytes.
    pub(crate) const fn word(&mut self, word: u64) {
        self.words = self.words.wrapping_add(1);
        self.absorb(word);
    }

    /// Adds bytes, with zeros up to the next multiple of 8 behind them. Whoever adds several parts of
    /// variable length adds their lengths as well, or different parts can look alike.
    pub(crate) fn padded(&mut self, bytes: &[u8]) {
        let tail = self.whole_words(bytes);
        if !tail.is_empty() {
            self.word(le_word(tail));
        }
    }

    /// The 64 bits of a hash that was started [`short`](Self::short), after `tail` of up to 7 bytes.
    pub(crate) fn finish_short(mut self, tail: &[u8]) -> u64 {
        self.last(tail);
        self.squeeze(0xff)
    }

    /// The 128 bits of a hash that was started [`long`](Self::long), after `tail` of up to 7 bytes.
    pub(crate) fn finish_long(mut self, tail: &[u8]) -> [u8; MAC_BYTES] {
        self.last(tail);
        let low = u128::from(self.squeeze(0xee));
        let high = u128::from(self.squeeze_more());
        (low | high << 64).to_le_bytes()
    }

    /// Adds as many whole words as `bytes` have and returns the rest.
    fn whole_words<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (words, tail) = bytes.as_chunks();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        tail
    }

    const fn absorb(&mut self, word: u64) {
        let [v0, v1, v2, v3] = self.v;
        let [v0, v1, v2, v3] = round(round([v0, v1, v2, v3 ^ word]));
        self.v = [v0 ^ word, v1, v2, v3];
    }

    /// The word at the end: what is left over, and the length modulo 256.
    fn last(&mut self, tail: &[u8]) {
        let bytes = self.words.wrapping_mul(8).wrapping_add(tail.len() as u64);
        self.absorb(bytes << 56 | le_word(tail));
    }

    const fn squeeze(&mut self, mark: u64) -> u64 {
        let [v0, v1, v2, v3] = self.v;
        self.v = round(round(round(round([v0, v1, v2 ^ mark, v3]))));
        self.fold()
    }

    const fn squeeze_more(&mut self) -> u64 {
        let [v0, v1, v2, v3] = self.v;
        self.v = round(round(round(round([v0, v1 ^ 0xdd, v2, v3]))));
        self.fold()
    }

    const fn fold(&self) -> u64 {
        let [v0, v1, v2, v3] = self.v;
        v0 ^ v1 ^ v2 ^ v3
    }
}

/// SipHash-2-4 of 64 bits.
pub(crate) fn sip_short(key: SipKey, bytes: &[u8]) -> u64 {
    let mut hash = SipHash::short(key);
    let tail = hash.whole_words(bytes);
    hash.finish_short(tail)
}

/// SipHash-2-4 of 128 bits.
pub(crate) fn sip_long(key: SipKey, bytes: &[u8]) -> [u8; MAC_BYTES] {
    let mut hash = SipHash::long(key);
    let tail = hash.whole_words(bytes);
    hash.finish_long(tail)
}

/// HMAC-SHA256 of all parts in a row, cut to its first 16 bytes (RFC 2104 §5).
pub(crate) fn hmac_short(key: &hmac::Key, parts: &[&[u8]]) -> [u8; MAC_BYTES] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    let tag = context.sign();
    tag.as_ref().first_chunk().copied().unwrap_or_default()
}

/// Whether two codes are equal, in a time that does not tell where they differ: one comparison of 128
/// bits, with nothing known to the compiler from which it could make two.
pub(crate) fn equal(a: &[u8; MAC_BYTES], b: &[u8; MAC_BYTES]) -> bool {
    black_box(u128::from_ne_bytes(*a) ^ u128::from_ne_bytes(*b)) == 0
}

/// The paper's SipRound.
#[inline]
const fn round([mut v0, mut v1, mut v2, mut v3]: [u64; 4]) -> [u64; 4] {
    v0 = v0.wrapping_add(v1);
    v1 = v1.rotate_left(13) ^ v0;
    v0 = v0.rotate_left(32);
    v2 = v2.wrapping_add(v3);
    v3 = v3.rotate_left(16) ^ v2;
    v0 = v0.wrapping_add(v3);
    v3 = v3.rotate_left(21) ^ v0;
    v2 = v2.wrapping_add(v1);
    v1 = v1.rotate_left(17) ^ v2;
    v2 = v2.rotate_left(32);
    [v0, v1, v2, v3]
}

/// Up to 8 bytes as a little-endian number.
fn le_word(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests;
