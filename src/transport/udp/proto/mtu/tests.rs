use super::*;

/// Runs the search over a path that carries `limit` bytes, where of the probes that fit `is_lost`
/// tells which are lost anyway, and returns how many were sent.
fn search(mtu: &mut MtuDiscovery, now: Instant, limit: u16, mut is_lost: impl FnMut(u64) -> bool) -> u64 {
    let mut number = 0;
    while let Some(size) = mtu.probe_size(now) {
        mtu.on_probe_sent(size, number, now);
        assert_eq!(mtu.probe_size(now), None, "one at a time");
        let before = mtu.current();
        if size > limit || is_lost(number) {
            mtu.on_probe_lost(number);
        } else {
            assert!(mtu.on_probe_acked(number) && mtu.current() > before);
        }
        number += 1;
    }
    number
}

fn found(ceiling: u16) -> (MtuDiscovery, Instant) {
    let (mut mtu, now) = (MtuDiscovery::new(ceiling, ceiling), Instant::now());
    search(&mut mtu, now, ceiling, |_| false);
    assert_eq!(mtu.current(), ceiling.max(BASE_MTU));
    (mtu, now)
}

#[test]
fn any_limit_is_found() {
    for limit in BASE_MTU..=1472 {
        let (mut mtu, now) = (MtuDiscovery::new(u16::MAX, 1472), Instant::now());
        let probes = search(&mut mtu, now, limit, |_| false);
        assert!(mtu.current() <= limit && limit - mtu.current() < RESOLUTION, "{limit}: {mtu:?}");
        assert!(probes <= 7 * u64::from(MAX_PROBES), "{limit}: {probes} probes");
    }
}

#[test]
fn the_ceiling_takes_one_probe() {
    let (mut mtu, now) = (MtuDiscovery::new(1472, 1452), Instant::now());
    assert_eq!(search(&mut mtu, now, 1472, |_| false), 1);
    assert_eq!((mtu.current(), mtu.next_probe()), (1452, None));
}

#[test]
fn a_path_of_jumbo_frames_takes_one_probe_and_one_that_ends_in_ethernet_one_size_more() {
    for (limit, found, sizes) in [(8972, 8972, 1), (1472, 1472, 2), (2000, 1472, 2)] {
        let (mut mtu, now) = (MtuDiscovery::new(8972, 8972), Instant::now());
        let probes = search(&mut mtu, now, limit, |_| false);
        assert_eq!(mtu.current(), found);
        assert_eq!(probes, (sizes - 1) * u64::from(MAX_PROBES) + 1);
    }
    for limit in BASE_MTU..1472 {
        let (mut mtu, now) = (MtuDiscovery::new(8972, 8972), Instant::now());
        search(&mut mtu, now, limit, |_| false);
        assert!(mtu.current() <= limit && limit - mtu.current() < RESOLUTION, "{limit}: {mtu:?}");
    }
}

#[test]
fn of_another_path_no_more_is_expected_than_ethernet() {
    let (mut mtu, now) = found(8972);
    mtu.reset();
    assert_eq!(search(&mut mtu, now, 8972, |_| false), 1);
    assert_eq!((mtu.current(), mtu.next_probe()), (1472, None));
}

#[test]
fn nothing_is_probed_where_nothing_is_to_gain() {
    for ceiling in [0, 1199, 1200] {
        let (mut mtu, now) = found(ceiling);
        assert_eq!((mtu.probe_size(now), mtu.next_probe()), (None, None));
    }
}

#[test]
fn probes_lost_by_chance_do_not_mislead() {
    for limit in [1200, 1280, 1400, 1472] {
        let (mut mtu, now) = (MtuDiscovery::new(1472, 1472), Instant::now());
        let mut lost = 0;
        search(&mut mtu, now, limit, |_| {
            lost = (lost + 1) % u32::from(MAX_PROBES);
            lost != 0
        });
        assert!(limit - mtu.current() < RESOLUTION, "{limit}: {}", mtu.current());
    }
}

