//! Clients that speak, and count what they are told is stored.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use sayagain::{
    transport::{Lane, Link, LinkRx, LinkTx},
    wire::{AckLevel, Frame, Kind, Record, RoomId, Seq},
};
use tokio::{runtime::Runtime, task::JoinSet, time::Instant};

use super::member::{join, receive, send};

const LINE_BYTES: usize = 100;

pub(crate) struct Crowd {
    runtime: Runtime,
    speakers: Vec<Speaker>,
}

struct Speaker {
    tx: Box<dyn LinkTx>,
    rx: Box<dyn LinkRx>,
    /// What it says next.
    line: Record,
    stored: Seq,
}

impl Crowd {
    /// So many in each room.
    pub(crate) fn around(server: SocketAddr, senders: usize, share: usize) -> Self {
        rlimit::increase_nofile_limit(u64::MAX).expect("the hard limit is allowed");
        let runtime = Runtime::new().expect("a runtime");
        let join = |number| runtime.block_on(Speaker::join(server, number, number / share));
        let speakers = (0..senders).map(join).collect();
        Self { runtime, speakers }
    }

    /// All talk for that long, each with so many lines under way; how many were stored, and how long it took.
    pub(crate) fn talk(&mut self, spell: Duration, window: u64) -> (u64, Duration) {
        let start = Instant::now();
        let said = |speakers: &[Speaker]| speakers.iter().map(|speaker| speaker.line.seq.0).sum::<u64>();
        let before = said(&self.speakers);
        self.each(move |speaker| speaker.stored.0 + window, start + spell);
        (said(&self.speakers) - before, start.elapsed())
    }

    /// Each says a line; how long until all are stored.
    pub(crate) fn say(&mut self) -> Duration {
        let start = Instant::now();
        self.each(|_| 0, start);
        start.elapsed()
    }

    fn each(&mut self, upto: impl Fn(&Speaker) -> u64 + Copy + Send + 'static, end: Instant) {
        let speakers = std::mem::take(&mut self.speakers);
        self.speakers = self.runtime.block_on(async {
            let mut talks = JoinSet::new();
            for mut speaker in speakers {
                talks.spawn(async move {
                    speaker.talk(upto, end).await;
                    speaker
                });
            }
            talks.join_all().await
        });
    }
}

impl Speaker {
    async fn join(server: SocketAddr, number: usize, room: usize) -> Self {
        let room = RoomId::Public(format!("r{room}").parse().expect("a name"));
        let (key, epoch, Link { tx, rx, .. }) = join(server, number, &room, false).await;
        let line = Record {
            room,
            author: key.node(),
            epoch,
            seq: Seq(0),
            lamport: 1,
            sent_at_ms: 1_763_680_000_000,
            kind: Kind::TEXT,
            body: Bytes::from(vec![b'x'; LINE_BYTES]),
            signature: None,
        };
        Self { tx, rx, line, stored: Seq(0) }
    }

    /// Says a line, then more until the end, as far as `upto`; returns when all are stored.
    async fn talk(&mut self, upto: impl Fn(&Self) -> u64, end: Instant) {
        self.say().await;
        while self.stored < self.line.seq {
            while self.line.seq.0 < upto(self) && Instant::now() < end {
                self.say().await;
            }
            if let Frame::Ack { next, level: AckLevel::Stored, .. } = receive(&mut *self.rx).await {
                self.stored = next;
            }
        }
    }

    async fn say(&mut self) {
        send(&*self.tx, Lane::thin(1), &Frame::Record(self.line.clone())).await;
        self.line.seq = self.line.seq.next();
        self.line.lamport += 1;
    }
}
