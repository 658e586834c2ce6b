//! Nodes, the links between them, and a clock that jumps from event to event.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    net::SocketAddr,
    time::{Duration, Instant},
};

use rand::{RngExt as _, rngs::ChaCha12Rng};
use sayagain::{
    app::{
        Action, Command, DialError, Event, FileJob, FileNews, Input, LinkEnd, LinkId, Now, Outcome, Topology,
        Trouble, limits,
    },
    wire::{Addr, Frame},
};

use super::{disk::Disk, shelf::Shelf};

pub(crate) type NodeIndex = usize;

/// A node, as long as it runs.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) topology: Box<dyn Topology>,
    pub(crate) addr: SocketAddr,
    /// Which run of this host; what was meant for an earlier one is dropped.
    pub(crate) run: u64,
    pub(crate) outcome: Option<Outcome>,
    timer: Option<Instant>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "most of what happens is an input")]
enum Happening {
    Input(Input),
    Timer,
    Commit,
}

/// Something planned: at which run of which node, on which link, what.
type Plan = (NodeIndex, u64, Option<LinkId>, Happening);

/// One direction of a link.
#[derive(Debug, Clone)]
struct Half {
    from: NodeIndex,
    to: NodeIndex,
    to_link: LinkId,
    under_way: usize,
    /// Frames arrive in order.
    last_arrival: Duration,
    blocked: bool,
    closing: bool,
}

/// What a node told its person, in order.
pub(crate) type Heard = Vec<(NodeIndex, u64, Event)>;

/// Records that retention leaves in a room: more than one life brings.
const MOST_KEPT: u64 = 10_000;

pub(crate) struct World {
    pub(crate) rng: ChaCha12Rng,
    epoch: Instant,
    pub(crate) now: Duration,
    order: u64,
    agenda: BTreeMap<(Duration, u64), Plan>,
    pub(crate) hosts: Vec<Option<Host>>,
    /// Of each host; those without a store have none.
    pub(crate) disks: BTreeMap<NodeIndex, Disk>,
    /// Of each host that has files.
    pub(crate) shelves: BTreeMap<NodeIndex, Shelf>,
    /// When each of those began with nothing on it: a newcomer, whoever it was before.
    pub(crate) new_at: BTreeMap<NodeIndex, Duration>,
    /// When each run was in the room: what was said while a client was on its way is the past.
    pub(crate) joined_at: BTreeMap<(NodeIndex, u64), Duration>,
    runs: u64,
    links: BTreeMap<LinkId, Half>,
    next_link: u64,
    split: BTreeSet<(NodeIndex, NodeIndex)>,
    pub(crate) heard: Heard,
    trace: DefaultHasher,
    /// Frames that may be under way on one link before the next is refused.
    capacity: usize,
    verbose: bool,
}

impl World {
    pub(crate) fn new(rng: ChaCha12Rng, epoch: Instant, capacity: usize) -> Self {
        Self {
            rng,
            epoch,
            now: Duration::ZERO,
            order: 0,
            agenda: BTreeMap::new(),
            hosts: Vec::new(),
            disks: BTreeMap::new(),
            shelves: BTreeMap::new(),
            new_at: BTreeMap::new(),
            joined_at: BTreeMap::new(),
            runs: 0,
            links: BTreeMap::new(),
            next_link: 0,
            split: BTreeSet::new(),
            heard: Vec::new(),
            trace: DefaultHasher::new(),
            capacity,
            verbose: std::env::var_os("SAYAGAIN_TRACE").is_some(),
        }
    }

    pub(crate) fn add(&mut self) -> NodeIndex {
        self.hosts.push(None);
        self.hosts.len() - 1
    }

    pub(crate) fn boot(&mut self, index: NodeIndex, addr: SocketAddr, topology: Box<dyn Topology>) {
        self.runs += 1;
        let run = self.runs;
        self.hosts[index] = Some(Host { topology, addr, run, outcome: None, timer: None });
        if let Some(disk) = self.disks.get_mut(&index) {
            let restored = disk.restart();
            if restored.rooms.is_empty() {
                self.new_at.insert(index, self.now);
            }
            self.input(index, Input::Restore(restored));
        }
        if let Some(shelf) = self.shelves.get_mut(&index) {
            shelf.told = self.now;
            let kept = shelf.restart(&mut self.rng);
            self.input(index, Input::Transfers(kept));
        }
        self.input(index, Input::Start);
    }

