//! Which share of the messages came within how long, the last thousandth as wide as the first nine tenths.

use anyhow::Result;
use plotters::{
    prelude::{ChartBuilder, LineSeries},
    style::Color as _,
};

use super::{Area, FAINT, INK, axis::Axis, drawn, stroke, text};
use crate::{
    link::Link,
    plan::Workload,
    report::gathered::{Gathered, Group},
};

/// Nines: 1 is 90 %, 2 is 99 %.
const MOST_NINES: f64 = 3.3;
const STEPS: u32 = 165;

pub(super) fn draw(area: &Area<'_>, gathered: &Gathered, link: &Link) -> Result<()> {
    let from = (link.delay_ms - link.jitter_ms).max(1.0) * 0.8;
    let to = from * 200.0;
    let nines = Axis::linear(0.0..MOST_NINES, vec![0.0, 0.5_f64.log10().abs(), 1.0, 2.0, 3.0]);
    let mut chart = ChartBuilder::on(area)
        .caption(caption(link), text(15))
        .margin(10)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(Axis::log(from..to), nines)?;
    chart
        .configure_mesh()
        .light_line_style(FAINT.mix(0.0))
        .bold_line_style(FAINT)
        .axis_style(INK)
        .label_style(text(12))
        .x_desc("ms from due to delivered, steady chat")
        .x_label_formatter(&|ms| format!("{ms:.0}"))
        .y_label_formatter(&|nines| percent(*nines))
        .draw()?;
    // This project's own last: on top.
    for (name, colour) in drawn(gathered, Workload::Steady).rev() {
        if let Some(group) = gathered.group(&link.name, Workload::Steady, name) {
            let points = tail(group).into_iter().filter(|(ms, _)| *ms <= to);
            chart.draw_series(LineSeries::new(points, stroke(name, colour)))?;
        }
    }
    Ok(())
}

fn caption(link: &Link) -> String {
    let Link { name, loss_percent, .. } = link;
    let bursts = if link.burst_ms > 0.0 { " in bursts" } else { "" };
    format!("{name}: {:.0} ms there and back, {loss_percent} % loss{bursts}", link.rtt_ms())
}

/// Latency in milliseconds, and how many nines of all messages came within it.
fn tail(group: &Group) -> Vec<(f64, f64)> {
    let pooled = group.pooled();
    let all = group.expected();
    let nines = (0..=STEPS).map(|step| MOST_NINES * f64::from(step) / f64::from(STEPS));
    nines
        .filter_map(|nines| {
            let share = 1.0 - 10_f64.powf(-nines);
            crate::figures::percentile(&pooled, all, share).map(|ms| (ms, nines))
        })
        .collect()
}

fn percent(nines: f64) -> String {
    let share = 100.0 * (1.0 - 10_f64.powf(-nines));
    let rounded = (share * 10.0).round() / 10.0;
    format!("{rounded} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_read_as_percentiles() {
        assert_eq!([0.0, 1.0, 2.0, 3.0].map(percent), ["0 %", "90 %", "99 %", "99.9 %"]);
        assert_eq!(percent(0.5_f64.log10().abs()), "50 %");
    }
}
