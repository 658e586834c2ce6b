//! Plays a scenario: both applications say what their scripts say, and end in order.

use std::time::{Duration, Instant};

use super::{
    World,
    application::Application,
    oracle::Patience,
    scenario::{Said, Scenario},
};
use crate::transport::{
    Class,
    impair::{Line, Profile},
    udp::proto::{Config, config::Mutant, endpoint::ConnectionKey},
};

/// How often host 0 calls until somebody answers.
const DIALS: u32 = 12;

/// After this long a call that was not answered is over on both sides.
const RINGING: Duration = Duration::from_secs(25);

/// What follows each other when all is heard: that all is said, that all is consumed, the close.
const PARTING_STEPS: u32 = 3;

/// No conversation of a script takes longer.
const LONGEST: Duration = Duration::from_secs(3600);

/// How long a closed connection may take to be gone: the other side may not have heard, and find out by
/// its idle timeout.
const GONE_AFTER: Duration = Duration::from_secs(120);

/// What a run has to tell beside that it went well.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Report {
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) datagrams: u64,
    /// The longest wait for anything, as a share of what was allowed.
    pub(super) worst_wait: f64,
}

pub(super) struct Run<'a> {
    scenario: &'a Scenario,
    world: World,
    /// When both sides were connected.
    start: Instant,
    healed: bool,
    /// Since when there is nothing left but to say so.
    parts_since: Option<Instant>,
    rebinds: u32,
    sides: [Application; 2],
    report: Report,
}

/// Plays the scenario with a fault planted, if any.
pub(super) fn play(scenario: &Scenario, mutant: Option<Mutant>) -> Result<Report, String> {
    let mut run = Run::begin(scenario, mutant)?;
    while !run.is_done() {
        run.step()?;
    }
    run.part()?;
    Ok(run.report)
}

impl<'a> Run<'a> {
    fn begin(scenario: &'a Scenario, mutant: Option<Mutant>) -> Result<Self, String> {
        let profile = Profile::parse(&scenario.profile()).map_err(|why| why.to_string())?;
        let config = Config { mutant, ..Config::default() };
        let mut world = World::with(&profile, scenario.seed, [config.clone(), config]);
        world.hosts[0].forgets_ports = scenario.forgets_ports;
        let keys = connect(&mut world)?;
        let start = world.now;
        let [here, there] = keys;
        let sides = [(0, here), (1, there)].map(|(index, key)| Application::new(scenario, index, key, start));
        Ok(Self {
            scenario,
            world,
            start,
            healed: false,
            parts_since: None,
            rebinds: 0,
            sides,
            report: Report::default(),
        })
    }

    fn is_done(&self) -> bool {
        self.sides.iter().all(|side| side.end.is_some())
    }

    fn step(&mut self) -> Result<(), String> {
        let next = self.world.next().into_iter().chain(self.next_action()).min();
        let next = next.ok_or("nothing will ever happen again")?;
        self.world.advance_to(next.max(self.world.now));
        if self.world.now > self.start + LONGEST {
            return Err(format!("not over after {LONGEST:?}"));
        }
        self.note_rebinding();
        if !self.healed && self.scenario.heals_at.is_some_and(|at| self.start + at <= self.world.now) {
            self.heal();
        }
        for index in 0..2 {
            self.listen(index);
            self.say(index)?;
            self.part_in_order(index);
        }
        self.world.settle();
        for index in 0..2 {
            self.hear(index)?;
        }
        let all_said = self.sides.iter().all(|side| side.finished && side.flow.is_still());
        if all_said && self.world.hosts.iter().all(|host| host.reads) {
            self.parts_since.get_or_insert(self.world.now);
        }
        self.check_wait(0)?;
        self.check_wait(1)
    }

