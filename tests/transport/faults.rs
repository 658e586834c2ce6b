//! Is a fault noticed, in time and for what it is?

use std::net::{IpAddr, Ipv4Addr};

use sayagain::transport::{Lane, LinkError, MemoryNetwork, MemoryTransport, STALL_TIMEOUT, Transport};
use tokio::time::Instant;

use crate::support::{LOOPBACK, Net, done, number, numbered, recv_all, send_all, send_until_full, within};

pub(crate) async fn is_nothing_there_told_at_once(net: &Net) {
    let listener = net.listener.listen(LOOPBACK).await.unwrap();
    let addr = listener.local_addr();
    drop(listener);
    let outcome = within(net.dialer.dial(addr)).await;
    assert!(matches!(outcome, Err(LinkError::NothingListens)), "{outcome:?}");
}

pub(crate) async fn is_a_side_that_reads_nothing_for_10_s_given_up(net: &Net) {
    let (near, _far, _listener) = net.link().await;
    let started = Instant::now();
    let accepted = send_until_full(near.tx.as_ref(), Lane::bulk(1), 32 << 10).await;
    let lost = near.tx.send(Lane::bulk(1), numbered(accepted, 32 << 10)).await.unwrap_err();
    assert!(matches!(&lost, LinkError::Lost(why) if why.contains("read nothing for 10 s")), "{lost}");
    let took = started.elapsed();
    assert!(took >= STALL_TIMEOUT && took < 2 * STALL_TIMEOUT, "{took:?}");
}

const A: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const B: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

/// A network of its own with a host each at `A` and `B`.
fn two_hosts() -> (MemoryNetwork, Net) {
    let network = MemoryNetwork::new();
    let host = |host| Box::new(MemoryTransport::new(network.clone(), host, None));
    let net = Net { dialer: host(A), listener: host(B), keys: None, keeps_priority: true };
    (network, net)
}

#[tokio::test]
async fn does_a_cut_lose_the_link_on_both_sides() {
    let (network, net) = two_hosts();
    let (mut near, mut far, mut listener) = net.link().await;
    send_all(near.tx.as_ref(), Lane::thin(1), 0..3, 10).await;
    assert_eq!(within(far.rx.recv()).await.unwrap(), Some(numbered(0, 10)));
    network.cut(B, A);
    assert!(matches!(within(near.rx.recv()).await, Err(LinkError::Lost(_))));
    assert_eq!(within(near.tx.close(done())).await.unwrap_err().messages, 3);
    let lost = loop {
        match within(far.rx.recv()).await {
            Ok(Some(_)) => {}
            end => break end,
        }
    };
    assert!(matches!(lost, Err(LinkError::Lost(_))));
    net.link_to(listener.as_mut()).await;
}

#[tokio::test(start_paused = true)]
async fn does_a_link_go_on_after_a_short_partition() {
    let (network, net) = two_hosts();
    let (near, mut far, listener) = net.link().await;
    network.partition(A, B);
    send_all(near.tx.as_ref(), Lane::thin(1), 0..3, 10).await;
    assert!(tokio::time::timeout(STALL_TIMEOUT / 2, far.rx.recv()).await.is_err(), "nothing passes");
    let dialed = net.dialer.dial(listener.local_addr()).await;
    network.heal(B, A);
    assert!(matches!(dialed, Err(LinkError::Unreachable(_))), "{dialed:?}");
    let closing = tokio::spawn(async move { near.tx.close(done()).await });
    assert!(recv_all(far.rx.as_mut()).await.iter().map(number).eq(0..3));
    assert_eq!(closing.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn is_a_link_lost_in_a_long_partition() {
    let (network, net) = two_hosts();
    let (near, mut far, _listener) = net.link().await;
    network.partition(A, B);
    near.tx.send(Lane::thin(1), numbered(0, 4)).await.unwrap();
    assert_eq!(within(near.tx.close(done())).await.unwrap_err().messages, 1);
    network.heal(A, B);
    assert!(matches!(within(far.rx.recv()).await, Err(LinkError::Lost(_))));
}

#[tokio::test]
async fn do_equal_seeds_shuffle_alike_and_others_not() {
    let arrived = |seed| async move {
        let net = Net::memory_shuffled(seed);
        let (near, mut far, _listener) = net.link().await;
        for next in 0..100 {
            near.tx.send(Lane::thin(next % 5), numbered(next, 4)).await.unwrap();
        }
        let closing = tokio::spawn(async move { near.tx.close(done()).await });
        let arrived: Vec<u32> = recv_all(far.rx.as_mut()).await.iter().map(number).collect();
        closing.await.unwrap().unwrap();
        arrived
    };
    assert_eq!(arrived(1).await, arrived(1).await);
    assert_ne!(arrived(1).await, arrived(2).await);
    assert!(!arrived(1).await.is_sorted());
}

#[tokio::test]
async fn is_an_address_given_once() {
    let (_network, net) = two_hosts();
    let listener = net.listener.listen(LOOPBACK).await.unwrap();
    let again = net.listener.listen(listener.local_addr()).await;
    assert_eq!(again.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    let transport: &dyn Transport = net.dialer.as_ref();
    assert_eq!(transport.name(), "memory");
}
