//! One file of source as the checks see it: without comments, without what is in quotes, without
//! tests, and still with every line where it was.

/// One file below `src`.
pub(crate) struct Source {
    /// Below `src`, with `/`.
    pub(crate) path: String,
    /// As compiled without tests; what is left out is blank.
    pub(crate) code: String,
    /// Lines that are not tests.
    pub(crate) lines: usize,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let mut code: Vec<char> = blank(text).chars().collect();
        let tests = if path.ends_with("tests.rs") { code.len() } else { 0 };
        wipe(&mut code, 0, tests);
        let test_lines = blank_tests(&mut code) + if tests > 0 { text.lines().count() } else { 0 };
        let code: String = code.into_iter().collect();
        let lines = text.lines().count().saturating_sub(test_lines);
        Self { path: path.to_owned(), code, lines }
    }

    /// The module that the file is: `app/hub/rooms.rs` is `app`, `hub`, `rooms`.
    pub(crate) fn module(&self) -> Vec<String> {
        let stem = self.path.strip_suffix(".rs").unwrap_or(&self.path);
        let mut parts: Vec<String> = stem.split('/').map(str::to_owned).collect();
        if parts.last().is_some_and(|last| last == "mod") || matches!(parts[..], [ref one] if one == "lib") {
            parts.pop();
        }
        parts
    }

    /// The line of a place in the code, counted from 1.
    pub(crate) fn line_of(&self, at: usize) -> usize {
        1 + self.code[..at].matches('\n').count()
    }
}

/// Whether a character can be part of a name.
pub(crate) fn in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Places where `word` stands and is not part of a longer name.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let open = word.starts_with(in_name) && code[..at].ends_with(in_name);
        let closed = word.ends_with(in_name) && code[at + word.len()..].starts_with(in_name);
        !open && !closed
    })
}

fn wipe(code: &mut [char], from: usize, upto: usize) {
    code[from..upto].iter_mut().filter(|c| **c != '\n').for_each(|c| *c = ' ');
}

/// Comments and literals as blanks.
fn blank(text: &str) -> String {
    let mut code: Vec<char> = text.chars().collect();
    let mut at = 0;
    while at < code.len() {
        let end = literal_end(&code, at);
        if end > at {
            wipe(&mut code, at, end);
        }
        at = end.max(at + 1);
    }
    code.into_iter().collect()
}

/// Where the comment or literal ends that begins at `at`; `at` if none does.
fn literal_end(code: &[char], at: usize) -> usize {
    let after_name = at > 0 && in_name(code[at - 1]);
    match (code[at], code.get(at + 1)) {
        ('/', Some('/')) => at + code[at..].iter().take_while(|c| **c != '\n').count(),
        ('/', Some('*')) => block_end(code, at),
        ('"', _) => quote_end(code, at + 1),
        ('r', Some('"' | '#')) if !after_name || code[at - 1] == 'b' => raw_end(code, at),
        ('\'', Some('\\')) => at + 2 + code[at + 2..].iter().skip(1).take_while(|c| **c != '\'').count() + 2,
        ('\'', Some(_)) if code.get(at + 2) == Some(&'\'') => at + 3,
        _ => at,
    }
    .min(code.len())
}

fn quote_end(code: &[char], mut at: usize) -> usize {
    while at < code.len() && code[at] != '"' {
        at += if code[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw_end(code: &[char], at: usize) -> usize {
    let hashes = code[at + 1..].iter().take_while(|c| **c == '#').count();
    let open = at + 1 + hashes;
    if code.get(open) != Some(&'"') {
        return at;
    }
    let closes = |i: &usize| {
        code[*i] == '"' && code[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    (open + 1..code.len()).find(closes).map_or(code.len(), |i| i + 1 + hashes)
}

fn block_end(code: &[char], at: usize) -> usize {
    let (mut depth, mut i) = (0, at);
    while i < code.len() {
        match (code[i], code.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    code.len()
}

/// Items under `#[cfg(test)]` as blanks; returns how many lines they were.
fn blank_tests(code: &mut [char]) -> usize {
    let mark: Vec<char> = "#[cfg(test)]".chars().collect();
    let (mut at, mut lines) = (0, 0);
    while at + mark.len() <= code.len() {
        if code[at..at + mark.len()] == mark[..] {
            let end = item_end(code, at + mark.len());
            lines += 1 + code[at..end].iter().filter(|c| **c == '\n').count();
            wipe(code, at, end);
            at = end;
        } else {
            at += 1;
        }
    }
    lines
}

/// Where an item ends: at its `;`, or at the brace that closes its first. A field, a variant or an arm
/// of a match ends at its comma, or before the brace that closes what it is in.
fn item_end(code: &[char], from: usize) -> usize {
    let mut nested = 0_i32;
    for (at, c) in code.iter().enumerate().skip(from) {
        match c {
            '(' | '[' => nested += 1,
            ')' | ']' => nested -= 1,
            ';' | ',' if nested == 0 => return at + 1,
            '{' => return brace_end(code, at),
            '}' => return at,
            _ => {}
        }
    }
    code.len()
}

/// Where the block ends that opens at `at`.
pub(crate) fn brace_end(code: &[char], at: usize) -> usize {
    let mut depth = 0;
    for (i, c) in code.iter().enumerate().skip(at) {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return i + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}
