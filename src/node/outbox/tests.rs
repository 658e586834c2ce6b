use super::*;

const THIN: Lane = Lane::thin(1);
const BULK: Lane = Lane::bulk(1);

fn frame(len: usize) -> Bytes {
    vec![b'x'; len].into()
}

fn numbered(number: usize) -> Bytes {
    number.to_string().into_bytes().into()
}

/// Pushes so many one-byte frames, all of which are to be taken.
fn fill(outbox: &Outbox, lane: Lane, frames: usize) {
    for n in 0..frames {
        assert_eq!(outbox.push(lane, frame(1)), Pushed::Taken, "frame {n}");
    }
}

/// How many bytes of this lane may wait.
fn bound(lane: Lane) -> usize {
    if lane == BULK { OUTBOX_BULK_BYTES } else { OUTBOX_BYTES }
}

fn batch(outbox: &Outbox) -> Option<Vec<Bytes>> {
    match outbox.take()? {
        Next::Frames(frames) => Some(frames.into_iter().map(|(_, frame)| frame).collect()),
        Next::Close(..) => None,
    }
}

#[test]
fn are_as_many_frames_taken_as_the_limit_says_and_not_one_more() {
    for lane in [THIN, BULK] {
        let outbox = Outbox::default();
        fill(&outbox, lane, OUTBOX_FRAMES);
        assert_eq!(outbox.push(lane, frame(1)), Pushed::Full);
    }
}

#[test]
fn are_as_many_frames_that_steer_taken_as_the_limit_says_and_not_one_more() {
    let outbox = Outbox::default();
    fill(&outbox, Lane::CONTROL, OUTBOX_CONTROL_FRAMES);
    assert_eq!(outbox.push(Lane::CONTROL, frame(1)), Pushed::Full);
}

#[test]
fn are_as_many_bytes_taken_as_the_limit_says_and_one_frame_more() {
    for lane in [THIN, BULK, Lane::CONTROL] {
        let outbox = Outbox::default();
        let part = bound(lane) / 16;
        for _ in 0..15 {
            assert_eq!(outbox.push(lane, frame(part)), Pushed::Taken);
        }
        assert_eq!(outbox.push(lane, frame(part - 1)), Pushed::Taken);
        assert_eq!(outbox.push(lane, frame(part)), Pushed::Taken, "one byte is free");
        assert_eq!(outbox.push(lane, frame(1)), Pushed::Full);
    }
    for lane in [THIN, BULK] {
        let outbox = Outbox::default();
        assert_eq!(outbox.push(lane, frame(bound(lane))), Pushed::Taken);
        assert_eq!(outbox.push(lane, frame(1)), Pushed::Full, "exactly full");
    }
}

#[test]
fn does_a_full_class_leave_room_for_the_others() {
    let outbox = Outbox::default();
    fill(&outbox, THIN, OUTBOX_FRAMES);
    assert_eq!(outbox.push(THIN, frame(1)), Pushed::Full);
    assert_eq!(outbox.push(Lane::CONTROL, frame(1)), Pushed::Taken);
    assert_eq!(outbox.push(BULK, frame(1)), Pushed::Taken);
}

/// If a later frame slipped in after one that was refused, the order of a log would be lost.
#[test]
fn is_nothing_taken_after_a_refusal_until_room_was_told_of() {
    let outbox = Outbox::default();
    fill(&outbox, THIN, OUTBOX_FRAMES);
    assert_eq!(outbox.push(THIN, frame(1)), Pushed::Full);
    assert_eq!(batch(&outbox).unwrap().len(), OUTBOX_FRAMES);
    assert_eq!(outbox.push(THIN, frame(1)), Pushed::Full, "empty, but nobody was told");
    assert!(!outbox.is_idle(Line::Prompt), "nothing goes past it");
    assert!(outbox.sent(Line::Prompt));
    assert_eq!(outbox.push(THIN, frame(1)), Pushed::Taken);
}

#[test]
fn is_room_told_of_once_and_not_before_it_is_half_empty() {
    let outbox = Outbox::default();
    let long = frame(OUTBOX_BYTES / 32);
    while outbox.push(THIN, long.clone()) == Pushed::Taken {}
    let mut left = 32;
    while left > 16 {
        assert!(!outbox.sent(Line::Prompt), "{left} of 32 wait");
        left -= batch(&outbox).unwrap().len();
    }
    assert!(outbox.sent(Line::Prompt), "half empty");
    batch(&outbox).unwrap();
    assert!(!outbox.sent(Line::Prompt), "nobody waits any more");
}

#[test]
fn is_who_asks_for_room_told_when_there_is() {
    let outbox = Outbox::default();
    fill(&outbox, THIN, OUTBOX_FRAMES / 2);
    assert!(outbox.await_room(), "half empty");
    assert!(!outbox.sent(Line::Prompt), "it has its answer");
    fill(&outbox, THIN, 1);
    assert!(!outbox.await_room(), "one past it");
    batch(&outbox).unwrap();
    assert!(outbox.sent(Line::Prompt));
    assert!(!outbox.sent(Line::Prompt), "once");
}

