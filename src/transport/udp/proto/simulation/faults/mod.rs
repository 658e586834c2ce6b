//! What a connection makes of lost packets, dead paths, wrong clocks and abrupt ends.

mod blackouts;
mod brakes;
mod clock;
mod drops;
mod endings;
mod key_update;
mod paths;

use std::time::{Duration, Instant};

use super::{Message, Timers, World};
use crate::transport::{
    Class, Lane,
    impair::{Line, Profile},
    udp::proto::{Config, ConnectionKey, End, Event},
};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn world(profile: &str, seed: u64) -> World {
    World::new(&Profile::parse(profile).unwrap(), seed)
}

/// A line of chat that tells where it belongs.
fn line(lane: u32, number: u32) -> Vec<u8> {
    let mut line = [lane.to_be_bytes(), number.to_be_bytes()].concat();
    line.resize(200, 7);
    line
}

/// Where a line belongs: its lane and its number there.
fn read(line: &[u8]) -> (u32, u32) {
    let word = |at: usize| u32::from_be_bytes(line[at..at + 4].try_into().unwrap());
    (word(0), word(4))
}

impl World {
    /// Says line `number` of `lane`.
    fn say(&mut self, host: usize, key: ConnectionKey, lane: u32, number: u32) {
        self.send(host, key, Lane::thin(lane), line(lane, number));
    }

    /// Asserts that `host` got lines 0 to `count` of `lane`, each once and in order.
    #[track_caller]
    fn assert_heard(&self, host: usize, lane: u32, count: u32) {
        assert_eq!(self.heard(host, lane), (0..count).collect::<Vec<_>>(), "lane {lane} at host {host}");
    }

    /// The numbers of the lines of `lane` that `host` got.
    fn heard(&self, host: usize, lane: u32) -> Vec<u32> {
        self.lines(host).filter(|(_, at)| at.0 == lane).map(|(_, at)| at.1).collect()
    }

    fn lines(&self, host: usize) -> impl Iterator<Item = (&Message, (u32, u32))> {
        let thin = self.hosts[host].inbox.iter().filter(|message| message.class == Class::Thin);
        thin.map(|message| (message, read(&message.bytes)))
    }

    /// How a connection ended at `host`, if it did.
    fn end(&self, host: usize) -> Option<&End> {
        self.hosts[host].events.iter().find_map(|(_, event)| match event {
            Event::Closed(end) => Some(end),
            _ => None,
        })
    }

    /// Loses everything that the hosts in `of` send, until `until`.
    fn black_out(&mut self, of: &'static [usize], until: Instant) {
        self.tamper = Some(Box::new(move |host, now, _| now >= until || !of.contains(&host)));
    }

    /// Gives both ways another length; what is on its way goes by the new one.
    fn reroute(&mut self, profile: &Profile, seed: u64) {
        let (now, start) = (self.now, self.start);
        for (host, way) in self.hosts.iter_mut().zip([profile.forth(), profile.back()]) {
            let mut left = std::mem::replace(&mut host.line, Line::new(&way, seed, start));
            while let Some((tag, datagram)) = left.poll(now + seconds(3600)) {
                host.line.send(now, &datagram, tag);
            }
        }
    }
}
