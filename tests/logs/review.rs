//! What a review of the protocol found in logs: an old run in the place of a new one, a last seq of all.

use sayagain::{
    app::{
        limits::MAX_EPOCHS,
        log::Inserted,
        room::{Keep, Room},
    },
    wire::{Epoch, Record, Seq},
};

use super::script::{author, room, said, start};

/// Every node of a long conversation has let go of the oldest run of somebody who restarts often;
/// one who was away has not, and says so. Its old run must not push out a newer one: that would be
/// shown a second time when it is heard of again.
#[test]
fn does_an_older_run_make_way_for_nobody() {
    let (now, mut room) = (start(), room(Keep::ALL));
    let in_epoch = |epoch| Record { epoch: Epoch(epoch), ..said(1, 0, "x") };
    for epoch in 2..2 + MAX_EPOCHS as u64 {
        room.insert(in_epoch(epoch), now).unwrap();
    }
    room.start_at(author(1), Epoch(1), Seq(0), now);
    let again = room.insert(in_epoch(2), now);
    assert!(!matches!(again, Ok(Inserted::Next(_))), "shown a second time: {again:?}");
}

/// Seq 2^64 - 1 has none after it. Left in, the record is taken again and again under one seq, and
/// the count of what is kept never comes down: the room then looks for something to let go of, for
/// ever. One client can do that to a server, or through it to every other client.
#[test]
fn is_the_last_seq_of_all_refused() {
    let (now, mut room) = (start(), room(Keep::ALL));
    room.start_at(author(1), Epoch(1), Seq(u64::MAX), now);
    let last = Record { seq: Seq(u64::MAX), ..said(1, 0, "x") };
    let take = |room: &mut Room| room.insert(last.clone(), now);
    let (first, second) = (take(&mut room), take(&mut room));
    let twice = matches!((&first, &second), (Ok(Inserted::Next(_)), Ok(Inserted::Next(_))));
    assert!(!twice, "one seq was taken twice");
}
