//! How much the receiver has room for: one account per class, so that no class can starve another.

use std::time::{Duration, Instant};

use super::{LARGE_MESSAGE, MESSAGE_CHARGE, PerClass, start_window};
use crate::transport::{Class, udp::proto::Violation};

/// Bytes that a window grows to at most. Chat needs little; a file fills 100 ms at 600 Mbit/s.
const fn max_window(class: Class) -> u64 {
    match class {
        Class::Control | Class::Thin => 1 << 20,
        Class::Bulk => 8 << 20,
    }
}

/// Credit is renewed by halves of the window, and by no more than this: a wide window is there for the holes
/// that losses leave, and half of it would be out of use.
const MAX_RENEWAL: u64 = 512 << 10;

/// Round trips. Credit is renewed by halves at most, so a sender that waits for nothing else empties a window in
/// less than three where nothing is lost. Where a third is, a message of many packets takes five more until its
/// last one got through, and those behind it wait.
const TUNE_ROUNDS: u32 = 16;

/// The sender's side: what it was allowed, and what it used of that.
#[derive(Clone, Debug)]
pub(crate) struct SendCredit(PerClass<Account>);

#[derive(Clone, Debug)]
struct Account {
    limit: u64,
    used: u64,
}

impl SendCredit {
    /// `limits` is what the other side announced in its transport parameters, by [`Class::index`]. A
    /// started message is sure to arrive only with at least [`START_WINDOW`](super::START_WINDOW) each.
    pub(crate) fn new(limits: [u64; 3]) -> Self {
        let [control, thin, bulk] = limits.map(|limit| Account { limit, used: 0 });
        Self(PerClass { control, thin, bulk })
    }

    /// The other side has room for `limit` bytes since the beginning. `true`: that is more than before;
    /// less is an old frame that arrived late.
    pub(crate) const fn raise(&mut self, class: Class, limit: u64) -> bool {
        let account = self.0.get_mut(class);
        let rose = limit > account.limit;
        if rose {
            account.limit = limit;
        }
        rose
    }

    /// Bytes allowed since the beginning.
    pub(crate) const fn limit(&self, class: Class) -> u64 {
        self.0.get(class).limit
    }

    /// Bytes charged since the beginning; never above [`limit`](Self::limit).
    pub(crate) const fn used(&self, class: Class) -> u64 {
        self.0.get(class).used
    }

    /// Bytes that may still be charged.
    pub(super) const fn available(&self, class: Class) -> u64 {
        self.limit(class).saturating_sub(self.used(class))
    }

    /// Charges `bytes`, which the caller saw [`available`](Self::available).
    pub(super) const fn spend(&mut self, class: Class, bytes: u64) {
        let account = self.0.get_mut(class);
        account.used = account.used.saturating_add(bytes);
    }
}

/// What a message of `len` bytes costs.
pub(super) const fn charge(len: u64) -> u64 {
    len.saturating_add(MESSAGE_CHARGE)
}

/// Whether a message of `len` bytes pays as it goes, see [`LARGE_MESSAGE`].
pub(super) const fn is_large(len: u64) -> bool {
    len > LARGE_MESSAGE
}

/// The receiver's side, of one class.
#[derive(Debug)]
pub(super) struct ReceiveCredit {
    /// Told to the sender, or about to be.
    granted: u64,
    charged: u64,
    /// Charges of the messages that the application took.
    consumed: u64,
    window: u64,
    max_window: u64,
    /// When the rate was last looked at, and `consumed` then.
    mark: Option<(Instant, u64)>,
}

impl ReceiveCredit {
    /// Starts with [`start_window`].
    pub(super) const fn new(class: Class) -> Self {
        Self {
            granted: start_window(class),
            charged: 0,
            consumed: 0,
            window: start_window(class),
            max_window: max_window(class),
            mark: None,
        }
    }

    /// Whether `bytes` that arrived may be charged.
    ///
    /// # Errors
    ///
    /// More than was granted.
    pub(super) const fn check(&self, bytes: u64) -> Result<(), Violation> {
        if self.charged.saturating_add(bytes) > self.granted {
            return Err(Violation("more sent than credit was given"));
        }
        Ok(())
    }

    /// Charges `bytes` that [`check`](Self::check) let pass.
    pub(super) const fn charge(&mut self, bytes: u64) {
        self.charged = self.charged.saturating_add(bytes);
    }

    /// The application took a message of `len` bytes.
    pub(super) const fn consume(&mut self, len: u64) {
        self.consumed = self.consumed.saturating_add(charge(len));
    }

    /// Bytes granted since the beginning.
    pub(super) const fn granted(&self) -> u64 {
        self.granted
    }

