//! What keeps copies from doing harm: loss answered with more packets is how congestion collapse starts.

use std::time::{Duration, Instant};

use super::Conditions;

/// Bytes per second of copies that are always granted: two copies of a short line, eight times a second.
const FLOOR_RATE: u64 = 4_000;

/// Bytes of copies that may be saved up: two seconds of a lively chat, ten messages of 261 B a second.
const DEPTH: u64 = 16_384;

/// Copies may take one part in this many of the path's bandwidth.
const BANDWIDTH_PARTS: u64 = 4;

/// Copies that add one part in this many to bulk are part of its traffic, which a congestion controller governs.
const BULK_PARTS: u64 = 16;

/// The least depth of the bandwidth's bucket, so that a copy of any size passes in the end.
const MIN_SHARE_DEPTH: u64 = 1_500;

/// Queueing delay that is nobody's fault: a radio link's scheduling shows as much.
const MIN_QUEUE_LIMIT: Duration = Duration::from_millis(15);

/// Round trips that differ from each other so much are nobody's fault either.
const MAX_JITTER: Duration = Duration::from_millis(60);

/// Less may be a queue of our own making, which grows by each packet.
const LITTLE_JITTER: Duration = Duration::from_millis(4);

/// Copies of a connection that leave though there seems to be a queue, while nothing is known of jitter: a
/// quiet line without copies never sends two packets soon after each other.
const TRIALS: u8 = 6;

/// How long copies stay off after the queue was too long, at first and at most.
const HOLD: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(32)];

/// The share of the copies that leave when they are let go again, as one in so many. It doubles four times in
/// twice the time they were held: a queue made of many connections' copies shows to each of them a round trip
/// of its own later, and a chat has one a second, so that what is let go at once is felt too late.
const RAMP: u32 = 16;

/// How long the queue must have been short before the next hold is a short one again.
const FORGIVE: Duration = Duration::from_secs(60);

/// The least RTT is that of this time and of as much before it. Longer than the estimator's 10 s, because
/// a queue that stands for longer would otherwise become the measure of itself.
const FLOOR_WINDOW: Duration = Duration::from_secs(30);

/// Decides whether the path can bear a copy now. Rounds do not ask: they are what reliability needs.
///
/// Three questions, and a copy needs a yes to each:
/// * Is it paid for? A token bucket gets 4 kB/s, and on top `max_copies` times the bytes of each message
///   that was *acknowledged*. One times the goodput would not do: three transmissions of 261 B, ten times
///   a second, are 5.2 kB/s of copies beyond 2.6 kB/s of goodput, and rounds at 30 % loss bring copies of
///   their own. As it is a chat that gets through never runs dry, and one that does not falls back to the
///   4 kB/s.
/// * Is it at most a quarter of the path's bandwidth, where that is known?
/// * Is there no congestion: no CE mark within the last round trip, and `srtt - min_rtt`, with the shorter of
///   the last two round trips for `srtt` where that is longer, at most
///   `max(min_rtt / 4, 15 ms)`? Once `srtt` is an average its least counts instead of `min_rtt`, as the fastest
///   of packets with jitter tells nothing of the others; and twice the jitter more is allowed, where packets
///   that leave together have round trips of their own each. After a longer queue copies stay off for a
///   while that doubles each time, and come back a few at a time, or many connections that brake together
///   would let go together.
#[derive(Debug)]
pub(crate) struct Brakes {
    earned: Bucket,
    share: Bucket,
    bandwidth: Option<u64>,
    /// What bulk that arrived lets copies take whatever the queue.
    beside_bulk: Bucket,
    queue: QueueWatch,
    marked_until: Option<Instant>,
    jitter_unknown: bool,
    /// Copies that may leave to learn of it.
    trials: u8,
}

