//! What must hold of everything that nodes tell their persons.

use std::collections::{BTreeMap, BTreeSet};

use sayagain::{
    app::{Event, Said, SentState},
    wire::{Epoch, NodeId, Seq},
};

use super::world::{Heard, NodeIndex};

/// What one run of a node heard.
#[derive(Default, Debug)]
pub(crate) struct Ear {
    pub(crate) lines: BTreeSet<String>,
    /// Lines that it can pass on: those that were not history when it came.
    pub(crate) held: BTreeSet<String>,
    next: BTreeMap<(NodeId, Epoch), Seq>,
    /// Shown as history: not shown again when its turn comes.
    past: BTreeSet<(NodeId, Epoch, Seq)>,
    pub(crate) gaps: usize,
}

/// Reads what was heard; an error is a broken promise.
pub(crate) fn listen(
    heard: &Heard,
    ids: &BTreeMap<(NodeIndex, u64), NodeId>,
) -> Result<BTreeMap<(NodeIndex, u64), Ear>, String> {
    let mut ears: BTreeMap<(NodeIndex, u64), Ear> = BTreeMap::new();
    for (index, run, event) in heard {
        let ear = ears.entry((*index, *run)).or_default();
        match event {
            Event::Message(said) => {
                if ids.get(&(*index, *run)) == Some(&said.id) && !said.historic {
                    return Err(format!("node {index} heard itself: {said:?}"));
                }
                ear.hear(*index, said)?;
            }
            Event::Gap { .. } => ear.gaps += 1,
            _ => {}
        }
    }
    Ok(ears)
}

/// What was called stored, by whom it was said. `said` has the lines of each run in order.
pub(crate) fn stored(
    heard: &Heard,
    said: &BTreeMap<(NodeIndex, u64), Vec<String>>,
) -> BTreeSet<(NodeIndex, String)> {
    // Which run of a node has which epoch shows where it is told of its own records.
    let mut epochs: BTreeMap<(NodeIndex, Epoch), u64> = BTreeMap::new();
    let mut stored = BTreeSet::new();
    for (index, run, event) in heard {
        let Event::Sent { epoch, seq, state, .. } = event else { continue };
        let of = *epochs.entry((*index, *epoch)).or_insert(*run);
        let text = said.get(&(*index, of)).and_then(|lines| lines.get(usize::try_from(seq.0).ok()?));
        if *state == SentState::Stored {
            stored.extend(text.map(|text| (*index, text.clone())));
        }
    }
    stored
}

impl Ear {
    fn hear(&mut self, index: NodeIndex, said: &Said) -> Result<(), String> {
        if !self.lines.insert(said.text.clone()) {
            return Err(format!("node {index} heard {:?} twice", said.text));
        }
        if said.historic {
            self.past.insert((said.id, said.epoch, said.seq));
            return Ok(());
        }
        self.held.insert(said.text.clone());
        let mut next = self.next.insert((said.id, said.epoch), said.seq.next());
        while let Some(seq) = next.filter(|&seq| self.past.contains(&(said.id, said.epoch, seq))) {
            next = Some(seq.next());
        }
        match next {
            Some(next) if said.seq < next => Err(format!("node {index} heard {:?} out of order", said.text)),
            Some(next) if said.seq > next && self.gaps == 0 => {
                Err(format!("node {index} heard {:?} after a silent hole", said.text))
            }
            _ => Ok(()),
        }
    }
}
