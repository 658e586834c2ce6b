use proptest::prelude::*;

use super::*;

fn factory(key: u8) -> CidFactory {
    CidFactory::new([key; 16], 7, [3; 32])
}

fn cid(byte: u8) -> ConnectionId {
    ConnectionId::from([byte; CID_BYTES])
}

fn new_cid(seq: u64, retire_prior: u64) -> NewCid {
    let byte = seq as u8;
    NewCid { seq, retire_prior, cid: cid(byte), reset: [byte; MAC_BYTES] }
}

/// Ids 0..4, the first in use.
fn full() -> RemoteCids {
    let mut remote = RemoteCids::new(cid(0));
    for seq in 1..4 {
        assert_eq!(remote.on_new(new_cid(seq, 0)).unwrap().as_slice(), [0_u64; 0]);
    }
    remote
}

#[test]
fn an_id_shows_its_worker_and_its_maker() {
    let mut ours = factory(1);
    for _ in 0..1000 {
        let cid = ours.next();
        assert!(ours.is_ours(&cid));
        assert!(factory(1).is_ours(&cid), "after a restart");
        assert_eq!(CidFactory::worker_of(&cid), 7);
        assert!(!factory(2).is_ours(&cid), "another node");
        for bit in 0..64 {
            let flipped = (u64::from_be_bytes(*cid.as_bytes()) ^ 1 << bit).to_be_bytes();
            assert!(!ours.is_ours(&flipped.into()), "bit {bit}");
        }
    }
}

#[test]
fn random_ids_are_not_ours() {
    let ours = factory(1);
    let mut rng = ChaCha12Rng::from_seed([9; 32]);
    let passed = (0..100_000).filter(|_| ours.is_ours(&rng.next_u64().to_be_bytes().into())).count();
    assert_eq!(passed, 0);
}

#[test]
fn ids_depend_on_the_seed_alone() {
    assert_eq!(factory(1).next(), factory(1).next());
    assert_ne!(factory(1).next(), CidFactory::new([1; 16], 7, [4; 32]).next());
    assert_eq!(format!("{:?}", cid(0xa0)), "a0a0a0a0a0a0a0a0");
}

#[test]
fn a_reset_token_belongs_to_one_id_and_one_key() {
    let key = |byte| hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32]);
    let token = reset_token(&key(1), &cid(1));
    assert_eq!(token, reset_token(&key(1), &cid(1)));
    assert_ne!(token, reset_token(&key(2), &cid(1)));
    assert_ne!(token, reset_token(&key(1), &cid(2)));
}

#[test]
fn four_ids_are_given_out_and_a_retired_one_makes_room() {
    let mut local = LocalCids::new(cid(0));
    assert_eq!(local.room(), 3);
    for seq in 1..4 {
        assert_eq!(local.issue(cid(seq), [seq; 16]).unwrap().seq, u64::from(seq));
    }
    assert_eq!(local.issue(cid(4), [4; 16]), None);
    assert_eq!(local.on_retire(1), Ok(Some(cid(1))));
    assert_eq!(local.on_retire(1), Ok(None), "said twice");
    assert_eq!(local.get(1), None);
    assert_eq!(local.issue(cid(2), [2; 16]), None, "in use already");
    assert_eq!(local.issue(cid(4), [4; 16]).unwrap().seq, 4);
    assert_eq!(local.iter().collect::<Vec<_>>(), [0, 2, 3, 4].map(cid));
}

#[test]
fn retiring_what_was_never_given_out_is_a_violation() {
    let mut local = LocalCids::new(cid(0));
    assert!(local.on_retire(1).is_err());
    assert!(local.on_retire(u64::MAX).is_err());
    assert_eq!(local.on_retire(0), Ok(Some(cid(0))));
    assert_eq!(local.room(), 4);
}

#[test]
fn the_fifth_id_is_a_violation() {
    let mut remote = full();
    assert!(remote.on_new(new_cid(4, 0)).is_err());
    assert_eq!(full().on_new(new_cid(4, 1)).unwrap().as_slice(), [0], "room was made");
}

#[test]
fn a_repeated_id_is_nothing_new_and_a_conflicting_one_a_violation() {
    let mut remote = full();
    assert_eq!(remote.on_new(new_cid(2, 0)).unwrap().as_slice(), [0_u64; 0]);
    let conflicts = [
        NewCid { cid: cid(9), ..new_cid(2, 0) },
        NewCid { reset: [9; 16], ..new_cid(2, 0) },
        NewCid { cid: cid(2), ..new_cid(3, 0) },
        NewCid { cid: cid(0), ..new_cid(2, 0) },
        new_cid(3, 4),
    ];
    for conflict in conflicts {
        assert!(full().on_new(conflict).is_err(), "{conflict:?}");
    }
}

