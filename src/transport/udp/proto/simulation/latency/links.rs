//! The links that chat is measured on, and how late it may be there.

use super::{bench::Case, gilbert::Gilbert};
use crate::transport::impair::Profile;

/// What chat on a link may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) p99: f64,
    pub(super) p999: f64,
    pub(super) price: f64,
}

fn parse(profile: &str) -> Profile {
    Profile::parse(profile).unwrap()
}

fn link(name: &str, profile: &Profile, bounds: [f64; 3]) -> Vec<(Case, Bounds)> {
    let [p99, p999, price] = bounds;
    let case = |speakers, per_second| Case {
        name: name.to_owned(),
        profile: profile.clone(),
        gilbert: None,
        speakers,
        per_second,
    };
    let rates = [(1, 2), (1, 50), (8, 50)];
    rates.into_iter().map(|(speakers, rate)| (case(speakers, rate), Bounds { p99, p999, price })).collect()
}

/// Links with loss in bursts, jitter, far and near.
pub(super) fn links() -> Vec<(Case, Bounds)> {
    let mut links = Vec::new();
    let bursts = link("gemodel 2% 30%, 40 ms", &parse(r#"{"delay_ms": 20}"#), [64.0, 128.0, 4.5]);
    let gilbert = Some(Gilbert { worsens: 0.02, heals: 0.3 });
    links.extend(bursts.into_iter().map(|(case, bounds)| (Case { gilbert, ..case }, bounds)));
    for (name, profile, bounds) in [
        ("0 %, 10 ms", parse(r#"{"delay_ms": 5}"#), [6.0, 6.0, 1.35]),
        ("1 %, 40 ms", parse(r#"{"delay_ms": 20, "loss_percent": 1}"#), [25.0, 52.0, 2.7]),
        ("5 %, 40 ms", parse(r#"{"delay_ms": 20, "loss_percent": 5}"#), [43.0, 79.0, 4.5]),
        ("10 %, 100 ms", parse(r#"{"delay_ms": 50, "loss_percent": 10}"#), [65.0, 165.0, 4.5]),
        ("20 %, 100 ms", parse(r#"{"delay_ms": 50, "loss_percent": 20}"#), [150.0, 300.0, 4.5]),
        ("30 %, 200 ms", parse(r#"{"delay_ms": 100, "loss_percent": 30}"#), [372.0, 740.0, 4.5]),
        (
            "jitter 10 ms, reorder 25 %, 1 %, 40 ms",
            parse(
                r#"{"delay_ms": 20, "jitter_ms": 10, "loss_percent": 1, "reorder_percent": 25, "reorder_ms": 20}"#,
            ),
            [35.0, 60.0, 2.7],
        ),
        (
            "1 %, 60 ms, 10 Mbit/s",
            parse(r#"{"delay_ms": 30, "loss_percent": 1, "rate_mbit": 10, "queue_kbytes": 75}"#),
            [37.0, 72.0, 2.7],
        ),
        ("burst", Profile::named("burst").unwrap(), [170.0, 300.0, 4.5]),
        ("satellite", Profile::named("satellite").unwrap(), [330.0, 400.0, 4.1]),
        ("wifi", Profile::named("wifi").unwrap(), [14.0, 25.0, 2.7]),
        ("lossy10", Profile::named("lossy10").unwrap(), [70.0, 260.0, 4.5]),
        ("lossy30", Profile::named("lossy30").unwrap(), [270.0, 450.0, 4.5]),
        ("lte", Profile::named("lte").unwrap(), [50.0, 90.0, 2.7]),
        ("stall", Profile::named("stall").unwrap(), [530.0, 600.0, 6.0]),
        ("ship", Profile::named("ship").unwrap(), [3600.0, 4200.0, 4.5]),
    ] {
        links.extend(link(name, &profile, bounds));
    }
    // Eight with their copies are more than it carries.
    links.retain(|(case, _)| case.name != "ship" || case.speakers == 1);
    links
}
