use std::{io, net::Ipv4Addr};

use async_trait::async_trait;
use tokio::time::sleep;

use super::*;
use crate::{
    node::HELLO_TIMEOUT,
    transport::{Lane, Listener, MemoryNetwork, MemoryTransport},
};

type Answer = fn() -> Option<LinkError>;

const WELL: Answer = || None;
const REFUSED: Answer = || Some(LinkError::NothingListens);
const SILENT: Answer = || Some(LinkError::Unreachable("nothing for 10 s".into()));

/// A transport that answers late, with a link or a reason why not.
#[derive(Debug)]
struct Played {
    memory: MemoryTransport,
    after: Duration,
    answer: Answer,
}

#[async_trait]
impl Transport for Played {
    fn name(&self) -> &'static str {
        "played"
    }

    async fn listen(&self, addr: SocketAddr) -> io::Result<Box<dyn Listener>> {
        self.memory.listen(addr).await
    }

    async fn dial(&self, addr: SocketAddr) -> Result<Link, LinkError> {
        sleep(self.after).await;
        match (self.answer)() {
            Some(error) => Err(error),
            None => self.memory.dial(addr).await,
        }
    }
}

/// Both ways to one node: what each answers and after how many milliseconds.
struct Course {
    ways: [Played; 2],
    listeners: [Box<dyn Listener>; 2],
}

impl Course {
    async fn new(udp: (u64, Answer), tcp: (u64, Answer)) -> Self {
        let played = |(ms, answer)| Played {
            memory: MemoryTransport::new(MemoryNetwork::new(), Ipv4Addr::LOCALHOST.into(), None),
            after: Duration::from_millis(ms),
            answer,
        };
        let ways = [udp, tcp].map(played);
        let [udp, tcp] = &ways;
        let anywhere = (Ipv4Addr::LOCALHOST, 0).into();
        let listeners = [udp.listen(anywhere).await.unwrap(), tcp.listen(anywhere).await.unwrap()];
        Self { ways, listeners }
    }

    /// What came of it, and after how many milliseconds.
    async fn run(&self) -> (Dialed<'_>, u128) {
        let [udp, tcp] = &self.ways;
        let [udp, tcp] =
            [(Scheme::Udp, udp), (Scheme::Tcp, tcp)].map(|(scheme, transport)| Way { scheme, transport });
        let began = Instant::now();
        let dialed = race(udp, tcp, self.listeners[0].local_addr()).await;
        (dialed, began.elapsed().as_millis())
    }
}

async fn winner(udp: (u64, Answer), tcp: (u64, Answer)) -> (Scheme, u128) {
    let course = Course::new(udp, tcp).await;
    let (dialed, after) = course.run().await;
    (dialed.unwrap().0.scheme, after)
}

#[tokio::test(start_paused = true)]
async fn does_udp_win_when_it_is_there_in_time() {
    assert_eq!(winner((30, WELL), (1, WELL)).await, (Scheme::Udp, 30));
    assert_eq!(winner((999, WELL), (0, WELL)).await, (Scheme::Udp, 999));
    // TCP is ready after 1.03 s and waits.
    assert_eq!(winner((3_000, WELL), (30, WELL)).await, (Scheme::Udp, 3_000));
    assert_eq!(winner((4_998, WELL), (30, WELL)).await, (Scheme::Udp, 4_998));
}

#[tokio::test(start_paused = true)]
async fn does_tcp_carry_it_when_udp_does_not_get_through() {
    assert_eq!(winner((10_000, SILENT), (30, WELL)).await, (Scheme::Tcp, 5_000));
    assert_eq!(winner((6_000, WELL), (30, WELL)).await, (Scheme::Tcp, 5_000));
    // Later than that the first to be there wins.
    assert_eq!(winner((10_000, SILENT), (4_500, WELL)).await, (Scheme::Tcp, 5_500));
    assert_eq!(winner((7_000, WELL), (6_500, WELL)).await, (Scheme::Udp, 7_000));
}

#[tokio::test(start_paused = true)]
async fn is_nothing_waited_for_that_cannot_come() {
    assert_eq!(winner((5, REFUSED), (30, WELL)).await, (Scheme::Tcp, 35));
    assert_eq!(winner((2_000, REFUSED), (30, WELL)).await, (Scheme::Tcp, 2_000));
    assert_eq!(winner((1_010, REFUSED), (30, WELL)).await, (Scheme::Tcp, 1_030));
    assert_eq!(winner((8_000, WELL), (30, REFUSED)).await, (Scheme::Udp, 8_000));
}

#[tokio::test(start_paused = true)]
async fn which_of_two_failures_is_told() {
    const PLAIN: Answer = || Some(LinkError::InsecureMismatch);
    const STRANGER: Answer = || Some(LinkError::NotANode("HTTP/1.1".into()));
    for (udp, tcp, told, after) in [
        ((5, REFUSED), (5, REFUSED), Scheme::Tcp, 10),
        ((10_000, SILENT), (5, REFUSED), Scheme::Tcp, 10_000),
        ((5, REFUSED), (5_000, SILENT), Scheme::Udp, 5_005),
        ((10_000, SILENT), (5_000, SILENT), Scheme::Tcp, 10_000),
        ((5, PLAIN), (5, REFUSED), Scheme::Udp, 10),
        ((10_000, SILENT), (5, STRANGER), Scheme::Tcp, 10_000),
        ((2_000, PLAIN), (5_000, STRANGER), Scheme::Udp, 6_000),
    ] {
        let course = Course::new(udp, tcp).await;
        let (dialed, elapsed) = course.run().await;
        assert_eq!((dialed.unwrap_err().0.scheme, elapsed), (told, after), "{udp:?} {tcp:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_link_that_is_not_needed_closed_in_order() {
    let mut course = Course::new((3_000, WELL), (30, WELL)).await;
    let (_, used) = course.run().await.0.unwrap();
    let [udp, tcp] = &mut course.listeners;
    let mut unused = tcp.accept().await.unwrap();
    assert_eq!(unused.rx.recv().await.unwrap(), None);
    let mut far = udp.accept().await.unwrap();
    used.tx.send(Lane::CONTROL, "hello".into()).await.unwrap();
    assert_eq!(far.rx.recv().await.unwrap().unwrap(), "hello");
}

#[test]
fn does_the_other_side_wait_for_a_hello_as_long_as_a_link_is_kept() {
    assert!(PREFERENCE - HEAD_START < HELLO_TIMEOUT);
}
