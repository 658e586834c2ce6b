//! A program as a student writes it from the text of the assignment, part 2: all packets of a message in a
//! list, a window over the list, one timer. Shares nothing with ours but the checksum.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;

pub(super) struct Course {
    /// Messages to say, the current one first.
    queue: Vec<Vec<String>>,
    acked: usize,
    sent: usize,
    retries: u32,
    timer: Option<Instant>,
    next_start: u64,
    incoming: Option<(u64, BTreeMap<u64, String>)>,
    pub(super) delivered: usize,
    pub(super) failed: usize,
    pub(super) heard: Vec<String>,
    pub(super) out: Vec<Bytes>,
}

fn packet(kind: &str, seq: u64, data: &str) -> String {
    let covered = format!("{kind}|{seq}|{data}|");
    format!("{covered}{}", crc32fast::hash(covered.as_bytes()))
}

impl Course {
    pub(super) fn new(first: u64) -> Self {
        Self {
            queue: Vec::new(),
            acked: 0,
            sent: 0,
            retries: 0,
            timer: None,
            next_start: first,
            incoming: None,
            delivered: 0,
            failed: 0,
            heard: Vec::new(),
            out: Vec::new(),
        }
    }

    pub(super) fn say(&mut self, verb: &str, rest: &str) {
        let message = format!("{verb} {} {rest}", rest.len());
        let chunks = message.as_bytes().chunks(1400).map(|chunk| String::from_utf8_lossy(chunk).into_owned());
        let first = self.next_start;
        self.next_start += 1_000_003;
        let mut packets = vec![packet("start", first, "")];
        packets.extend((1..).zip(chunks).map(|(n, chunk)| packet("data", first + n, &chunk)));
        packets.push(packet("end", first + packets.len() as u64, ""));
        self.queue.push(packets);
    }

    pub(super) fn is_done(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn tick(&mut self, now: Instant) {
        if self.timer.is_some_and(|at| at <= now) {
            self.retries += 1;
            self.sent = self.acked;
            self.timer = None;
            if self.retries > 3 {
                self.failed += 1;
                self.next_message();
            }
        }
        let Some(packets) = self.queue.first() else { return };
        let last = packets.len() - 1;
        let end = if self.acked == 0 { 1 } else { (self.acked + 3).min(last).max(self.acked + 1) };
        while self.sent < end {
            self.out.push(Bytes::from(packets[self.sent].clone()));
            self.sent += 1;
        }
        // Something is in flight, and it may be what was there before the window moved.
        self.timer.get_or_insert(now + Duration::from_millis(500));
    }

    fn next_message(&mut self) {
        self.queue.remove(0);
        (self.acked, self.sent, self.retries, self.timer) = (0, 0, 0, None);
    }

    pub(super) fn hear(&mut self, bytes: &Bytes) {
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        let Some((covered, sum)) = text.rsplit_once('|') else { return };
        if sum != crc32fast::hash(format!("{covered}|").as_bytes()).to_string() {
            return;
        }
        let fields: Vec<&str> = covered.splitn(3, '|').collect();
        let seq: u64 = fields[1].parse().unwrap();
        match fields[0] {
            "ack" => self.hear_ack(seq),
            "start" if self.incoming.as_ref().is_none_or(|(_, got)| !got.contains_key(&seq)) => {
                self.incoming = Some((seq + 1, BTreeMap::from([(seq, String::new())])));
            }
            kind => {
                let Some((next, got)) = &mut self.incoming else { return };
                if seq < *next + 3 && kind != "start" {
                    let data = if kind == "end" { "\0" } else { fields[2] };
                    got.entry(seq).or_insert_with(|| data.to_owned());
                }
                let before = *next;
                while got.contains_key(next) {
                    *next += 1;
                }
                if *next > before && got[&(*next - 1)] == "\0" {
                    self.heard.push(got.values().filter(|part| *part != "\0").cloned().collect());
                }
            }
        }
        if let Some((next, _)) = self.incoming.as_ref().filter(|_| fields[0] != "ack") {
            self.out.push(Bytes::from(packet("ack", *next, "")));
        }
    }

    fn hear_ack(&mut self, seq: u64) {
        let Some(packets) = self.queue.first() else { return };
        let first: u64 = packets[0].split('|').nth(1).unwrap().parse().unwrap();
        let acked = seq.saturating_sub(first) as usize;
        if acked <= self.acked || acked > self.sent {
            return;
        }
        (self.acked, self.retries, self.timer) = (acked, 0, None);
        if acked == packets.len() {
            self.delivered += 1;
            self.next_message();
        }
    }
}
