//! A script for two hosts: each byte a step, the bytes behind it what the step needs.

use std::time::{Duration, Instant};

use super::{
    super::{Space, config::Config, endpoint::Retry, received::Mark},
    scene::{Datagram, Scene},
    script::Script,
};
use crate::transport::{Class, Lane};

/// How long everything that was accepted may take on a perfect network, after whatever happened: longer
/// than a connection that hears nothing lives.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long it takes at most until a connection that was closed is forgotten.
const FAREWELL: Duration = Duration::from_secs(600);

/// One way of the perfect network.
const DELAY: Duration = Duration::from_millis(5);

/// Things that may happen in either of these; more is an endless loop.
const MAX_EVENTS: usize = 50_000;

/// Two hosts act a script: what they send is delivered, lost, doubled, held back, altered; strangers and
/// liars speak up; time passes or leaps. Then the network heals. Messages are handed out at most once,
/// unaltered and in order, and all of them where the connection stands; nobody is flooded; everything
/// comes to an end, and is forgotten. `now` is some beginning.
pub fn connection(data: &[u8], now: Instant) {
    act(data, Config::default(), now);
}

pub(super) fn act(data: &[u8], config: Config, now: Instant) {
    let mut script = Script::new(data);
    // Far from the beginning of time, so that the clock has a way back.
    let mut scene = Scene::new(config, now + Duration::from_secs(1 << 24));
    scene.connect();
    while let Some(step) = script.step() {
        play(&mut scene, step, &mut script);
    }
    scene.heal();
    let delivered = scene.run(PATIENCE, DELAY, MAX_EVENTS, Scene::is_all_delivered);
    assert!(delivered, "a connection stands, but not everything arrives: {:?}", scene.standing());
    end(&mut scene);
}

/// Everybody closes, and nothing is left of it.
fn end(scene: &mut Scene) {
    for host in 0..2 {
        for nth in 0..u8::MAX {
            if usize::from(nth) >= scene.hosts[host].connections.len() {
                break;
            }
            scene.with(host, nth, |connection, now| connection.close(0, "", now));
        }
    }
    let ended = scene.run(FAREWELL, DELAY, MAX_EVENTS, Scene::is_empty);
    assert!(ended, "a connection never ends: {:?}", scene.standing());
    for host in &scene.hosts {
        assert_eq!(host.endpoint.remembered(), 0, "what is over is forgotten");
    }
}

fn play(scene: &mut Scene, step: u8, script: &mut Script<'_>) {
    match step % 32 {
        0..=3 => deliver(scene, script, |_, _| true),
        4 => deliver(scene, script, |_, _| false),
        5 => tamper(scene, script),
        6 => spoof(scene, script),
        7 => inject(scene, script),
        8 => splice(scene, script),
        9 | 10 => forge(scene, script),
        11..=14 => send(scene, script),
        15 => wait(scene, script),
        16 => sleep(scene, script),
        17 | 18 => {
            let events = usize::from(script.byte() % 64) + 1;
            scene.run(PATIENCE, DELAY, events, |_| false);
        }
        19 => duplicate(scene, script),
        20 => close(scene, script),
        21 => finish(scene, script),
        22 => consumed(scene, script),
        23 => {
            let host = script.side();
            scene.hosts[host].reads = !scene.hosts[host].reads;
            scene.tick();
        }
        24 => scene.connect(),
        25 => {
            let host = script.side();
            let port = 4224 + u16::from(script.byte() % 4);
            scene.hosts[host].addr.set_port(port);
        }
        26 => {
            let host = script.side();
            scene.forget(host, script.byte());
        }
        27 => {
            let back = script.time();
            scene.turn_back(back.min(Duration::from_secs(3600)));
        }
        28 => scene.hosts[1].endpoint.set_retry(if script.side() == 0 {
            Retry::Always
        } else {
            Retry::UnderLoad
        }),
        29 => merge(scene, script),
        30 => mark(scene, script),
        _ => lose_all(scene, script),
    }
}

/// Takes a datagram out of the air: mostly the oldest of a host.
fn pick(scene: &mut Scene, script: &mut Script<'_>) -> Option<Datagram> {
    let byte = script.byte();
    let flying = &mut scene.hosts[usize::from(byte & 1)].flying;
    flying.remove(usize::from(byte >> 1).checked_rem(flying.len())?)
}

fn deliver(scene: &mut Scene, script: &mut Script<'_>, passes: impl Fn(&Scene, &Datagram) -> bool) {
    if let Some(datagram) = pick(scene, script).filter(|datagram| passes(scene, datagram)) {
        scene.arrive(datagram);
    }
}

fn duplicate(scene: &mut Scene, script: &mut Script<'_>) {
    let Some(datagram) = pick(scene, script) else { return };
    for _ in 0..=script.byte() % 4 {
        scene.arrive(datagram.clone());
    }
}

