//! What this project promises, and whether it kept it.

use super::{
    figures::Latency,
    gathered::{Gathered, Group},
};
use crate::{columns, link::Link, plan::Workload};

/// Of our UDP on one link.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) what: &'static str,
    /// What was measured; `None` is infinite.
    pub(super) is: Option<f64>,
    pub(super) limit: f64,
    /// Less is better.
    pub(super) at_most: bool,
    /// The best of the others, where the limit is made from it.
    pub(super) best: Option<(String, Option<f64>)>,
}

impl Verdict {
    pub(super) fn is_kept(&self) -> bool {
        self.is.is_some_and(|is| if self.at_most { is <= self.limit } else { is >= self.limit })
    }
}

const OURS: &str = "udp";

/// Milliseconds that are the machine's, whatever the transport.
const SLACK_MS: f64 = 5.0;

pub(super) fn all(gathered: &Gathered, link: &Link, workload: Workload) -> Vec<Verdict> {
    // There is nothing to be promised.
    if link.is_loopback() {
        return Vec::new();
    }
    match workload {
        Workload::Steady | Workload::Sparse => chat(gathered, link, workload),
        Workload::Bulk => bulk(gathered, link),
        Workload::Rooms => rooms(gathered, link),
        Workload::Beside => beside(gathered, link),
    }
}

/// Above the floor, at most so much of what the best peer is above it.
pub(super) fn limit(floor: f64, best_peer: Latency, share: f64) -> f64 {
    let excess = best_peer.map_or(f64::INFINITY, |best| best - floor);
    floor + SLACK_MS.max(excess * share)
}

fn chat(gathered: &Gathered, link: &Link, workload: Workload) -> Vec<Verdict> {
    let Some(ours) = gathered.group(&link.name, workload, OURS) else { return Vec::new() };
    let best = |figure: &dyn Fn(&Group) -> Latency| {
        let peers =
            gathered.peers(&link.name, workload).map(|(name, group)| (name.to_owned(), figure(group)));
        peers.min_by(|(_, a), (_, b)| a.unwrap_or(f64::INFINITY).total_cmp(&b.unwrap_or(f64::INFINITY)))
    };
    let mut verdicts = Vec::new();
    let mut at_most = |what, is, limit, best| verdicts.push(Verdict { what, is, limit, at_most: true, best });

    if let Some(raw) = gathered.group(&link.name, workload, columns::RAW) {
        // Bare datagrams of which nobody says that they are lost do not wait for the end of a blackout.
        let floor = |raw: Latency, share| raw.unwrap_or(f64::INFINITY) + link.blackout_ms(share);
        at_most("p50", ours.latency(0.5), floor(raw.latency(0.5), 0.5) + 1.0, None);
        if let Some(best) = best(&|group| group.latency(0.99)) {
            let limit = limit(floor(raw.latency(0.99), 0.99), best.1, 1.0 / 3.0);
            at_most("p99", ours.latency(0.99), limit, Some(best));
        }
        if let Some(best) = best(&|group| group.pooled_latency(0.999)) {
            let limit = limit(floor(raw.pooled_latency(0.999), 0.999), best.1, 0.5);
            at_most("p99.9", ours.pooled_latency(0.999), limit, Some(best));
        }
    }
    if let Some(limit) = price_limit(link) {
        at_most("price", ours.price(), limit, None);
    }
    verdicts
}

/// Datagrams a delivered message may cost: much on a bad link, next to nothing on a clean one.
fn price_limit(link: &Link) -> Option<f64> {
    let is_clean = link.loss_percent == 0.0 && link.reorder_percent == 0.0 && link.jitter_ms == 0.0;
    if link.loss_percent >= 5.0 { Some(4.5) } else { is_clean.then_some(1.35) }
}

fn bulk(gathered: &Gathered, link: &Link) -> Vec<Verdict> {
    let Some(ours) = gathered.group(&link.name, Workload::Bulk, OURS) else { return Vec::new() };
    let peers = gathered.peers(&link.name, Workload::Bulk);
    let best = peers
        .map(|(name, group)| (name.to_owned(), group.ceiling_share()))
        .max_by(|(_, a), (_, b)| a.unwrap_or(0.0).total_cmp(&b.unwrap_or(0.0)));
    vec![Verdict {
        what: "share of the ceiling",
        is: ours.ceiling_share(),
        limit: bulk_limit(link.loss_percent),
        at_most: false,
        best,
    }]
}

fn bulk_limit(loss_percent: f64) -> f64 {
    match loss_percent {
        loss if loss <= 10.0 => 0.9,
        loss if loss <= 20.0 => 0.8,
        _ => 0.7,
    }
}

/// A room waits for its own losses only: no more messages are late than packets are lost.
fn rooms(gathered: &Gathered, link: &Link) -> Vec<Verdict> {
    let ours = gathered.group(&link.name, Workload::Rooms, OURS);
    let Some((ours, in_time)) = ours.zip(late_after(gathered, link)) else { return Vec::new() };
    vec![Verdict {
        what: "late, %",
        is: Some(ours.later_percent(in_time)),
        limit: 1.2 * link.loss_percent + 0.5,
        at_most: true,
        best: None,
    }]
}

/// What comes later than nearly every bare datagram waited for something.
pub(super) fn late_after(gathered: &Gathered, link: &Link) -> Latency {
    let raw = gathered.group(&link.name, Workload::Rooms, columns::RAW)?;
    Some(raw.latency(0.99)? + 2.0)
}

fn beside(gathered: &Gathered, link: &Link) -> Vec<Verdict> {
    let ours = gathered.group(&link.name, Workload::Beside, OURS);
    let alone = gathered.group(&link.name, Workload::Steady, OURS).and_then(|group| group.latency(0.99));
    let Some((ours, alone)) = ours.zip(alone) else { return Vec::new() };
    vec![Verdict {
        what: "chat's p99",
        is: ours.latency(0.99),
        limit: alone + link.rtt_ms() / 4.0 + SLACK_MS,
        at_most: true,
        best: None,
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(is: Option<f64>, limit: f64, at_most: bool) -> Verdict {
        Verdict { what: "", is, limit, at_most, best: None }
    }

    #[test]
    fn a_third_of_the_best_peers_excess_is_allowed_and_never_less_than_the_slack() {
        assert_eq!(limit(50.0, Some(251.0), 1.0 / 3.0), 117.0);
        assert_eq!(limit(5.0, Some(6.0), 1.0 / 3.0), 10.0);
        assert_eq!(limit(5.0, None, 1.0 / 3.0), f64::INFINITY);
    }

    #[test]
    fn what_never_ends_keeps_nothing() {
        assert!(verdict(Some(117.0), 117.0, true).is_kept());
        assert!(!verdict(None, 117.0, true).is_kept());
        assert!(verdict(Some(0.9), 0.9, false).is_kept());
        assert!(!verdict(Some(0.89), 0.9, false).is_kept());
    }

    #[test]
    fn the_worse_the_link_the_less_is_promised() {
        assert_eq!([1.0, 10.0, 20.0, 30.0].map(bulk_limit), [0.9, 0.9, 0.8, 0.7]);
    }
}
