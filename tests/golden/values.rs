//! The values of the table: Alice is 11…, Bob 22…, and they are in the lobby.

use bytes::Bytes;
use sayagain::wire::{
    Addr, Epoch, Hello, Kind, LogKey, Nick, NodeId, Pair, PastLine, PublicKey, Record, Role, RoomId, Scheme,
    Seq, SigningKey, TransferId, VERSION, Vector,
};

/// The bytes of Alice.
pub(crate) const ALICE: &str = "11*32";

/// The bytes of Bob.
pub(crate) const BOB: &str = "22*32";

/// The bytes of the lobby: a public room, five letters.
pub(crate) const LOBBY: &str = "00 05 'lobby'";

pub(crate) fn alice() -> NodeId {
    NodeId([0x11; 32])
}

pub(crate) fn bob() -> NodeId {
    NodeId([0x22; 32])
}

pub(crate) fn key() -> PublicKey {
    PublicKey([1; 32])
}

pub(crate) fn nick(name: &str) -> Nick {
    name.parse().unwrap()
}

pub(crate) fn lobby() -> RoomId {
    RoomId::Public("lobby".parse().unwrap())
}

pub(crate) fn pair() -> Pair {
    *RoomId::between(bob(), alice()).pair().unwrap()
}

pub(crate) fn log() -> LogKey {
    LogKey { room: lobby(), author: alice(), epoch: Epoch(7) }
}

pub(crate) fn transfer() -> TransferId {
    TransferId { sender: alice(), epoch: Epoch(7), number: 2 }
}

pub(crate) fn vector() -> Vector {
    [(alice(), Epoch(7), Seq(3))].into_iter().collect()
}

pub(crate) fn hello() -> Hello {
    Hello {
        version: VERSION,
        role: Role::Client,
        key: key(),
        nick: nick("alice"),
        epoch: Epoch(7),
        listen: vec![Addr::new(Scheme::Tcp, "127.0.0.1:4224".parse().unwrap())],
        capabilities: 0,
    }
}

pub(crate) fn record() -> Record {
    Record {
        room: lobby(),
        author: alice(),
        epoch: Epoch(7),
        seq: Seq(3),
        lamport: 9,
        sent_at_ms: 300,
        kind: Kind::TEXT,
        body: Bytes::from_static(b"hi"),
        signature: None,
    }
}

pub(crate) fn line() -> PastLine {
    PastLine { nick: nick("alice"), key: None, record: record() }
}

/// The record as said and signed by the node whose seed is 03…, and that node.
pub(crate) fn signed() -> (Record, NodeId) {
    let key = SigningKey::from_seed([3; 32]).unwrap();
    let mut record = Record { author: key.node(), ..record() };
    key.sign(&mut record, [0xee; 16]);
    (record, key.node())
}
