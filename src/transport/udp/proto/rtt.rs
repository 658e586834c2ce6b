//! How long a round trip takes (RFC 9002 §5).

use std::time::{Duration, Instant};

/// The round trip assumed before the first sample. RFC 9002 §6.2.2 recommends 333 ms, which makes the first
/// probe wait a second; a hello is one small packet and most paths are faster, so 100 ms, a probe after
/// 300 ms (RFC 9002 §6.2.4 backs off from there).
pub(crate) const INITIAL_RTT: Duration = Duration::from_millis(100);

/// The least span that timers are trusted to tell apart (`kGranularity`, RFC 9002 §6.1.2).
pub(crate) const GRANULARITY: Duration = Duration::from_millis(1);

/// How long a minimum counts: long enough to meet an empty queue, short enough to learn a new route.
const MIN_WINDOW: Duration = Duration::from_secs(10);

/// Packets that left no further apart than this meet the same queue.
const SAME_QUEUE: Duration = Duration::from_millis(20);

/// Packets that left no further apart than this meet each other in it.
const SAME_MOMENT: Duration = Duration::from_millis(10);

/// Pairs of those that tell of jitter, and the weight of the past in it.
const MIN_PAIRS: u32 = 4;
const MAX_PAIRS: u32 = 32;

/// Samples that say what the path is like just now.
const RECENT: usize = 4;

/// Samples that make an average.
const SETTLED: u8 = 8;

/// Estimates the round trip time of one path.
#[derive(Clone, Debug)]
pub(crate) struct RttEstimator {
    /// The last samples, the latest first; zero where there is none yet.
    recent: [Duration; RECENT],
    /// Up to [`SETTLED`].
    samples: u8,
    /// The last sample, less what the other side spent.
    adjusted: Duration,
    mean: Mean,
    /// The least of the last acknowledgement, and of the one before.
    heard: [Duration; 2],
    /// Of samples that were told of at once.
    prompt: Option<Mean>,
    jitter: Duration,
    /// Pairs of packets that it comes from.
    pairs: u32,
    /// When the packet of the last sample left.
    sent: Option<Instant>,
    min: Option<WindowedMin>,
    first_sample_at: Option<Instant>,
}

/// An average and how far from it single samples are (RFC 9002 §5.3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mean {
    pub(crate) smoothed: Duration,
    pub(crate) var: Duration,
}

impl Mean {
    fn of(first: Duration) -> Self {
        Self { smoothed: first, var: first / 2 }
    }

    fn take(&mut self, sample: Duration) {
        let deviation = self.smoothed.abs_diff(sample);
        self.var = self.var.saturating_mul(3).saturating_add(deviation) / 4;
        self.smoothed = self.smoothed.saturating_mul(7).saturating_add(sample) / 8;
    }
}

impl RttEstimator {
    /// Assumes `initial` until the first sample (RFC 9002 §5.3).
    pub(crate) fn new(initial: Duration) -> Self {
        Self {
            recent: [Duration::ZERO; RECENT],
            samples: 0,
            adjusted: Duration::ZERO,
            mean: Mean { smoothed: initial, var: initial / 2 },
            heard: [Duration::ZERO; 2],
            prompt: None,
            jitter: Duration::ZERO,
            pairs: 0,
            sent: None,
            min: None,
            first_sample_at: None,
        }
    }

    /// Takes a sample: `sample` passed between sending a packet and hearing at `now` that it arrived,
    /// of which the other side says it spent `ack_delay`. A delay that would take the sample below the
    /// minimum is not believed (RFC 9002 §5.3).
    pub(crate) fn on_sample(&mut self, sample: Duration, ack_delay: Duration, now: Instant) {
        self.note_jitter(sample, now);
        self.recent.rotate_right(1);
        self.recent[0] = sample;
        self.samples = self.samples.saturating_add(1).min(SETTLED);
        let min = self.min.get_or_insert_with(|| WindowedMin::new(sample, now));
        min.update(sample, now);
        let floor = min.get().saturating_add(ack_delay);
        if self.first_sample_at.is_none() {
            self.first_sample_at = Some(now);
            (self.adjusted, self.mean) = (sample, Mean::of(sample));
            return;
        }
        let adjusted = if sample >= floor { sample.saturating_sub(ack_delay) } else { sample };
        self.adjusted = adjusted;
        self.mean.take(adjusted);
    }

    /// An acknowledgement brought samples: `least` is the least of them, less what the other side says it spent.
    pub(crate) const fn on_heard(&mut self, least: Duration) {
        self.heard = [least, self.heard[0]];
    }

    /// One of them that was not told of late, because an acknowledgement before was lost.
    pub(crate) fn on_prompt(&mut self, sample: Duration) {
        match &mut self.prompt {
            Some(prompt) => prompt.take(sample),
            prompt => *prompt = Some(Mean::of(sample)),
        }
    }

    /// How long a packet and its own acknowledgement take, if both arrive.
    pub(crate) fn prompt(&self) -> Mean {
        self.prompt.unwrap_or(self.mean)
    }

