use rand::SeedableRng as _;

use super::*;
use crate::wire::Scheme;

fn addr(number: u16) -> Addr {
    Addr::new(Scheme::Tcp, ([192, 0, 2, 1], number).into())
}

fn node(number: u16) -> NodeId {
    let mut id = [0; 32];
    id[..2].copy_from_slice(&number.to_be_bytes());
    NodeId(id)
}

fn begin() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn rng() -> ChaCha12Rng {
    ChaCha12Rng::from_seed([0; 32])
}

#[test]
fn are_as_many_addresses_remembered_as_the_limit_says_and_none_that_was_given_forgotten() {
    let mut book = Book::default();
    book.give(addr(1));
    book.give(addr(60_000));
    for number in 2..MAX_ADDRESSES as u16 {
        book.learn(addr(number), node(number));
    }
    assert_eq!(book.len(), MAX_ADDRESSES);
    for number in 2_000..5_000 {
        book.learn(addr(number), node(number));
        assert_eq!(book.len(), MAX_ADDRESSES);
        assert!(book.entries.contains_key(&addr(number)), "one that was learned makes way");
    }
    assert!(book.is_given(&addr(1)) && book.is_given(&addr(60_000)));
}

#[test]
fn does_an_address_in_use_make_way() {
    let (mut book, now) = (Book::default(), begin());
    for number in 1..=MAX_ADDRESSES as u16 {
        book.learn(addr(number), node(number));
        if number > 1 {
            book.reached(addr(number), node(number));
        }
    }
    assert_eq!(book.due(now, |node| node != self::node(1)), [addr(1)]);
    book.learn(addr(9_000), node(9_000));
    assert!(!book.entries.contains_key(&addr(9_000)), "all are in use");
    book.failed(addr(1), now, &mut rng());
    book.learn(addr(9_000), node(9_000));
    assert!(book.entries.contains_key(&addr(9_000)) && !book.entries.contains_key(&addr(1)));
}

#[test]
fn are_as_many_dials_under_way_as_the_limit_says_and_not_one_more() {
    let (mut book, now) = (Book::default(), begin());
    (1..=20).for_each(|number| book.give(addr(number)));
    let first = book.due(now, |_| false);
    assert_eq!(first.len(), MAX_DIALS);
    assert!(book.due(now, |_| false).is_empty());
    assert_eq!(book.next_due(|_| false), None);
    book.failed(first[0], now, &mut rng());
    assert_eq!(book.due(now, |_| false).len(), 1, "one came to an end");
    book.reached(first[1], node(1));
    book.is_own(first[2]);
    assert_eq!(book.due(now, |_| false).len(), 2, "however it ended");
}

#[test]
fn is_an_address_ever_dropped_because_it_failed() {
    for (given, cap) in [(true, RETRY_CAP_GIVEN), (false, RETRY_CAP_LEARNED)] {
        let (mut book, mut now, mut rng) = (Book::default(), begin(), rng());
        if given {
            book.give(addr(1));
        } else {
            book.learn(addr(1), node(1));
        }
        let mut longest = Duration::ZERO;
        for _ in 0..500 {
            assert_eq!(book.due(now, |_| false), [addr(1)]);
            let pause = book.failed(addr(1), now, &mut rng).unwrap();
            assert!((RETRY_BASE..=cap).contains(&pause), "{pause:?}");
            longest = longest.max(pause);
            assert_eq!(book.next_due(|_| false), Some(now + pause));
            assert!(book.due(now + pause - Duration::from_nanos(1), |_| false).is_empty());
            now += pause;
        }
        assert!(longest > cap / 2, "pauses grow: {longest:?}");
    }
}

#[test]
fn is_an_address_of_this_node_ever_dialled_again() {
    let (mut book, now) = (Book::default(), begin());
    book.give(addr(1));
    assert_eq!(book.due(now, |_| false), [addr(1)]);
    book.is_own(addr(1));
    assert!(book.is_empty());
    assert_eq!(book.next_due(|_| false), None);
    assert!(book.due(now + Duration::from_secs(86_400), |_| false).is_empty());
}

#[test]
fn is_a_node_that_is_linked_dialled() {
    let (mut book, now) = (Book::default(), begin());
    book.learn(addr(1), node(1));
    assert!(book.due(now, |_| true).is_empty());
    assert_eq!(book.due(now, |_| false), [addr(1)]);
    book.reached(addr(1), node(1));
    book.lost(node(1), now, Duration::from_secs(1), false, &mut rng());
    assert!(book.next_due(|_| false).is_some_and(|at| at > now), "it is tried again, later");
}
