//! Does everything that was sent arrive, whole, in order and in bounds?

use std::time::Duration;

use bytes::Bytes;
use sayagain::transport::{Lane, Link, LinkError, MAX_MESSAGE_BYTES};

use crate::support::{Net, done, number, numbered, recv_all, send_all, send_until_full, within};

pub(crate) async fn do_messages_of_one_lane_arrive_in_order(net: &Net) {
    let (near, mut far, _listener) = net.link().await;
    let lanes = [Lane::CONTROL, Lane::thin(1), Lane::thin(2), Lane::bulk(1)];
    let sending = tokio::spawn(async move {
        for next in 0..500 {
            for (index, lane) in lanes.into_iter().enumerate() {
                let message = [numbered(next, 4), Bytes::from(vec![index as u8])].concat();
                near.tx.send(lane, message.into()).await.unwrap();
            }
        }
        near.tx.close(done()).await.unwrap();
    });
    let arrived = recv_all(far.rx.as_mut()).await;
    within(sending).await.unwrap();
    for lane in 0..lanes.len() {
        let numbers = arrived.iter().filter(|message| message[4] == lane as u8).map(number);
        assert!(numbers.eq(0..500), "lane {lane}");
    }
}

pub(crate) async fn does_a_message_of_any_length_arrive_whole(net: &Net) {
    let (near, mut far, _listener) = net.link().await;
    let lengths = [0, 1, 3, 4, 5, 200, 16_383, 16_384, 65_535, 65_536, 65_537, 1 << 20, MAX_MESSAGE_BYTES];
    let sending = tokio::spawn(async move {
        for (index, len) in lengths.into_iter().enumerate() {
            near.tx.send(Lane::bulk(1), vec![index as u8; len].into()).await.unwrap();
        }
        near.tx.close(done()).await.unwrap();
    });
    let arrived = recv_all(far.rx.as_mut()).await;
    within(sending).await.unwrap();
    assert!(arrived.iter().map(Bytes::len).eq(lengths));
    for (index, message) in arrived.iter().enumerate() {
        assert!(message.iter().all(|&byte| byte == index as u8), "message {index}");
    }
}

pub(crate) async fn is_a_message_that_is_too_long_refused_and_nothing_else(net: &Net) {
    let (near, mut far, _listener) = net.link().await;
    let refused = near.tx.send(Lane::thin(1), vec![0; MAX_MESSAGE_BYTES + 1].into()).await.unwrap_err();
    let (len, max) = (MAX_MESSAGE_BYTES + 1, MAX_MESSAGE_BYTES);
    assert!(matches!(refused, LinkError::TooLong { len: l, max: m } if (l, m) == (len, max)));
    near.tx.send(Lane::thin(1), numbered(1, 4)).await.unwrap();
    assert_eq!(within(far.rx.recv()).await.unwrap(), Some(numbered(1, 4)));
}

pub(crate) async fn does_a_receiver_that_pauses_hold_up_the_sender_and_lose_nothing(net: &Net) {
    let (near, mut far, _listener) = net.link().await;
    let accepted = send_until_full(near.tx.as_ref(), Lane::bulk(1), 16 << 10).await;
    // The queues of both ends and of the kernel; the last is generous on loopback.
    assert!(accepted < 32 << 20 >> 14, "{accepted} messages went nowhere");
    let sending = tokio::spawn(async move {
        send_all(near.tx.as_ref(), Lane::bulk(1), accepted..accepted + 200, 16 << 10).await;
        near.tx.close(done()).await.unwrap();
    });
    let arrived = recv_all(far.rx.as_mut()).await;
    within(sending).await.unwrap();
    let mut numbers: Vec<u32> = arrived.iter().map(number).collect();
    // The send that gave up waiting may or may not have been accepted.
    numbers.dedup();
    assert!(numbers.into_iter().eq(0..accepted + 200));
}

pub(crate) async fn does_chat_overtake_a_file(net: &Net) {
    let (near, mut far, _listener) = net.link().await;
    let accepted = send_until_full(near.tx.as_ref(), Lane::bulk(1), 8 << 10).await;
    within(near.tx.send(Lane::thin(1), Bytes::from_static(b"chat"))).await.unwrap();
    let closing = tokio::spawn(async move { near.tx.close(done()).await });
    let arrived = recv_all(far.rx.as_mut()).await;
    within(closing).await.unwrap().unwrap();
    let chat = arrived.iter().position(|message| message == "chat").unwrap();
    let files_behind = arrived.len() - chat - 1;
    assert!(accepted > 8);
    assert!(!net.keeps_priority || files_behind >= 8, "{files_behind} of {accepted} stayed behind");
}

