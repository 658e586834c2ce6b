//! A life of talking and trouble, then peace, then the reckoning.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha12Rng};
use sayagain::{
    app::{
        Acceptance, Client, ClientConfig, Command, FileRules, Hub, HubConfig, Mesh, MeshConfig, Topology,
        limits::Limits,
    },
    wire::{Addr, Epoch, NodeId, Scheme, SigningKey},
};

use super::{
    disk::Disk,
    oracle::{self, Ear},
    shelf::{self, Shelf},
    world::{NodeIndex, World},
};

/// Who talks to whom.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Star {
        hub_crashes: bool,
    },
    Mesh,
    /// Everybody has a store, and may crash.
    StoredStar,
    StoredMesh,
    /// Everybody has files to send, and may crash.
    FileStar,
    FileMesh,
}

/// How long there is trouble.
const TROUBLE: Duration = Duration::from_secs(40);

/// How long after it everything must have arrived: the longest pause before a redial, with room for a
/// dial that was under way, and a few rounds of digests.
const PEACE: Duration = Duration::from_secs(45);

struct Said {
    text: String,
    author: NodeIndex,
    run: u64,
    at: Duration,
}

pub(crate) struct Scenario {
    shape: Shape,
    nodes: usize,
    world: World,
    said: Vec<Said>,
    ids: BTreeMap<(NodeIndex, u64), NodeId>,
    epoch: u64,
}

impl Scenario {
    pub(crate) fn new(shape: Shape, nodes: usize, seed: u64) -> Self {
        let rng = ChaCha12Rng::seed_from_u64(seed);
        let mut world = World::new(rng, start_of_time(), 0);
        let capacity = if world.rng.random_bool(0.3) { 4 } else { 1_000 };
        world = World::new(world.rng, start_of_time(), capacity);
        (0..nodes).for_each(|_| {
            world.add();
        });
        if matches!(shape, Shape::StoredStar | Shape::StoredMesh) {
            world.disks = (0..nodes).map(|index| (index, Disk::new())).collect();
        }
        if matches!(shape, Shape::FileStar | Shape::FileMesh) {
            world.shelves = (0..nodes).map(|index| (index, Shelf::default())).collect();
        }
        Self { shape, nodes, world, said: Vec::new(), ids: BTreeMap::new(), epoch: 1_000 }
    }

    /// Returns the trace of a run in which every promise was kept.
    pub(crate) fn run(mut self) -> Result<u64, String> {
        (0..self.nodes).for_each(|index| self.boot(index));
        self.pass(Duration::from_secs(2));
        while self.world.now < TROUBLE {
            self.something_happens();
            let pause = Duration::from_micros(self.world.rng.random_range(1_000..400_000));
            self.pass(pause);
        }
        self.world.heal();
        self.world.disks.values_mut().for_each(|disk| disk.is_full = false);
        let dead: Vec<NodeIndex> = (0..self.nodes).filter(|&i| self.world.hosts[i].is_none()).collect();
        dead.into_iter().for_each(|index| self.boot(index));
        self.pass(PEACE);
        let trace = self.world.trace();
        match self.shape {
            Shape::Star { .. } | Shape::Mesh => self.reckon()?,
            Shape::StoredStar => self.reckon_stored(Some(0))?,
            Shape::StoredMesh => self.reckon_stored(None)?,
            Shape::FileStar | Shape::FileMesh => self.reckon_files()?,
        }
        Ok(trace)
    }

    fn something_happens(&mut self) {
        let index = self.world.rng.random_range(0..self.nodes);
        match self.world.rng.random_range(0..100) {
            0..5 if !self.world.shelves.is_empty() => self.send(index),
            0..80 => self.say(index),
            80..83 if !self.world.disks.is_empty() => {
                let is_full = self.world.rng.random_bool(0.3);
                self.world.disks.get_mut(&index).into_iter().for_each(|disk| disk.is_full = is_full);
            }
            80..90 => self.world.cut_one(),
            90..94 => {
                let other = self.world.rng.random_range(0..self.nodes);
                if other != index {
                    self.world.split(index, other);
                }
            }
            94..97 => self.world.heal(),
            _ if self.may_crash(index) && self.world.hosts[index].is_some() => self.world.crash(index),
            _ if self.world.hosts[index].is_none() => self.boot(index),
            _ => {}
        }
    }

    fn may_crash(&self, index: NodeIndex) -> bool {
        match self.shape {
            Shape::Star { hub_crashes } => (index == 0) == hub_crashes,
            Shape::Mesh | Shape::StoredStar | Shape::StoredMesh | Shape::FileStar | Shape::FileMesh => true,
        }
    }