impl Brakes {
    /// Brakes of a connection that has sent nothing yet.
    pub(crate) const fn new() -> Self {
        Self {
            earned: Bucket::with(FLOOR_RATE),
            share: Bucket::with(MIN_SHARE_DEPTH),
            bandwidth: None,
            beside_bulk: Bucket::with(0),
            queue: QueueWatch::new(),
            marked_until: None,
            jitter_unknown: true,
            trials: TRIALS,
        }
    }

    /// Takes in what the path is like at `now`. `chance` shifts how long copies are held.
    pub(crate) fn observe(&mut self, now: Instant, conditions: &Conditions, chance: u64) {
        self.bandwidth = conditions.bandwidth;
        self.marked_until = conditions.marked.and_then(|marked| marked.checked_add(conditions.srtt));
        self.jitter_unknown = conditions.jitter.is_none();
        self.queue.observe(now, conditions, chance);
    }

    /// `bytes` of copies more have been earned.
    pub(crate) fn earn(&mut self, bytes: u64) {
        self.earned.put(bytes, DEPTH);
    }

    /// `bytes` of bulk arrived.
    pub(crate) fn on_bulk_acked(&mut self, bytes: u64) {
        self.beside_bulk.put(bytes / BULK_PARTS, DEPTH);
    }

    /// Whether a copy that makes `bytes` on the wire may leave at `now`; if so, it is paid.
    pub(crate) fn allow(&mut self, now: Instant, bytes: u64) -> bool {
        self.earned.refill(now, FLOOR_RATE, DEPTH);
        let share = self.bandwidth.map(|bandwidth| bandwidth / BANDWIDTH_PARTS);
        if let Some(rate) = share {
            self.share.refill(now, rate, rate.max(MIN_SHARE_DEPTH));
        }
        let affordable = self.earned.holds(bytes) && (share.is_none() || self.share.holds(bytes));
        let small = self.beside_bulk.holds(bytes);
        let passes = small || (self.queue.lets_pass(now) || self.tries_out()) && !self.is_marked(now);
        if !affordable || !passes {
            return false;
        }
        if small {
            self.beside_bulk.take(bytes);
        }
        self.earned.take(bytes);
        if share.is_some() {
            self.share.take(bytes);
        }
        true
    }

    /// Whether a copy may leave to find out if it is jitter that looks like a queue.
    const fn tries_out(&mut self) -> bool {
        let tries = self.jitter_unknown && self.trials > 0;
        self.trials = self.trials.saturating_sub(tries as u8);
        tries
    }

    /// Whether there are signs of a queue at `now`.
    pub(super) fn is_congested(&self, now: Instant) -> bool {
        self.queue.is_held(now) || self.is_marked(now)
    }

    fn is_marked(&self, now: Instant) -> bool {
        self.marked_until.is_some_and(|until| now < until)
    }
}

/// A token bucket, in billionths of a byte, so that no refill however short is rounded away.
#[derive(Debug)]
struct Bucket {
    level: u64,
    filled: Option<Instant>,
}

const NANOS: u64 = 1_000_000_000;

impl Bucket {
    const fn with(bytes: u64) -> Self {
        Self { level: bytes.saturating_mul(NANOS), filled: None }
    }

    /// Adds what `rate` bytes per second bring since the last refill, up to `depth` bytes.
    fn refill(&mut self, now: Instant, rate: u64, depth: u64) {
        let since = self.filled.map_or(Duration::ZERO, |filled| now.saturating_duration_since(filled));
        self.filled = Some(self.filled.map_or(now, |filled| filled.max(now)));
        let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        self.fill(rate.saturating_mul(nanos), depth);
    }

    fn put(&mut self, bytes: u64, depth: u64) {
        self.fill(bytes.saturating_mul(NANOS), depth);
    }

    fn fill(&mut self, amount: u64, depth: u64) {
        self.level = self.level.saturating_add(amount).min(depth.saturating_mul(NANOS));
    }

    const fn holds(&self, bytes: u64) -> bool {
        self.level >= bytes.saturating_mul(NANOS)
    }