pub(crate) async fn does_a_recv_that_is_dropped_lose_nothing(net: &Net) {
    let (near, mut far, _listener) = net.link().await;
    let sending = tokio::spawn(async move {
        for next in 0..400 {
            near.tx.send(Lane::thin(1), numbered(next, 3000)).await.unwrap();
            if next % 7 == 0 {
                tokio::task::yield_now().await;
            }
        }
        near.tx.close(done()).await.unwrap();
    });
    let mut numbers = Vec::new();
    loop {
        let received = tokio::select! {
            biased;
            received = far.rx.recv() => received,
            () = tokio::task::yield_now() => continue,
        };
        let Some(message) = received.unwrap() else { break };
        numbers.push(number(&message));
    }
    within(sending).await.unwrap();
    assert!(numbers.into_iter().eq(0..400));
}

pub(crate) async fn do_10_000_messages_pass_each_way_at_once(net: &Net) {
    let (near, far, _listener) = net.link().await;
    let run = |link: Link| {
        tokio::spawn(async move {
            let (tx, mut rx) = (link.tx, link.rx);
            let receiving = async {
                for next in 0..10_000 {
                    assert_eq!(rx.recv().await.unwrap().as_ref().map(number), Some(next));
                }
            };
            tokio::join!(send_all(tx.as_ref(), Lane::thin(1), 0..10_000, 200), receiving);
            // Not before: a close also ends what the other side still wants to send.
            let (closed, end) = tokio::join!(tx.close(done()), rx.recv());
            assert_eq!((closed, end.unwrap()), (Ok(()), None));
        })
    };
    let (near, far) = (run(near), run(far));
    within(near).await.unwrap();
    within(far).await.unwrap();
}

pub(crate) async fn do_1_000_links_fit_on_one_listener(net: &Net) {
    rlimit::increase_nofile_limit(8192).unwrap();
    let mut listener = net.listener.listen(crate::support::LOOPBACK).await.unwrap();
    let mut links = Vec::new();
    for _ in 0..1000 {
        links.push(within(net.link_to(listener.as_mut())).await);
    }
    for (index, (near, far)) in links.iter().enumerate() {
        near.tx.send(Lane::thin(1), numbered(index as u32, 200)).await.unwrap();
        far.tx.send(Lane::thin(1), numbered(index as u32, 100)).await.unwrap();
    }
    for (index, (near, far)) in links.iter_mut().enumerate() {
        assert_eq!(within(far.rx.recv()).await.unwrap(), Some(numbered(index as u32, 200)));
        assert_eq!(within(near.rx.recv()).await.unwrap(), Some(numbered(index as u32, 100)));
    }
}

pub(crate) async fn does_each_side_learn_the_others_key(net: &Net) {
    let (near, far, listener) = net.link().await;
    let keys = net.keys.clone().map_or([None, None], |keys| keys.map(Some));
    assert_eq!([far.peer.key, near.peer.key], keys);
    assert_eq!(near.peer.addr, listener.local_addr());
}

pub(crate) async fn are_messages_and_bytes_counted(net: &Net) {
    let (near, mut far, _listener) = net.link().await;
    send_all(near.tx.as_ref(), Lane::thin(1), 0..10, 1000).await;
    for _ in 0..10 {
        within(far.rx.recv()).await.unwrap();
    }
    let (sent, received) = (near.tx.stats(), far.tx.stats());
    assert_eq!((sent.messages_sent, sent.messages_received), (10, 0));
    assert_eq!((received.messages_sent, received.messages_received), (0, 10));
    // What was written is counted after the system took it: the other side may have it before.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while far.tx.stats().bytes_received != near.tx.stats().bytes_sent {
        assert!(tokio::time::Instant::now() < deadline, "{:?} {:?}", near.tx.stats(), far.tx.stats());
        tokio::task::yield_now().await;
    }
    let sent = near.tx.stats();
    // The handshake is in it, which over UDP is padded, and probes of what the path takes.
    assert!((10_040..24_000).contains(&sent.bytes_sent), "{sent:?}");
}
