//! Names of rooms and people. A value that exists is valid; the rule is checked once, where text
//! enters.

use std::{cmp::Ordering, fmt, hash, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::NodeId;

/// Bytes of the longest name of a person.
pub const MAX_NICK_BYTES: usize = 32;

/// Bytes of the longest name of a room.
pub const MAX_ROOM_BYTES: usize = 64;

/// What stands between the name of a guest and the door it came through.
const GUEST: char = '~';

/// Bytes of the longest name of a door.
const MAX_DOOR_BYTES: usize = 16;

/// Names nobody can take, because people would believe the program is speaking.
const RESERVED: [&str; 7] = ["server", "system", "admin", "root", "me", "all", "here"];

/// The text cannot be a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Characters, first character or length.
    #[error("{0:?} cannot be a name")]
    Rule(String),
    /// Kept for the program itself.
    #[error("the name {0} is reserved")]
    Reserved(String),
}

/// A letter or digit first, then letters, digits, `_`, `.` and `-`; ASCII only, so that no two names
/// look alike.
fn follows_rule(text: &str, max: usize) -> bool {
    text.len() <= max && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(is_legal)
}

const fn is_legal(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

fn quoted(text: &str) -> String {
    text.chars().take(MAX_ROOM_BYTES + 1).collect()
}

/// The name of a person: 1 to 32 of `A-Z a-z 0-9 . _ -`, a letter or digit first. Shown as typed,
/// compared without case.
///
/// A guest, who speaks another protocol and has a door speak ours, has the name of that protocol behind its
/// own (`bob~vsb` in frames) and a `~` before it where people see it. That is no part of the name: guests and
/// others share one namespace.
#[derive(Clone)]
pub struct Nick(Arc<str>);

impl Nick {
    /// The name as its owner wrote it, without a mark.
    pub fn as_str(&self) -> &str {
        self.0.split_once(GUEST).map_or(&*self.0, |(name, _)| name)
    }

    /// The door that a guest came through.
    pub fn door(&self) -> Option<&str> {
        self.0.split_once(GUEST).map(|(_, door)| door)
    }

    /// The same name, of a guest who came through `door`: 1 to 16 of `a-z 0-9 -`, or the name stays as it is.
    #[must_use]
    pub fn through(&self, door: &str) -> Self {
        if is_door(door) { Self(format!("{}{GUEST}{door}", self.as_str()).into()) } else { self.clone() }
    }

    fn folded(&self) -> impl Iterator<Item = u8> + '_ {
        self.as_str().bytes().map(|b| b.to_ascii_lowercase())
    }

    /// The name closest to a text that need not be one: what a name may not hold becomes `-`, and `guest`
    /// stands where nothing is left or nobody may be called so.
    pub fn resembling(text: &str) -> Self {
        let legal = |c: char| if is_legal(c) { c } else { '-' };
        let name: String = text.chars().map(legal).take(MAX_NICK_BYTES).collect();
        let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        name.parse().unwrap_or_else(|_| Self("guest".into()))
    }

    /// This name with a number behind it, shortened where the limit asks for it: `alice2`.
    #[must_use]
    pub fn with_suffix(&self, number: u32) -> Self {
        let (suffix, name) = (number.to_string(), self.as_str());
        let keep = name.len().min(MAX_NICK_BYTES - suffix.len());
        let longer = Self(format!("{}{suffix}", name.get(..keep).unwrap_or("")).into());
        self.door().map_or_else(|| longer.clone(), |door| longer.through(door))
    }
}

impl FromStr for Nick {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        if !follows_rule(text, MAX_NICK_BYTES) {
            return Err(BadName::Rule(quoted(text)));
        }
        if RESERVED.iter().any(|reserved| text.eq_ignore_ascii_case(reserved)) {
            return Err(BadName::Reserved(text.to_owned()));
        }
        Ok(Self(text.into()))
    }
}

