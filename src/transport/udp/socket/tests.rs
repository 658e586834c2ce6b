use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use tokio::time::timeout;

use super::*;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Longer than anything but a failure takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn socket() -> Socket {
    Socket::bind(LOOPBACK).unwrap()
}

/// An address at which nobody listens.
fn nobody() -> SocketAddr {
    socket().local_addr()
}

fn train(remote: SocketAddr, contents: &[u8], segment: usize) -> Train<'_> {
    Train { remote, ecn: None, contents, segment }
}

/// Sends as soon as the kernel takes something.
async fn send(socket: &Socket, train: Train<'_>) {
    loop {
        timeout(PATIENCE, socket.writable()).await.expect("room").unwrap();
        if socket.send(train) {
            return;
        }
    }
}

/// The next so many datagrams.
async fn take(socket: &mut Socket, count: usize) -> Vec<Vec<u8>> {
    let mut datagrams = Vec::new();
    while datagrams.len() < count {
        timeout(PATIENCE, socket.readable()).await.expect("another datagram").unwrap();
        while socket.read(|_, _, datagram| datagrams.push(datagram.to_vec())) {}
    }
    datagrams
}

#[tokio::test]
async fn a_datagram_that_no_interface_takes_is_dropped_and_nothing_else() {
    let (sender, mut receiver) = (socket(), socket());
    let remote = receiver.local_addr();
    let too_long = vec![1; MAX_TRAIN_BYTES + 1];
    send(&sender, train(remote, &too_long, too_long.len())).await;
    send(&sender, train(remote, b"short", 5)).await;
    assert_eq!(take(&mut receiver, 1).await, [b"short"]);
}

#[tokio::test]
async fn a_train_that_the_kernel_does_not_split_goes_datagram_by_datagram() {
    let (sender, mut receiver) = (socket(), socket());
    // No kernel splits into so many.
    let count = 200;
    let contents: Vec<u8> = (0..count).flat_map(|number| [number; 100]).collect();
    send(&sender, train(receiver.local_addr(), &contents, 100)).await;
    let arrived: BTreeSet<_> = take(&mut receiver, count.into()).await.into_iter().collect();
    assert!(arrived.into_iter().eq((0..count).map(|number| vec![number; 100])));
}

#[tokio::test]
async fn the_last_datagram_of_a_train_may_be_shorter() {
    let (sender, mut receiver) = (socket(), socket());
    send(&sender, train(receiver.local_addr(), b"aabbc", 2)).await;
    assert_eq!(take(&mut receiver, 3).await, [&b"aa"[..], b"bb", b"c"]);
}

#[tokio::test]
async fn what_the_network_says_of_one_address_stops_no_other() {
    let (sender, mut receiver) = (socket(), socket());
    let (nobody, remote) = (nobody(), receiver.local_addr());
    for round in 0..20 {
        send(&sender, train(nobody, b"anybody?", 8)).await;
        send(&sender, train(remote, &[round], 1)).await;
        assert_eq!(take(&mut receiver, 1).await, [[round]]);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_network_says_at_which_address_nobody_listens() {
    let (sender, mut receiver) = (socket(), socket());
    let nobody = nobody();
    assert_eq!(sender.complaint(), None);
    send(&sender, train(nobody, b"anybody?", 8)).await;
    timeout(PATIENCE, sender.readable()).await.expect("a complaint").unwrap();
    assert_eq!(sender.complaint(), Some(nobody));
    assert_eq!(sender.complaint(), None, "once");
    send(&sender, train(receiver.local_addr(), b"x", 1)).await;
    assert_eq!(take(&mut receiver, 1).await, [b"x"]);
}
