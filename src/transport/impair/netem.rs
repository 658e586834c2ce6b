//! The same network in the words of `tc` (tc-netem(8), tc-tbf(8)), for a kernel that makes it.

use std::time::Duration;

use super::profile::{Bottleneck, Figures, Profile};

/// Bytes of the packets that limits of `tc` are counted in.
const PACKET_BYTES: u64 = 1500;

/// Bytes of the headers of a UDP datagram over IPv4.
const HEADER_BYTES: usize = 28;

/// To `tc` a burst is so many packets, not so long: how long one packet stands for.
const PACKET_TIME: Duration = Duration::from_millis(1);

/// Packets in flight where no rate bounds them.
const LIMIT: u64 = 100_000;

/// What to tell a kernel so that one of its devices treats what it sends like a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qdiscs {
    /// Bytes of the longest packet of the device.
    pub mtu: usize,
    /// The arguments of each call of `tc`, in turn.
    pub calls: Vec<String>,
    /// Fields of the profile that `tc` has no words for.
    pub left_out: Vec<&'static str>,
}

impl Profile {
    /// The way forth for everything that `device` sends.
    pub fn qdiscs(&self, device: &str) -> Qdiscs {
        let forth = self.figures();
        let netem = netem(&forth);
        let calls = match forth.bottleneck {
            None => vec![format!("qdisc add dev {device} root netem {netem}")],
            // A rate of netem's own would put back in order what the jitter reorders.
            Some(bottleneck) => vec![
                format!("qdisc add dev {device} root handle 1: {}", tbf(&bottleneck)),
                format!("qdisc add dev {device} parent 1:1 handle 2: netem {netem}"),
            ],
        };
        let mut left_out = left_out(&forth);
        if self.back().figures() != forth {
            left_out.push("back");
        }
        Qdiscs { mtu: (forth.mtu + HEADER_BYTES).min(PACKET_BYTES as usize), calls, left_out }
    }
}

fn netem(figures: &Figures) -> String {
    let Figures { delay, jitter, reorder, duplicate, corrupt, .. } = figures;
    let mut words =
        format!("limit {} delay {}us {}us", limit(figures), delay.as_micros(), jitter.as_micros());
    if figures.loss > 0.0 {
        words.push_str(&loss(figures));
    }
    for (word, share) in [("duplicate", duplicate), ("corrupt", corrupt), ("reorder", reorder)] {
        if *share > 0.0 {
            words.push_str(&format!(" {word} {}%", percent(*share)));
        }
    }
    if figures.keeps_order && !jitter.is_zero() {
        // With a rate, however high, netem keeps the order.
        words.push_str(" rate 100gbit");
    }
    words
}

/// Bursts as the two states of Gilbert and Elliott: the chances to fall into the bad one and to leave it.
fn loss(figures: &Figures) -> String {
    let lost = figures.loss;
    if figures.burst.is_zero() || lost >= 1.0 {
        return format!(" loss {}%", percent(lost));
    }
    let odds = lost / (1.0 - lost);
    let ends = (PACKET_TIME.as_secs_f64() / figures.burst.as_secs_f64()).min(1.0).min(1.0 / odds);
    format!(" loss gemodel {}% {}%", percent(ends * odds), percent(ends))
}

/// Packets: what is under way, and the queue.
fn limit(figures: &Figures) -> u64 {
    let Some(bottleneck) = figures.bottleneck else { return LIMIT };
    let time = figures.delay + bottleneck.queue;
    let bits = u128::from(bottleneck.bits_per_second) * time.as_micros() / 1_000_000;
    u64::try_from(bits.div_ceil(u128::from(PACKET_BYTES * 8))).unwrap_or(LIMIT) + 1
}

/// Its bucket holds a millisecond, and two packets at least. The limit is that of the queue it begins with,
/// which netem replaces.
fn tbf(bottleneck: &Bottleneck) -> String {
    let burst = (bottleneck.bits_per_second / 8000).max(2 * (PACKET_BYTES + 14));
    format!("tbf rate {}bit burst {burst} limit 1000000", bottleneck.bits_per_second)
}

fn left_out(figures: &Figures) -> Vec<&'static str> {
    let said = [
        ("blackouts", figures.blackouts.is_some()),
        ("truncate_percent", figures.truncate > 0.0),
        ("rebind_every_ms", figures.rebind_every.is_some()),
        ("reorder_ms", figures.reorder > 0.0 && figures.lead < figures.delay),
    ];
    said.into_iter().filter_map(|(field, is_said)| is_said.then_some(field)).collect()
}

/// A share as `tc` reads it, to a hundred-thousandth.
fn percent(share: f64) -> f64 {
    (share * 100_000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(name: &str) -> Qdiscs {
        Profile::named(name).unwrap().qdiscs("lo")
    }

    #[test]
    fn a_profile_says_to_the_kernel_what_it_says_here() {
        let lossy = told("lossy30");
        let tbf = "qdisc add dev lo root handle 1: tbf rate 50000000bit burst 6250 limit 1000000";
        let netem = "qdisc add dev lo parent 1:1 handle 2: netem limit 626 delay 50000us 5000us loss 30% duplicate 1%";
        assert_eq!(lossy, Qdiscs { mtu: 1500, calls: vec![tbf.into(), netem.into()], left_out: vec![] });
        let reorder = "qdisc add dev lo root netem limit 100000 delay 100000us 0us reorder 25%";
        assert_eq!(told("reorder").calls, [reorder]);
        assert!(told("burst").calls[1].ends_with(" loss gemodel 0.556% 5%"), "{:?}", told("burst"));
    }

    #[test]
    fn what_the_kernel_has_no_words_for_is_named() {
        assert_eq!(told("ship").left_out, ["blackouts"]);
        assert_eq!(told("reorder").left_out, ["reorder_ms"]);
        let one_way =
            Profile::parse(r#"{ "delay_ms": 5, "mtu": 1200, "back": { "delay_ms": 50 } }"#).unwrap();
        let Qdiscs { mtu, left_out, .. } = one_way.qdiscs("lo");
        assert_eq!((mtu, left_out), (1228, vec!["back"]));
    }
}
