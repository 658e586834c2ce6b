//! Files in line mode: offered, under way, saved. What others wrote is cleaned here.

use std::{path::Path, time::Duration};

use crate::app::{TransferFigures, TransferState, Trouble};

use super::{Paint, Printed, clean::clean};

pub(super) fn offered(id: u32, from: &str, name: &str, bytes: u64, paint: Paint) -> String {
    let (from, file) = (paint.name(from), file(name, bytes));
    format!("file offered by {from}: {file}; /accept {id} or /reject {id}")
}

pub(super) fn saved(from: &str, name: &str, bytes: u64, path: &Path, paint: Paint) -> String {
    let (from, file) = (paint.name(from), file(name, bytes));
    format!("file from {from}: {file} saved to {}", clean(&path.to_string_lossy()))
}

/// All transfers, a line each.
pub(super) fn listed(transfers: &[(TransferFigures, String)]) -> String {
    if transfers.is_empty() {
        return "no transfers".to_owned();
    }
    let line = |(figures, peer): &(TransferFigures, String)| {
        let (way, share) = (way(figures, peer), share(figures));
        format!("{way}   {share}  {}", clean(&figures.name))
    };
    transfers.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What happened to a transfer; `took` is how long it took until then, where that is known.
pub(super) fn changed(
    figures: &TransferFigures,
    peer: &str,
    state: &TransferState,
    took: Option<Duration>,
) -> Option<Printed> {
    let TransferFigures { id, outgoing, .. } = *figures;
    let talk = |line: String| Some(Printed::Talk(line));
    match state {
        TransferState::Offered if outgoing => {
            let file = file(&figures.name, figures.total);
            talk(format!("file {id} offered to {}: {file}", clean(peer)))
        }
        // The offer itself, and the file when it is saved, are events of their own.
        TransferState::Offered => None,
        TransferState::Done if !outgoing => None,
        TransferState::Accepted => talk(format!("{}: taken", way(figures, peer))),
        TransferState::Resumed => talk(format!("file {id} goes on at {} %", percent(figures))),
        TransferState::Waiting { reason } => talk(format!("file {id} waits: {}", clean(reason))),
        TransferState::Verifying => talk(format!("file {id}: verifying")),
        TransferState::Done => {
            let took = took.map(|took| format!(" in {}", clock(took))).unwrap_or_default();
            let file = file(&figures.name, figures.total);
            talk(format!("file {id} done: {file}{took}, verified by {}", clean(peer)))
        }
        TransferState::Failed { reason: Trouble { code, message, hint } } => {
            let message = format!("{} failed: {message}", way(figures, peer));
            Some(Printed::Trouble(Trouble::new(code, message, hint)))
        }
    }
}

/// Which transfer, and with whom.
pub(super) fn way(figures: &TransferFigures, peer: &str) -> String {
    let way = if figures.outgoing { "to" } else { "from" };
    format!("file {} {way} {}", figures.id, clean(peer))
}

/// How far it is: ` 38 %  18.4/48.2 MB`.
pub(super) fn share(figures: &TransferFigures) -> String {
    let (divisor, unit) = scale(figures.total);
    let percent = percent(figures);
    match divisor {
        1 => format!("{percent:>2} %  {}/{} B", figures.bytes, figures.total),
        _ => {
            let part = |count: u64| count as f64 / divisor as f64;
            format!("{percent:>2} %  {:.1}/{:.1} {unit}", part(figures.bytes), part(figures.total))
        }
    }
}

/// Whole percents, rounded down: 100 is said when all of it is there.
pub(super) fn percent(figures: &TransferFigures) -> u64 {
    let (bytes, total) = (u128::from(figures.bytes.min(figures.total)), u128::from(figures.total));
    let percent = (100 * bytes).checked_div(total).unwrap_or(100);
    u64::try_from(percent).unwrap_or(100)
}

/// An amount of bytes with its unit.
pub(super) fn size(count: u64) -> String {
    let (divisor, unit) = scale(count);
    if divisor == 1 { format!("{count} B") } else { format!("{:.1} {unit}", count as f64 / divisor as f64) }
}

/// A time as a clock shows it: `6:41`, `1:06:41`.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours == 0 { format!("{minutes}:{seconds:02}") } else { format!("{hours}:{minutes:02}:{seconds:02}") }
}

fn file(name: &str, bytes: u64) -> String {
    format!("{} ({})", clean(name), size(bytes))
}

/// The unit that shows this many bytes with at most three digits before the point.
fn scale(count: u64) -> (u64, &'static str) {
    const UNITS: [(u64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    // What would be rounded up to a thousand is written in the next unit.
    let fits = |divisor: u64| count >= divisor - if divisor > 1_000 { divisor / 20_000 } else { 0 };
    UNITS.into_iter().find(|(divisor, _)| fits(*divisor)).unwrap_or((1, "B"))
}

#[cfg(test)]
mod tests;
