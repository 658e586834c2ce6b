use std::net::{Ipv4Addr, SocketAddr};

use super::*;
use crate::transport::{MemoryNetwork, MemoryTransport};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Two transports with ports of their own, as TCP and UDP have.
fn transports() -> BTreeMap<Scheme, Arc<dyn Transport>> {
    let transport = |scheme| -> (Scheme, Arc<dyn Transport>) {
        (scheme, Arc::new(MemoryTransport::new(MemoryNetwork::new(), ANY.ip(), None)))
    };
    [Scheme::Tcp, Scheme::Udp].map(transport).into()
}

fn ports(bound: &[Bound]) -> Vec<u16> {
    bound.iter().map(|bound| bound.addr().socket.port()).collect()
}

fn both(socket: SocketAddr) -> [Addr; 2] {
    [Scheme::Tcp, Scheme::Udp].map(|scheme| Addr::new(scheme, socket))
}

#[tokio::test]
async fn do_two_transports_share_a_free_port() {
    let transports = transports();
    let bound = bind(&transports, &both(ANY)).await.unwrap();
    assert_eq!(bound.iter().map(|bound| bound.scheme).collect::<Vec<_>>(), [Scheme::Tcp, Scheme::Udp]);
    assert_eq!(ports(&bound), [49_152, 49_152]);
}

#[tokio::test]
async fn is_another_port_picked_where_only_one_transport_gets_the_first() {
    let transports = transports();
    let mut taken = Vec::new();
    for port in 49_152..49_155 {
        taken.push(transports[&Scheme::Udp].listen(SocketAddr::new(ANY.ip(), port)).await.unwrap());
    }
    assert_eq!(ports(&bind(&transports, &both(ANY)).await.unwrap()), [49_155, 49_155]);
}

#[tokio::test]
async fn is_a_given_port_that_only_one_transport_gets_an_error() {
    let transports = transports();
    let given = SocketAddr::new(ANY.ip(), 4224);
    let _taken = transports[&Scheme::Udp].listen(given).await.unwrap();
    let Err(StartError::Listen { addr, error }) = bind(&transports, &both(given)).await else { panic!() };
    assert_eq!((addr, error.kind()), (Addr::new(Scheme::Udp, given), io::ErrorKind::AddrInUse));
    assert!(transports[&Scheme::Tcp].listen(given).await.is_ok(), "the other one was given back");
}

#[tokio::test]
async fn do_two_listeners_of_one_transport_get_two_ports() {
    let transports = transports();
    let [tcp, udp] = both(ANY);
    let bound = bind(&transports, &[tcp, tcp, udp, udp]).await.unwrap();
    let ports = ports(&bound);
    assert_ne!(ports[0], ports[1]);
    assert_eq!(ports[0], ports[2]);
    assert_ne!(ports[2], ports[3]);
}
