//! Spreads what a window allows over its round trip, so that it does not arrive at the bottleneck's queue
//! all at once (RFC 9002 §7.7).

use std::time::{Duration, Instant};

use super::mtu::BASE_MTU;

/// What may leave at once, as time at the current rate. Our own socket buffer is a queue too, and chat
/// waits in it behind bulk.
const QUANTUM: Duration = Duration::from_millis(1);

/// Packets that may leave at once however slow the rate.
const MIN_QUANTUM_PACKETS: u64 = 2;

/// Bytes that may leave at once however fast the rate: one call with segmentation offload, of 64 packets as Ethernet
/// carries them.
const MAX_QUANTUM: u64 = 64 * 1472;

/// Packets that may leave at once at the start (RFC 9002 §7.2).
const INITIAL_PACKETS: u64 = 10;

/// How late the timer of a wait may be without lowering the rate. A busy machine lets others run for as long.
const MAX_LATENESS: Duration = Duration::from_millis(8);

/// Credit of one byte. Credit counts byte-nanoseconds, in which a rate in bytes a second times a time in
/// nanoseconds is exact, so no rounding adds up.
const BYTE: i128 = 1_000_000_000;

/// A token bucket: holds the credit to send, earned at a rate that may change with every call.
#[derive(Debug)]
pub(crate) struct Pacer {
    /// What may be sent now; negative after packets that did not ask.
    credit: i128,
    /// Up to when credit was earned; unset while nothing is paced.
    earned: Option<Instant>,
    /// Until when the last answer was to wait.
    wait: Option<Instant>,
}

impl Pacer {
    /// A pacer that lets an initial window of packets pass at once.
    pub(crate) fn new() -> Self {
        Self { credit: credit_of(INITIAL_PACKETS * u64::from(BASE_MTU)), earned: None, wait: None }
    }

    /// When a packet of `bytes` may leave at `rate` bytes a second (`None`: unpaced) under a congestion
    /// window of `window` bytes; `None`: now. A wait lasts until half a quantum is there, so that timers
    /// stay rare and packets leave in batches.
    pub(crate) fn delay(
        &mut self,
        now: Instant,
        rate: Option<u64>,
        window: u64,
        bytes: u16,
    ) -> Option<Instant> {
        let Some(rate) = rate else {
            *self = Self::new();
            return None;
        };
        let rate = rate.max(1);
        let quantum = quantum(rate, window, bytes);
        self.earn(now, rate, quantum);
        if self.credit >= credit_of(u64::from(bytes)) {
            return None;
        }
        let lacking = credit_of((quantum / 2).max(u64::from(bytes))).saturating_sub(self.credit);
        self.wait = now.checked_add(time_to_earn(lacking, rate));
        self.wait
    }

    /// There is nothing that waits: what is earned from now on is no more than after any idle time.
    pub(crate) const fn on_idle(&mut self) {
        self.wait = None;
    }

    /// A packet of `bytes` left, whether it asked or not.
    pub(crate) fn on_sent(&mut self, _now: Instant, bytes: u16) {
        let debt = credit_of(MAX_QUANTUM);
        self.credit = self.credit.saturating_sub(credit_of(u64::from(bytes))).max(-debt);
        self.wait = None;
    }

    /// Adds what `rate` earned since the last time, up to what may be held.
    fn earn(&mut self, now: Instant, rate: u64, quantum: u64) {
        let since = self.earned.map_or(Duration::ZERO, |earned| now.saturating_duration_since(earned));
        self.earned = Some(self.earned.map_or(now, |earned| earned.max(now)));
        let earned = since.as_nanos().saturating_mul(u128::from(rate));
        let earned = i128::try_from(earned).unwrap_or(i128::MAX);
        // A wait is over before it has earned a quantum. What came late should have left already.
        let late = self.wait.map_or(Duration::ZERO, |until| now.saturating_duration_since(until));
        let late_bytes = u128::from(rate).saturating_mul(late.min(MAX_LATENESS).as_nanos()) / 1_000_000_000;
        let held = credit_of(quantum.saturating_add(u64::try_from(late_bytes).unwrap_or(u64::MAX)));
        // What is held already stays, the initial burst above all.
        self.credit = self.credit.saturating_add(earned).min(held.max(self.credit));
    }
}

/// Bytes that may leave at once after an idle time: never more than the window, never less than a packet.
fn quantum(rate: u64, window: u64, bytes: u16) -> u64 {
    let packet = u64::from(bytes.max(BASE_MTU));
    let in_time = u64::try_from(u128::from(rate) * QUANTUM.as_nanos() / 1_000_000_000).unwrap_or(u64::MAX);
    in_time.min(window).min(MAX_QUANTUM).max(MIN_QUANTUM_PACKETS * packet)
}

/// The credit to send `bytes`.
fn credit_of(bytes: u64) -> i128 {
    i128::from(bytes).saturating_mul(BYTE)
}

