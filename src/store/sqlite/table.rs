//! The rows of the small tables, each under its own sum.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::wire::{Epoch, Nick, NodeId, PublicKey, Record, RecordHash, RoomId, Seq};

use super::{
    chain::{Seal, Sum},
    column::{self, ordered, plain, read_blob, read_ordered, read_plain},
    error::{Outcome, Trouble, damaged},
};

/// The one row of `history`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HistoryRow {
    pub(super) instance: u64,
    pub(super) rooms: u64,
    pub(super) authors: u64,
}

/// A room without its logs.
#[derive(Clone, Debug)]
pub(super) struct RoomRow {
    pub(super) id: i64,
    pub(super) name: RoomId,
    /// The last arrival that was given.
    pub(super) arrivals: u64,
    /// The last arrival that retention let go of.
    pub(super) floor: u64,
    /// Of the bodies that are kept.
    pub(super) bytes: u64,
    pub(super) lamport: u64,
    pub(super) logs: u64,
    /// The value of the chain at `floor`.
    pub(super) anchor: Sum,
    /// The value of the chain at `arrivals`.
    pub(super) head: Sum,
    /// The sum over its row in `topic`.
    pub(super) topic: Option<Sum>,
    /// Since when this node is a member.
    pub(super) since: Option<u64>,
}

/// Somebody whose records are kept, perhaps before a name is known.
#[derive(Clone, Debug)]
pub(super) struct AuthorRow {
    pub(super) id: i64,
    pub(super) node: NodeId,
    pub(super) nick: Option<Nick>,
    pub(super) key: Option<PublicKey>,
}

/// One log of a room.
#[derive(Clone, Debug)]
pub(super) struct LogRow {
    pub(super) author: i64,
    /// Past `last` when none is kept any more.
    pub(super) first: Seq,
    pub(super) last: Seq,
    pub(super) last_hash: RecordHash,
    pub(super) first_ms: u64,
    pub(super) last_ms: u64,
}

fn checked<T>(row: T, found: Sum, made: Sum, what: impl FnOnce() -> String) -> Outcome<T> {
    if found == made { Ok(row) } else { damaged(format!("{} is not as it was written", what())) }
}

impl HistoryRow {
    pub(super) fn read(conn: &Connection) -> Outcome<Self> {
        let mut statement =
            conn.prepare_cached("SELECT instance, rooms, authors, sum FROM history WHERE one = 1")?;
        let mut rows = statement.query([])?;
        let Some(row) = rows.next()? else { return damaged("its first row is missing") };
        let found =
            Self { instance: read_plain(row, 0)?, rooms: read_plain(row, 1)?, authors: read_plain(row, 2)? };
        let sum = found.sum(&Seal::of(found.instance));
        checked(found, row.get(3)?, sum, || "its first row".into())
    }

    pub(super) fn write(&self, conn: &Connection) -> Outcome<()> {
        let mut statement =
            conn.prepare_cached("INSERT OR REPLACE INTO history VALUES (1, ?1, ?2, ?3, ?4)")?;
        let sum = self.sum(&Seal::of(self.instance));
        statement.execute(params![plain(self.instance), plain(self.rooms), plain(self.authors), sum])?;
        Ok(())
    }

    fn sum(&self, seal: &Seal) -> Sum {
        seal.row("history", &[&self.rooms.to_be_bytes(), &self.authors.to_be_bytes()])
    }
}

impl RoomRow {
    /// A room in which nothing has arrived.
    pub(super) fn new(id: i64, name: RoomId, seal: &Seal) -> Self {
        let start = seal.start(&name);
        let (arrivals, floor, bytes, lamport, logs) = (0, 0, 0, 0, 0);
        Self {
            id,
            name,
            arrivals,
            floor,
            bytes,
            lamport,
            logs,
            anchor: start,
            head: start,
            topic: None,
            since: None,
        }
    }

    pub(super) fn read(row: &Row<'_>, seal: &Seal) -> Outcome<Self> {
        let found = Self {
            id: row.get(0)?,
            name: column::read_room(read_blob(row, 1)?)?,
            arrivals: read_plain(row, 2)?,
            floor: read_plain(row, 3)?,
            bytes: read_plain(row, 4)?,
            lamport: read_plain(row, 5)?,
            logs: read_plain(row, 6)?,
            anchor: row.get(7)?,
            head: row.get(8)?,
            topic: row.get(9)?,
            since: row.get::<_, Option<i64>>(10)?.map(i64::cast_unsigned),
        };
        let sum = found.sum(seal);
        let id = found.id;
        checked(found, row.get(11)?, sum, || format!("room {id}"))
    }

    /// The room of that name, if there is one.
    pub(super) fn find(conn: &Connection, seal: &Seal, name: &RoomId) -> Outcome<Option<Self>> {
        let mut statement = conn.prepare_cached("SELECT * FROM room WHERE name = ?1")?;
        let mut rows = statement.query([column::room(name)])?;
        rows.next()?.map(|row| Self::read(row, seal)).transpose()
    }

    pub(super) fn write(&self, conn: &Connection, seal: &Seal) -> Outcome<()> {
        let mut statement = conn.prepare_cached(
            "INSERT INTO room VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (id) DO UPDATE SET arrivals = ?3, floor = ?4, bytes = ?5, lamport = ?6, logs = ?7,
                 anchor = ?8, head = ?9, topic = ?10, since = ?11, sum = ?12",
        )?;
        statement.execute(params![
            self.id,
            column::room(&self.name),
            plain(self.arrivals),
            plain(self.floor),
            plain(self.bytes),
            plain(self.lamport),
            plain(self.logs),
            self.anchor,
            self.head,
            self.topic,
            self.since.map(plain),
            self.sum(seal),
        ])?;
        Ok(())
    }

