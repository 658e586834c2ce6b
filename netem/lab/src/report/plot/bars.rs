//! Goodput, as a share of what the link could carry at most.

use anyhow::Result;
use plotters::{
    prelude::{ChartBuilder, PathElement, Rectangle},
    style::Color as _,
};

use super::{Area, FAINT, INK, axis::Axis, drawn, text};
use crate::{plan::Workload, report::gathered::Gathered};

/// Of a link's place, what stays free.
const GAP: f64 = 0.2;

pub(super) fn draw(area: &Area<'_>, gathered: &Gathered) -> Result<()> {
    let links: Vec<_> = gathered.links(Workload::Bulk).filter(|link| link.rate_mbit > 0.0).collect();
    let columns: Vec<_> = drawn(gathered, Workload::Bulk).collect();
    if links.is_empty() || columns.is_empty() {
        return Ok(());
    }
    let middles = (0..links.len()).map(|place| place as f64 + 0.5).collect();
    let places = Axis::linear(0.0..links.len() as f64, middles);
    let shares = Axis::linear(0.0..105.0, (0..=5).map(|fifth| 20.0 * f64::from(fifth)).collect());
    let mut chart = ChartBuilder::on(area)
        .caption("Bulk: goodput of one connection, % of what the link could carry", text(15))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(56)
        .build_cartesian_2d(places, shares)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(FAINT.mix(0.0))
        .bold_line_style(FAINT)
        .axis_style(INK)
        .label_style(text(12))
        .x_label_formatter(&|middle| {
            let link = links.get(*middle as usize);
            link.map_or_else(String::new, |link| format!("{} ({:.0} Mbit/s)", link.name, link.ceiling_mbit()))
        })
        .y_label_formatter(&|share| format!("{share:.0} %"))
        .draw()?;
    let width = (1.0 - GAP) / columns.len() as f64;
    for (place, link) in links.iter().enumerate() {
        let bars = columns.iter().enumerate().filter_map(|(at, (name, colour))| {
            let group = gathered.group(&link.name, Workload::Bulk, name)?;
            let left = place as f64 + GAP / 2.0 + width * at as f64;
            let share = 100.0 * group.ceiling_share()?;
            Some(Rectangle::new([(left, 0.0), (left + width * 0.9, share)], colour.filled()))
        });
        chart.draw_series(bars)?;
    }
    chart
        .draw_series([PathElement::new([(0.0, 100.0), (links.len() as f64, 100.0)], INK.stroke_width(1))])?;
    Ok(())
}