impl PartialEq for Nick {
    fn eq(&self, other: &Self) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }
}

impl Eq for Nick {}

impl Ord for Nick {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(other.folded())
    }
}

impl PartialOrd for Nick {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl hash::Hash for Nick {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.folded().for_each(|b| state.write_u8(b));
    }
}

/// As people see it: `bob`, and `~bob` for a guest.
impl fmt::Display for Nick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.door().is_some() {
            fmt::Write::write_char(f, GUEST)?;
        }
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Nick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nick({})", self.0)
    }
}

impl Serialize for Nick {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Nick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let Some((name, door)) = text.split_once(GUEST) else {
            return text.parse().map_err(D::Error::custom);
        };
        let nick: Self = name.parse().map_err(D::Error::custom)?;
        if is_door(door) { Ok(nick.through(door)) } else { Err(D::Error::custom("no name of a door")) }
    }
}

fn is_door(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=MAX_DOOR_BYTES).contains(&text.len()) && text.bytes().all(legal)
}

/// The name of a public room: 1 to 64 of `a-z 0-9 . _ -`, a letter or digit first. Upper case is
/// folded on entry, because the name is part of what authors sign.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomName(Arc<str>);

impl RoomName {
    /// The name, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoomName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        if follows_rule(text, MAX_ROOM_BYTES) {
            Ok(Self(text.to_ascii_lowercase().into()))
        } else {
            Err(BadName::Rule(quoted(text)))
        }
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoomName({})", self.0)
    }
}

impl Serialize for RoomName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RoomName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Where a line is said: in a public room, or between two nodes.
///
/// The pair room names its two members, so that anybody can see who may read it: no membership list
/// is needed to route or refuse.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RoomId {
    /// Whoever joins.
    Public(RoomName),
    /// These two and nobody else.
    Pair(Pair),
}

impl RoomId {
    /// The room between two nodes, the same from either side.
    pub fn between(a: NodeId, b: NodeId) -> Self {
        Self::Pair(Pair { low: a.min(b), high: a.max(b) })
    }

    /// The two members of a pair room.
    pub const fn pair(&self) -> Option<&Pair> {
        match self {
            Self::Public(_) => None,
            Self::Pair(pair) => Some(pair),
        }
    }

    /// The name of a public room.
    pub const fn public(&self) -> Option<&RoomName> {
        match self {
            Self::Public(name) => Some(name),
            Self::Pair(_) => None,
        }
    }
}

impl From<RoomName> for RoomId {
    fn from(name: RoomName) -> Self {
        Self::Public(name)
    }
}

/// Two nodes in a fixed order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Pair {
    low: NodeId,
    high: NodeId,
}

impl Pair {
    /// Both members, the smaller id first.
    pub const fn members(&self) -> [NodeId; 2] {
        [self.low, self.high]
    }