    fn is_hub(&self, index: NodeIndex) -> bool {
        matches!(self.shape, Shape::Star { .. } | Shape::StoredStar | Shape::FileStar) && index == 0
    }

    fn say(&mut self, index: NodeIndex) {
        let Some(run) = self.world.hosts[index].as_ref().filter(|_| !self.is_hub(index)).map(|host| host.run)
        else {
            return;
        };
        let text = format!("line {} of {index}", self.said.len());
        self.said.push(Said { text: text.clone(), author: index, run, at: self.world.now });
        self.world.command(index, Command::Say(text));
    }

    /// Sends a file to somebody or to all who are there.
    fn send(&mut self, index: NodeIndex) {
        let len = [0, 1, 61_440, 61_441, 300_000, 900_000][self.world.rng.random_range(0..6)];
        let path = shelf::path(self.world.rng.random_range(0..1_000), len);
        let other = self.world.rng.random_range(0..self.nodes);
        let to = if other == index || self.is_hub(other) { Vec::new() } else { vec![format!("n{other}")] };
        if !self.is_hub(index) {
            self.world.command(index, Command::Send { path, to });
        }
    }

    fn pass(&mut self, pause: Duration) {
        self.world.run_until(self.world.now + pause);
    }

    fn boot(&mut self, index: NodeIndex) {
        self.epoch += 1;
        let topology = self.topology(index);
        self.world.boot(index, addr(index), topology);
        let run = self.world.hosts[index].as_ref().map_or(0, |host| host.run);
        self.ids.insert((index, run), key(index).node());
    }

    fn topology(&mut self, index: NodeIndex) -> Box<dyn Topology> {
        let (nick, epoch, seed) =
            (format!("n{index}").parse().unwrap(), Epoch(self.epoch), self.world.rng.random());
        let rooms = vec!["lobby".parse().unwrap()];
        let key = key(index);
        match self.shape {
            _ if self.is_hub(index) => {
                let (key, limits) = (key.public(), Limits::default());
                Box::new(Hub::new(HubConfig { key, nick, epoch, limits, history: true }))
            }
            Shape::Star { .. } | Shape::StoredStar | Shape::FileStar => Box::new(Client::new(ClientConfig {
                key: key.public(),
                nick,
                nick_given: true,
                epoch,
                servers: vec![Addr::new(Scheme::Memory, addr(0))],
                rooms,
                reconnect: true,
                linger: Duration::from_secs(60),
                history: 50,
                files: FileRules { accept: Acceptance::All, ..FileRules::default() },
                seed,
            })),
            Shape::Mesh | Shape::StoredMesh | Shape::FileMesh => Box::new(Mesh::new(MeshConfig {
                key: Arc::new(key),
                nick,
                epoch,
                listen: vec![Addr::new(Scheme::Memory, addr(index))],
                // One address is enough: a ring, so that everybody can still be found.
                peers: vec![Addr::new(Scheme::Memory, addr((index + 1) % self.nodes))],
                rooms,
                max_message_bytes: 16_384,
                history: 50,
                files: FileRules { accept: Acceptance::All, ..FileRules::default() },
                linger: Duration::from_secs(60),
                seed,
            })),
        }
    }

    /// Everybody who was there has everything that was said by those who are still there, and of those
    /// who are gone all that anybody has.
    fn reckon(&self) -> Result<(), String> {
        let ears = oracle::listen(&self.world.heard, &self.ids)?;
        let live: Vec<(NodeIndex, u64)> = (0..self.nodes)
            .filter(|&index| !self.is_hub(index))
            .filter_map(|index| self.world.hosts[index].as_ref().map(|host| (index, host.run)))
            .collect();
        let nothing = Ear::default();
        let ear = |who: &(NodeIndex, u64)| ears.get(who).unwrap_or(&nothing);
        if let Some(who) = live.iter().find(|who| !self.world.joined_at.contains_key(who)) {
            return Err(format!("{who:?} never joined"));
        }
        let somewhere: BTreeSet<&String> = live.iter().flat_map(|who| &ear(who).held).collect();
        for said in &self.said {
            let author_lives = live.contains(&(said.author, said.run));
            for who in &live {
                let was_there = self.world.joined_at[who] < said.at;
                let due = author_lives || somewhere.contains(&said.text) && !self.hub_may_forget();
                let own = (said.author, said.run) == *who || said.author == who.0;
                if was_there && due && !own && !ear(who).lines.contains(&said.text) {
                    return Err(format!("{who:?} never heard {:?}, said at {:?}", said.text, said.at));
                }
            }
        }
        // In a mesh a line can be gone with all who held it, while a later member knows that there was one.
        let no_gaps = matches!(self.shape, Shape::Star { hub_crashes: false });
        if no_gaps && live.iter().any(|who| ear(who).gaps > 0) {
            return Err("a gap was shown although the server has everything".into());
        }
        Ok(())
    }