    /// When an application does something, or the network heals.
    fn next_action(&self) -> Option<Instant> {
        let since = self.world.now - self.start;
        let lines = self.sides.iter().filter_map(|side| side.script.lines.front()).map(|line| line.at);
        let pauses = self.sides.iter().flat_map(|side| &side.script.pauses);
        let pauses = pauses.flat_map(|(from, to)| [*from, *to]);
        let heals = self.scenario.heals_at.filter(|_| !self.healed);
        // What is due and waits for room is tried again whenever anything happens.
        let coming = lines.chain(pauses).chain(heals).filter(|at| *at > since);
        coming.min().map(|at| self.start + at)
    }

    /// From now on the network only takes its time. What was under way is the last that is lost.
    fn heal(&mut self) {
        self.healed = true;
        self.parts_since = None;
        let profile = Profile::parse(&self.scenario.healed()).unwrap();
        let now = self.world.now;
        for (host, way) in self.world.hosts.iter_mut().zip([profile.forth(), profile.back()]) {
            host.line = Line::new(&way, self.scenario.seed, now);
        }
        self.sides.iter_mut().for_each(|side| side.wait_from(now));
    }

    /// Where a translator forgets ports, a new one is a fault as good as any.
    fn note_rebinding(&mut self) {
        let now = self.world.now;
        let rebinds = self.world.hosts[0].line.rebinds(now);
        if self.scenario.forgets_ports && std::mem::replace(&mut self.rebinds, rebinds) != rebinds {
            self.sides.iter_mut().for_each(|side| side.wait_from(now));
            self.parts_since = self.parts_since.map(|_| now);
        }
    }

    /// Whether the application takes messages now.
    fn listen(&mut self, index: usize) {
        let since = self.world.now - self.start;
        let pauses = &self.sides[index].script.pauses;
        let reads = !pauses.iter().any(|(from, to)| *from <= since && since < *to);
        if reads && !self.world.hosts[index].reads {
            self.sides[1 - index].wait_from(self.world.now);
        }
        self.world.hosts[index].reads = reads;
    }

    fn say(&mut self, index: usize) -> Result<(), String> {
        let (now, since) = (self.world.now, self.world.now - self.start);
        let side = &mut self.sides[index];
        let mut full: Vec<Class> = Vec::new();
        let mut at = 0;
        while let Some(Said { lane, len, .. }) =
            side.script.lines.get(at).filter(|line| line.at <= since).cloned()
        {
            let Some(connection) = self.world.hosts[index].connections.get_mut(&side.key) else { break };
            if full.contains(&lane.class) || !connection.has_room(lane.class, len) {
                full.push(lane.class);
                at += 1;
                continue;
            }
            let was_still = side.flow.is_still();
            let message = side.flow.say(lane, len);
            if was_still || self.healed {
                side.wait_from(now);
            }
            self.report.messages += 1;
            self.report.bytes += len as u64;
            connection.send(lane, message, now).map_err(|why| format!("host {index} sends: {why}"))?;
            side.script.lines.remove(at);
        }
        Ok(())
    }

    /// Says that all is said, confirms what was taken, and closes when the other side did the same.
    fn part_in_order(&mut self, index: usize) {
        let now = self.world.now;
        let taken = self.sides[1 - index].flow.heard;
        let side = &mut self.sides[index];
        let Some(connection) = self.world.hosts[index].connections.get_mut(&side.key) else { return };
        if side.script.lines.is_empty() && !side.finished {
            side.finished = true;
            connection.finish(index as u8, "all said", now);
        }
        if side.heard_finish {
            connection.consumed(taken, true, now);
        } else if taken >= side.confirmed + side.script.confirms_every {
            side.confirmed = taken;
            connection.consumed(taken, false, now);
        }
        let over = side.finished && side.heard_finish && side.heard_last;
        if over && !side.closed && side.end.is_none() && connection.is_settled() {
            side.closed = true;
            connection.close(7, "bye", now);
        }
    }

