//! Sums that make damage show: one over each row of the small tables, and one chain through the records of
//! each room. Keyed by the instance, so that what belongs to another history does not fit.

use blake3::Hasher;

use crate::{store::Stored, wire::RoomId};

use super::column;

const CONTEXT: &str = "sayagain history 1 sums";

/// Bytes of a BLAKE3 hash that are kept. Against chance, not against somebody who can write the file.
pub(super) type Sum = [u8; 16];

/// Makes the sums of one history.
#[derive(Clone, Debug)]
pub(super) struct Seal {
    key: [u8; 32],
}

impl Seal {
    pub(super) fn of(instance: u64) -> Self {
        Self { key: blake3::derive_key(CONTEXT, &instance.to_be_bytes()) }
    }

    /// Over the fields of a row of `table`.
    pub(super) fn row(&self, table: &str, fields: &[&[u8]]) -> Sum {
        let mut hasher = Hasher::new_keyed(&self.key);
        for field in [table.as_bytes()].iter().chain(fields) {
            hasher.update(&(field.len() as u64).to_be_bytes());
            hasher.update(field);
        }
        short(&hasher)
    }

    /// Where the chain of a room begins.
    pub(super) fn start(&self, room: &RoomId) -> Sum {
        self.row("chain", &[&column::room(room)])
    }

    /// The value of the chain at a record, from the one at the record before.
    pub(super) fn link(&self, prev: &Sum, stored: &Stored) -> Sum {
        let record = &stored.record;
        let mut hasher = Hasher::new_keyed(&self.key);
        hasher.update(prev).update(&record.author.0);
        let numbers = [
            stored.arrival.0,
            stored.arrived_ms,
            record.epoch.0,
            record.seq.0,
            record.lamport,
            record.sent_at_ms,
            u64::from(record.kind.0),
            record.body.len() as u64,
        ];
        for number in numbers {
            hasher.update(&number.to_be_bytes());
        }
        hasher.update(&record.body);
        if let Some(signature) = &record.signature {
            hasher.update(&column::signature(signature));
        }
        short(&hasher)
    }
}

fn short(hasher: &Hasher) -> Sum {
    let mut sum = [0; 16];
    hasher.finalize_xof().fill(&mut sum);
    sum
}
