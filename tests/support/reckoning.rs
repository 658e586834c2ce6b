//! What a file has in the end, as `node history export` writes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

use super::person::Person;

/// Author, epoch and seq.
type Place = (String, u64, u64);

#[derive(Debug)]
pub(crate) struct Reckoning {
    /// In the order of arrival.
    order: Vec<(Place, String)>,
    checked: usize,
}

impl Reckoning {
    /// Reads the file, and checks what must hold of it alone: no line twice, each log without a hole.
    pub(crate) fn of(file: &str) -> Self {
        verify(file);
        let order = export(file);
        let records: BTreeMap<Place, String> = order.iter().cloned().collect();
        assert_eq!(records.len(), order.len(), "a record is there twice");
        let texts: BTreeSet<&String> = records.values().collect();
        assert_eq!(texts.len(), records.len(), "a line is there twice");
        let mut next: BTreeMap<(String, u64), u64> = BTreeMap::new();
        for ((author, epoch, seq), text) in &order {
            let wanted = next.entry((author.clone(), *epoch)).or_default();
            assert_eq!(seq, wanted, "a hole or a wrong order before {text:?}");
            *wanted += 1;
        }
        Self { order, checked: 0 }
    }

    /// Everything that this person was told is stored is there, as it was typed.
    pub(crate) fn holds_what_was_stored(&mut self, person: &Person) {
        // Two people may have a run of the same number.
        let name = format!("{} ", person.name);
        let own = self.order.iter().filter(|(_, text)| text.starts_with(&name));
        let own: BTreeMap<_, _> = own.map(|((_, epoch, seq), text)| ((*epoch, *seq), text)).collect();
        for place in &person.stored {
            let there = own.get(place);
            match person.said.get(place) {
                Some(line) => assert_eq!(there, Some(&line), "lost: {line:?}, stored at {place:?}"),
                // Said in a run that was killed before it was told where it put it.
                None => assert!(there.is_some(), "lost: stored at {place:?}"),
            }
            self.checked += 1;
        }
    }

    /// Who was there all the time heard all of it, once, and each author in order.
    pub(crate) fn is_what_was_heard(&mut self, listener: &Person) {
        let mut heard: BTreeSet<Place> = BTreeSet::new();
        let mut next: BTreeMap<(&String, u64), u64> = BTreeMap::new();
        for (author, epoch, seq, text) in &listener.heard {
            assert!(heard.insert((author.clone(), *epoch, *seq)), "heard twice: {text:?}");
            let wanted = next.entry((author, *epoch)).or_default();
            assert_eq!(seq, wanted, "heard out of order: {text:?}");
            *wanted += 1;
        }
        for (place, text) in &self.order {
            assert!(heard.contains(place), "never heard: {text:?}");
        }
    }

    pub(crate) fn counted(&self) -> String {
        assert!(self.checked > 0, "nothing was called stored");
        let (there, stored) = (self.order.len(), self.checked);
        format!("{there} records on disk, {stored} of them called stored; 0 lost, 0 doubled, 0 out of order")
    }
}

/// Whether files of which nodes may be writing hold the same records.
pub(crate) fn are_alike(files: &[String]) -> bool {
    let mut held = files.iter().map(|file| export(file).into_iter().collect::<BTreeMap<_, _>>());
    let first = held.next();
    held.all(|other| Some(other) == first)
}

/// In the order of arrival.
fn export(file: &str) -> Vec<(Place, String)> {
    let output = Command::new(env!("CARGO_BIN_EXE_node")).args(["history", "export", file]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let record = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        let number = |key: &str| record[key].as_u64().unwrap();
        let text = |key: &str| record[key].as_str().unwrap().to_owned();
        ((text("author"), number("epoch"), number("seq")), text("text"))
    };
    String::from_utf8(output.stdout).unwrap().lines().map(record).collect()
}

fn verify(file: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_node")).args(["history", "verify", file]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