    /// Checks what arrived and what was told.
    fn hear(&mut self, index: usize) -> Result<(), String> {
        let (now, healed) = (self.world.now, self.healed);
        let host = &mut self.world.hosts[index];
        let (inbox, events) = (std::mem::take(&mut host.inbox), std::mem::take(&mut host.events));
        let key = self.sides[index].key;
        for message in inbox {
            let from = &mut self.sides[1 - index];
            if message.key != key {
                return Err("a message of another connection".to_owned());
            }
            from.flow.hear(message.class, &message.bytes)?;
            if !healed {
                from.wait_from(now);
            }
        }
        let silently = !healed || self.scenario.forgets_ports;
        let [first, second] = &mut self.sides;
        let (here, there) = if index == 0 { (first, second) } else { (second, first) };
        for (_, event) in events.into_iter().filter(|(of, _)| *of == key) {
            if !here.take_event(&event, there, silently) {
                return Err(format!("host {index} is told {event:?}"));
            }
        }
        Ok(())
    }

    /// Whether what was said has taken too long.
    fn check_wait(&mut self, index: usize) -> Result<(), String> {
        let patience = Patience { scenario: self.scenario, healed: self.healed };
        let [here, there] = [&self.sides[index], &self.sides[1 - index]];
        let dark_until = if self.healed { self.start } else { self.world.start + self.scenario.dark_until() };
        let parts = self.parts_since.filter(|_| here.end.is_none());
        let (since, allowed) = match parts {
            Some(since) => (since, patience.for_bytes(index, 0) * PARTING_STEPS),
            None if here.flow.is_still() || !self.world.hosts[1 - index].reads => return Ok(()),
            None => (here.waits_since, patience.for_bytes(index, here.waits_for)),
        };
        let waited = self.world.now.saturating_duration_since(since.max(dark_until));
        let share = waited.as_secs_f64() / allowed.as_secs_f64();
        self.report.worst_wait = self.report.worst_wait.max(share);
        if share <= 1.0 {
            return Ok(());
        }
        let (said, heard, bytes) = (here.flow.said, here.flow.heard, here.flow.underway);
        let ends = [&here.end, &there.end];
        Err(format!(
            "stalled: host {index} said {said} messages, {heard} are heard, {bytes} bytes missing since \
             {waited:?}, allowed {allowed:?}; ends {ends:?}, stats {:?}",
            self.world.hosts[index].connections.get(&here.key).map(|connection| connection.stats())
        ))
    }

    /// Checks that nothing is left in the end.
    fn part(&mut self) -> Result<(), String> {
        let gone = |world: &World| world.hosts.iter().all(|host| host.connections.is_empty());
        if !self.world.run_until(GONE_AFTER, gone) {
            return Err("a closed connection is still there".to_owned());
        }
        for index in 0..2 {
            self.hear(index)?;
        }
        self.report.datagrams = self.world.hosts.iter().map(|host| host.sent.0).sum();
        match self.sides.iter().all(|side| side.flow.is_still() && side.heard_finish && side.heard_last) {
            true => Ok(()),
            false => Err("lost: a connection ended and not all was heard".to_owned()),
        }
    }
}

/// Calls until both sides are connected to each other.
fn connect(world: &mut World) -> Result<[ConnectionKey; 2], String> {
    for _ in 0..DIALS {
        let key = world.connect();
        let established = |world: &World| {
            let here = world.hosts[0].connections.get(&key)?;
            let mut there = world.hosts[1].connections.iter().filter(|(_, there)| there.is_established());
            here.is_established().then_some(there.next().map(|(key, _)| *key)?)
        };
        world.run_until(RINGING, |world| {
            established(world).is_some() || !world.hosts[0].connections.contains_key(&key)
        });
        if let Some(there) = established(world) {
            world.hosts.iter_mut().for_each(|host| host.events.clear());
            return Ok([key, there]);
        }
        world.run(RINGING);
    }
    Err(format!("no connection in {DIALS} calls"))
}