#[test]
fn the_search_is_repeated_after_ten_minutes() {
    let (mut mtu, now) = (MtuDiscovery::new(1472, 1472), Instant::now());
    search(&mut mtu, now, 1400, |_| false);
    let at = now + RAISE_AFTER;
    assert_eq!(mtu.next_probe(), Some(at));
    assert_eq!(mtu.probe_size(at - Duration::from_nanos(1)), None);
    search(&mut mtu, at, 1472, |_| false);
    assert_eq!(mtu.current(), 1472);
}

#[test]
fn the_fate_of_an_unknown_probe_changes_nothing() {
    let (mut mtu, now) = (MtuDiscovery::new(1472, 1472), Instant::now());
    mtu.on_probe_sent(1472, 7, now);
    assert!(!mtu.on_probe_acked(6));
    mtu.on_probe_lost(8);
    assert_eq!(mtu.probe_size(now), None);
    assert!(mtu.on_probe_acked(7));
    assert!(!mtu.on_probe_acked(7));
}

/// Bursts of losses of `sizes` a second apart, after each of which `acked` arrive.
fn bursts(mtu: &mut MtuDiscovery, now: Instant, n: u64, sizes: &[u16], acked: &[u16]) -> bool {
    (0..n).any(|i| {
        let now = now + Duration::from_secs(i);
        let is_hole = sizes.iter().fold(false, |is_hole, size| is_hole | mtu.on_lost(*size, 1, 1, now));
        acked.iter().for_each(|size| mtu.on_acked(*size, now));
        is_hole
    })
}

#[test]
fn three_bursts_of_large_packets_are_a_black_hole() {
    let (mut mtu, now) = found(1472);
    assert!(!bursts(&mut mtu, now, 2, &[1472, 1472, 1450], &[1200, 60]));
    assert_eq!(mtu.current(), 1472);
    let third = now + Duration::from_secs(2);
    assert!(mtu.on_lost(1472, 1, 1, third));
    assert_eq!(mtu.current(), BASE_MTU);
    assert!(!mtu.on_lost(1472, 1, 1, third), "said once");

    let cool = third + COOL_DOWN;
    assert_eq!((mtu.next_probe(), mtu.probe_size(third)), (Some(cool), None));
    search(&mut mtu, cool, 1400, |_| false);
    assert!(1400 - mtu.current() < RESOLUTION);
}

#[test]
fn smaller_packets_that_pass_do_not_hide_a_black_hole() {
    let (mut mtu, now) = found(1472);
    assert!(bursts(&mut mtu, now, 3, &[1472, 1400], &[1391]));
}

#[test]
fn ordinary_loss_is_no_black_hole() {
    let (mut mtu, now) = found(1472);
    assert!(!bursts(&mut mtu, now, 100, &[1472, 1472], &[1472]), "large ones pass too");
    assert!(!bursts(&mut mtu, now, 100, &[60, 1472], &[60]), "small ones are lost too");
    let at = now + Duration::from_secs(200);
    for _ in 0..100 {
        assert!(!mtu.on_lost(1472, 1, 1, at), "one burst, however large");
    }
    assert!(!mtu.on_lost(800, 1, 1, at), "and innocent");
    assert!(!bursts(&mut mtu, at + Duration::from_secs(1), 2, &[1472], &[]));
    assert_eq!(mtu.current(), 1472);
}

#[test]
fn late_losses_at_the_base_mean_nothing() {
    let (mut mtu, now) = (MtuDiscovery::new(1472, 1472), Instant::now());
    assert!(!bursts(&mut mtu, now, 100, &[1472], &[]));
}

#[test]
fn another_path_is_searched_anew() {
    let (mut mtu, now) = found(1472);
    mtu.reset();
    assert_eq!((mtu.current(), mtu.probe_size(now)), (BASE_MTU, Some(1472)));
}
