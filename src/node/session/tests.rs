use std::{net::Ipv4Addr, pin::pin, sync::Mutex};

use tokio::sync::Semaphore;

use super::*;
use crate::{
    app::limits::OUTBOX_FRAMES,
    transport::{Class, Listener, MemoryNetwork, MemoryTransport, Transport, Undelivered},
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
    link.rx.recv().await.ok().flatten().map(|message| decode_message(&message).unwrap())
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

/// A transport that takes parts of files only as it is let, and everything else.
#[derive(Debug)]
struct Congested {
    /// Also without being waited for.
    at_once: bool,
    let_through: Semaphore,
    taken: mpsc::Sender<(Lane, Bytes)>,
    /// What a close comes to.
    closes: Mutex<Result<(), Undelivered>>,
}

#[async_trait::async_trait]
impl LinkTx for Congested {
    async fn send(&self, lane: Lane, message: Bytes) -> Result<(), LinkError> {
        if lane.class == Class::Bulk {
            let closed = |_| LinkError::Closed(CloseReason::local(CloseCode::Done, "it left"));
            self.let_through.acquire().await.map_err(closed)?.forget();
        }
        self.taken.send((lane, message)).await.map_err(|_| LinkError::Lost("gone".into()))
    }

    fn try_send(&self, lane: Lane, message: &Bytes) -> Result<bool, LinkError> {
        Ok(self.at_once && lane.class != Class::Bulk && self.taken.try_send((lane, message.clone())).is_ok())
    }

    async fn close(&self, _: CloseReason) -> Result<(), Undelivered> {
        self.let_through.close();
        self.closes.lock().unwrap().clone()
    }
}

const THIN: Lane = Lane::thin(1);
const BULK: Lane = Lane::bulk(1);

/// A link over such a transport, which is written to, and what the transport and the driver are given.
struct Writing {
    handle: LinkHandle,
    congested: Arc<Congested>,
    taken: mpsc::Receiver<(Lane, Bytes)>,
    inbox: mpsc::Receiver<Post>,
    end: tokio::task::JoinHandle<LinkEnd>,
}

fn writing(at_once: bool) -> Writing {
    let (sender, taken) = mpsc::channel(2 * OUTBOX_FRAMES);
    let (posts, inbox) = mpsc::channel(64);
    let (let_through, closes) = (Semaphore::new(0), Mutex::new(Ok(())));
    let congested = Arc::new(Congested { at_once, let_through, taken: sender, closes });
    let handle = LinkHandle {
        outbox: Arc::default(),
        tx: congested.clone(),
        rtt_us: Arc::default(),
        peer: (Ipv4Addr::LOCALHOST, 1).into(),
        transport: "congested",
        name: "bob".into(),
    };
    let written = handle.clone();
    let end = tokio::spawn(async move { write(LinkId(1), &written, &posts).await });
    Writing { handle, congested, taken, inbox, end }
}

impl Writing {
    fn push(&self, lane: Lane, text: &'static str) -> Pushed {
        self.handle.send(lane, &Bytes::from_static(text.as_bytes()))
    }

    /// Lets the session do what it can.
    async fn settled(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    fn rooms(&mut self) -> usize {
        std::iter::from_fn(|| self.inbox.try_recv().ok())
            .filter(|post| matches!(post, Post::Room { .. }))
            .count()
    }

    fn all_taken(&mut self) -> Vec<Bytes> {
        std::iter::from_fn(|| self.taken.try_recv().ok()).map(|(_, frame)| frame).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_close_in_order_of_which_nobody_knows_what_became() {
    for left in [true, false] {
        let mut link = writing(false);
        let undelivered = Undelivered { messages: 1, left, why: "it is said so".into() };
        *link.congested.closes.lock().unwrap() = Err(undelivered);
        link.handle.outbox.close(ByeReason::Quit, String::new());
        let end = (&mut link.end).await.unwrap();
        assert_eq!(end.clean, left, "only where the other side closed too: {end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn is_chat_handed_on_at_once_while_a_part_of_a_file_waits_for_the_transport() {
    let mut link = writing(true);
    link.push(BULK, "part");
    link.settled().await;
    assert_eq!(link.push(THIN, "line"), Pushed::Taken);
    assert_eq!(link.all_taken(), ["line"], "without a turn of the session");
    let mut link = writing(false);
    for text in ["part", "another"] {
        link.push(BULK, text);
    }
    link.settled().await;
    for _ in 0..2 {
        link.push(THIN, "line");
        link.push(Lane::CONTROL, "steer");
        link.settled().await;
        assert_eq!(link.all_taken(), ["steer", "line"]);
    }
    link.congested.let_through.add_permits(2);
    link.settled().await;
    assert_eq!(link.all_taken(), ["part", "another"]);
}

#[tokio::test(start_paused = true)]
async fn is_the_driver_told_of_room_for_files_once_and_meanwhile_of_that_for_chat() {
    let mut link = writing(false);
    while link.push(BULK, "part") == Pushed::Taken {}
    assert_eq!(link.push(BULK, "part"), Pushed::Full, "one more is refused as well");
    while link.push(THIN, "line") == Pushed::Taken {}
    link.settled().await;
    assert_eq!((link.rooms(), link.all_taken().len()), (1, OUTBOX_FRAMES), "for chat");
    link.congested.let_through.add_permits(OUTBOX_FRAMES / 2 - 1);
    link.settled().await;
    assert_eq!(link.rooms(), 0);
    link.congested.let_through.add_permits(1);
    link.settled().await;
    assert_eq!(link.rooms(), 1, "half of the parts are gone");
    link.congested.let_through.add_permits(OUTBOX_FRAMES / 2);
    link.settled().await;
    assert_eq!((link.rooms(), link.all_taken().len()), (0, OUTBOX_FRAMES));
}

#[tokio::test(start_paused = true)]
async fn does_a_close_wait_for_what_was_said_and_not_for_files() {
    let mut link = writing(false);
    for text in ["part", "another"] {
        link.push(BULK, text);
    }
    link.settled().await;
    link.push(THIN, "last words");
    link.handle.outbox.close(ByeReason::Quit, String::new());
    let end = (&mut link.end).await.unwrap();
    assert!(end.clean, "{end:?}");
    let bye = encode(&Frame::Bye { reason: ByeReason::Quit, detail: String::new() }).unwrap();
    assert_eq!(link.all_taken(), [Bytes::from_static(b"last words"), bye]);
}

/// The reading half is to say how it ended, when it has read what was said before.
#[tokio::test(start_paused = true)]
async fn does_a_part_of_a_file_that_found_the_link_closed_end_it() {
    let mut link = writing(false);
    link.push(BULK, "part");
    link.settled().await;
    link.congested.let_through.close();
    link.settled().await;
    assert!(!link.end.is_finished());
    link.push(THIN, "line");
    link.settled().await;
    assert_eq!(link.all_taken(), ["line"]);
}
