use proptest::prelude::*;
use smallvec::smallvec;

use super::*;

fn cid(byte: u8) -> ConnectionId {
    ConnectionId::from([byte; CID_BYTES])
}

fn dialers() -> Params {
    Params {
        original_dst: None,
        source: cid(1),
        retry_source: None,
        reset_token: None,
        version: 7,
        versions: smallvec![7],
        max_datagram: 1472,
        idle_timeout_ms: 30_000,
        max_ack_delay_ms: 10,
        credit: [1, 2, 3],
    }
}

fn acceptors() -> Params {
    Params {
        original_dst: Some(cid(2)),
        retry_source: Some(cid(3)),
        reset_token: Some([4; 16]),
        versions: smallvec![8, 7],
        ..dialers()
    }
}

#[test]
fn golden_bytes() {
    let expected = [
        &[0x01, 4, 0x80, 0, 0x75, 0x30][..],
        &[0x03, 2, 0x45, 0xc0],
        &[0x0b, 1, 10],
        &[0x0f, 8, 1, 1, 1, 1, 1, 1, 1, 1],
        &[0x11, 8, 0, 0, 0, 7, 0, 0, 0, 7],
        &[0x80, 0x52, 0x44, 0, 1, 1],
        &[0x80, 0x52, 0x44, 1, 1, 2],
        &[0x80, 0x52, 0x44, 2, 1, 3],
    ];
    assert_eq!(dialers().encode(), expected.concat());
}

#[test]
fn each_side_may_say_what_is_its_to_say() {
    assert_eq!(Params::decode(&dialers().encode(), Side::Dialer), Ok(dialers()));
    assert_eq!(Params::decode(&acceptors().encode(), Side::Acceptor), Ok(acceptors()));
    assert!(Params::decode(&dialers().encode(), Side::Acceptor).is_err(), "no original destination");
    for one in [
        Params { original_dst: Some(cid(2)), ..dialers() },
        Params { retry_source: Some(cid(2)), ..dialers() },
        Params { reset_token: Some([2; 16]), ..dialers() },
    ] {
        assert!(Params::decode(&one.encode(), Side::Dialer).is_err(), "{one:?}");
    }
}

#[test]
fn what_is_out_of_range_is_a_violation() {
    for bad in [
        Params { max_datagram: 1199, ..dialers() },
        Params { idle_timeout_ms: 0, ..dialers() },
        Params { max_ack_delay_ms: 1 << 14, ..dialers() },
        Params { version: 9, ..dialers() },
        Params { version: 0, versions: smallvec![0], ..dialers() },
        Params { versions: smallvec![], ..dialers() },
    ] {
        assert!(Params::decode(&bad.encode(), Side::Dialer).is_err(), "{bad:?}");
    }
    let with = |number, value: u64| {
        let mut bytes = Vec::new();
        put_number(number, value, &mut bytes);
        bytes
    };
    let without_datagram = dialers().encode()[6..].to_vec();
    assert!(Params::decode(&without_datagram, Side::Dialer).is_err(), "no idle timeout");
    let huge = [without_datagram, with(id::IDLE_TIMEOUT, 1 << 32)].concat();
    assert!(Params::decode(&huge, Side::Dialer).is_err(), "more than 32 bits");
}

#[test]
fn unknown_ones_are_skipped_and_doubles_refused() {
    let extended = [dialers().encode(), vec![0x3f, 3, 1, 2, 3]].concat();
    assert_eq!(Params::decode(&extended, Side::Dialer), Ok(dialers()));
    for double in [&[0x3f, 3, 1, 2, 3][..], &[0x0b, 1, 10]] {
        assert!(Params::decode(&[&extended, double].concat(), Side::Dialer).is_err());
    }
    let mut many = dialers().encode();
    (0..MAX_PARAMS as u64).for_each(|number| put(1000 + number, &[], &mut many));
    assert!(Params::decode(&many, Side::Dialer).is_err());
}

#[test]
fn every_cut_is_noticed() {
    let bytes = acceptors().encode();
    for len in 0..bytes.len() {
        assert!(Params::decode(&bytes[..len], Side::Acceptor).is_err(), "{len} bytes");
    }
}

#[test]
fn ids_and_versions_changed_on_the_way_are_noticed() {
    let (params, none) = (acceptors(), None);
    assert!(params.check_cids(cid(1), Some(cid(2)), Some(cid(3))).is_ok());
    assert!(params.check_cids(cid(9), Some(cid(2)), Some(cid(3))).is_err());
    assert!(params.check_cids(cid(1), Some(cid(9)), Some(cid(3))).is_err());
    assert!(params.check_cids(cid(1), Some(cid(2)), none).is_err(), "a Retry that never came");
    assert!(params.check_version(7, &[7]).is_ok());
    assert!(params.check_version(7, &[9, 7, 8]).is_ok(), "the best that both know");
    assert!(params.check_version(7, &[8, 7]).is_err(), "a downgrade");
    assert!(params.check_version(8, &[8]).is_err());
}

fn any_cid() -> impl Strategy<Value = ConnectionId> {
    any::<[u8; CID_BYTES]>().prop_map(ConnectionId::from)
}

prop_compose! {
    fn any_acceptors()(
        original_dst in any_cid(),
        source in any_cid(),
        retry_source in prop::option::of(any_cid()),
        reset_token: Option<[u8; 16]>,
        versions in prop::collection::vec(1_u32.., 1..=MAX_VERSIONS),
        max_datagram in MIN_DATAGRAM_BYTES..,
        idle_timeout_ms in 1_u32..,
        max_ack_delay_ms in 0..=MAX_ACK_DELAY_MS,
        credit in [0_u64..1 << 62, 0_u64..1 << 62, 0_u64..1 << 62],
    ) -> Params {
        Params {
            original_dst: Some(original_dst), source, retry_source, reset_token,
            version: versions[0], versions: versions.into(),
            max_datagram, idle_timeout_ms, max_ack_delay_ms, credit,
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(params in any_acceptors()) {
        prop_assert_eq!(Params::decode(&params.encode(), Side::Acceptor), Ok(params));
    }

    #[test]
    fn what_is_changed_does_no_harm(params in any_acceptors(), at: prop::sample::Index, byte: u8) {
        let mut bytes = params.encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = Params::decode(&bytes, Side::Acceptor) {
            prop_assert_eq!(read.validate(Side::Acceptor), Ok(()));
        }
    }

    #[test]
    fn garbage_does_no_harm(bytes: Vec<u8>) {
        prop_assert!(Params::decode(&bytes, Side::Dialer).is_err());
    }
}
