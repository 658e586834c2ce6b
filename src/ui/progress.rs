//! How transfers go on, told to people: not too often, and with a rate of new bytes alone.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use crate::app::{Event, TransferFigures, TransferState};

use super::{
    Bar, Printed,
    transfer::{changed, clock, percent, share, size, way},
};

/// The rate is that of the last so much time.
const RATE_OVER: Duration = Duration::from_secs(5);

/// The time left is not guessed sooner.
const ETA_AFTER: Duration = Duration::from_secs(3);

/// After so long without a byte it is no longer a slow transfer.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// How often there is a line above a prompt, whatever is under way.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How often a bar is drawn where no byte arrives.
const BAR_EVERY: Duration = Duration::from_secs(1);

/// Moments that the rate is taken from.
const MAX_MOMENTS: usize = 64;

/// How it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// As a bar that is drawn again.
    Bars,
    /// A line now and then, for a person is typing below.
    Seldom,
    /// A line for each tenth.
    Tenths,
}

/// The transfers under way.
#[derive(Debug)]
pub(super) struct Progress {
    pace: Pace,
    tracks: BTreeMap<u32, Track>,
    /// When something was told of its own accord.
    told: Option<Instant>,
}

#[derive(Debug)]
struct Track {
    figures: TransferFigures,
    /// Those at the other end that are not through, and since when.
    peers: BTreeMap<String, Instant>,
    stage: Stage,
    moments: VecDeque<(Instant, u64)>,
    since: Instant,
    /// When a byte was last seen to arrive.
    grown: Instant,
    told: Instant,
    tenth: u64,
    stall_told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Flowing,
    Waiting,
    Verifying,
}

impl Progress {
    pub(super) const fn new(pace: Pace) -> Self {
        Self { pace, tracks: BTreeMap::new(), told: None }
    }

    /// What there is to say about an event; `None` where it is not about a transfer under way.
    pub(super) fn hear(&mut self, event: &Event, now: Instant) -> Option<Vec<Printed>> {
        match event {
            Event::Transfer { figures, peer, state } => {
                let took = self.note(figures, peer, state, now);
                let mut printed: Vec<Printed> = changed(figures, peer, state, took).into_iter().collect();
                printed.extend(self.bar(figures.id, now));
                Some(printed)
            }
            Event::Progress(figures) => {
                let track = self.track(figures, now);
                track.stage = Stage::Flowing;
                track.count(figures, now);
                Some(match self.pace {
                    Pace::Bars => self.bar(figures.id, now).into_iter().collect(),
                    Pace::Seldom => Vec::new(),
                    Pace::Tenths => self.tenth(figures, now).into_iter().collect(),
                })
            }
            _ => None,
        }
    }

    /// When [`Self::tick`] is to be called.
    pub(super) fn due(&self) -> Option<Instant> {
        let mut flowing = self.tracks.values().filter(|track| track.stage == Stage::Flowing).peekable();
        flowing.peek()?;
        match self.pace {
            Pace::Bars => self.told.map(|told| told + BAR_EVERY),
            Pace::Seldom => self.told.map(|told| told + LINE_EVERY),
            Pace::Tenths => {
                flowing.filter(|track| !track.stall_told).map(|track| track.grown + STALLED_AFTER).min()
            }
        }
    }

    /// What there is to say because time has passed.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<Printed> {
        self.told = Some(now);
        let flowing = self.tracks.iter_mut().filter(|(_, track)| track.stage == Stage::Flowing);
        match self.pace {
            Pace::Bars => flowing.map(|(id, track)| Printed::Bar(track.bar(*id, now))).collect(),
            Pace::Seldom => {
                // Each in its turn.
                let next = flowing.map(|(_, track)| track).min_by_key(|track| track.told);
                next.map(|track| track.tell(now)).into_iter().collect()
            }
            Pace::Tenths => {
                let stalled = flowing.map(|(_, track)| track).filter(|track| !track.stall_told);
                let stalled = stalled.filter(|track| track.stalled(now).is_some());
                stalled
                    .map(|track| {
                        track.stall_told = true;
                        track.tell(now)
                    })
                    .collect()
            }
        }
    }

    /// Takes note; tells how long a transfer took that is done.
    fn note(
        &mut self,
        figures: &TransferFigures,
        peer: &str,
        state: &TransferState,
        now: Instant,
    ) -> Option<Duration> {
        match state {
            TransferState::Offered => None,
            TransferState::Accepted | TransferState::Resumed => {
                let track = self.track(figures, now);
                track.peers.entry(peer.to_owned()).or_insert(now);
                track.stage = Stage::Flowing;
                track.begin(figures, now);
                None
            }
            TransferState::Waiting { .. } | TransferState::Verifying => {
                let track = self.tracks.get_mut(&figures.id)?;
                let is_waiting = matches!(state, TransferState::Waiting { .. });
                track.stage = if is_waiting { Stage::Waiting } else { Stage::Verifying };
                track.figures = figures.clone();
                None
            }
            TransferState::Done | TransferState::Failed { .. } => {
                let track = self.tracks.get_mut(&figures.id)?;
                let since = track.peers.remove(peer);
                if track.peers.is_empty() {
                    self.tracks.remove(&figures.id);
                }
                since.map(|since| now.saturating_duration_since(since))
            }
        }
    }

    fn track(&mut self, figures: &TransferFigures, now: Instant) -> &mut Track {
        if self.tracks.values().all(|track| track.stage != Stage::Flowing) {
            self.told = Some(now);
        }
        self.tracks.entry(figures.id).or_insert_with(|| Track::new(figures, now))
    }

    fn bar(&self, id: u32, now: Instant) -> Option<Printed> {
        let is_drawn = self.pace == Pace::Bars;
        let bar =
            || self.tracks.get(&id).map_or(Printed::BarEnd(id), |track| Printed::Bar(track.bar(id, now)));
        is_drawn.then(bar)
    }

    fn tenth(&mut self, figures: &TransferFigures, now: Instant) -> Option<Printed> {
        let track = self.tracks.get_mut(&figures.id)?;
        let tenth = percent(figures) / 10;
        let is_new = tenth > track.tenth && tenth < 10;
        track.tenth = tenth;
        is_new.then(|| track.tell(now))
    }
}

