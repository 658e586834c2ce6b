//! One picture: how late chat comes, and how much of the link bulk gets.

mod axis;
mod bars;
mod tails;

use anyhow::{Result, anyhow};
use plotters::{
    coord::Shift,
    prelude::{DrawingArea, IntoDrawingArea as _, PathElement, RGBColor, SVGBackend, ShapeStyle, WHITE},
    style::{Color as _, IntoFont as _, TextStyle},
};

use super::gathered::Gathered;
use crate::{columns::RAW, plan::Workload};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const SIZE: (u32, u32) = (1080, 1010);
const LEGEND_HEIGHT: u32 = 64;
const BARS_HEIGHT: u32 = 300;

/// Readable on a dark page too: the picture has a ground of its own.
const INK: RGBColor = RGBColor(36, 41, 47);
const FAINT: RGBColor = RGBColor(225, 228, 232);
const FONT: &str = "sans-serif";

/// Who is in the picture: all of them would be a thicket. The colours are those of Okabe and Ito, which the
/// colour-blind can tell apart.
const DRAWN: [(&str, RGBColor); 9] = [
    ("udp", RGBColor(213, 94, 0)),
    ("tcp-cubic", RGBColor(140, 140, 140)),
    ("tcp-bbr", RGBColor(0, 114, 178)),
    ("quic-bbr", RGBColor(86, 180, 233)),
    ("quic-msg-bbr", RGBColor(0, 158, 115)),
    ("kcp-turbo-flush", RGBColor(204, 121, 167)),
    ("kcp-turbo-w1024", RGBColor(150, 70, 110)),
    ("enet", RGBColor(230, 159, 0)),
    (RAW, INK),
];

/// As an SVG.
pub(super) fn draw(gathered: &Gathered, links: &[String]) -> Result<String> {
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    draw_on(&root, gathered, links).map_err(|why| anyhow!("the picture: {why}"))?;
    drop(root);
    Ok(svg)
}

fn draw_on(root: &Area<'_>, gathered: &Gathered, links: &[String]) -> Result<()> {
    root.fill(&WHITE)?;
    let (legend, rest) = root.split_vertically(LEGEND_HEIGHT);
    let (above, below) = rest.split_vertically(SIZE.1 - LEGEND_HEIGHT - BARS_HEIGHT);
    draw_legend(&legend, gathered)?;
    let measured: Vec<_> = links.iter().filter_map(|name| gathered.links.get(name)).collect();
    for (area, link) in above.split_evenly((2, 2)).iter().zip(measured) {
        tails::draw(area, gathered, link)?;
    }
    bars::draw(&below, gathered)
}

/// Those that were measured, with their colours.
fn drawn(
    gathered: &Gathered,
    workload: Workload,
) -> impl DoubleEndedIterator<Item = (&'static str, RGBColor)> {
    let there = gathered.columns(workload);
    DRAWN.into_iter().filter(move |(name, _)| there.contains(name))
}

fn draw_legend(area: &Area<'_>, gathered: &Gathered) -> Result<()> {
    area.draw_text("Chat and bulk over bad links", &text(22), (16, 8))?;
    let mut x = 16;
    let seen = |name: &str| Workload::ALL.iter().any(|workload| gathered.columns(*workload).contains(&name));
    for (name, colour) in DRAWN.into_iter().filter(|(name, _)| seen(name)) {
        area.draw(&PathElement::new([(x, 48), (x + 20, 48)], stroke(name, colour)))?;
        let label = if name == RAW { "bare datagrams" } else { name };
        area.draw_text(label, &text(14), (x + 25, 40))?;
        // No font is asked how wide it is.
        x += 45 + 8 * i32::try_from(label.len())?;
    }
    Ok(())
}

/// This project's own line is the thick one.
fn stroke(name: &str, colour: RGBColor) -> ShapeStyle {
    colour.stroke_width(if name == "udp" { 4 } else { 2 })
}

fn text(size: u32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK)
}
