//! Bytes as a script: every byte string is one, so that whatever the fuzzer does to it still means something.

use std::time::Duration;

/// What is left of a script.
pub(super) struct Script<'a> {
    bytes: &'a [u8],
}

impl<'a> Script<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The next byte, `None` at the end.
    pub(super) fn step(&mut self) -> Option<u8> {
        let (&byte, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(byte)
    }

    /// The next byte; 0 at the end.
    pub(super) fn byte(&mut self) -> u8 {
        self.step().unwrap_or(0)
    }

    pub(super) fn side(&mut self) -> usize {
        usize::from(self.byte() & 1)
    }

    pub(super) fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A length, and as many bytes as it says, if they are there.
    pub(super) fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.bytes.len());
        let (bytes, rest) = self.bytes.split_at(len);
        self.bytes = rest;
        bytes
    }

    /// Mostly short, at most about 200 KiB.
    pub(super) fn message_len(&mut self) -> usize {
        match self.byte() {
            len @ 0..=191 => usize::from(len),
            scale @ 192..=239 => usize::from(scale - 191) * usize::from(self.byte()),
            scale => usize::from(scale - 239) * usize::from(self.byte()) * 50,
        }
    }

    /// Up to twelve days: five bits are a power of two, three a factor, in units of 32 µs.
    pub(super) fn time(&mut self) -> Duration {
        let byte = self.byte();
        Duration::from_micros((u64::from(byte & 7) + 1) << (5 + (byte >> 3)))
    }
}