impl Track {
    fn new(figures: &TransferFigures, now: Instant) -> Self {
        Self {
            figures: figures.clone(),
            peers: BTreeMap::new(),
            stage: Stage::Flowing,
            moments: VecDeque::from([(now, figures.bytes)]),
            since: now,
            grown: now,
            told: now,
            tenth: percent(figures) / 10,
            stall_told: false,
        }
    }

    /// From here on bytes are new.
    fn begin(&mut self, figures: &TransferFigures, now: Instant) {
        self.moments = VecDeque::from([(now, figures.bytes)]);
        (self.since, self.grown, self.stall_told) = (now, now, false);
        self.figures = figures.clone();
    }

    fn count(&mut self, figures: &TransferFigures, now: Instant) {
        if figures.held != self.figures.held || figures.bytes < self.figures.bytes {
            self.begin(figures, now);
        }
        if figures.bytes > self.figures.bytes {
            (self.grown, self.stall_told) = (now, false);
        }
        self.figures = figures.clone();
        self.moments.push_back((now, figures.bytes));
        let is_past = |moment: Option<&(Instant, u64)>| {
            moment.is_some_and(|(at, _)| now.saturating_duration_since(*at) >= RATE_OVER)
        };
        // The first of them is the last from before that time.
        while self.moments.len() > MAX_MOMENTS || is_past(self.moments.get(1)) {
            self.moments.pop_front();
        }
    }

    /// Bytes a second of late.
    fn rate(&self, now: Instant) -> f64 {
        let Some((from, before)) = self.moments.front() else { return 0.0 };
        let seconds = now.saturating_duration_since(*from).as_secs_f64();
        if seconds > 0.0 { self.figures.bytes.saturating_sub(*before) as f64 / seconds } else { 0.0 }
    }

    fn eta(&self, now: Instant) -> Option<Duration> {
        let left = self.figures.total.saturating_sub(self.figures.bytes) as f64;
        let is_known = now.saturating_duration_since(self.since) >= ETA_AFTER;
        // A time that nobody can wait for says no more than none.
        is_known.then(|| Duration::try_from_secs_f64(left / self.rate(now)).ok()).flatten()
    }

    fn stalled(&self, now: Instant) -> Option<Duration> {
        let still = now.saturating_duration_since(self.grown);
        (still >= STALLED_AFTER).then_some(still)
    }

    fn tell(&mut self, now: Instant) -> Printed {
        self.told = now;
        Printed::Talk(format!("{}   {}", self.name(), self.figures_at(now)))
    }

    fn bar(&self, id: u32, now: Instant) -> Bar {
        let TransferFigures { bytes, total, .. } = self.figures;
        Bar { id, before: self.name(), bytes, total, behind: self.figures_at(now) }
    }

    fn name(&self) -> String {
        let mut peers = self.peers.keys();
        match (peers.next(), peers.len()) {
            (Some(peer), 0) => way(&self.figures, peer),
            (Some(_), others) => format!("file {} to {} people", self.figures.id, 1 + others),
            (None, _) => format!("file {}", self.figures.id),
        }
    }

    fn figures_at(&self, now: Instant) -> String {
        let share = share(&self.figures);
        match self.stage {
            Stage::Waiting => return format!("{share}   waits"),
            Stage::Verifying => return format!("{share}   verifying"),
            Stage::Flowing => {}
        }
        if let Some(still) = self.stalled(now) {
            return format!("{share}   stalled {} s   /cancel {}", still.as_secs(), self.figures.id);
        }
        let eta = self.eta(now).map(|eta| format!("   eta {}", clock(eta))).unwrap_or_default();
        format!("{share}   {}/s{eta}", size(self.rate(now) as u64))
    }
}

#[cfg(test)]
mod tests;