    /// Bytes charged since the beginning.
    #[cfg(test)]
    pub(super) const fn charged(&self) -> u64 {
        self.charged
    }

    /// Bytes granted that the application has not taken yet: all that may have to be stored.
    pub(super) const fn outstanding(&self) -> u64 {
        self.granted.saturating_sub(self.consumed)
    }

    /// The limit to tell now, if it is far enough beyond the last one. `reserve` is the charge of the
    /// large message that must be able to arrive whatever else waits.
    pub(super) fn due(&mut self, reserve: u64, now: Instant, srtt: Duration) -> Option<u64> {
        if self.limit(reserve).saturating_sub(self.granted) < (self.window / 2).min(MAX_RENEWAL) {
            return None;
        }
        self.tune(now, srtt);
        self.grant(reserve);
        Some(self.granted)
    }

    /// The sender waits for credit, and the application for the sender: the window is what holds both back.
    pub(super) fn widen(&mut self) {
        self.window = self.window.saturating_mul(2).min(self.max_window);
    }

    /// Grants all that there is room for.
    pub(super) fn grant(&mut self, reserve: u64) {
        self.granted = self.granted.max(self.limit(reserve));
    }

    const fn limit(&self, reserve: u64) -> u64 {
        self.consumed.saturating_add(self.window).saturating_add(reserve)
    }

    /// Doubles the window if the application emptied it within [`TUNE_ROUNDS`]: then the window, and not
    /// the path or the application, may be what holds the sender back.
    fn tune(&mut self, now: Instant, srtt: Duration) {
        let (since, consumed) = *self.mark.get_or_insert((now, self.consumed));
        let fast = now.saturating_duration_since(since) <= srtt.saturating_mul(TUNE_ROUNDS);
        let emptied = self.consumed.saturating_sub(consumed) >= self.window;
        if fast && emptied {
            self.widen();
        }
        if !fast || emptied {
            self.mark = Some((now, self.consumed));
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any moment will do")]
mod tests {
    use super::{super::START_WINDOW, *};

    const RTT: Duration = Duration::from_millis(50);

    fn take(credit: &mut ReceiveCredit, bytes: u64) {
        credit.check(bytes).unwrap();
        credit.charge(bytes);
        credit.consume(bytes - MESSAGE_CHARGE);
    }

    #[test]
    fn half_a_window_makes_an_update_due() {
        let (mut credit, now) = (ReceiveCredit::new(Class::Thin), Instant::now());
        take(&mut credit, START_WINDOW / 2 - 1);
        assert_eq!(credit.due(0, now, RTT), None);
        take(&mut credit, 100);
        assert_eq!(credit.due(0, now, RTT), Some(START_WINDOW * 3 / 2 + 99));
        assert_eq!(credit.due(0, now, RTT), None);
    }

    #[test]
    fn more_than_granted_is_a_violation() {
        let mut credit = ReceiveCredit::new(Class::Thin);
        assert_eq!(credit.check(START_WINDOW), Ok(()));
        credit.charge(START_WINDOW);
        assert_eq!(credit.check(0), Ok(()));
        assert!(credit.check(1).is_err());
        assert!(credit.check(u64::MAX).is_err());
    }

    #[test]
    fn the_window_doubles_while_it_is_emptied_fast_up_to_the_cap() {
        let (mut credit, now) = (ReceiveCredit::new(Class::Thin), Instant::now());
        for _ in 0..40 {
            let half = credit.window / 2;
            take(&mut credit, half);
            assert!(credit.due(0, now, RTT).is_some());
        }
        assert_eq!(credit.window, 1 << 20);
    }

    #[test]
    fn a_slow_application_keeps_the_window() {
        let (mut credit, mut now) = (ReceiveCredit::new(Class::Thin), Instant::now());
        for _ in 0..40 {
            take(&mut credit, START_WINDOW / 2);
            assert!(credit.due(0, now, RTT).is_some());
            now += RTT * (TUNE_ROUNDS / 2 + 1);
        }
        assert_eq!(credit.window, START_WINDOW);
    }

    #[test]
    fn a_limit_never_falls() {
        let mut send = SendCredit::new([10, 20, 30]);
        assert!(!send.raise(Class::Thin, 20));
        assert!(send.raise(Class::Thin, 21));
        assert!(!send.raise(Class::Thin, 5));
        assert_eq!((send.limit(Class::Thin), send.limit(Class::Bulk)), (21, 30));
        let (mut credit, now) = (ReceiveCredit::new(Class::Thin), Instant::now());
        let with_reserve = credit.due(1 << 20, now, RTT).unwrap();
        credit.grant(0);
        assert_eq!(credit.granted(), with_reserve);
    }
}