    const fn take(&mut self, bytes: u64) {
        self.level = self.level.saturating_sub(bytes.saturating_mul(NANOS));
    }
}

/// Notices a queue building up on the path.
#[derive(Debug)]
struct QueueWatch {
    /// Of this window and of the one before: the least RTT, and the least average.
    least: [[Duration; 2]; 2],
    window_end: Option<Instant>,
    hold: Duration,
    held_until: Option<Instant>,
    /// Copies asked for since the last one passed, in parts of [`RAMP`].
    turn: u32,
}

impl QueueWatch {
    const fn new() -> Self {
        Self { least: [[Duration::MAX; 2]; 2], window_end: None, hold: HOLD[0], held_until: None, turn: 0 }
    }

    fn observe(&mut self, now: Instant, conditions: &Conditions, chance: u64) {
        if conditions.min_rtt.is_zero() || !self.is_queue(now, conditions) || self.is_held(now) {
            return;
        }
        let forgiven = self.held_until.is_none_or(|until| now.saturating_duration_since(until) > FORGIVE);
        let [first, longest] = HOLD;
        self.hold = if forgiven { first } else { self.hold.saturating_mul(2).min(longest) };
        // Between three quarters and five quarters of it.
        let eighths = u32::try_from(chance % 256).unwrap_or_default() + 384;
        self.held_until = now.checked_add(self.hold.saturating_mul(eighths) / 512);
    }

    fn is_queue(&mut self, now: Instant, conditions: &Conditions) -> bool {
        let Conditions { min_rtt, srtt, lately, settled, jitter, .. } = *conditions;
        let [single, average] = self.least_rtt(now, [min_rtt, settled.unwrap_or(Duration::MAX)]);
        let least = if settled.is_some() { average } else { single };
        let jitter = jitter.filter(|jitter| *jitter > LITTLE_JITTER);
        let jitter = jitter.map_or(Duration::ZERO, |jitter| jitter.saturating_mul(2).min(MAX_JITTER));
        // A quiet line has one round trip a second: the average would take many to show a queue.
        let rtt = srtt.max(lately);
        rtt.saturating_sub(least) > (least / 4).max(MIN_QUEUE_LIMIT).saturating_add(jitter)
    }

    fn least_rtt(&mut self, now: Instant, present: [Duration; 2]) -> [Duration; 2] {
        let [current, previous] = self.least;
        self.least = if self.window_end.is_none_or(|end| now >= end) {
            self.window_end = now.checked_add(FLOOR_WINDOW);
            [present, current]
        } else {
            [least_of(current, present), previous]
        };
        let [current, previous] = self.least;
        least_of(current, previous)
    }

    /// Whether no brake is on, or it is this copy's turn while it is let go.
    fn lets_pass(&mut self, now: Instant) -> bool {
        let Some(until) = self.held_until else { return true };
        if now < until {
            return false;
        }
        let step = (self.hold / 2).as_millis().max(1);
        let steps = now.saturating_duration_since(until).as_millis() / step;
        let share = u32::try_from(steps).ok().and_then(|steps| 1_u32.checked_shl(steps)).unwrap_or(RAMP);
        self.turn = self.turn.saturating_add(share.min(RAMP));
        let passes = self.turn >= RAMP;
        self.turn = if passes { 0 } else { self.turn };
        passes
    }

    fn is_held(&self, now: Instant) -> bool {
        self.held_until.is_some_and(|until| now < until)
    }
}