    /// What was called stored is there once, everybody who was a member hears it, and nothing comes twice in one
    /// life or out of order. `hub` is whose disk counts, in a mesh the author's.
    fn reckon_stored(mut self, hub: Option<NodeIndex>) -> Result<(), String> {
        let ears = oracle::listen(&self.world.heard, &self.ids)?;
        let mut texts: BTreeMap<NodeIndex, Vec<String>> = BTreeMap::new();
        for (&index, disk) in &mut self.world.disks {
            let there = disk.texts();
            let distinct: BTreeSet<&String> = there.iter().collect();
            if distinct.len() < there.len() {
                return Err(format!("the disk of {index} has something twice: {there:?}"));
            }
            texts.insert(index, there);
        }
        let stored = oracle::stored(&self.world.heard, &self.said_in_runs());
        for (author, text) in &stored {
            if !texts[&hub.unwrap_or(*author)].contains(text) {
                return Err(format!("{text:?} was called stored and is not there"));
            }
        }
        self.reckon_members(hub, &ears, &texts)
    }

    /// Whoever has anything of the room on disk is a member, whichever run it is in.
    fn reckon_members(
        &self,
        hub: Option<NodeIndex>,
        ears: &BTreeMap<(NodeIndex, u64), Ear>,
        texts: &BTreeMap<NodeIndex, Vec<String>>,
    ) -> Result<(), String> {
        for index in (0..self.nodes).filter(|index| Some(*index) != hub) {
            let lives = ears.iter().filter(|((of, _), _)| *of == index);
            let heard: BTreeSet<&String> = lives.flat_map(|(_, ear)| &ear.lines).collect();
            let Some(&new_at) = self.world.new_at.get(&index) else { continue };
            let joined = self.world.joined_at.iter().filter(|((of, _), at)| *of == index && **at >= new_at);
            let Some(&first) = joined.map(|(_, at)| at).min() else {
                return Err(format!("{index} never joined"));
            };
            for said in self.said.iter().filter(|said| said.author != index && said.at > first) {
                let is_there = |on: &NodeIndex| texts[on].contains(&said.text);
                let is_due = hub.map_or_else(|| is_there(&said.author), |hub| is_there(&hub));
                if is_due && !heard.contains(&said.text) {
                    return Err(format!("{index} never heard {:?}, said at {:?}", said.text, said.at));
                }
            }
        }
        Ok(())
    }

    /// Everybody for whom a file was remembered has it once, and nobody sends any more.
    fn reckon_files(self) -> Result<(), String> {
        for (index, shelf) in &self.world.shelves {
            if !shelf.sends_nothing() {
                return Err(format!("{index} still sends"));
            }
            for (transfer, receivers) in &shelf.promised {
                for receiver in receivers {
                    let to = (0..self.nodes).find(|&index| key(index).node() == *receiver).unwrap();
                    let saved = &self.world.shelves[&to].saved;
                    let times = saved.iter().filter(|saved| *saved == transfer).count();
                    if times != 1 {
                        return Err(format!("{to} has {transfer} of {index} {times} times"));
                    }
                }
            }
        }
        Ok(())
    }

    /// What each run said, in order.
    fn said_in_runs(&self) -> BTreeMap<(NodeIndex, u64), Vec<String>> {
        let mut runs: BTreeMap<(NodeIndex, u64), Vec<String>> = BTreeMap::new();
        for said in &self.said {
            runs.entry((said.author, said.run)).or_default().push(said.text.clone());
        }
        runs
    }

    /// A server that crashed has forgotten those who left since.
    fn hub_may_forget(&self) -> bool {
        matches!(self.shape, Shape::Star { hub_crashes: true })
    }
}

fn key(index: NodeIndex) -> SigningKey {
    SigningKey::from_seed([u8::try_from(index + 1).unwrap(); 32]).unwrap()
}

fn addr(index: NodeIndex) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1_000 + u16::try_from(index).unwrap()))
}

/// Only differences count.
#[expect(clippy::disallowed_methods, reason = "a starting point for virtual time")]
fn start_of_time() -> Instant {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}