    fn sum(&self, seal: &Seal) -> Sum {
        let numbers = [plain(self.arrivals), plain(self.floor), plain(self.bytes), plain(self.lamport)];
        let numbers = [self.id, plain(self.logs)].into_iter().chain(numbers).flat_map(i64::to_be_bytes);
        let numbers: Vec<u8> = numbers.collect();
        let topic = self.topic.as_ref().map_or(&[][..], |sum| &sum[..]);
        let since = self.since.map(u64::to_be_bytes);
        let since = since.as_ref().map_or(&[][..], |since| &since[..]);
        seal.row("room", &[&numbers, &column::room(&self.name), &self.anchor, &self.head, topic, since])
    }
}

impl AuthorRow {
    pub(super) fn read(row: &Row<'_>, seal: &Seal) -> Outcome<Self> {
        let nick: Option<String> = row.get(2)?;
        let key: Option<[u8; 32]> = row.get(3)?;
        let found = Self {
            id: row.get(0)?,
            node: NodeId(row.get(1)?),
            nick: nick.as_deref().map(column::read_nick).transpose()?,
            key: key.map(PublicKey),
        };
        let sum = found.sum(seal);
        let id = found.id;
        checked(found, row.get(4)?, sum, || format!("author {id}"))
    }

    pub(super) fn write(&self, conn: &Connection, seal: &Seal) -> Outcome<()> {
        let mut statement = conn.prepare_cached(
            "INSERT INTO author VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (id) DO UPDATE SET nick = ?3, key = ?4, sum = ?5",
        )?;
        let nick = self.nick.as_ref().map(column::nick);
        statement.execute(params![self.id, self.node.0, nick, self.key.map(|key| key.0), self.sum(seal)])?;
        Ok(())
    }

    fn sum(&self, seal: &Seal) -> Sum {
        let nick = self.nick.as_ref().map(column::nick).unwrap_or_default();
        let key = self.key.as_ref().map_or(&[][..], |key| &key.0[..]);
        seal.row("author", &[&self.id.to_be_bytes(), &self.node.0, nick.as_bytes(), key])
    }
}

impl LogRow {
    /// A row of `log`, with its room and epoch.
    pub(super) fn read(row: &Row<'_>, seal: &Seal) -> Outcome<(i64, Epoch, Self)> {
        let (room, epoch) = (row.get(0)?, Epoch(read_plain(row, 2)?));
        let found = Self {
            author: row.get(1)?,
            first: Seq(read_ordered(row, 3)?),
            last: Seq(read_ordered(row, 4)?),
            last_hash: row.get(5)?,
            first_ms: read_ordered(row, 6)?,
            last_ms: read_ordered(row, 7)?,
        };
        let sum = found.sum(seal, room, epoch);
        checked((room, epoch, found), row.get(8)?, sum, || format!("a log of room {room}"))
    }

    pub(super) fn write(&self, conn: &Connection, seal: &Seal, room: i64, epoch: Epoch) -> Outcome<()> {
        let mut statement = conn.prepare_cached(
            "INSERT INTO log VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (room, author, epoch) DO UPDATE SET first = ?4, last = ?5, last_hash = ?6,
                 first_ms = ?7, last_ms = ?8, sum = ?9",
        )?;
        statement.execute(params![
            room,
            self.author,
            plain(epoch.0),
            ordered(self.first.0),
            ordered(self.last.0),
            self.last_hash,
            ordered(self.first_ms),
            ordered(self.last_ms),
            self.sum(seal, room, epoch),
        ])?;
        Ok(())
    }

    fn sum(&self, seal: &Seal, room: i64, epoch: Epoch) -> Sum {
        let numbers = [epoch.0, self.first.0, self.last.0, self.first_ms, self.last_ms].map(plain);
        let numbers = [room, self.author].into_iter().chain(numbers).flat_map(i64::to_be_bytes);
        seal.row("log", &[&numbers.collect::<Vec<u8>>(), &self.last_hash])
    }
}

/// The record that set the topic of a room, and the sum for the row of the room.
pub(super) fn write_topic(conn: &Connection, seal: &Seal, room: i64, record: &Record) -> Outcome<Sum> {
    let bytes = postcard::to_stdvec(record).map_err(|error| Trouble::Damaged(error.to_string()))?;
    conn.prepare_cached("INSERT OR REPLACE INTO topic VALUES (?1, ?2)")?.execute(params![room, bytes])?;
    Ok(seal.row("topic", &[&bytes]))
}

/// The topic of a room that has one.
pub(super) fn read_topic(conn: &Connection, seal: &Seal, room: &RoomRow) -> Outcome<Option<Record>> {
    let Some(sum) = room.topic else { return Ok(None) };
    let mut statement = conn.prepare_cached("SELECT record FROM topic WHERE room = ?1")?;
    let bytes: Option<Vec<u8>> = statement.query_row([room.id], |row| row.get(0)).optional()?;
    let bytes = bytes.filter(|bytes| seal.row("topic", &[bytes]) == sum);
    let record = bytes.and_then(|bytes| postcard::from_bytes(&bytes).ok());
    record.map_or_else(
        || damaged(format!("the topic of room {} is not as it was written", room.id)),
        |r| Ok(Some(r)),
    )
}