/// Changes a byte, cuts the end off, or appends.
fn tamper(scene: &mut Scene, script: &mut Script<'_>) {
    let Some(mut datagram) = pick(scene, script) else { return };
    let at = usize::from(script.word()).checked_rem(datagram.bytes.len()).unwrap_or(0);
    match script.byte() {
        0 => datagram.bytes.truncate(at),
        1 => datagram.bytes.extend_from_slice(script.bytes()),
        change => {
            if let Some(byte) = datagram.bytes.get_mut(at) {
                *byte ^= change;
            }
        }
    }
    scene.arrive(datagram);
}

/// The beginning of a datagram with another end.
fn splice(scene: &mut Scene, script: &mut Script<'_>) {
    let Some(mut datagram) = pick(scene, script) else { return };
    datagram.bytes.truncate(usize::from(script.byte()));
    datagram.bytes.extend_from_slice(script.bytes());
    if script.side() == 1 {
        datagram.bytes.resize(datagram.bytes.len().max(1200), 0);
    }
    scene.arrive(datagram);
}

/// Two datagrams in one.
fn merge(scene: &mut Scene, script: &mut Script<'_>) {
    let (Some(mut first), Some(second)) = (pick(scene, script), pick(scene, script)) else { return };
    first.bytes.extend_from_slice(&second.bytes);
    scene.arrive(first);
}

/// A datagram comes from where nobody is.
fn spoof(scene: &mut Scene, script: &mut Script<'_>) {
    let Some(mut datagram) = pick(scene, script) else { return };
    let byte = script.byte();
    datagram.from = ([10, 9, 9, byte & 3], 4224).into();
    if byte & 4 != 0 {
        let original = Datagram { from: scene.hosts[0].addr, ..datagram.clone() };
        scene.arrive(datagram);
        scene.arrive(original);
    } else {
        scene.arrive(datagram);
    }
}

/// Any bytes, from one of the hosts or from elsewhere.
fn inject(scene: &mut Scene, script: &mut Script<'_>) {
    let byte = script.byte();
    let host = usize::from(byte & 1);
    let from = match byte & 2 {
        0 => scene.hosts[1 - host].addr,
        _ => ([10, 9, 9, 9], 4224).into(),
    };
    let mut bytes = script.bytes().to_vec();
    if byte & 4 != 0 {
        bytes.resize(bytes.len().max(1200), 0);
    }
    let to = scene.hosts[host].addr;
    scene.arrive(Datagram { from, to, ecn: None, bytes });
}

/// Any frames under the right keys, perhaps from elsewhere.
fn forge(scene: &mut Scene, script: &mut Script<'_>) {
    let byte = script.byte();
    let space = match byte >> 1 & 7 {
        0 => Space::Initial,
        1 => Space::Handshake,
        _ => Space::Data,
    };
    let host = usize::from(byte & 1);
    let from = match byte >> 1 & 7 {
        7 => ([10, 9, 9, 8], 4224).into(),
        _ => scene.hosts[host].addr,
    };
    let frames = script.bytes();
    scene.forge(host, byte >> 4, from, space, frames);
}

fn send(scene: &mut Scene, script: &mut Script<'_>) {
    let (byte, lane) = (script.byte(), script.byte());
    let class = match byte >> 1 & 3 {
        0 => Class::Control,
        1 | 2 => Class::Thin,
        _ => Class::Bulk,
    };
    let len = script.message_len();
    scene.send(usize::from(byte & 1), byte >> 3, Lane { class, id: u32::from(lane) }, len);
}

/// Time passes, and everybody notices.
fn wait(scene: &mut Scene, script: &mut Script<'_>) {
    let time = script.time();
    scene.run(time, time, 1_000, |scene| scene.hosts.iter().any(|host| !host.flying.is_empty()));
}

/// Time has passed, and nobody noticed.
fn sleep(scene: &mut Scene, script: &mut Script<'_>) {
    scene.now += script.time();
    scene.tick();
}

fn close(scene: &mut Scene, script: &mut Script<'_>) {
    let byte = script.byte();
    scene.with(usize::from(byte & 1), byte >> 1, |connection, now| connection.close(byte, "closed", now));
}

fn finish(scene: &mut Scene, script: &mut Script<'_>) {
    let byte = script.byte();
    scene.with(usize::from(byte & 1), byte >> 1, |connection, now| connection.finish(byte, "finished", now));
}

fn consumed(scene: &mut Scene, script: &mut Script<'_>) {
    let (byte, messages) = (script.byte(), script.byte());
    scene.with(usize::from(byte & 1), byte >> 2, |connection, now| {
        connection.consumed(u64::from(messages), byte & 2 != 0, now);
    });
}

/// A router on the way is congested, or confused.
fn mark(scene: &mut Scene, script: &mut Script<'_>) {
    let Some(mut datagram) = pick(scene, script) else { return };
    datagram.ecn = match script.byte() & 3 {
        0 => None,
        1 => Some(Mark::Ect0),
        2 => Some(Mark::Ect1),
        _ => Some(Mark::Ce),
    };
    scene.arrive(datagram);
}

fn lose_all(scene: &mut Scene, script: &mut Script<'_>) {
    let host = script.side();
    scene.hosts[host].flying.clear();
}