    /// A node is gone without a word; the others notice after a while.
    pub(crate) fn crash(&mut self, index: NodeIndex) {
        self.hosts[index] = None;
        let touching: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, half)| half.from == index || half.to == index)
            .map(|(&l, _)| l)
            .collect();
        for link in touching {
            self.cut(link);
        }
    }

    /// Breaks a link: what is under way on it is lost. Each end notices; one that is still dialling
    /// sees the dial fail.
    pub(crate) fn cut(&mut self, link: LinkId) {
        let Some(half) = self.links.remove(&link) else { return };
        self.links.remove(&half.to_link);
        for (index, link) in [(half.from, link), (half.to, half.to_link)] {
            let end = LinkEnd { clean: false, reason: "cut".into() };
            let down = match self.forget_plans(link) {
                Some(Some(addr)) => Input::DialFailed { addr, error: unreachable_error() },
                Some(None) => continue,
                None => Input::LinkDown { link, end },
            };
            self.after_a_moment(index, None, down);
        }
    }

    /// Takes everything planned for an end of a link off the agenda. If its link-up was still to come,
    /// returns the address that was dialled, if it is the dialling end.
    fn forget_plans(&mut self, link: LinkId) -> Option<Option<Addr>> {
        let mut coming = None;
        self.agenda.retain(|_, (_, _, on, happening)| {
            if *on != Some(link) {
                return true;
            }
            if let Happening::Input(Input::LinkUp { dialed, .. }) = happening {
                coming = Some(*dialed);
            }
            false
        });
        coming
    }

    pub(crate) fn cut_one(&mut self) {
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        if !links.is_empty() {
            let index = self.rng.random_range(0..links.len());
            self.cut(links[index]);
        }
    }

    /// Nothing passes between these two until healed; links between them break.
    pub(crate) fn split(&mut self, a: NodeIndex, b: NodeIndex) {
        self.split.insert((a.min(b), a.max(b)));
        let between = |half: &Half| (half.from.min(half.to), half.from.max(half.to)) == (a.min(b), a.max(b));
        let broken: Vec<LinkId> = self.links.iter().filter(|(_, h)| between(h)).map(|(&l, _)| l).collect();
        broken.into_iter().for_each(|link| self.cut(link));
    }

    pub(crate) fn heal(&mut self) {
        self.split.clear();
    }

    pub(crate) fn command(&mut self, index: NodeIndex, command: Command) {
        if self.hosts[index].as_ref().is_some_and(|host| host.topology.is_ready()) {
            self.input(index, Input::Command(command));
        }
    }

    /// Lets everything happen up to `until`.
    pub(crate) fn run_until(&mut self, until: Duration) {
        while let Some((&(at, order), _)) = self.agenda.first_key_value() {
            if at > until {
                break;
            }
            let (index, run, _, happening) = self.agenda.remove(&(at, order)).expect("it is there");
            self.now = at;
            if self.hosts[index].as_ref().is_none_or(|host| host.run != run) {
                continue;
            }
            match happening {
                Happening::Input(input) => {
                    if let Input::Frame { link, .. } = &input {
                        self.arrived(*link);
                    }
                    self.input(index, input);
                }
                Happening::Timer => self.timer(index),
                Happening::Commit => self.commit(index),
            }
        }
        self.now = until;
    }

    pub(crate) fn trace(&self) -> u64 {
        self.trace.finish()
    }

    pub(crate) fn moment(&self) -> Now {
        let instant = self.epoch + Duration::from_secs(1_000) + self.now;
        Now { instant, unix_ms: 1_763_680_000_000 + u64::try_from(self.now.as_millis()).unwrap_or(0) }
    }

    fn arrived(&mut self, at: LinkId) {
        let Some(back) = self.links.get(&at).map(|half| half.to_link) else { return };
        let capacity = self.capacity;
        let Some(half) = self.links.get_mut(&back) else { return };
        half.under_way -= 1;
        if half.blocked && half.under_way <= capacity / 2 {
            half.blocked = false;
            let from = half.from;
            self.after_a_moment(from, Some(back), Input::LinkRoom { link: back });
        }
    }

    fn timer(&mut self, index: NodeIndex) {
        let now = self.moment();
        let Some(host) = self.hosts[index].as_mut() else { return };
        if host.timer.is_some_and(|at| at <= now.instant) {
            host.timer = None;
            host.topology.handle_timeout(now);
        }
        self.drain(index);
    }

    fn input(&mut self, index: NodeIndex, input: Input) {
        let told = told(&input);
        if self.verbose {
            eprintln!("{:>12.6} node {index} <- {told}", self.now.as_secs_f64());
        }
        (self.now, index, told).hash(&mut self.trace);
        let now = self.moment();
        if let Some(host) = self.hosts[index].as_mut() {
            host.topology.handle_input(input, now);
        }
        self.drain(index);
    }

    fn commit(&mut self, index: NodeIndex) {
        let unix_ms = self.moment().unix_ms;
        let retains = self.rng.random_bool(0.05).then_some((MOST_KEPT, unix_ms));
        let Some(disk) = self.disks.get_mut(&index) else { return };
        for input in disk.commit(retains) {
            self.input(index, input);
        }
    }

    fn drain(&mut self, index: NodeIndex) {
        while let Some(action) = self.hosts[index].as_mut().and_then(|host| host.topology.poll_action()) {
            self.perform(index, action);
        }
        let Some(host) = self.hosts[index].as_mut() else { return };
        let wanted = host.topology.poll_timeout();
        if let Some(at) = wanted.filter(|_| wanted != host.timer) {
            host.timer = Some(at);
            let run = host.run;
            let start = self.epoch + Duration::from_secs(1_000);
            let at = at.saturating_duration_since(start).max(self.now);
            self.plan(at, index, run, None, Happening::Timer);
        }
    }

    fn perform(&mut self, index: NodeIndex, action: Action) {
        let run = self.hosts[index].as_ref().map_or(0, |host| host.run);
        match action {
            Action::Keep(entry) => {
                if self.disks.get_mut(&index).expect("only who has a store keeps").keep(entry) {
                    let delay = self.delay() * 4;
                    self.plan(self.now + delay, index, run, None, Happening::Commit);
                }
            }
            Action::Read { link, query } => {
                let answer = self.disks.get_mut(&index).expect("it has a store").page(link, query);
                let delay = self.delay();
                self.later(delay, index, None, answer);
            }
            Action::Recall { link, query } => {
                let answer = self.disks.get_mut(&index).expect("it has a store").lines(link, query);
                let delay = self.delay();
                self.later(delay, index, None, answer);
            }
            Action::Dial(addr) => self.dial(index, addr),
            Action::Send { to, frame } => {
                to.into_iter().for_each(|link| self.send(index, link, frame.clone()));
            }
            Action::AwaitRoom(link) => {
                if let Some(half) = self.links.get_mut(&link) {
                    half.blocked |= half.under_way > limits::FEED_BATCH;
                    if !half.blocked {
                        self.after_a_moment(index, Some(link), Input::LinkRoom { link });
                    }
                }
            }
            Action::Close { link, reason, detail } => self.close(index, link, Frame::Bye { reason, detail }),
            Action::Notify(event) => {
                if matches!(event, Event::Joined { .. }) {
                    self.joined_at.entry((index, run)).or_insert(self.now);
                }
                self.heard.push((index, run, event));
            }
            Action::File(job) => self.file(index, job),
            Action::Finish(outcome) => {
                if let Some(host) = self.hosts[index].as_mut() {
                    host.outcome = Some(outcome);
                }
            }
        }
    }

    fn file(&mut self, index: NodeIndex, job: FileJob) {
        let delay = self.delay() / 10;
        let at = self.now + delay;
        let shelf = self.shelves.get_mut(&index).expect("only who has files sends any");
        let Some(news) = shelf.perform(job) else { return };
        shelf.told = shelf.told.max(at);
        let delay = shelf.told - self.now;
        self.later(delay, index, None, Input::File(news));
    }

    fn dial(&mut self, index: NodeIndex, addr: Addr) {
        let delay = self.delay() * 2;
        let target = self.hosts.iter().position(|host| host.as_ref().is_some_and(|h| h.addr == addr.socket));
        let apart = |b: NodeIndex| self.split.contains(&(index.min(b), index.max(b)));
        let Some(target) = target.filter(|&target| !apart(target)) else {
            return self.later(delay, index, None, Input::DialFailed { addr, error: unreachable_error() });
        };
        let (here, there) = (self.link_id(), self.link_id());
        let hello = |world: &Self, i: NodeIndex| {
            world.hosts[i].as_ref().map(|host| (host.topology.hello(), host.addr))
        };
        let (Some((mine, from)), Some((theirs, to))) = (hello(self, index), hello(self, target)) else {
            return;
        };
        let half = |from, to, to_link| Half {
            from,
            to,
            to_link,
            under_way: 0,
            last_arrival: Duration::ZERO,
            blocked: false,
            closing: false,
        };
        self.links.insert(here, half(index, target, there));
        self.links.insert(there, half(target, index, here));
        let up = Input::LinkUp { link: here, hello: theirs, addr: to, dialed: Some(addr) };
        self.arrive(here, there, delay, Some(up));
        let up = Input::LinkUp { link: there, hello: mine, addr: from, dialed: None };
        self.arrive(there, here, delay, Some(up));
    }

    /// The link-up comes first on its own end.
    fn arrive(&mut self, link: LinkId, other: LinkId, delay: Duration, input: Option<Input>) {
        let Some(half) = self.links.get(&link) else { return };
        let at = self.now + delay;
        let (index, run) = (half.from, self.hosts[half.from].as_ref().map_or(0, |host| host.run));
        if let Some(back) = self.links.get_mut(&other) {
            back.last_arrival = back.last_arrival.max(at);
        }
        if let Some(input) = input {
            self.plan(at, index, run, Some(link), Happening::Input(input));
        }
    }

    fn send(&mut self, index: NodeIndex, link: LinkId, frame: Frame) {
        let delay = self.delay();
        let (now, capacity) = (self.now, self.capacity);
        let Some(half) = self.links.get_mut(&link).filter(|half| !half.closing) else { return };
        let thin = matches!(
            frame,
            Frame::Record(_)
                | Frame::Presence { .. }
                | Frame::Start { .. }
                | Frame::Gone { .. }
                | Frame::Author { .. }
                | Frame::Chunk { .. }
                | Frame::Complete { .. }
        );
        if thin && (half.blocked || half.under_way >= capacity) {
            half.blocked = true;
            return self.after_a_moment_first(index, link, Input::LinkFull { link, refused: vec![frame] });
        }
        half.under_way += 1;
        half.last_arrival = half.last_arrival.max(now + delay);
        let (at, to, to_link) = (half.last_arrival, half.to, half.to_link);
        let run = self.hosts[to].as_ref().map_or(0, |host| host.run);
        self.plan(at, to, run, Some(to_link), Happening::Input(Input::Frame { link: to_link, frame }));
    }

    fn close(&mut self, index: NodeIndex, link: LinkId, bye: Frame) {
        self.send(index, link, bye);
        let Some(half) = self.links.get_mut(&link) else { return };
        half.closing = true;
        let (at, to, to_link) = (half.last_arrival, half.to, half.to_link);
        let end = LinkEnd { clean: true, reason: "closed".into() };
        let run = |world: &Self, i: NodeIndex| world.hosts[i].as_ref().map_or(0, |host| host.run);
        let (there, here) = (run(self, to), run(self, index));
        if self.links.get(&to_link).is_some_and(|back| back.closing) {
            return;
        }
        self.plan(
            at,
            to,
            there,
            Some(to_link),
            Happening::Input(Input::LinkDown { link: to_link, end: end.clone() }),
        );
        self.plan(at, index, here, Some(link), Happening::Input(Input::LinkDown { link, end }));
    }

    /// Refusals reach the topology right after the drain, before anything else.
    fn after_a_moment_first(&mut self, index: NodeIndex, link: LinkId, input: Input) {
        let run = self.hosts[index].as_ref().map_or(0, |host| host.run);
        self.plan(self.now, index, run, Some(link), Happening::Input(input));
    }

    fn after_a_moment(&mut self, index: NodeIndex, link: Option<LinkId>, input: Input) {
        self.later(Duration::from_micros(10), index, link, input);
    }

    fn later(&mut self, delay: Duration, index: NodeIndex, link: Option<LinkId>, input: Input) {
        let run = self.hosts[index].as_ref().map_or(0, |host| host.run);
        self.plan(self.now + delay, index, run, link, Happening::Input(input));
    }

    fn plan(&mut self, at: Duration, index: NodeIndex, run: u64, link: Option<LinkId>, happening: Happening) {
        self.order += 1;
        self.agenda.insert((at, self.order), (index, run, link, happening));
    }

    fn delay(&mut self) -> Duration {
        Duration::from_micros(self.rng.random_range(1_000..50_000))
    }

    fn link_id(&mut self) -> LinkId {
        self.next_link += 1;
        LinkId(self.next_link)
    }
}

/// An input in words, without the bytes of files.
fn told(input: &Input) -> String {
    match input {
        Input::Frame { link, frame: Frame::Chunk { transfer, offset, bytes } } => {
            format!("{link:?} Chunk {transfer} {offset} {}", bytes.len())
        }
        Input::File(FileNews::Read { transfer, offset, bytes }) => {
            format!("Read {transfer} {offset} {}", bytes.len())
        }
        Input::LinkFull { link, refused } if refused.iter().all(Frame::is_of_file) => {
            format!("LinkFull {link:?} {} of files", refused.len())
        }
        input => format!("{input:?}"),
    }
}

fn unreachable_error() -> DialError {
    DialError::Unreachable(Trouble::new("unreachable", "no answer", ""))
}
