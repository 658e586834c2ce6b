use std::{net::Ipv4Addr, pin::pin};

use super::*;
use crate::{
    transport::{Listener, MemoryNetwork, MemoryTransport, Transport},
    wire::{Epoch, Role, VERSION},
};

fn hello() -> Hello {
    Hello {
        version: VERSION,
        role: Role::Client,
        key: PublicKey([7; 32]),
        nick: "bob".parse().unwrap(),
        epoch: Epoch(1),
        listen: Vec::new(),
        capabilities: 0,
    }
}

/// This end of a link, before its hello, and the other one, which the test plays.
async fn link() -> (Fresh, Link, Box<dyn Listener>) {
    let host = MemoryTransport::new(MemoryNetwork::new(), Ipv4Addr::LOCALHOST.into(), None);
    let mut listener = host.listen((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let theirs = host.dial(listener.local_addr()).await.unwrap();
    let link = listener.accept().await.unwrap();
    let hello = encode(&Frame::Hello(hello())).unwrap();
    (Fresh { id: LinkId(1), link, transport: "memory", dialed: None, hello }, theirs, listener)
}

async fn says(link: &Link, frame: &Frame) {
    link.tx.send(Lane::CONTROL, encode(frame).unwrap()).await.unwrap();
}

async fn hears(link: &mut Link) -> Option<Frame> {
    link.rx.recv().await.ok().flatten().map(|message| decode(&message).unwrap())
}

#[tokio::test(start_paused = true)]
async fn is_a_hello_waited_for_as_long_as_the_limit_says() {
    for (late, welcome) in [(Duration::ZERO, true), (Duration::from_millis(2), false)] {
        let (mut fresh, theirs, _listener) = link().await;
        let answer = async {
            tokio::time::sleep(HELLO_TIMEOUT - Duration::from_millis(1) + late).await;
            says(&theirs, &Frame::Hello(hello())).await;
        };
        let (greeted, ()) = tokio::join!(greet(&mut fresh), answer);
        assert_eq!(greeted.is_ok(), welcome, "{greeted:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_first_frame_that_is_no_hello_declined() {
    let (mut fresh, mut theirs, _listener) = link().await;
    says(&theirs, &Frame::Ping { token: 1 }).await;
    let heard = async { [hears(&mut theirs).await, hears(&mut theirs).await, hears(&mut theirs).await] };
    let (greeted, frames) = tokio::join!(greet(&mut fresh), heard);
    assert!(matches!(greeted, Err(NoHello::Failed(_))));
    assert!(
        matches!(
            frames,
            [Some(Frame::Hello(_)), Some(Frame::Error { code: ErrorCode::Malformed, .. }), None]
        ),
        "{frames:?}"
    );
}

/// Runs this end against one that reads everything and answers so many pings; returns when it ended.
async fn life_with(answers: u32) -> (LinkEnd, Duration) {
    let (fresh, mut theirs, _listener) = link().await;
    let (posts, mut inbox) = mpsc::channel(64);
    let began = Instant::now();
    tokio::spawn(run(fresh, hello(), posts));
    let other = async move {
        let mut answered = 0;
        while let Some(frame) = hears(&mut theirs).await {
            if let Frame::Ping { token } = frame
                && answered < answers
            {
                answered += 1;
                says(&theirs, &Frame::Pong { token }).await;
            }
        }
        std::future::pending::<()>().await;
    };
    let mut other = pin!(other);
    loop {
        let post = tokio::select! { post = inbox.recv() => post, () = &mut other => None };
        if let Post::Down { end, .. } = post.expect("an end") {
            return (end, began.elapsed());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_silent_link_given_up_after_as_many_pings_as_the_limit_says() {
    for answered in [0, 1, 4] {
        let (end, lived) = life_with(answered).await;
        assert!(!end.clean, "{end:?}");
        // The first ping goes out at once; a link counts as heard when it comes up.
        let beats = MAX_SILENT_PINGS + answered.saturating_sub(1);
        let most = PING_PERIOD * (beats + 1);
        assert!(lived >= PING_PERIOD * beats && lived <= most, "{answered} answers: {lived:?}");
    }
}
