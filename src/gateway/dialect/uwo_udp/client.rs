//! The client: the client of `uwo` over one address.

use std::{collections::VecDeque, net::SocketAddr, time::Instant};

use bytes::Bytes;

use crate::gateway::dialect::{CallerConfig, ConnId, Input, Machine, Output, uwo};

use super::{
    link::Link,
    packet::{Packet, parse},
};

/// The only connection.
const CONN: ConnId = ConnId(0);

/// The client of `uwo-udp`.
#[derive(Debug)]
pub struct Client {
    inner: uwo::Client,
    server: Option<SocketAddr>,
    link: Link,
    /// Whether the client of `uwo` still listens.
    open: bool,
    /// The exit status, once the last packet is acknowledged.
    exit: Option<u8>,
    exited: bool,
    outputs: VecDeque<Output>,
}

impl Client {
    /// A client that talks to its server when it is started.
    pub fn new(config: CallerConfig) -> Self {
        Self {
            server: config.server,
            link: Link::new(config.max_file_bytes),
            inner: uwo::Client::framed(config),
            open: true,
            exit: None,
            exited: false,
            outputs: VecDeque::new(),
        }
    }

    fn datagram(&mut self, bytes: &Bytes, now: Instant) {
        match parse(bytes) {
            Err(why) => {
                self.outputs.push_back(Output::Log(format!("a datagram is dropped: {why}")));
                self.link.damaged();
            }
            Ok(Packet::Ack { seq }) => self.link.acked(seq),
            Ok(Packet::Data { seq, data }) => {
                let Some((new, ack)) = self.link.receive(seq, &data) else { return };
                self.send_datagram(ack);
                if let Some(bytes) = new.filter(|bytes| self.open && !bytes.is_empty()) {
                    self.tell(Input::Received { conn: CONN, bytes }, now);
                }
            }
        }
        self.transmit(now);
    }

    fn tell(&mut self, input: Input, now: Instant) {
        self.inner.handle(input, now);
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.inner.poll_output() {
            match output {
                // There is nothing to wait for before the first packet.
                Output::Dial { dial, .. } => self.inner.handle(Input::Connected { dial, conn: CONN }, now),
                Output::Send { bytes, .. } => {
                    if self.link.push(bytes).is_err() {
                        self.outputs.push_back(Output::Warn("not sent: too much waits already".into()));
                    }
                }
                Output::Close { .. } => self.open = false,
                Output::Exit { status } => self.exit = Some(status),
                other => self.outputs.push_back(other),
            }
        }
    }

    /// Sends what may be sent now; ends when the end was asked for and nothing waits.
    fn transmit(&mut self, now: Instant) {
        if let Some(bytes) = self.link.transmit(now) {
            self.send_datagram(bytes);
        }
        if self.link.is_idle() {
            self.finish();
        }
    }

    fn finish(&mut self) {
        if let Some(status) = self.exit.filter(|_| !self.exited) {
            self.exited = true;
            self.outputs.push_back(Output::Exit { status });
        }
    }

    fn send_datagram(&mut self, bytes: Bytes) {
        if let Some(to) = self.server {
            self.outputs.push_back(Output::Datagram { to, bytes });
        }
    }

    fn link_timeout(&mut self, now: Instant) {
        match self.link.handle_timeout(now) {
            Ok(packets) => packets.into_iter().for_each(|packet| self.send_datagram(packet)),
            Err(_) => {
                self.link = Link::new(0);
                if self.open {
                    self.open = false;
                    self.tell(Input::Ended { conn: CONN }, now);
                }
                self.link = Link::new(0);
                self.finish();
            }
        }
    }
}

impl Machine for Client {
    fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Datagram { from, bytes } if Some(from) == self.server => self.datagram(&bytes, now),
            Input::Datagram { .. } => {}
            // Who insists does not wait for the last acknowledgement.
            Input::Interrupted if self.exit.is_some() => self.finish(),
            other => {
                self.tell(other, now);
                self.transmit(now);
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.link_timeout(now);
        self.inner.handle_timeout(now);
        self.drain(now);
        self.transmit(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.exited {
            return None;
        }
        self.link.deadline().into_iter().chain(self.inner.poll_timeout()).min()
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn is_ready(&self) -> bool {
        self.link.is_idle() && self.inner.is_ready()
    }
}
