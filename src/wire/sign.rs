//! Ed25519 over records. Signing is deterministic (RFC 8032), so this is pure.

use std::fmt;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use super::{NodeId, PublicKey, Record, RecordHash, Signature};

/// The DER of a PKCS#8 v1 Ed25519 private key before its 32-byte seed (RFC 8410 §7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Bytes of an Ed25519 private key in PKCS#8 v1 form.
pub const PKCS8_BYTES: usize = PKCS8_PREFIX.len() + 32;

/// The private key of a node. Prints only its public half.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
    seed: [u8; 32],
}

/// The bytes are no Ed25519 private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 private key in PKCS#8 form")]
pub struct BadKey;

impl SigningKey {
    /// The key that belongs to a seed of 32 random bytes.
    ///
    /// # Errors
    /// [`BadKey`] never, as long as the library takes every seed.
    pub fn from_seed(seed: [u8; 32]) -> Result<Self, BadKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| BadKey)?;
        let public = pair.public_key().as_ref().try_into().map(PublicKey).map_err(|_| BadKey)?;
        Ok(Self { pair, public, seed })
    }

    /// Reads the PKCS#8 v1 form, as OpenSSL writes it.
    ///
    /// # Errors
    /// [`BadKey`] for anything else.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, BadKey> {
        let seed = der.strip_prefix(&PKCS8_PREFIX).ok_or(BadKey)?;
        Self::from_seed(seed.try_into().map_err(|_| BadKey)?)
    }

    /// The PKCS#8 v1 form, for the key file and for TLS.
    pub fn to_pkcs8(&self) -> [u8; PKCS8_BYTES] {
        let mut der = [0; PKCS8_BYTES];
        let (prefix, seed) = der.split_at_mut(PKCS8_PREFIX.len());
        prefix.copy_from_slice(&PKCS8_PREFIX);
        seed.copy_from_slice(&self.seed);
        der
    }

    /// The public half.
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// The node that holds this key.
    pub fn node(&self) -> NodeId {
        NodeId::of(&self.public)
    }

    /// Signs a record that follows `prev` in its log.
    pub fn sign(&self, record: &mut Record, prev: RecordHash) {
        let signature = self.pair.sign(&record.signed_bytes(&prev));
        let mut halves = ([0; 32], [0; 32]);
        let (low, high) = signature.as_ref().split_at(32);
        halves.0.iter_mut().zip(low).for_each(|(to, from)| *to = *from);
        halves.1.iter_mut().zip(high).for_each(|(to, from)| *to = *from);
        record.signature = Some(Signature { prev, halves });
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?})", self.public)
    }
}

/// Whether the author whose key this is said exactly this.
pub fn is_signed_by(record: &Record, key: &PublicKey) -> bool {
    let Some(signature) = record.signature else { return false };
    let bytes = [signature.halves.0, signature.halves.1].concat();
    record.author == NodeId::of(key)
        && UnparsedPublicKey::new(&ED25519, &key.0)
            .verify(&record.signed_bytes(&signature.prev), &bytes)
            .is_ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::{Epoch, Kind, RoomId, Seq};
    use super::*;

    fn signed() -> (SigningKey, Record) {
        let key = SigningKey::from_seed([3; 32]).unwrap();
        let room = RoomId::Public("lobby".parse().unwrap());
        let mut record = Record {
            room,
            author: key.node(),
            epoch: Epoch(1),
            seq: Seq(0),
            lamport: 1,
            sent_at_ms: 5,
            kind: Kind::TEXT,
            body: Bytes::from_static(b"hello"),
            signature: None,
        };
        key.sign(&mut record, [0; 16]);
        (key, record)
    }

    #[test]
    fn does_a_signature_cover_every_field() {
        let (key, record) = signed();
        assert!(is_signed_by(&record, &key.public()));
        let mutations: [fn(&mut Record); 9] = [
            |r| r.room = RoomId::Public("other".parse().unwrap()),
            |r| r.author = NodeId([0; 32]),
            |r| r.epoch.0 += 1,
            |r| r.seq.0 += 1,
            |r| r.lamport += 1,
            |r| r.sent_at_ms += 1,
            |r| r.kind = Kind::TOPIC,
            |r| r.body = Bytes::from_static(b"hellp"),
            |r| r.signature.as_mut().unwrap().prev[0] ^= 1,
        ];
        for mutate in mutations {
            let mut forged = record.clone();
            mutate(&mut forged);
            assert!(!is_signed_by(&forged, &key.public()), "{forged:?}");
        }
    }

    #[test]
    fn is_a_record_of_another_key_or_without_signature_refused() {
        let (key, mut record) = signed();
        let other = SigningKey::from_seed([4; 32]).unwrap();
        assert!(!is_signed_by(&record, &other.public()));
        record.signature = None;
        assert!(!is_signed_by(&record, &key.public()));
    }

    #[test]
    fn does_a_key_read_back_from_its_file_form() {
        let (key, _) = signed();
        assert_eq!(SigningKey::from_pkcs8(&key.to_pkcs8()).unwrap().public(), key.public());
        assert_eq!(SigningKey::from_pkcs8(&key.to_pkcs8()[1..]).unwrap_err(), BadKey);
        assert_eq!(
            format!("{key:?}"),
            format!("SigningKey({:?})", key.public()),
            "the seed is never printed"
        );
    }
}