/// How long `rate` takes to earn `credit`, rounded up: a timer set to it never comes too early.
fn time_to_earn(credit: i128, rate: u64) -> Duration {
    let nanos = u128::try_from(credit).unwrap_or(0).div_ceil(u128::from(rate.max(1)));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a starting point for virtual time")]
mod tests {
    use super::*;

    const PACKET: u16 = 1200;
    const WINDOW: u64 = 1 << 20;

    /// Sends whatever may leave at `now` and returns the bytes and when more may.
    fn burst(pacer: &mut Pacer, now: Instant, rate: u64) -> (u64, Instant) {
        let mut bytes = 0;
        loop {
            if let Some(at) = pacer.delay(now, Some(rate), WINDOW, PACKET) {
                return (bytes, at);
            }
            pacer.on_sent(now, PACKET);
            bytes += u64::from(PACKET);
        }
    }

    /// A pacer that has used up its initial burst.
    fn drained(now: Instant, rate: u64) -> Pacer {
        let mut pacer = Pacer::new();
        burst(&mut pacer, now, rate);
        pacer
    }

    #[test]
    fn a_rate_is_kept_without_drift() {
        for rate in [7_919, 125_000, 1_250_000, 12_499_999, 125_000_003] {
            let start = Instant::now();
            let mut pacer = drained(start, rate);
            let (mut now, mut sent) = (start, 0);
            let limit = quantum(rate, WINDOW, PACKET);
            for _ in 0..20_000 {
                let (bytes, at) = burst(&mut pacer, now, rate);
                assert!(bytes <= limit, "{bytes} at once at {rate}");
                assert!(at > now);
                (now, sent) = (at, sent + bytes);
            }
            let due = (now - start).as_secs_f64() * rate as f64;
            assert!((sent as f64 - due).abs() <= 2.0 * limit as f64, "{rate}: {sent} sent, {due} due");
            assert!((sent as f64 / due - 1.0).abs() < 0.01);
        }
    }

    #[test]
    fn a_timer_that_comes_late_does_not_lower_the_rate_and_one_that_comes_too_late_does() {
        let rate = 12_500_000;
        let share = |late| {
            let start = Instant::now();
            let mut pacer = drained(start, rate);
            let (mut now, mut sent) = (start, 0);
            for _ in 0..1_000 {
                let (bytes, at) = burst(&mut pacer, now, rate);
                (now, sent) = (at + late, sent + bytes);
            }
            sent as f64 / (now - start).as_secs_f64() / rate as f64
        };
        for late in [Duration::from_millis(1), Duration::from_millis(6), MAX_LATENESS] {
            assert!((share(late) - 1.0).abs() < 0.01, "{} at {late:?}", share(late));
        }
        assert!((0.5..0.6).contains(&share(MAX_LATENESS * 2)), "{}", share(MAX_LATENESS * 2));
    }

    #[test]
    fn the_first_burst_is_ten_packets() {
        let mut pacer = Pacer::new();
        assert_eq!(burst(&mut pacer, Instant::now(), 10_000).0, 12_000);
    }

    #[test]
    fn an_idle_hour_earns_one_quantum() {
        let now = Instant::now();
        for rate in [1, 10_000, 12_500_000, 1_250_000_000] {
            let mut pacer = drained(now, rate);
            pacer.on_sent(now, PACKET);
            let (bytes, _) = burst(&mut pacer, now + Duration::from_secs(100_000), rate);
            assert!(bytes <= quantum(rate, WINDOW, PACKET), "{bytes} at {rate}");
            assert!(bytes >= 2400);
        }
    }

    #[test]
    fn a_wait_that_was_given_up_earns_no_more_than_a_quantum() {
        let (now, rate) = (Instant::now(), 12_500_000);
        let mut pacer = drained(now, rate);
        pacer.on_idle();
        let later = now + Duration::from_secs(1);
        assert!(burst(&mut pacer, later, rate).0 <= quantum(rate, WINDOW, PACKET));
    }

    #[test]
    fn a_quantum_is_a_millisecond_within_2_and_64_packets_and_the_window() {
        assert_eq!(quantum(10_000, WINDOW, 100), 2_400);
        assert_eq!(quantum(12_500_000, WINDOW, 1472), 12_500);
        assert_eq!(quantum(u64::MAX, u64::MAX, 1472), 64 * 1472);
        assert_eq!(quantum(12_500_000, 4_800, 1200), 4_800);
    }

    #[test]
    fn packets_that_did_not_ask_are_paid_for_afterwards() {
        let (now, rate) = (Instant::now(), 120_000);
        let mut pacer = drained(now, rate);
        let (_, before) = burst(&mut pacer, now, rate);
        for _ in 0..4 {
            pacer.on_sent(now, PACKET);
        }
        let (_, after) = burst(&mut pacer, now, rate);
        assert_eq!(after - before, Duration::from_millis(40));
    }

    #[test]
    fn unpaced_packets_leave_at_once_and_owe_nothing() {
        let mut pacer = Pacer::new();
        let now = Instant::now();
        for _ in 0..1_000 {
            assert_eq!(pacer.delay(now, None, WINDOW, PACKET), None);
            pacer.on_sent(now, PACKET);
        }
        assert_eq!(pacer.delay(now, None, WINDOW, PACKET), None);
        assert_eq!(burst(&mut pacer, now, 10_000).0, 12_000);
    }

    #[test]
    fn no_input_overflows() {
        let now = Instant::now();
        for rate in [0, 1, u64::MAX] {
            for later in [0, 1, u64::from(u32::MAX)] {
                let mut pacer = Pacer::new();
                for _ in 0..100 {
                    pacer.on_sent(now, u16::MAX);
                }
                let _ = pacer.delay(now, Some(rate), 0, u16::MAX);
                let _ = pacer.delay(now + Duration::from_secs(later), Some(rate), u64::MAX, 0);
                let at = pacer.delay(now, Some(rate), u64::MAX, u16::MAX);
                assert!(at.is_none_or(|at| at >= now));
            }
        }
    }
}
