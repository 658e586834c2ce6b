//! Does a close deliver, wait, count and tell as promised?

use std::time::Duration;

use sayagain::transport::{By, CloseCode, CloseReason, Lane, LinkError, MAX_CLOSE_TEXT};

use crate::support::{
    Net, done, number, numbered, poll_once, recv_all, send_all, send_until_full, still_waits, within,
};

pub(crate) async fn does_a_close_deliver_everything_accepted(net: &Net) {
    let (near, mut far, _listener) = net.link().await;
    let lanes = [Lane::bulk(1), Lane::thin(1), Lane::CONTROL];
    for (index, lane) in (0..).zip(lanes) {
        send_all(near.tx.as_ref(), lane, index * 100..(index + 1) * 100, 1000).await;
    }
    let closing = tokio::spawn(async move { near.tx.close(done()).await });
    let mut numbers: Vec<u32> = recv_all(far.rx.as_mut()).await.iter().map(number).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..300));
    assert_eq!(within(closing).await.unwrap(), Ok(()));
}

pub(crate) async fn does_a_close_wait_until_the_last_message_was_consumed(net: &Net) {
    let (near, mut far, _listener) = net.link().await;
    send_all(near.tx.as_ref(), Lane::thin(1), 0..5, 100).await;
    let mut closing = near.tx.close(done());
    assert!(still_waits(&mut closing).await, "nothing was received");
    for _ in 0..5 {
        within(far.rx.recv()).await.unwrap().unwrap();
    }
    assert!(still_waits(&mut closing).await, "the last message was handed out but may be in work");
    let (closed, end) = within(async { tokio::join!(closing, far.rx.recv()) }).await;
    assert_eq!(closed, Ok(()));
    assert_eq!(end.unwrap(), None);
    assert_eq!(within(far.rx.recv()).await.unwrap(), None, "and it stays so");
}

pub(crate) async fn is_a_batch_consumed_only_when_the_next_is_waited_for(net: &Net) {
    let (near, mut far, _listener) = net.link().await;
    send_all(near.tx.as_ref(), Lane::thin(1), 0..5, 100).await;
    let mut closing = near.tx.close(done());
    assert!(still_waits(&mut closing).await, "nothing was received");
    let mut taken = 0;
    while taken < 5 {
        // Not every transport has batches.
        if far.rx.try_recv().is_none() {
            within(far.rx.recv()).await.unwrap().unwrap();
        }
        taken += 1;
    }
    assert_eq!(far.rx.try_recv(), None, "there are no more");
    assert!(still_waits(&mut closing).await, "the last ones were handed out but may be in work");
    let (closed, end) = within(async { tokio::join!(closing, far.rx.recv()) }).await;
    assert_eq!(closed, Ok(()));
    assert_eq!(end.unwrap(), None);
}

pub(crate) async fn does_a_close_say_how_much_was_not_consumed(net: &Net) {
    let (near, mut far, _listener) = net.link().await;
    send_all(near.tx.as_ref(), Lane::thin(1), 0..10, 100).await;
    for _ in 0..4 {
        within(far.rx.recv()).await.unwrap().unwrap();
    }
    drop(far.rx);
    let undelivered = within(near.tx.close(done())).await.unwrap_err();
    assert_eq!(undelivered.messages, 7, "the fourth was handed out, but the fifth never asked for");
}

pub(crate) async fn can_both_sides_close_at_once(net: &Net) {
    let (mut near, mut far, _listener) = net.link().await;
    send_all(near.tx.as_ref(), Lane::thin(1), 0..50, 100).await;
    send_all(far.tx.as_ref(), Lane::thin(1), 0..70, 100).await;
    let (near_closed, far_closed, to_near, to_far) = within(async {
        tokio::join!(
            near.tx.close(done()),
            far.tx.close(done()),
            recv_all(near.rx.as_mut()),
            recv_all(far.rx.as_mut()),
        )
    })
    .await;
    assert_eq!((near_closed, far_closed), (Ok(()), Ok(())));
    assert_eq!((to_near.len(), to_far.len()), (70, 50));

    let (near, far, _listener) = net.link().await;
    let idle = within(async { tokio::join!(near.tx.close(done()), far.tx.close(done())) }).await;
    assert_eq!(idle, (Ok(()), Ok(())), "with nothing sent there is nothing to consume");
}

pub(crate) async fn can_the_other_side_close_after_this_one(net: &Net) {
    let (mut near, mut far, _listener) = net.link().await;
    send_all(far.tx.as_ref(), Lane::bulk(1), 0..20, 100).await;
    let (closed, end) = within(async { tokio::join!(near.tx.close(done()), far.rx.recv()) }).await;
    assert_eq!((closed, end.unwrap()), (Ok(()), None));
    let (closed, arrived) =
        within(async { tokio::join!(far.tx.close(done()), recv_all(near.rx.as_mut())) }).await;
    assert_eq!((closed, arrived.len()), (Ok(()), 20));
}

pub(crate) async fn is_a_send_after_a_close_refused_on_both_sides(net: &Net) {
    let (near, mut far, _listener) = net.link().await;
    let text = "x".repeat(MAX_CLOSE_TEXT + 10);
    let reason = CloseReason::local(CloseCode::Refused, text.clone());
    let (closed, end) = within(async { tokio::join!(near.tx.close(reason), far.rx.recv()) }).await;
    assert_eq!((closed, end.unwrap()), (Ok(()), None));
    let LinkError::Closed(reason) = near.tx.send(Lane::CONTROL, numbered(0, 4)).await.unwrap_err() else {
        panic!("not closed")
    };
    assert_eq!((reason.by, reason.code, reason.text), (By::Local, CloseCode::Refused, text.clone()));
    let LinkError::Closed(reason) = far.tx.send(Lane::CONTROL, numbered(0, 4)).await.unwrap_err() else {
        panic!("not closed")
    };
    assert_eq!((reason.by, reason.code), (By::Remote, CloseCode::Refused));
    assert_eq!(reason.text, text[..MAX_CLOSE_TEXT]);
}

