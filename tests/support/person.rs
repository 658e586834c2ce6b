//! Somebody at a node that may be killed: what they said, in which run, and what they were told.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::Value;

use super::{
    folder::Folder,
    patience::eventually,
    process::{Launch, Process},
};

/// Which record of this person: epoch and seq.
pub(crate) type Place = (u64, u64);

#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) name: String,
    node: Option<Process>,
    /// Where a peer listens.
    addr: Option<String>,
    /// Lines typed in this run, in order.
    typed: Vec<String>,
    lines: u64,
    /// Everything said, with where it was put as far as this person was told.
    pub(crate) said: BTreeMap<Place, String>,
    pub(crate) stored: BTreeSet<Place>,
    /// What was heard as it happened: author, epoch, seq, text.
    pub(crate) heard: Vec<(String, u64, u64, String)>,
    /// Codes of the troubles that this person was told of.
    pub(crate) troubles: Vec<String>,
    joined: bool,
    /// Lines of stdout that were read.
    read: usize,
    /// Stored in this run.
    stored_now: usize,
    /// Of this run, once the node has told of any record.
    epoch: Option<u64>,
    epoch_file: String,
}

impl Person {
    /// With the folder's directory of this name.
    pub(crate) fn new(name: &str, folder: &Folder) -> Self {
        Self {
            name: name.to_owned(),
            node: None,
            addr: None,
            typed: Vec::new(),
            lines: 0,
            said: BTreeMap::new(),
            stored: BTreeSet::new(),
            heard: Vec::new(),
            troubles: Vec::new(),
            joined: false,
            read: 0,
            stored_now: 0,
            epoch: None,
            epoch_file: folder.at(&format!("{name}/epoch")),
        }
    }

    /// Starts the node; does not wait for it.
    pub(crate) fn comes(&mut self, node: Launch) {
        self.node = Some(node.with(&["--json"]).start());
        (self.typed, self.read, self.stored_now, self.epoch) = (Vec::new(), 0, 0, None);
    }

    pub(crate) fn says_something(&mut self) {
        self.lines += 1;
        let line = format!("{} {}", self.name, self.lines);
        self.node.as_mut().unwrap().type_line(&line);
        self.typed.push(line);
        self.listen();
    }

    pub(crate) fn last_line(&self) -> &str {
        self.typed.last().unwrap()
    }

    pub(crate) fn is_killed(&mut self) {
        if let Some(node) = &mut self.node {
            node.murder();
        }
        self.listen();
        self.node = None;
    }

    /// The status of a node that ended by itself.
    pub(crate) fn has_ended(&mut self) -> Option<i32> {
        self.listen();
        let node = self.node.as_mut()?;
        (!node.is_running()).then(|| node.status())
    }

    /// A line after the other, each once the one before is stored. Returns the status.
    pub(crate) fn speaks_until_it_ends(&mut self) -> i32 {
        loop {
            self.says_something();
            let status = eventually("what was said is stored, or the node ends", || {
                let status = self.has_ended();
                (status.is_some() || self.has_nothing_unstored()).then_some(status)
            });
            if let Some(status) = status {
                return status;
            }
        }
    }

    pub(crate) const fn is_there(&self) -> bool {
        self.node.is_some()
    }

    pub(crate) fn has_nothing_unstored(&mut self) -> bool {
        self.listen();
        self.stored_now == self.typed.len()
    }

    pub(crate) fn heard(&mut self, line: &str) -> bool {
        self.listen();
        self.heard.iter().any(|(.., text)| text == line)
    }

    pub(crate) fn listens_at(&mut self) -> Option<String> {
        self.listen();
        self.addr.clone()
    }

    pub(crate) fn has_joined(&mut self) -> bool {
        self.listen();
        self.joined
    }

    pub(crate) fn was_told_of(&mut self, trouble: &str) -> bool {
        self.listen();
        self.troubles.iter().any(|told| told == trouble)
    }

    /// Reads what the node said since the last time.
    pub(crate) fn listen(&mut self) {
        let Some(node) = &self.node else { return };
        let lines = node.unnoted();
        for line in &lines[self.read.min(lines.len())..] {
            // A killed process may leave half a line.
            let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
            match event["event"].as_str() {
                Some("listening") => self.addr = event["addr"].as_str().map(str::to_owned),
                Some("joined") => self.joined = true,
                Some("sent") => self.told(&event),
                Some("message") if event["historic"] == false => {
                    let number = |key: &str| event[key].as_u64().unwrap();
                    let text = |key: &str| event[key].as_str().unwrap().to_owned();
                    self.heard.push((text("id"), number("epoch"), number("seq"), text("text")));
                }
                Some("error") => self.troubles.extend(event["code"].as_str().map(str::to_owned)),
                Some("gap") => panic!("{} was shown a gap: {line}", self.name),
                _ => {}
            }
        }
        self.read = lines.len();
    }

    fn told(&mut self, event: &Value) {
        let place = (event["epoch"].as_u64().unwrap(), event["seq"].as_u64().unwrap());
        if self.epoch.is_none() {
            self.epoch = fs::read_to_string(&self.epoch_file).unwrap().trim().parse().ok();
        }
        if self.epoch == Some(place.0) {
            let line = self.typed[usize::try_from(place.1).unwrap()].clone();
            self.said.insert(place, line);
        }
        if event["state"] == "stored" && self.stored.insert(place) && self.epoch == Some(place.0) {
            self.stored_now += 1;
        }
    }
}
