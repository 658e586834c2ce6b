use proptest::prelude::*;

use super::{
    super::proto::conformance::{End, assert_conforms, flights, shake},
    *,
};

/// The node whose Ed25519 seed is all `seed`: a PKCS#8 document of version 1.
fn keys(seed: u8) -> tls::Keys {
    let head =
        [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    tls::Keys::from_pkcs8(&[&head[..], &[seed; 32]].concat()).unwrap()
}

fn node(seed: u8) -> TlsHandshaker {
    TlsHandshaker::new(&keys(seed)).unwrap()
}

#[test]
fn it_conforms_whatever_the_pieces() {
    for piece in [1, 100, 10_000] {
        assert_conforms(&node(1), &node(2), piece);
    }
}

#[test]
fn each_side_learns_the_others_key() {
    let [dialer, acceptor] = shake(&node(1), &node(2), 100);
    assert_eq!(dialer.handshake.peer_key(), Some(&keys(2).spki()[..]));
    assert_eq!(acceptor.handshake.peer_key(), Some(&keys(1).spki()[..]));
    assert_eq!(node(1).version(), VERSION);
}

#[test]
fn no_ticket_follows_the_handshake() {
    let mut ends = shake(&node(1), &node(2), 10_000);
    assert!(ends.iter_mut().all(|end| end.write().concat().is_empty()));
}

#[test]
fn a_hello_of_another_kind_of_node_is_refused() {
    let name = ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into());
    let offers = [(vec![PROTOCOL.to_vec()], true), (vec![b"sayagain/2".to_vec()], false), (vec![], false)];
    for (protocol, welcome) in offers {
        let mut config = keys(1).client_config(PROTOCOL).unwrap();
        config.alpn_protocols.clone_from(&protocol);
        let dialer = ClientConnection::new(config.into(), Version::V1, name.clone(), Vec::new()).unwrap();
        let hello = End::new(Box::new(TlsHandshake(dialer.into()))).write().concat();
        let mut acceptor = node(2).accept(Vec::new()).unwrap();
        assert_eq!(acceptor.read(&hello).is_ok(), welcome, "{protocol:?}");
    }
}

#[test]
fn a_hello_in_two_pieces_is_one_hello() {
    let (hello, _) = flights(&node(1), &node(2));
    for cut in 1..hello.len() {
        let mut acceptor = End::new(node(2).accept(Vec::new()).unwrap());
        acceptor.handshake.read(&hello[..cut]).unwrap();
        assert!(acceptor.write().concat().is_empty(), "cut at {cut}");
        acceptor.handshake.read(&hello[cut..]).unwrap();
        assert!(!acceptor.write()[0].is_empty() && acceptor.data.is_some(), "cut at {cut}");
    }
}

#[test]
fn a_changed_parameter_ends_the_handshake() {
    let mut dialer = End::new(node(1).dial(b"of the dialer".to_vec()).unwrap());
    let mut acceptor = End::new(node(2).accept(b"of the acceptor".to_vec()).unwrap());
    let mut hello = dialer.write().concat();
    let at = hello.windows(13).position(|bytes| bytes == b"of the dialer").unwrap();
    hello[at] ^= 1;
    acceptor.handshake.read(&hello).unwrap();
    let [answer, proof, _] = acceptor.write();
    dialer.handshake.read(&answer).unwrap();
    dialer.write();
    assert!(dialer.handshake.read(&proof).is_err(), "the dialer sees that another hello was answered");
    assert!(dialer.handshake.is_handshaking() && acceptor.handshake.is_handshaking());
}

#[test]
fn the_first_packets_are_those_of_rfc_9001() {
    let dst = ConnectionId::from([0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08]);
    let keys = node(1).initial_keys(&dst, Side::Dialer);
    let sample = 0xd1b1_c98d_d768_9fb8_ec11_d242_b123_dc9b_u128.to_be_bytes();
    let (mut first, mut packet_number) = (0xc3, [0, 0, 0, 2]);
    keys.local.header.protect(&sample, &mut first, &mut packet_number);
    assert_eq!((first, packet_number), (0xc0, [0x7b, 0x9a, 0xec, 0x34]), "appendix A.2");
}

#[test]
fn a_handshake_survives_what_makes_no_sense() {
    for garbage in [&[0; 4][..], &[1, 0, 0, 0], &[0xff; 2000], b"GET / HTTP/1.1\r\n\r\n", &[2, 0, 0, 1, 0]] {
        for mut handshake in [node(1).dial(vec![]).unwrap(), node(1).accept(vec![]).unwrap()] {
            let first = handshake.read(garbage);
            let second = handshake.read(garbage);
            assert!(first.is_err() || second.is_err() || handshake.is_handshaking());
            handshake.write(&mut Vec::new());
            assert!(handshake.peer_key().is_none());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_bit_never_leads_to_keys_of_the_same_kind(at: prop::sample::Index, bit in 0_u8..8) {
        let (mut hello, _) = flights(&node(1), &node(2));
        let at = at.index(hello.len());
        hello[at] ^= 1_u8 << bit;
        let mut acceptor = End::new(node(2).accept(Vec::new()).unwrap());
        let _ = acceptor.handshake.read(&hello);
        acceptor.write();
        prop_assert!(acceptor.handshake.is_handshaking());
    }

    #[test]
    fn garbage_is_no_handshake(bytes: Vec<u8>) {
        let mut acceptor = End::new(node(2).accept(Vec::new()).unwrap());
        let _ = acceptor.handshake.read(&bytes);
        prop_assert!(acceptor.write().concat().is_empty());
        prop_assert!(acceptor.handshake.peer_params().is_none());
    }
}