    /// The last sample, zero before the first.
    pub(crate) fn latest(&self) -> Duration {
        self.recent[0]
    }

    /// The last sample, less what the other side says it spent of it; zero before the first.
    pub(crate) fn adjusted(&self) -> Duration {
        self.adjusted
    }

    /// What the samples of the last two acknowledgements all were at least, less what the other side spent: a
    /// queue that stands shows at once, unlike in a moving average, and no single packet that was late by chance.
    /// Nor do several whose acknowledgements were lost, and which the next one tells of.
    pub(crate) fn lately(&self) -> Duration {
        let [last, before] = self.heard;
        last.min(before)
    }

    /// `smoothed_rtt`, once it is an average of some samples.
    pub(crate) fn settled(&self) -> Option<Duration> {
        (self.samples >= SETTLED).then_some(self.mean.smoothed)
    }

    /// What none of the last four samples was more than. Unlike the averages it forgets after four samples,
    /// which on a path with a packet a second is the difference between four seconds and half a minute.
    pub(crate) fn most_lately(&self) -> Duration {
        self.recent.into_iter().max().unwrap_or_default()
    }

    /// `smoothed_rtt`.
    pub(crate) fn smoothed(&self) -> Duration {
        self.mean.smoothed
    }

    /// `rttvar`, the mean deviation.
    pub(crate) fn var(&self) -> Duration {
        self.mean.var
    }

    /// By how much the round trips of two packets differ that left soon after each other, on average
    /// (RFC 3550 §6.4.1). Unlike `rttvar` it knows of no queue, which is about as long for both.
    /// `None` until there were a few.
    pub(crate) fn jitter(&self) -> Option<Duration> {
        (self.pairs >= MIN_PAIRS).then_some(self.jitter)
    }

    /// A packet was acknowledged at `now`, `late` after it was sent, and one sent later before it. Its round
    /// trip is no sample: what the acknowledgement waited for is not known. But it tells of jitter.
    pub(crate) fn on_overtaken(&mut self, late: Duration, now: Instant) {
        let apart =
            self.sent.zip(now.checked_sub(late)).map(|(last, sent)| last.saturating_duration_since(sent));
        if let Some(apart) = apart.filter(|apart| *apart <= SAME_QUEUE) {
            self.note_pair(late, self.recent[0], apart);
        }
    }

    fn note_jitter(&mut self, sample: Duration, now: Instant) {
        let sent = now.checked_sub(sample);
        let apart = self.sent.zip(sent).map(|(last, sent)| sent.saturating_duration_since(last));
        self.sent = sent;
        if let Some(apart) = apart.filter(|apart| *apart <= SAME_QUEUE) {
            self.note_pair(self.recent[0], sample, apart);
        }
    }

    /// Two packets left so far `apart`. A queue that is there is as long for the second as for the first,
    /// but for the first itself, so that of the closest pairs only half of the difference counts; and of
    /// the others only those of which the second was faster, which are half of them where it is jitter.
    fn note_pair(&mut self, first: Duration, second: Duration, apart: Duration) {
        let difference = match apart <= SAME_MOMENT {
            true => first.abs_diff(second) / 2,
            false => first.saturating_sub(second).saturating_mul(2),
        };
        self.pairs = self.pairs.saturating_add(1).min(MAX_PAIRS);
        let before = self.jitter.saturating_mul(self.pairs - 1);
        self.jitter = before.saturating_add(difference) / self.pairs;
    }

    /// The least sample of the last 10 s; before the first one, what is assumed.
    pub(crate) fn min(&self) -> Duration {
        self.min.as_ref().map_or(self.mean.smoothed, WindowedMin::get)
    }

    /// When the first sample was taken, `None` before.
    pub(crate) fn first_sample_at(&self) -> Option<Instant> {
        self.first_sample_at
    }

    /// `smoothed_rtt + max(4 * rttvar, kGranularity)`: the probe timeout before the other side's delay
    /// and any backoff (RFC 9002 §6.2.1).
    pub(crate) fn pto_base(&self) -> Duration {
        self.mean.smoothed.saturating_add(self.mean.var.saturating_mul(4).max(GRANULARITY))
    }
}

/// The minimum of a sliding window in constant memory: the three best of successively younger parts of
/// the window (Kathleen Nichols' filter, Linux `lib/win_minmax.c`).
#[derive(Clone, Debug)]
struct WindowedMin {
    best: [(Duration, Instant); 3],
}

impl WindowedMin {
    fn new(value: Duration, at: Instant) -> Self {
        Self { best: [(value, at); 3] }
    }

    fn get(&self) -> Duration {
        let [(value, _), ..] = self.best;
        value
    }

    fn update(&mut self, value: Duration, at: Instant) {
        let new = (value, at);
        let [first, second, third] = self.best;
        let age = |(_, taken): (Duration, Instant)| at.saturating_duration_since(taken);
        self.best = if value <= first.0 || age(third) > MIN_WINDOW {
            [new; 3]
        } else if value <= second.0 {
            [first, new, new]
        } else if value <= third.0 {
            [first, second, new]
        } else {
            self.best
        };
        self.age_out(new);
    }

