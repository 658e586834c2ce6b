//! The paths that a file names, groups in braces taken apart: `crate::{app::Now, wire::{Seq, Epoch}}`
//! is three.

use super::source::{Source, in_name};

/// A path as written, and on which line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) parts: Vec<String>,
    pub(crate) line: usize,
}

/// Every path that begins with `root`, which is no part of another path.
pub(crate) fn paths_from(source: &Source, root: &str) -> Vec<Path> {
    let code = &source.code;
    let starts = code.match_indices(root).map(|(at, _)| at).filter(|&at| {
        let before = code[..at].trim_end();
        let follows = before.ends_with("::") || code[..at].ends_with(in_name);
        !follows && code[at + root.len()..].trim_start().starts_with("::")
    });
    let path = |at| {
        let mut reader = Reader { rest: &code[at..] };
        let line = source.line_of(at);
        reader.tree().into_iter().map(move |parts| Path { parts, line })
    };
    starts.flat_map(path).collect()
}

/// Every path to another place in the crate, made absolute: `super::room::Room` in `app/feed.rs` is
/// `app`, `room`, `Room`.
pub(crate) fn inner_paths(source: &Source) -> Vec<Path> {
    let roots = ["crate", "super", "sayagain"];
    let found = roots.iter().flat_map(|root| paths_from(source, root));
    found.map(|path| Path { parts: absolute(&source.module(), &path.parts), line: path.line }).collect()
}

fn absolute(module: &[String], parts: &[String]) -> Vec<String> {
    let ups = parts.iter().take_while(|part| *part == "super").count();
    if ups == 0 {
        return parts[1..].to_vec();
    }
    let stays = module.len().saturating_sub(ups);
    module[..stays].iter().chain(&parts[ups..]).cloned().collect()
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn skip_blank(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip_blank();
        self.rest.strip_prefix(token).is_some_and(|rest| {
            self.rest = rest;
            true
        })
    }

    fn name(&mut self) -> Option<String> {
        self.skip_blank();
        let len = self.rest.find(|c| !in_name(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(len);
        self.rest = rest;
        (len > 0).then(|| name.to_owned())
    }

    /// One path or a group of them.
    fn tree(&mut self) -> Vec<Vec<String>> {
        if self.eat("{") {
            return self.group();
        }
        if self.eat("*") {
            return vec![vec!["*".to_owned()]];
        }
        let Some(name) = self.name() else { return vec![Vec::new()] };
        let tails = if self.eat("::") { self.tree() } else { vec![Vec::new()] };
        tails.into_iter().map(|tail| [vec![name.clone()], tail].concat()).collect()
    }

    fn group(&mut self) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        while !self.eat("}") && !self.rest.is_empty() {
            all.extend(self.tree());
            if self.eat("as") {
                self.name();
            }
            if !self.eat(",") {
                self.skip_blank();
                let stuck = !self.rest.starts_with('}');
                if stuck {
                    return all;
                }
            }
        }
        all
    }
}