/// A transport that takes no more of a file must not keep what is said from being handed on.
#[test]
fn does_a_part_of_a_file_on_its_way_leave_the_rest_idle() {
    let outbox = Outbox::default();
    outbox.push(BULK, frame(1));
    assert!(!outbox.is_idle(Line::Bulk) && outbox.is_idle(Line::Prompt));
    assert!(outbox.take_bulk().is_some() && outbox.take_bulk().is_none());
    assert!(
        !outbox.is_idle(Line::Bulk) && outbox.is_idle(Line::Prompt),
        "the transport does not have it yet"
    );
    outbox.push(THIN, frame(1));
    assert!(!outbox.is_idle(Line::Prompt));
    outbox.sent(Line::Bulk);
    assert!(outbox.is_idle(Line::Bulk) && !outbox.is_idle(Line::Prompt));
}

#[test]
fn does_a_full_line_of_files_leave_chat_its_room() {
    let outbox = Outbox::default();
    fill(&outbox, BULK, OUTBOX_FRAMES);
    assert_eq!(outbox.push(BULK, frame(1)), Pushed::Full);
    assert!(outbox.await_room() && outbox.is_idle(Line::Prompt));
    fill(&outbox, THIN, OUTBOX_FRAMES);
    assert_eq!(outbox.push(THIN, frame(1)), Pushed::Full);
    batch(&outbox).unwrap();
    assert!(outbox.sent(Line::Prompt), "whatever waits of files");
    assert_eq!(outbox.push(BULK, frame(1)), Pushed::Full, "that was no room for files");
}

#[test]
fn is_room_for_files_told_of_once_and_not_before_half_of_them_are_gone() {
    for (part, parts) in [(frame(1), OUTBOX_FRAMES), (frame(OUTBOX_BULK_BYTES / 64), 64)] {
        let outbox = Outbox::default();
        for _ in 0..parts {
            assert_eq!(outbox.push(BULK, part.clone()), Pushed::Taken);
        }
        assert_eq!(outbox.push(BULK, part.clone()), Pushed::Full);
        assert!(outbox.await_room(), "who asks for chat does not ask for files");
        for sent in 1..=parts {
            assert!(outbox.take_bulk().is_some());
            assert_eq!(outbox.sent(Line::Bulk), sent == parts / 2, "{sent} of {parts}");
        }
        assert_eq!(outbox.push(BULK, part), Pushed::Taken);
    }
}

#[test]
fn is_the_order_of_a_class_kept_and_the_highest_served_first() {
    let outbox = Outbox::default();
    for n in 0..300 {
        outbox.push(BULK, numbered(n));
        outbox.push(Lane::thin(n as u32 % 3), numbered(1_000 + n));
    }
    outbox.push(Lane::CONTROL, numbered(9_999));
    let number = |frame: &Bytes| std::str::from_utf8(frame).unwrap().parse().unwrap();
    let numbers: Vec<usize> = batch(&outbox).unwrap().iter().map(number).collect();
    let expected: Vec<usize> = [9_999].into_iter().chain(1_000..1_300).collect();
    assert_eq!(numbers, expected);
    let parts = std::iter::from_fn(|| outbox.take_bulk()).map(|(_, part)| number(&part));
    assert!(parts.eq(0..300), "files wait beside them");
}

#[test]
fn is_a_batch_bounded_by_one_frame_past_its_bytes() {
    let outbox = Outbox::default();
    for _ in 0..8 {
        outbox.push(THIN, frame(BATCH_BYTES / 2 + 1));
    }
    assert_eq!(batch(&outbox).unwrap().len(), 2);
    let outbox = Outbox::default();
    for _ in 0..8 {
        outbox.push(THIN, frame(BATCH_BYTES / 2));
    }
    assert_eq!(batch(&outbox).unwrap().len(), 2);
}

#[test]
fn is_a_link_closed_after_all_that_was_said_before() {
    let outbox = Outbox::default();
    fill(&outbox, THIN, 3);
    outbox.close(ByeReason::Quit, "first".into());
    outbox.close(ByeReason::Violation, "second".into());
    assert!(outbox.is_closing());
    outbox.push(THIN, frame(1));
    assert_eq!(batch(&outbox).unwrap().len(), 3, "what comes after the close is dropped");
    let Some(Next::Close(reason, detail)) = outbox.take() else { panic!("no close") };
    assert_eq!((reason, detail.as_str()), (ByeReason::Quit, "first"));
    outbox.push(THIN, frame(1));
    assert!(outbox.take().is_none() && outbox.is_closing());
}

#[test]
fn is_what_waits_of_files_let_go_of_at_a_close() {
    let outbox = Outbox::default();
    fill(&outbox, BULK, 3);
    fill(&outbox, THIN, 1);
    outbox.close(ByeReason::Quit, String::new());
    assert!(outbox.take_bulk().is_none());
    assert_eq!(batch(&outbox).unwrap().len(), 1);
    assert!(matches!(outbox.take(), Some(Next::Close(..))));
}

#[tokio::test]
async fn does_a_session_that_waits_hear_of_a_frame_and_of_a_close() {
    let outbox = std::sync::Arc::new(Outbox::default());
    let waiting = tokio::spawn({
        let outbox = outbox.clone();
        async move { (outbox.next().await, outbox.next().await) }
    });
    tokio::task::yield_now().await;
    outbox.push(THIN, frame(1));
    tokio::task::yield_now().await;
    outbox.close(ByeReason::Quit, String::new());
    let (first, second) = waiting.await.unwrap();
    assert!(matches!(first, Next::Frames(frames) if frames.len() == 1));
    assert!(matches!(second, Next::Close(ByeReason::Quit, _)));
}