#[test]
fn rotation_goes_on_to_the_next_id_and_never_back() {
    let mut remote = full();
    assert_eq!(remote.rotate(), Some(Rotation { cid: cid(1), retired: 0 }));
    assert_eq!(remote.rotate(), Some(Rotation { cid: cid(2), retired: 1 }));
    assert_eq!(remote.on_new(new_cid(1, 0)).unwrap().as_slice(), [1], "retired again, not taken again");
    assert_eq!(remote.rotate(), Some(Rotation { cid: cid(3), retired: 2 }));
    assert_eq!(remote.rotate(), None);
    assert_eq!(remote.current(), cid(3));
}

#[test]
fn retire_prior_drops_what_is_below_and_what_comes_late() {
    let mut remote = full();
    assert_eq!(remote.on_new(new_cid(6, 3)).unwrap().as_slice(), [0, 1, 2]);
    assert_eq!(remote.current(), cid(3));
    assert_eq!(remote.on_new(new_cid(2, 0)).unwrap().as_slice(), [2], "a late one is retired at once");
    assert_eq!(remote.on_new(new_cid(5, 0)).unwrap().as_slice(), [0_u64; 0]);
    assert_eq!(remote.rotate().unwrap().cid, cid(5));
}

#[test]
fn nine_unacknowledged_retirements_are_a_violation() {
    let mut remote = RemoteCids::new(cid(0));
    for seq in 1..=8 {
        assert_eq!(remote.on_new(new_cid(seq, seq)).unwrap().as_slice(), [seq - 1]);
    }
    assert!(!remote.can_rotate());
    let mut patient = RemoteCids::new(cid(0));
    for seq in 1..100 {
        patient.on_new(new_cid(seq, seq)).unwrap();
        patient.on_retire_acked(seq - 1);
    }
    assert!(remote.on_new(new_cid(9, 9)).is_err());
}

#[test]
fn rotation_waits_while_too_many_retirements_do() {
    let mut remote = RemoteCids::new(cid(0));
    for seq in 1..=8 {
        remote.on_new(new_cid(seq, seq)).unwrap();
    }
    remote.on_new(new_cid(9, 8)).unwrap();
    assert_eq!(remote.rotate(), None);
    remote.on_retire_acked(3);
    assert_eq!(remote.rotate(), Some(Rotation { cid: cid(9), retired: 8 }));
}

#[test]
fn the_reset_token_of_the_id_in_use_counts() {
    let mut remote = RemoteCids::new(cid(0));
    assert_eq!(remote.reset(), None, "none is known yet");
    remote.set_first(cid(9));
    remote.set_first_reset([9; 16]);
    assert_eq!(remote.current(), cid(9));
    assert_eq!(remote.reset(), Some([9; 16]));
    remote.on_new(new_cid(1, 0)).unwrap();
    assert_eq!(remote.reset(), Some([9; 16]), "the other is not in use");
    remote.rotate().unwrap();
    assert_eq!(remote.reset(), Some([1; 16]));
    remote.set_first(cid(5));
    assert_eq!(remote.current(), cid(1), "the handshake is long over");
}

proptest! {
    #[test]
    fn whatever_is_said_the_bounds_hold(
        steps in prop::collection::vec((0_u64..20, 0_u64..20, 0_u8..20, any::<u8>()), 0..200),
    ) {
        let mut remote = RemoteCids::new(cid(0));
        let mut retired = std::collections::BTreeSet::new();
        for (seq, retire_prior, byte, choice) in steps {
            let odd = NewCid { cid: cid(byte), ..new_cid(seq, retire_prior) };
            let new = if choice & 1 == 0 { odd } else { new_cid(seq, retire_prior.min(seq)) };
            let Ok(seqs) = remote.on_new(new) else { break };
            retired.extend(seqs);
            if choice & 2 == 0 {
                retired.extend(remote.rotate().map(|rotation| rotation.retired));
            }
            if choice & 4 == 0 {
                remote.on_retire_acked(u64::from(choice >> 3));
            }
            if choice & 1 == 1 && new.cid == remote.current() {
                prop_assert!(!retired.contains(&new.seq), "a retired id came back");
            }
        }
    }
}
