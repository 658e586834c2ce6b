//! Keyed checksums with the shape of an AEAD.

use super::super::{
    Side,
    mac::{self, MAC_BYTES, SipHash, SipKey, sip_long},
    seal::{DirectionKeys, HeaderKey, KeySchedule, Keys, PacketKey, PacketKeys, TAG_BYTES},
};

/// What all keys of one level come from.
#[derive(Clone, Copy)]
pub(super) struct Secret([u8; MAC_BYTES]);

impl Secret {
    pub(super) const fn new(bytes: [u8; MAC_BYTES]) -> Self {
        Self(bytes)
    }

    /// One secret out of another; different labels of equal length give unrelated ones.
    pub(super) fn derive(self, label: &[u8]) -> Self {
        Self(sip_long(SipKey::new(self.0), label))
    }

    /// The bytes to show, for a secret that was made to be shown.
    pub(super) const fn into_bytes(self) -> [u8; MAC_BYTES] {
        self.0
    }

    /// Both directions as `side` uses them.
    pub(super) fn keys(self, side: Side) -> Keys {
        let PacketKeys { local, remote } = self.packet_keys(side);
        let direction = |packet| DirectionKeys { header: Box::new(Unmasked), packet };
        Keys { local: direction(local), remote: direction(remote) }
    }

    fn packet_keys(self, side: Side) -> PacketKeys {
        let dialers = Box::new(Checksum(SipKey::new(self.derive(b"dialer  ").0)));
        let acceptors = Box::new(Checksum(SipKey::new(self.derive(b"acceptor").0)));
        match side {
            Side::Dialer => PacketKeys { local: dialers, remote: acceptors },
            Side::Acceptor => PacketKeys { local: acceptors, remote: dialers },
        }
    }
}

/// One key phase after the other, each out of the one before (as RFC 9001 §6.1).
pub(super) struct Phases {
    side: Side,
    secret: Secret,
}

impl Phases {
    /// The phases after the one whose keys come from `secret` itself.
    pub(super) const fn after(secret: Secret, side: Side) -> Self {
        Self { side, secret }
    }
}

impl KeySchedule for Phases {
    fn next(&mut self) -> PacketKeys {
        self.secret = self.secret.derive(b"update  ");
        self.secret.packet_keys(self.side)
    }

    fn peek(&self) -> PacketKeys {
        Self { ..*self }.next()
    }
}

/// SipHash over packet number, header and payload; the payload stays readable.
struct Checksum(SipKey);

impl Checksum {
    /// The lengths are in it, so that no byte can change sides between header and payload.
    fn tag(&self, packet_number: u64, header: &[u8], payload: &[u8]) -> [u8; TAG_BYTES] {
        let mut hash = SipHash::long(self.0);
        hash.word(packet_number);
        hash.word(header.len() as u64);
        hash.word(payload.len() as u64);
        hash.padded(header);
        hash.padded(payload);
        hash.finish_long(&[])
    }
}

impl PacketKey for Checksum {
    fn seal(&self, packet_number: u64, header: &[u8], payload: &mut [u8]) -> Option<[u8; TAG_BYTES]> {
        Some(self.tag(packet_number, header, payload))
    }

    fn open(&self, packet_number: u64, header: &[u8], payload: &mut [u8]) -> Option<usize> {
        let (payload, tag) = payload.split_last_chunk()?;
        mac::equal(&self.tag(packet_number, header, payload), tag).then_some(payload.len())
    }

    fn confidentiality_limit(&self) -> u64 {
        u64::MAX
    }

    fn integrity_limit(&self) -> u64 {
        u64::MAX
    }
}

/// Leaves headers as they are: there is nothing to hide.
struct Unmasked;

impl HeaderKey for Unmasked {
    fn protect(&self, _: &[u8], _: &mut u8, _: &mut [u8]) {}

    fn unprotect(&self, _: &[u8], _: &mut u8, _: &mut [u8]) {}
}
