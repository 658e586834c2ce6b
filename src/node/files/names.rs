//! Names that strangers gave their files, made into names that are only names.

/// Bytes of the longest name that a file gets; a number for one that is taken comes on top.
pub const MAX_SAFE_NAME_BYTES: usize = 200;

/// Bytes of the longest ending that is kept when a name is cut, its dot included.
const MAX_ENDING_BYTES: usize = 32;

/// The name of a file of which nothing else is left.
const NAMELESS: &str = "file";

/// What some systems take for a device, whatever stands behind a dot.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// The same with one of [`PORTS`] behind it.
const NUMBERED_DEVICES: [&str; 2] = ["COM", "LPT"];

const PORTS: &str = "0123456789¹²³";

/// A name like `name` that stays in its folder, shows all that it is, and means nothing to a shell's options
/// or to any system's devices.
pub(super) fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).find(|part| !part.trim().is_empty()).unwrap_or_default();
    let shown = last.chars().filter(|c| !is_hidden(*c));
    let legal: String = shown.map(|c| if "<>:\"|?*".contains(c) { '_' } else { c }).collect();
    let start = |c: char| matches!(c, '.' | '-') || c.is_whitespace();
    let end = |c: char| c == '.' || c.is_whitespace();
    let trimmed = legal.trim_start_matches(start).trim_end_matches(end);
    let mark = if is_device(trimmed) { "_" } else { "" };
    let cut = cut(format!("{mark}{trimmed}"));
    let safe = cut.trim_end_matches(end);
    if safe.is_empty() { NAMELESS.into() } else { safe.into() }
}

/// What is tried when a name is taken: notes.txt, notes-2.txt …
pub(crate) fn numbered(name: &str, number: u32) -> String {
    match (number, name.rsplit_once('.')) {
        (0 | 1, _) => name.to_owned(),
        (_, Some((stem, ending))) if !stem.is_empty() => format!("{stem}-{number}.{ending}"),
        _ => format!("{name}-{number}"),
    }
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    let is_port = |rest: &str| {
        let mut rest = rest.chars();
        rest.next().is_some_and(|c| PORTS.contains(c)) && rest.next().is_none()
    };
    DEVICES.contains(&stem.as_str())
        || NUMBERED_DEVICES.iter().any(|device| stem.strip_prefix(device).is_some_and(is_port))
}

/// As much of a name as fits, with its ending.
fn cut(name: String) -> String {
    if name.len() <= MAX_SAFE_NAME_BYTES {
        return name;
    }
    match name.rfind('.').map(|dot| name.split_at(dot)) {
        Some((stem, ending)) if ending.len() <= MAX_ENDING_BYTES => {
            format!("{}{ending}", beginning(stem, MAX_SAFE_NAME_BYTES - ending.len()))
        }
        _ => beginning(&name, MAX_SAFE_NAME_BYTES).to_owned(),
    }
}

/// The longest beginning of a text that is no longer than so many bytes.
pub(super) fn beginning(text: &str, bytes: usize) -> &str {
    let upto = (0..=bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    upto.and_then(|at| text.get(..at)).unwrap_or_default()
}

/// Characters that show nothing, or change how others are shown: control, format, separators of lines, and
/// letters that are blank.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}' | '\u{891}' | '\u{8e2}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests;
