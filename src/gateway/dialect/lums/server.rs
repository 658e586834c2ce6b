//! The assignment's server on whole messages, whatever carries them: who is in, who gets what, what is
//! printed.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
};

use bytes::Bytes;

use crate::{
    app::Command,
    gateway::dialect::{
        Audience, ConnId, HostConfig, Input, Output, Refusal, clean_line,
        names::{file_name, within},
    },
};

use super::{
    LONG_FILE_BYTES, MAX_CLIENTS, MAX_MESSAGE_BYTES,
    message::lossy,
    people::{Heard, Known, People},
    reply::Reply,
    request::Request,
};

/// Bytes of the longest private line among us.
const MAX_LINE_BYTES: usize = 16 * 1024;

/// What is to be done for the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Say this to a client; `later` is the edition it speaks.
    Reply { conn: ConnId, reply: Reply, later: bool },
    /// Say what is left to say, and end the connection; nothing of it is heard any more.
    Close { conn: ConnId },
    /// Nothing about a connection.
    Do(Output),
}

/// The server.
#[derive(Debug)]
pub(crate) struct Server {
    max_clients: usize,
    pub(super) max_file_bytes: usize,
    /// Connections that have not joined.
    strangers: BTreeMap<ConnId, SocketAddr>,
    pub(super) people: People,
    deeds: VecDeque<Deed>,
}

