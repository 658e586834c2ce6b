//! The client of the UDP editions: packets around the user that TCP has too.

use std::{collections::VecDeque, net::SocketAddr, time::Instant};

use bytes::Bytes;

use crate::gateway::dialect::{
    CallerConfig, Input, Machine, Output,
    lums::{
        message::Malformed,
        reply::Reply,
        request::Request,
        user::{Deed, User},
    },
};

use super::{
    FORMAT_LINE, MAX_DATAGRAM_BYTES, MAX_WINDOW, length,
    packet::{Kind, Packet},
    receiver::{Heard, Receiver},
    sender::{Outcome, Sender},
};

/// The client of the UDP editions, of part 2 where `reliable` is set and of part 1 otherwise.
#[derive(Debug)]
pub struct Client {
    server: Option<SocketAddr>,
    is_reliable: bool,
    max_file_bytes: usize,
    user: User,
    receiver: Receiver,
    sender: Sender,
    /// Set when everything is said: the status to end with.
    status: Option<u8>,
    has_joined: bool,
    is_over: bool,
    output: VecDeque<Output>,
}

impl Client {
    /// A client that joins when it starts.
    pub fn new(config: CallerConfig) -> Self {
        let window = config.window.clamp(1, MAX_WINDOW);
        Self {
            server: config.server,
            is_reliable: config.reliable,
            max_file_bytes: config.max_file_bytes,
            user: User::new(&config, FORMAT_LINE),
            receiver: Receiver::new(window as u64),
            sender: Sender::new(window, config.seed),
            status: None,
            has_joined: false,
            is_over: false,
            output: VecDeque::new(),
        }
    }

    fn start(&mut self) {
        if !self.user.is_named() {
            return;
        }
        if self.server.is_none() {
            return self.user.lost("no server was named");
        }
        self.has_joined = true;
        self.user.join();
    }

    fn datagram(&mut self, from: SocketAddr, bytes: &Bytes, now: Instant) {
        if self.server != Some(from) {
            return self.log(format!("{from} is not the server: what it sent is not looked at"));
        }
        let packet = match Packet::parse(bytes) {
            Ok(packet) => packet,
            Err(rule) => return self.log(format!("the server sent what is no packet: {rule}")),
        };
        if packet.kind == Kind::Ack {
            return self.sender.handle_ack(packet.seq, now);
        }
        let (is_data, data) = (packet.kind == Kind::Data, packet.data.clone());
        match self.receiver.handle(packet, self.max_file_bytes, now) {
            Some((next, heard)) => {
                let bytes = Packet::bare(Kind::Ack, next).to_bytes();
                self.output.push_back(Output::Datagram { to: from, bytes });
                self.heard(heard);
            }
            None if is_data && !self.is_reliable => self.heard(Heard::Message(data)),
            None => {}
        }
    }

    fn heard(&mut self, heard: Heard) {
        match heard {
            Heard::Nothing => {}
            Heard::Message(bytes) => {
                let (message, is_right) = length::read(&bytes);
                let rule = if is_right { "" } else { ", and a wrong length" };
                self.log(format!("the server says {}{rule}", message.shown()));
                self.user.hear(Reply::parse(&message));
            }
            Heard::Long { is_file: true } => self.user.lost_file(),
            Heard::Long { is_file: false } => self.user.hear(Err(Malformed::TooLong)),
        }
    }

    /// Does what the user wants, and sends what may be sent.
    fn settle(&mut self, now: Instant) {
        while let Some(outcome) = self.sender.poll_outcome() {
            if outcome == Outcome::Failed {
                self.give_up();
            }
        }
        while let Some(deed) = self.user.poll() {
            match deed {
                Deed::Do(output) => self.output.push_back(output),
                Deed::Leave(status) => self.status = Some(status),
                Deed::Send(request) => self.send(&request, now),
            }
        }
        let Some(to) = self.server else { return self.leave() };
        while let Some(packet) = self.sender.poll() {
            self.output.push_back(Output::Datagram { to, bytes: packet.to_bytes() });
        }
        self.leave();
    }

    fn send(&mut self, request: &Request, now: Instant) {
        let Some(to) = self.server else { return };
        let message = request.to_message();
        let data = length::written(&message);
        if self.is_reliable {
            if self.sender.push(data, message.is_file(), now).is_err() {
                self.user.lost("too much waits for the server");
            }
            return;
        }
        let bytes = Packet::data(0, data).to_bytes();
        self.output.push_back(if bytes.len() > MAX_DATAGRAM_BYTES {
            Output::Warn("this is too long for one datagram, and part 1 has no more for a message".to_owned())
        } else {
            Output::Datagram { to, bytes }
        });
    }

    /// LUDP-D4: a message that the server did not acknowledge is the last.
    fn give_up(&mut self) {
        let why = "the server does not answer";
        if self.user.is_leaving() {
            self.output.push_back(Output::Warn(why.to_owned()));
        }
        self.user.lost(why);
    }

    fn leave(&mut self) {
        let Some(status) = self.status.filter(|_| !self.is_over && self.sender.is_idle()) else { return };
        self.is_over = true;
        self.output.push_back(Output::Exit { status });
    }

    fn log(&mut self, line: String) {
        self.output.push_back(Output::Log(line));
    }
}

impl Machine for Client {
    fn handle(&mut self, input: Input, now: Instant) {
        match input {
            _ if self.is_over => return,
            Input::Start => self.start(),
            Input::Datagram { from, bytes } => self.datagram(from, &bytes, now),
            input => self.user.handle(input, now),
        }
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.is_over {
            return;
        }
        self.user.handle_timeout(now);
        self.sender.handle_timeout(now);
        self.settle(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.is_over {
            return None;
        }
        [self.user.poll_timeout(), self.sender.deadline()].into_iter().flatten().min()
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    fn is_ready(&self) -> bool {
        self.has_joined && self.sender.is_idle() && self.user.is_ready()
    }
}
