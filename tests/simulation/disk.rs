//! The disk of a host: it outlives its crashes, but for what was not committed.

use sayagain::{
    app::{Input, LinkId, Restored},
    store::{Arrival, Entry, LinesQuery, PageQuery, Reader, Retention, StoreError, Wanted, Writer, memory},
    wire::{LogKey, RoomId, Seq},
};

/// Records of a room that are in memory after a start: few, so that much has to be read.
const TAIL: u64 = 5;

#[derive(Debug)]
pub(crate) struct Disk {
    writer: Box<dyn Writer>,
    reader: Box<dyn Reader>,
    waiting: Vec<Entry>,
    /// Nothing fits until then.
    pub(crate) is_full: bool,
    /// Logs with a hole at the end: nothing later of them is taken before that.
    full: std::collections::BTreeMap<LogKey, Seq>,
}

impl Disk {
    pub(crate) fn new() -> Self {
        let (writer, reader) = memory();
        Self { writer, reader, waiting: Vec::new(), is_full: false, full: [].into() }
    }

    /// What was not committed is lost; what is there is read.
    pub(crate) fn restart(&mut self) -> Restored {
        self.waiting.clear();
        self.full.clear();
        let survey = self.writer.survey().unwrap();
        let tail = |room: &sayagain::store::StoredRoom, reader: &mut Box<dyn Reader>| {
            let wanted = |log: &sayagain::store::StoredLog| Wanted {
                author: log.author,
                epoch: log.epoch,
                from: Seq(0),
                since_ms: 0,
            };
            let query = PageQuery {
                room: room.id.clone(),
                logs: room.logs.iter().map(wanted).collect(),
                after: Arrival(room.last.0.saturating_sub(TAIL)),
                records: 1_000,
                bytes: 1 << 20,
            };
            reader.page(&query).unwrap().records
        };
        let rooms = survey.rooms.into_iter().map(|room| {
            let tail = tail(&room, &mut self.reader);
            (room, tail)
        });
        Restored { rooms: rooms.collect(), authors: survey.authors }
    }

    /// Whether it was idle: then a commit has to be planned.
    pub(crate) fn keep(&mut self, entry: Entry) -> bool {
        self.waiting.push(entry);
        self.waiting.len() == 1
    }

    /// Everything that waits, in one transaction; and a little retention, now and then.
    pub(crate) fn commit(&mut self, retains: Option<(u64, u64)>) -> Vec<Input> {
        let batch = std::mem::take(&mut self.waiting);
        let mut inputs = Vec::new();
        let full = self.is_full;
        let (fit, refused): (Vec<Entry>, Vec<Entry>) =
            batch.into_iter().partition(|entry| !full && self.is_next(entry));
        self.writer.append(&fit).unwrap();
        let ends = |entries: &[Entry]| {
            let record = |entry: &Entry| match entry {
                Entry::Record { record, .. } => Some((record.log(), record.seq)),
                Entry::Author(_) | Entry::Member { .. } => None,
            };
            entries.iter().filter_map(record).collect::<Vec<_>>()
        };
        let mut stored: std::collections::BTreeMap<LogKey, Seq> = [].into();
        for (log, seq) in ends(&fit) {
            let next = stored.entry(log).or_default();
            *next = seq.next().max(*next);
        }
        for (log, seq) in ends(&refused) {
            let from = self.full.entry(log).or_insert(seq);
            *from = seq.min(*from);
        }
        if !stored.is_empty() {
            inputs.push(Input::Stored { logs: stored.into_iter().collect() });
        }
        if !refused.is_empty() {
            let logs =
                ends(&refused).into_iter().map(|(log, _)| log).collect::<std::collections::BTreeSet<_>>();
            let logs = logs.into_iter().map(|log| (log.clone(), self.full[&log])).collect();
            inputs.push(Input::Unstored { logs });
        }
        if let Some((records, now_ms)) = retains {
            inputs.extend(self.retain(records, now_ms));
        }
        inputs
    }

    fn is_next(&mut self, entry: &Entry) -> bool {
        let Entry::Record { record, .. } = entry else { return true };
        let Some(from) = self.full.get(&record.log()).copied() else { return true };
        let is_next = record.seq <= from;
        if record.seq == from {
            self.full.insert(record.log(), record.seq.next());
        }
        is_next
    }

    fn retain(&mut self, records: u64, now_ms: u64) -> Vec<Input> {
        let retention = Retention { records, bytes: u64::MAX, age_ms: u64::MAX };
        let rooms: Vec<RoomId> =
            self.writer.survey().unwrap().rooms.into_iter().map(|room| room.id).collect();
        let mut inputs = Vec::new();
        for room in rooms {
            let logs = self.writer.retain(&room, retention, now_ms).unwrap();
            let key = |(author, epoch, first)| (LogKey { room: room.clone(), author, epoch }, first);
            inputs.push(Input::Retained { logs: logs.into_iter().map(key).collect() });
        }
        inputs
    }

    pub(crate) fn page(&mut self, link: LinkId, mut query: PageQuery) -> Input {
        // Small pages meet more in between.
        query.records = 3;
        let page: Result<_, StoreError> = self.reader.page(&query);
        Input::Page { link, page: page.unwrap() }
    }

    pub(crate) fn lines(&mut self, link: Option<LinkId>, query: LinesQuery) -> Input {
        let lines = self.reader.last_lines(&query).unwrap();
        Input::Lines { link, query, lines }
    }

    /// The text of everything there is, in the order of arrival.
    pub(crate) fn texts(&mut self) -> Vec<String> {
        let rooms = self.writer.survey().unwrap().rooms;
        let lines = |room: sayagain::store::StoredRoom| {
            let all = LinesQuery { room: room.id, count: u16::MAX, cut_ms: u64::MAX, before: None };
            self.reader.last_lines(&all).unwrap()
        };
        rooms.into_iter().flat_map(lines).map(|line| line.record.text()).collect()
    }
}
