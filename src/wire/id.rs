//! Who and which: a newtype for every identifier that crosses a file border.

use std::{fmt, str::FromStr};

use data_encoding::BASE32_NOPAD;
use ring::digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The DER prefix of an Ed25519 SubjectPublicKeyInfo; the 32 bytes of the key follow (RFC 8410 §4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Bytes of an Ed25519 public key in SPKI form.
pub const SPKI_BYTES: usize = SPKI_PREFIX.len() + 32;

/// The Ed25519 public key of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// The key as SubjectPublicKeyInfo, the form TLS carries (RFC 7250).
    pub fn to_spki(self) -> [u8; SPKI_BYTES] {
        let mut spki = [0; SPKI_BYTES];
        let (prefix, key) = spki.split_at_mut(SPKI_PREFIX.len());
        prefix.copy_from_slice(&SPKI_PREFIX);
        key.copy_from_slice(&self.0);
        spki
    }

    /// Reads an Ed25519 SubjectPublicKeyInfo; `None` for anything else.
    pub fn from_spki(spki: &[u8]) -> Option<Self> {
        let key = spki.strip_prefix(&SPKI_PREFIX)?;
        key.try_into().ok().map(Self)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", BASE32_NOPAD.encode(&self.0))
    }
}

/// A node: the SHA-256 of its public key in SPKI form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub [u8; 32]);

impl NodeId {
    /// Characters of the text form (base32, RFC 4648 §6, without padding).
    pub const TEXT_CHARS: usize = 52;

    /// The node that holds this key.
    pub fn of(key: &PublicKey) -> Self {
        let hash = digest::digest(&digest::SHA256, &key.to_spki());
        let mut id = [0; 32];
        id.copy_from_slice(hash.as_ref());
        Self(id)
    }

    /// Four characters that tell two nodes of one name apart on a screen. Not proof of anything.
    pub fn tag(&self) -> String {
        let mut text = self.to_string();
        text.truncate(4);
        text
    }

    /// Sixteen characters in groups of four (80 bits), for comparing by eye.
    pub fn fingerprint(&self) -> String {
        let text = self.to_string();
        let groups: Vec<&str> = (0..4).filter_map(|i| text.get(i * 4..i * 4 + 4)).collect();
        groups.join("-")
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({})", self.tag())
    }
}

/// The text is not a node id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node id is 52 characters of A-Z and 2-7")]
pub struct BadNodeId;

impl FromStr for NodeId {
    type Err = BadNodeId;

    fn from_str(text: &str) -> Result<Self, BadNodeId> {
        let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).map_err(|_| BadNodeId)?;
        bytes.try_into().map(Self).map_err(|_| BadNodeId)
    }
}

impl Serialize for NodeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
        } else {
            <[u8; 32]>::deserialize(deserializer).map(Self)
        }
    }
}

/// One run of a node. New at every start and larger than any before it, so that no (epoch, seq) is
/// ever used twice; roughly the unix time of the start in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u64);

/// The place of a record in its log: 0, 1, 2 … without holes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seq(pub u64);

impl Seq {
    /// No log comes this far; what claims to is refused.
    pub const LIMIT: Self = Self(1 << 62);

    /// The one after. Saturates: a log does not live to see 2^64 records.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The one before, none for the first.
    pub const fn prev(self) -> Option<Self> {
        match self.0.checked_sub(1) {
            Some(seq) => Some(Self(seq)),
            None => None,
        }
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_the_text_of_a_node_id_read_back() {
        let id = NodeId::of(&PublicKey([7; 32]));
        assert_eq!(id.to_string().len(), NodeId::TEXT_CHARS);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_lowercase().parse(), Ok(id));
        assert_eq!("".parse::<NodeId>(), Err(BadNodeId));
        assert_eq!(id.to_string()[1..].parse::<NodeId>(), Err(BadNodeId));
    }

    #[test]
    fn is_only_an_ed25519_spki_a_public_key() {
        let key = PublicKey([9; 32]);
        let spki = key.to_spki();
        assert_eq!(PublicKey::from_spki(&spki), Some(key));
        assert_eq!(PublicKey::from_spki(&spki[..43]), None);
        assert_eq!(PublicKey::from_spki(&[&spki[..], &[0]].concat()), None);
        let mut rsa = spki;
        rsa[8] = 0x71;
        assert_eq!(PublicKey::from_spki(&rsa), None);
    }
}