fn least_of(one: [Duration; 2], other: [Duration; 2]) -> [Duration; 2] {
    let ([a, b], [c, d]) = (one, other);
    [a.min(c), b.min(d)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::udp::proto::thin::{
        LossEstimate,
        model::{conditions, start},
    };

    const COPY: u64 = 261;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn silence_earns_the_floor_and_no_more() {
        let mut brakes = Brakes::new();
        let allowed = |brakes: &mut Brakes, at| (0..1000).filter(|_| brakes.allow(at, COPY)).count();
        assert_eq!(allowed(&mut brakes, start()), 15);
        assert_eq!(allowed(&mut brakes, start() + millis(1000)), 15);
        assert_eq!(allowed(&mut brakes, start() + millis(3_600_000)), 62);
    }

    #[test]
    fn refills_however_short_add_up() {
        let mut brakes = Brakes::new();
        while brakes.allow(start(), COPY) {}
        let step = Duration::from_nanos(700);
        let allowed = (1..=1_000_000).filter(|n| brakes.allow(start() + step * *n, COPY)).count();
        assert!((10..=11).contains(&allowed), "{allowed}");
    }

    #[test]
    fn what_gets_through_pays_for_its_copies() {
        let mut brakes = Brakes::new();
        for message in 0..1000 {
            let now = start() + millis(10 * message);
            assert!(brakes.allow(now, COPY) && brakes.allow(now, COPY));
            brakes.earn(3 * COPY);
        }
    }

    #[test]
    fn quarter_of_a_narrow_path_is_the_most() {
        let loss = LossEstimate::default();
        let mut brakes = Brakes::new();
        brakes.observe(start(), &Conditions { bandwidth: Some(4_000), ..conditions(&loss) }, 128);
        let mut copies = 0;
        for message in 0..600 {
            brakes.earn(3 * COPY);
            copies += u64::from(brakes.allow(start() + millis(100 * message), COPY));
        }
        assert!((59_000..62_000).contains(&(copies * COPY)), "{copies}");
    }

    #[test]
    fn growing_queue_stops_copies_for_longer_and_longer() {
        let loss = LossEstimate::default();
        let mut brakes = Brakes::new();
        brakes.observe(start(), &conditions(&loss), 128);
        assert!(brakes.allow(start(), COPY));
        let mut allowed = Vec::new();
        let mut flowing = true;
        for second in 1..60 {
            let now = start() + millis(second * 1000);
            let srtt = if flowing { millis(66) } else { millis(50) };
            brakes.observe(now, &Conditions { srtt, ..conditions(&loss) }, 128);
            flowing = brakes.allow(now, COPY);
            allowed.extend(flowing.then_some(second));
        }
        assert_eq!(allowed, [4, 11, 22, 39]);
    }

    #[test]
    fn standing_queue_does_not_become_the_measure_of_itself() {
        let loss = LossEstimate::default();
        let mut brakes = Brakes::new();
        brakes.observe(start(), &conditions(&loss), 128);
        let queue = Conditions { srtt: millis(90), min_rtt: millis(85), ..conditions(&loss) };
        for second in 1..30 {
            brakes.observe(start() + millis(second * 1000), &queue, 128);
        }
        assert!(!brakes.allow(start() + millis(29_500), COPY));
    }

    #[test]
    fn mark_stops_copies_for_a_round_trip() {
        let loss = LossEstimate::default();
        let mut brakes = Brakes::new();
        brakes.observe(start(), &Conditions { marked: Some(start()), ..conditions(&loss) }, 128);
        assert!(!brakes.allow(start() + millis(49), COPY));
        assert!(brakes.allow(start() + millis(50), COPY));
    }

    #[test]
    fn no_number_is_too_large() {
        let loss = LossEstimate::default();
        let mut brakes = Brakes::new();
        let extreme = Conditions {
            srtt: Duration::MAX,
            min_rtt: Duration::ZERO,
            bandwidth: Some(u64::MAX),
            marked: Some(start()),
            ..conditions(&loss)
        };
        brakes.earn(u64::MAX);
        brakes.observe(start(), &extreme, 128);
        brakes.observe(start(), &Conditions { srtt: Duration::ZERO, min_rtt: Duration::MAX, ..extreme }, 128);
        assert!(!brakes.allow(start() + millis(60_000), u64::MAX));
    }
}