    fn age_out(&mut self, new: (Duration, Instant)) {
        let [first, second, third] = self.best;
        let age = |(_, taken): (Duration, Instant)| new.1.saturating_duration_since(taken);
        if age(first) > MIN_WINDOW {
            self.best = [second, third, new];
            if age(second) > MIN_WINDOW {
                self.best = [third, new, new];
            }
        } else if second.1 == first.1 && age(first) > MIN_WINDOW / 4 {
            self.best = [first, new, new];
        } else if third.1 == second.1 && age(second) > MIN_WINDOW / 2 {
            self.best = [first, second, new];
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a starting point for virtual time")]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn does_the_first_sample_replace_what_was_assumed() {
        let mut rtt = RttEstimator::new(INITIAL_RTT);
        assert_eq!(rtt.pto_base(), INITIAL_RTT * 3);
        rtt.on_sample(ms(40), ms(30), Instant::now());
        assert_eq!((rtt.smoothed(), rtt.var(), rtt.min()), (ms(40), ms(20), ms(40)));
    }

    #[test]
    fn is_the_mean_that_of_the_rfc() {
        let (mut rtt, now) = (RttEstimator::new(INITIAL_RTT), Instant::now());
        rtt.on_sample(ms(80), ms(0), now);
        rtt.on_sample(ms(120), ms(24), now);
        assert_eq!(rtt.smoothed(), ms(82));
        assert_eq!(rtt.var(), (ms(40) * 3 + ms(16)) / 4);
    }

    #[test]
    fn is_a_delay_that_leads_below_the_minimum_not_believed() {
        let (mut rtt, now) = (RttEstimator::new(INITIAL_RTT), Instant::now());
        for _ in 0..200 {
            rtt.on_sample(ms(50), Duration::from_secs(60), now);
        }
        assert_eq!(rtt.smoothed(), ms(50));
    }

    #[test]
    fn is_jitter_told_from_a_queue_that_grows() {
        let (mut rtt, mut jittery, start) =
            (RttEstimator::new(INITIAL_RTT), RttEstimator::new(INITIAL_RTT), Instant::now());
        for n in 0..200 {
            let sent = start + ms(15 * n);
            rtt.on_sample(ms(40 + n), ms(0), sent + ms(40 + n));
            let sample = ms(if n % 2 == 0 { 40 } else { 50 });
            jittery.on_sample(sample, ms(0), sent + sample);
        }
        assert_eq!(rtt.jitter(), Some(ms(0)));
        assert!(jittery.jitter().is_some_and(|jitter| jitter >= ms(9) && jitter <= ms(11)));
    }

    #[test]
    fn does_an_overtaken_packet_tell_of_jitter_and_is_one_pair_no_proof() {
        let (mut rtt, start) = (RttEstimator::new(INITIAL_RTT), Instant::now());
        for n in 0..4 {
            assert_eq!(rtt.jitter(), None);
            let sent = start + ms(500 * n);
            rtt.on_sample(ms(40), ms(0), sent + ms(5 + 40));
            rtt.on_overtaken(ms(60), sent + ms(60));
        }
        assert_eq!(rtt.jitter(), Some(ms(10)));
    }

    #[test]
    fn does_a_minimum_age_out() {
        let (mut rtt, start) = (RttEstimator::new(INITIAL_RTT), Instant::now());
        rtt.on_sample(ms(20), ms(0), start);
        for second in 1..30 {
            rtt.on_sample(ms(300), ms(0), start + ms(1000 * second));
            assert_eq!(rtt.min(), if second <= 10 { ms(20) } else { ms(300) });
        }
    }

    #[test]
    fn does_a_clock_that_goes_back_do_no_harm() {
        let (mut rtt, start) = (RttEstimator::new(INITIAL_RTT), Instant::now());
        rtt.on_sample(ms(20), ms(0), start + ms(5000));
        rtt.on_sample(ms(30), ms(0), start);
        assert_eq!(rtt.min(), ms(20));
    }

    proptest! {
        #[test]
        fn does_the_estimate_stay_among_the_samples(
            samples in vec((1_u64..2000, 0_u64..3000, 0_u64..4000), 1..80)
        ) {
            let (mut rtt, mut now) = (RttEstimator::new(INITIAL_RTT), Instant::now());
            let mut taken: Vec<(u64, Instant)> = Vec::new();
            for (sample, delay, pause) in samples {
                now += ms(pause);
                rtt.on_sample(ms(sample), ms(delay), now);
                taken.push((sample, now));
                let least = taken.iter().map(|&(sample, _)| sample).min().unwrap();
                let most = taken.iter().map(|&(sample, _)| sample).max().unwrap();
                prop_assert!(rtt.smoothed() >= ms(least) && rtt.smoothed() <= ms(most));
                let recent = taken.iter().filter(|&&(_, at)| now - at <= MIN_WINDOW);
                let window_least = recent.map(|&(sample, _)| sample).min().unwrap();
                prop_assert!(rtt.min() >= ms(least) && rtt.min() <= ms(sample));
                prop_assert!(rtt.min() >= ms(window_least));
            }
        }
    }
}
