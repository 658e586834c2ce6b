//! What somebody can do who has the keys of a connection and keeps no rule, and somebody who has none.

mod acks;
mod credit;
mod memory;
mod numbers;
mod packets;
mod peer;

use std::time::Duration;

use self::peer::Peer;
use super::World;
use crate::transport::{
    Lane,
    impair::Profile,
    udp::proto::{Config, End, Event, connection::Footprint, endpoint::ConnectionKey},
};

/// Host 1 with two connections from host 0: one is in the hands of an attacker, the other is honest.
struct Siege {
    world: World,
    peer: Peer,
    /// Host 1's end of the attacker's connection.
    victim: ConnectionKey,
    /// Both ends of the honest one.
    bystanders: [ConnectionKey; 2],
}

impl Siege {
    /// 10 ms each way.
    fn begin() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let profile = Profile::parse(r#"{"delay_ms": 10}"#).unwrap();
        let mut world = World::with(&profile, 1, [config.clone(), config]);
        let bystanders = world.connected();
        let [taken, victim] = world.connected();
        let peer = Peer::take_over(&mut world, 0, taken);
        Self { world, peer, victim, bystanders }
    }

    fn say(&mut self, frames: &[u8]) {
        self.peer.say(&mut self.world, frames);
    }

    /// What the attacked connection keeps; nothing once it is over.
    fn footprint(&self) -> Footprint {
        let victim = self.world.hosts[1].connections.get(&self.victim);
        victim.map(|victim| victim.footprint()).unwrap_or_default()
    }

    /// How the attacked connection ended, if it did.
    fn end(&self) -> Option<End> {
        self.world.hosts[1].events.iter().find_map(|(key, event)| match event {
            Event::Closed(end) if *key == self.victim => Some(end.clone()),
            _ => None,
        })
    }

    /// Which rule the attacker broke, by the attacked one's account.
    fn violation(&self) -> Option<&'static str> {
        match self.end() {
            Some(End::Violation(why)) => Some(why),
            _ => None,
        }
    }

    /// Messages that the attacked connection handed out.
    fn taken(&self) -> Vec<&[u8]> {
        let inbox = self.world.hosts[1].inbox.iter();
        inbox.filter(|message| message.key == self.victim).map(|message| &message.bytes[..]).collect()
    }

    /// The others must not notice: a line of the honest connection takes one way and no longer.
    fn spares_the_others(&mut self) {
        let [here, there] = self.bystanders;
        let before = self.world.now;
        self.world.send(0, here, Lane::thin(1), "still here?");
        let arrived = |world: &World| {
            world.hosts[1].inbox.iter().any(|message| message.key == there && message.at >= before)
        };
        assert!(self.world.run_until(Duration::from_millis(11), arrived), "the others suffer");
    }
}

/// What becomes of a fresh connection that gets these frames in a packet that opens.
fn fate(frames: &[u8]) -> Option<&'static str> {
    let mut siege = Siege::begin();
    siege.say(frames);
    siege.spares_the_others();
    siege.violation()
}