impl Server {
    pub(crate) fn new(config: &HostConfig) -> Self {
        Self {
            max_clients: config.max_clients.unwrap_or(MAX_CLIENTS),
            max_file_bytes: config.max_file_bytes,
            strangers: BTreeMap::new(),
            people: People::default(),
            deeds: VecDeque::new(),
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Deed> {
        self.deeds.pop_front()
    }

    /// Somebody is there, who has not said anything.
    pub(crate) fn connected(&mut self, conn: ConnId, peer: SocketAddr) {
        self.strangers.insert(conn, peer);
    }

    /// Whether somebody joined on this connection.
    pub(crate) fn has_joined(&self, conn: ConnId) -> bool {
        self.people.member(conn).is_some()
    }

    /// Who is on a connection, for the log.
    pub(crate) fn who(&self, conn: ConnId) -> String {
        let stranger =
            || self.strangers.get(&conn).map_or_else(|| "somebody".to_owned(), ToString::to_string);
        self.people.member(conn).map_or_else(stranger, |member| member.name.clone())
    }

    /// The connection is gone (L4).
    pub(crate) fn ended(&mut self, conn: ConnId) {
        self.strangers.remove(&conn);
        match self.people.member_mut(conn) {
            Some(member) if member.nick.is_none() => member.is_gone = true,
            Some(_) => self.left(conn, ""),
            None => {}
        }
    }

    /// A client said something.
    pub(crate) fn hear(&mut self, conn: ConnId, heard: Heard) {
        let max_bytes = self.max_file_bytes.saturating_add(MAX_MESSAGE_BYTES);
        match self.people.member_mut(conn) {
            Some(member) if member.nick.is_some() => self.obey(conn, heard),
            Some(member) => {
                if !member.wait(heard, max_bytes) {
                    self.log(format!("{} says too much before being let in", self.who(conn)));
                    self.rejected(conn, Reply::UnknownMessage, "unknown command");
                }
            }
            None => self.greet(conn, heard),
        }
    }

    /// What a carrier would not hand over because of its length.
    pub(crate) fn lost_file(&mut self, conn: ConnId) {
        let who = self.who(conn);
        self.warn(format!("a file of {who} is longer than {} bytes and goes nowhere", self.max_file_bytes));
    }

    /// What happened that is not about a connection.
    pub(crate) fn handle(&mut self, input: Input) {
        match input {
            Input::Entered { guest, nick, users } => {
                if let Some(conn) = self.people.conn_of(guest) {
                    self.entered(conn, &nick, &users);
                }
            }
            Input::Refused { guest, why } => {
                if let Some(conn) = self.people.conn_of(guest) {
                    self.refused(conn, &why);
                }
            }
            Input::Told { guest, event } => {
                if let Some(conn) = self.people.conn_of(guest) {
                    self.told(conn, event);
                }
            }
            Input::File { from, to, name, content } => self.file_of_another(&from, &to, &name, &content),
            Input::Stop => {
                for conn in self.people.conns() {
                    self.leave(conn);
                    self.deeds.push_back(Deed::Close { conn });
                }
                for conn in std::mem::take(&mut self.strangers).into_keys() {
                    self.deeds.push_back(Deed::Close { conn });
                }
            }
            _ => {}
        }
    }

    fn greet(&mut self, conn: ConnId, heard: Heard) {
        let Some(peer) = self.strangers.get(&conn).copied() else { return };
        let name = match heard.request {
            Ok(Request::Join(name)) => name,
            Ok(_) => return self.stranger_rejected(conn, peer, "the first message is `join`"),
            Err(rule) => return self.stranger_rejected(conn, peer, &rule.to_string()),
        };
        self.log(format!("{peer} says join {name}"));
        self.strangers.remove(&conn);
        // LUMS-D7: first whether there is room, then the name.
        if self.people.count() >= self.max_clients {
            return self.turned_away(conn, Reply::ServerFull, "server full");
        }
        if self.people.is_taken(&name) {
            return self.turned_away(conn, Reply::UsernameUnavailable, "username not available");
        }
        let insists = self.people.insists(&name);
        let guest = self.people.add(conn, &name);
        self.act(Output::Enter { guest, name, insists });
    }

    fn entered(&mut self, conn: ConnId, nick: &str, users: &[String]) {
        self.people.let_in(conn, nick, users);
        let Some(member) = self.people.member_mut(conn) else { return };
        let (name, is_gone, waiting) = (member.name.clone(), member.is_gone, member.take_waiting());
        self.print(format!("join: {name}"));
        for heard in waiting {
            // One of them may have been the last.
            if self.has_joined(conn) {
                self.obey(conn, heard);
            }
        }
        if is_gone && self.has_joined(conn) {
            self.left(conn, "");
        }
    }

    fn refused(&mut self, conn: ConnId, why: &Refusal) {
        let Some(member) = self.people.remove(conn) else { return };
        if member.nick.is_some() {
            self.print(format!("disconnected: {}", member.name));
            return self.deeds.push_back(Deed::Close { conn });
        }
        match why {
            Refusal::NameTaken => {
                self.turned_away(conn, Reply::UsernameUnavailable, "username not available");
            }
            Refusal::Full => self.turned_away(conn, Reply::ServerFull, "server full"),
            Refusal::Other(why) => {
                self.warn(format!("{} was not let in: {why}", member.name));
                self.turned_away(conn, Reply::ServerFull, "server full");
            }
        }
    }

    fn obey(&mut self, conn: ConnId, heard: Heard) {
        let Some(member) = self.people.member_mut(conn) else { return };
        member.later |= heard.later;
        let name = member.name.clone();
        match heard.request {
            // Over UDP a datagram may come twice.
            Ok(Request::Join(again)) if again == name => self.log(format!("{name} says join again")),
            Ok(Request::Join(_)) => {
                self.log(format!("{name} is here already and cannot join under another name"));
                self.rejected(conn, Reply::UnknownMessage, "unknown command");
            }
            Ok(Request::List) => {
                self.print(format!("request_users_list: {name}"));
                let users = self.people.names();
                self.reply(conn, Reply::Users(users));
            }
            Ok(Request::Text { to, text }) => self.send_message(conn, &name, &to, &text),
            Ok(Request::File { to, name: file, content }) => {
                self.send_file(conn, &name, &to, &file, &content);
            }
            Ok(Request::Disconnect(said)) => {
                self.log(format!("{name} says disconnect {said}"));
                self.left(conn, "");
                self.deeds.push_back(Deed::Close { conn });
            }
            Err(rule) => {
                self.log(format!("{name} sent what is no message: {rule}"));
                self.rejected(conn, Reply::UnknownMessage, "unknown command");
            }
        }
    }

    fn send_message(&mut self, conn: ConnId, from: &str, to: &[String], text: &Bytes) {
        self.log(format!("{from} says send_message to {}: {}", to.join(" "), lossy(text)));
        self.print(format!("msg: {from}"));
        let others = self.each_receiver("msg", from, to, |server, receiver| {
            server.reply(receiver, Reply::Text { from: from.to_owned(), text: text.clone() });
        });
        let Some(member) = self.people.member(conn) else { return };
        if !others.is_empty() && !text.is_empty() {
            let text = within(lossy(text).into_owned(), MAX_LINE_BYTES);
            let command = Command::Tell { to: others, text };
            self.act(Output::Command { guest: member.guest, command });
        }
    }

    fn send_file(&mut self, conn: ConnId, from: &str, to: &[String], path: &str, content: &Bytes) {
        self.log(format!("{from} says send_file to {}: {path}, {} bytes", to.join(" "), content.len()));
        self.print(format!("file: {from}"));
        // A directory of the sender's machine means nothing to receivers, or too much (LUMS-D10).
        let Some(name) = file_name(path) else { return self.log(format!("{path:?} is no name of a file")) };
        if content.len() > LONG_FILE_BYTES {
            self.warn(format!(
                "{name} of {from} has {} bytes: some programs cannot hold that",
                content.len()
            ));
        }
        let others = self.each_receiver("file", from, to, |server, receiver| {
            let (from, name, content) = (from.to_owned(), name.to_owned(), content.clone());
            server.reply(receiver, Reply::File { from, name, content });
        });
        let Some(member) = self.people.member(conn) else { return };
        if !others.is_empty() {
            let (guest, to) = (member.guest, Audience::Names(others));
            self.act(Output::File { guest, to, name: name.to_owned(), content: content.clone() });
        }
    }

    /// Gives something to each receiver who is a user here, prints a line for each who is nobody (LUMS-D7),
    /// and returns the others.
    fn each_receiver(
        &mut self,
        verb: &str,
        from: &str,
        to: &[String],
        give: impl Fn(&mut Self, ConnId),
    ) -> Vec<String> {
        let mut others = Vec::new();
        for name in to {
            match self.people.find(name) {
                Known::Member(conn) => give(self, conn),
                Known::Other(other) if others.contains(&other) => {}
                Known::Other(other) => others.push(other),
                Known::Nobody => self.print(format!("{verb}: {from} to non-existent user {name}")),
            }
        }
        others
    }

    /// LUMS-D6, of somebody who joined.
    fn rejected(&mut self, conn: ConnId, reply: Reply, sent: &str) {
        self.reply(conn, reply);
        self.left(conn, &format!(" sent {sent}"));
        self.deeds.push_back(Deed::Close { conn });
    }

    /// LUMS-D6, of somebody who did not.
    fn stranger_rejected(&mut self, conn: ConnId, peer: SocketAddr, why: &str) {
        self.log(format!("{peer} sent what is no message here: {why}"));
        self.strangers.remove(&conn);
        self.turned_away(conn, Reply::UnknownMessage, &format!("{peer} sent unknown command"));
    }

    fn turned_away(&mut self, conn: ConnId, reply: Reply, why: &str) {
        self.print(format!("disconnected: {why}"));
        self.deeds.push_back(Deed::Reply { conn, reply, later: false });
        self.deeds.push_back(Deed::Close { conn });
    }

    pub(super) fn left(&mut self, conn: ConnId, why: &str) {
        if let Some(name) = self.leave(conn) {
            self.print(format!("disconnected: {name}{why}"));
        }
    }

    fn leave(&mut self, conn: ConnId) -> Option<String> {
        let member = self.people.remove(conn)?;
        self.act(Output::Leave { guest: member.guest });
        Some(member.name)
    }

    pub(super) fn close(&mut self, conn: ConnId) {
        self.deeds.push_back(Deed::Close { conn });
    }

    pub(super) fn reply(&mut self, conn: ConnId, reply: Reply) {
        let Some(member) = self.people.member(conn) else { return };
        let later = member.later;
        self.deeds.push_back(Deed::Reply { conn, reply, later });
    }

    /// A line on stdout, as one line whatever names hold.
    fn print(&mut self, line: String) {
        self.act(Output::Print(clean_line(&line)));
    }

    pub(super) fn log(&mut self, line: String) {
        self.act(Output::Log(line));
    }

    fn warn(&mut self, line: String) {
        self.act(Output::Warn(line));
    }

    fn act(&mut self, output: Output) {
        self.deeds.push_back(Deed::Do(output));
    }
}