    /// The member that `node` speaks with here; `None` if it is no member.
    pub fn other(&self, node: NodeId) -> Option<NodeId> {
        if node == self.low {
            Some(self.high)
        } else if node == self.high {
            Some(self.low)
        } else {
            None
        }
    }
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (low, high) = <(NodeId, NodeId)>::deserialize(deserializer)?;
        if low < high {
            Ok(Self { low, high })
        } else {
            Err(D::Error::custom("a pair is two nodes in order"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_guest_one_of_us_with_a_mark() {
        let bob: Nick = "bob".parse().unwrap();
        let guest = bob.through("vsb");
        assert_eq!((guest.as_str(), guest.door(), guest.to_string().as_str()), ("bob", Some("vsb"), "~bob"));
        assert_eq!((&guest, bob.door()), (&bob, None));
        assert_eq!(guest.through("uwo-udp").with_suffix(2).door(), Some("uwo-udp"));
        for bad in ["", "VSB", "a b", "a~b", &"x".repeat(MAX_DOOR_BYTES + 1)] {
            assert_eq!(bob.through(bad).door(), None, "{bad}");
        }
        assert_eq!(bob.through(&"x".repeat(MAX_DOOR_BYTES)).door().map(str::len), Some(MAX_DOOR_BYTES));
    }

    #[test]
    fn does_a_guest_keep_the_mark_on_the_wire() {
        let guest = "bob".parse::<Nick>().unwrap().through("vsb");
        let text = serde_json::to_string(&guest).unwrap();
        assert_eq!(text, "\"bob~vsb\"");
        assert_eq!(serde_json::from_str::<Nick>(&text).unwrap().door(), Some("vsb"));
        for bad in ["bob~", "~vsb", "bob~V", "bob~a~b", "~", "bob~xxxxxxxxxxxxxxxxx"] {
            assert!(serde_json::from_str::<Nick>(&format!("{bad:?}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn which_texts_can_be_a_name() {
        for good in ["a", "alice", "Al.ice_2-x", "7up", &"x".repeat(MAX_NICK_BYTES)] {
            assert!(good.parse::<Nick>().is_ok(), "{good}");
        }
        let too_long = "x".repeat(MAX_NICK_BYTES + 1);
        let bad = [
            "",
            " ",
            "al ice",
            "-a",
            ".a",
            "_a",
            "~a",
            "a/b",
            "a\u{7}",
            "аlice",
            "a\u{202e}b",
            "a\n",
            &too_long,
        ];
        for bad in bad {
            assert_eq!(bad.parse::<Nick>(), Err(BadName::Rule(bad.to_owned())), "{bad:?}");
        }
        assert_eq!("Server".parse::<Nick>(), Err(BadName::Reserved("Server".into())));
    }

    #[test]
    fn is_a_room_name_limited_and_folded() {
        assert_eq!("Lobby".parse::<RoomName>().unwrap().as_str(), "lobby");
        assert!("r".repeat(MAX_ROOM_BYTES).parse::<RoomName>().is_ok());
        assert!("r".repeat(MAX_ROOM_BYTES + 1).parse::<RoomName>().is_err());
        assert!("x".repeat(10_000).parse::<RoomName>().is_err());
        assert!("@pair".parse::<RoomName>().is_err());
    }

    #[test]
    fn are_names_one_whatever_their_case() {
        let (a, b): (Nick, Nick) = ("Alice".parse().unwrap(), "aLICE".parse().unwrap());
        assert_eq!(a, b);
        assert_eq!(a.cmp(&b), Ordering::Equal);
        assert_eq!(a.as_str(), "Alice");
    }

    #[test]
    fn does_a_suffix_keep_the_limit() {
        let nick: Nick = "x".repeat(MAX_NICK_BYTES).parse().unwrap();
        assert_eq!(nick.with_suffix(12).as_str().len(), MAX_NICK_BYTES);
        assert_eq!("bob".parse::<Nick>().unwrap().with_suffix(2).as_str(), "bob2");
    }

    #[test]
    fn is_a_pair_room_the_same_from_either_side() {
        let (a, b) = (NodeId([1; 32]), NodeId([2; 32]));
        assert_eq!(RoomId::between(a, b), RoomId::between(b, a));
        let room = RoomId::between(b, a);
        assert_eq!(room.pair().unwrap().other(a), Some(b));
        assert_eq!(room.pair().unwrap().other(NodeId([3; 32])), None);
    }

    #[test]
    fn is_a_pair_out_of_order_refused() {
        let bytes = postcard::to_stdvec(&(NodeId([2; 32]), NodeId([1; 32]))).unwrap();
        assert!(postcard::from_bytes::<Pair>(&bytes).is_err());
        let bytes = postcard::to_stdvec(&(NodeId([1; 32]), NodeId([1; 32]))).unwrap();
        assert!(postcard::from_bytes::<Pair>(&bytes).is_err(), "nobody is a pair with oneself");
    }
}
