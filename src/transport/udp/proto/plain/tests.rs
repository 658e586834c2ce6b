use proptest::prelude::*;

use super::{
    super::conformance::{End, assert_conforms, flights, shake},
    *,
};

#[test]
fn it_conforms_whatever_the_pieces() {
    for piece in [1, 2, 7, 10_000] {
        assert_conforms(&PlainHandshaker, &PlainHandshaker, piece);
    }
}

#[test]
fn it_proves_no_key_and_hides_nothing() {
    let [dialer, acceptor] = shake(&PlainHandshaker, &PlainHandshaker, 100);
    assert_eq!((dialer.handshake.peer_key(), acceptor.handshake.peer_key()), (None, None));
    let mut payload = *b"readable";
    dialer.data.unwrap().0.local.packet.seal(0, b"", &mut payload).unwrap();
    assert_eq!(&payload, b"readable");
    assert_eq!(PlainHandshaker.version(), VERSION_PLAIN);
}

#[test]
fn it_says_the_same_every_time_and_other_parameters_make_other_keys() {
    let seal = |dialer: &[u8]| {
        let mut dialer = End::new(PlainHandshaker.dial(dialer.to_vec()).unwrap());
        let mut acceptor = End::new(PlainHandshaker.accept(b"acceptor".to_vec()).unwrap());
        acceptor.handshake.read(&dialer.write().concat()).unwrap();
        dialer.handshake.read(&acceptor.write().concat()).unwrap();
        dialer.write();
        dialer.data.unwrap().0.local.packet.seal(0, b"", &mut []).unwrap()
    };
    assert_eq!(seal(b"one"), seal(b"one"));
    assert_ne!(seal(b"one"), seal(b"two"));
}

#[test]
fn a_changed_hello_is_noticed_by_its_writer() {
    let mut dialer = End::new(PlainHandshaker.dial(b"dialer".to_vec()).unwrap());
    let mut acceptor = End::new(PlainHandshaker.accept(b"acceptor".to_vec()).unwrap());
    let mut hello = dialer.write().concat();
    *hello.last_mut().unwrap() ^= 1;
    acceptor.handshake.read(&hello).unwrap();
    assert!(dialer.handshake.read(&acceptor.write().concat()).is_err());
}

#[test]
fn what_is_out_of_turn_or_too_long_is_refused() {
    let (hello, answer) = flights(&PlainHandshaker, &PlainHandshaker);
    let accept = || PlainHandshaker.accept(Vec::new()).unwrap();
    assert!(accept().read(&answer).is_err(), "an answer to nothing");
    assert!(accept().read(&[hello.as_slice(), &hello].concat()).is_err(), "two hellos");
    assert!(accept().read(&[1, 0xff, 0xff]).is_err(), "too long");
    assert!(PlainHandshaker.dial(vec![0; 4097]).is_err(), "too long");
    let mut tls = PlainHandshaker.dial(Vec::new()).unwrap();
    assert!(tls.read(&[2, 0, 0, 3, 0, 1, 0]).is_err(), "a proof of the wrong length");
    let [mut dialer, _] = shake(&PlainHandshaker, &PlainHandshaker, 100);
    assert!(dialer.handshake.read(&[4]).is_err(), "it is over");
}

proptest! {
    #[test]
    fn garbage_is_no_handshake(pieces: Vec<Vec<u8>>) {
        for mut handshake in [PlainHandshaker.dial(Vec::new()).unwrap(), PlainHandshaker.accept(Vec::new()).unwrap()] {
            for piece in &pieces {
                let _ = handshake.read(piece);
                handshake.write(&mut Vec::new());
            }
            prop_assert!(handshake.is_handshaking());
        }
    }

    #[test]
    fn garbage_is_no_packet(number: u64, header: Vec<u8>, mut payload: Vec<u8>) {
        let keys = PlainHandshaker.initial_keys(&ConnectionId::from([0; 8]), Side::Dialer);
        prop_assert_eq!(keys.remote.packet.open(number, &header, &mut payload), None);
    }
}
