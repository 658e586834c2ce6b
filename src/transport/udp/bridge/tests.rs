use std::net::SocketAddr;

use bytes::Bytes;

use super::*;
use crate::transport::{
    Lane,
    udp::proto::{Arrived, Config, Dispatch, Endpoint, PlainHandshaker},
};

const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);
const THERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 2);

fn endpoint(seed: u8) -> Endpoint {
    let mut endpoint =
        Endpoint::new(Config::default().into(), Arc::new(PlainHandshaker), &[seed; 32], [seed; 32], now());
    endpoint.accept(true);
    endpoint
}

fn from_here(data: &mut [u8]) -> Arrived<'_> {
    Arrived { remote: HERE, ecn: None, data }
}

/// The accepting end of a connection that was just made, with the link that came of it.
fn accepted() -> (Bridge, Arc<Ready>, Link) {
    let ready = Arc::new(Ready::new(Arc::default()));
    let (mut here, mut there) = (endpoint(1), endpoint(2));
    let (_, mut dialing) = here.connect(THERE, now()).unwrap();
    let mut bridge: Option<Bridge> = None;
    for _ in 0..10 {
        let mut data = Vec::new();
        while dialing.poll_transmit(now(), &mut data).is_some() {
            match (there.handle_datagram(from_here(&mut data), now()), &mut bridge) {
                (Dispatch::Incoming(key, connection), _) => {
                    bridge = Some(Bridge::new(key, connection, ready.clone(), None));
                }
                (_, Some(bridge)) => bridge.connection.handle_datagram(from_here(&mut data), now()),
                (_, None) => {}
            }
            data.clear();
        }
        let Some(mut accepting) = bridge.take() else { continue };
        while accepting.connection.poll_transmit(now(), &mut data).is_some() {
            dialing.handle_datagram(Arrived { remote: THERE, ecn: None, data: &mut data }, now());
            data.clear();
        }
        if let Some(link) = accepting.work(now()).accepted {
            return (accepting, ready, link);
        }
        bridge = Some(accepting);
    }
    panic!("no connection came of it")
}

#[tokio::test]
async fn is_what_was_said_while_the_connection_worked_seen_to_at_once() {
    let (mut bridge, ready, link) = accepted();
    bridge.work(now());
    assert!(ready.take().is_empty(), "there is nothing to do");

    let line = Bytes::from_static(b"hello");
    let shared = bridge.link.clone().unwrap();
    bridge.accept(&shared, now());
    assert!(link.tx.try_send(Lane::thin(1), &line).unwrap());
    bridge.settle(now());
    assert_eq!(ready.take().len(), 1, "it does not wait for something to come");

    bridge.work(now());
    assert!(bridge.connection.poll_transmit(now(), &mut Vec::new()).is_some());
    assert!(ready.take().is_empty());
}