pub(crate) async fn does_a_close_end_a_send_that_waits(net: &Net) {
    let (near, mut far, _listener) = net.link().await;
    let accepted = send_until_full(near.tx.as_ref(), Lane::bulk(1), 64 << 10).await;
    let mut waiting = near.tx.send(Lane::bulk(1), numbered(accepted, 64 << 10));
    assert!(poll_once(&mut waiting).await.is_pending());
    let mut closing = near.tx.close(done());
    assert!(poll_once(&mut closing).await.is_pending());
    assert!(matches!(within(waiting).await, Err(LinkError::Closed(CloseReason { by: By::Local, .. }))));
    let (closed, arrived) = within(async { tokio::join!(closing, recv_all(far.rx.as_mut())) }).await;
    assert_eq!(closed, Ok(()));
    assert_eq!(arrived.len() as u64, near.tx.stats().messages_sent);
}

pub(crate) async fn does_a_close_go_on_when_nobody_waits_for_it(net: &Net) {
    let (near, mut far, _listener) = net.link().await;
    send_all(near.tx.as_ref(), Lane::bulk(1), 0..20, 1000).await;
    let mut closing = near.tx.close(done());
    assert!(poll_once(&mut closing).await.is_pending());
    drop(closing);
    drop(near);
    assert_eq!(recv_all(far.rx.as_mut()).await.len(), 20);
}

pub(crate) async fn can_a_close_be_waited_for_again(net: &Net) {
    let (near, mut far, _listener) = net.link().await;
    send_all(near.tx.as_ref(), Lane::bulk(1), 0..20, 1000).await;
    assert!(poll_once(&mut near.tx.close(done())).await.is_pending());
    let again = near.tx.close(CloseReason::local(CloseCode::Shutdown, "too late to change the reason"));
    let (closed, arrived) = within(async { tokio::join!(again, recv_all(far.rx.as_mut())) }).await;
    assert_eq!((closed, arrived.len()), (Ok(()), 20));
    let refused = far.tx.send(Lane::CONTROL, numbered(0, 4)).await.unwrap_err();
    assert!(matches!(refused, LinkError::Closed(CloseReason { code: CloseCode::Done, .. })), "{refused}");
}

pub(crate) async fn does_a_dropped_receiver_let_the_sender_go_on(net: &Net) {
    let (mut near, far, _listener) = net.link().await;
    drop(far.rx);
    within(send_all(near.tx.as_ref(), Lane::bulk(1), 0..2000, 8 << 10)).await;
    far.tx.send(Lane::thin(1), numbered(1, 4)).await.unwrap();
    assert_eq!(within(near.rx.recv()).await.unwrap(), Some(numbered(1, 4)));
    assert_eq!(within(near.tx.close(done())).await.unwrap_err().messages, 2000);
}

pub(crate) async fn is_leaving_without_a_close_told_apart(net: &Net) {
    let (near, mut far, _listener) = net.link().await;
    send_all(near.tx.as_ref(), Lane::thin(1), 0..3, 100).await;
    for _ in 0..3 {
        assert!(within(far.rx.recv()).await.unwrap().is_some());
    }
    drop(near);
    assert!(matches!(within(far.rx.recv()).await, Err(LinkError::Lost(_))));
    assert!(matches!(far.tx.send(Lane::thin(1), numbered(0, 4)).await, Err(LinkError::Lost(_))));

    let (near, far, _listener) = net.link().await;
    near.tx.send(Lane::thin(1), numbered(0, 4)).await.unwrap();
    drop(far);
    assert_eq!(within(near.tx.close(done())).await.unwrap_err().messages, 1);
}

pub(crate) async fn is_leaving_after_the_others_close_in_order(net: &Net) {
    let (mut near, mut far, _listener) = net.link().await;
    send_all(far.tx.as_ref(), Lane::thin(1), 0..3, 100).await;
    let (closed, end) = within(async { tokio::join!(near.tx.close(done()), far.rx.recv()) }).await;
    assert_eq!((closed, end.unwrap()), (Ok(()), None));
    drop(far);
    assert_eq!(recv_all(near.rx.as_mut()).await.len(), 3);
}

pub(crate) async fn does_a_close_end_though_nobody_reads(net: &Net) {
    let (near, far, _listener) = net.link().await;
    let near_sent = send_until_full(near.tx.as_ref(), Lane::bulk(1), 32 << 10).await;
    send_until_full(far.tx.as_ref(), Lane::bulk(1), 32 << 10).await;
    let undelivered = within(near.tx.close(done())).await.unwrap_err();
    assert!(undelivered.messages >= u64::from(near_sent), "{undelivered}");
}

pub(crate) async fn does_a_slow_reader_get_everything_from_one_who_closes(net: &Net) {
    let (near, mut far, _listener) = net.link().await;
    send_all(near.tx.as_ref(), Lane::thin(1), 0..30, 100).await;
    let closing = tokio::spawn(async move { near.tx.close(done()).await });
    let mut count = 0;
    while within(far.rx.recv()).await.unwrap().is_some() {
        count += 1;
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    assert_eq!(count, 30);
    assert_eq!(within(closing).await.unwrap(), Ok(()));
}
