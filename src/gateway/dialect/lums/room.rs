//! What comes to users of the protocol from the room: lines of others, files from other doors.

use bytes::Bytes;

use crate::{
    app::{Event, Said},
    gateway::dialect::{
        Audience, ConnId, clean_line, file_line,
        names::{file_name, head, one_word, within},
        plain,
    },
};

use super::{MAX_NAME_BYTES, MAX_TEXT_BYTES, people::word, reply::Reply, server::Server};

impl Server {
    /// What a user is told.
    pub(super) fn told(&mut self, conn: ConnId, event: Event) {
        match event {
            Event::Message(said) | Event::Private(said) => self.said(conn, &said),
            Event::Presence { name, change, .. } => self.people.changed(&name, &change),
            Event::Users { users, .. } | Event::Joined { users, .. } => self.people.set_others(&users),
            Event::Renamed { to, .. } => {
                if let Some(member) = self.people.member_mut(conn) {
                    member.nick = member.nick.is_some().then(|| plain(&to).to_owned());
                }
            }
            Event::Error(trouble) => self.log(format!("among us: {}", trouble.message)),
            Event::Closed { reason } => {
                self.log(format!("among us it is over: {reason}"));
                self.left(conn, "");
                self.close(conn);
            }
            _ => {}
        }
    }

    /// A line of somebody else, in the room or for this user alone. What users of the protocol say to each
    /// other has been delivered, and what was said before one joined is not for the one.
    fn said(&mut self, conn: ConnId, said: &Said) {
        if said.historic || self.people.by_nick(&said.from).is_some() {
            return;
        }
        let Some(member) = self.people.member_mut(conn).filter(|member| member.nick.is_some()) else {
            return;
        };
        let from = word(&said.from);
        if member.announced.take(&from, &said.text) {
            return;
        }
        let text = within(clean_line(&said.text), MAX_TEXT_BYTES);
        self.reply(conn, Reply::Text { from, text: Bytes::from(text) });
    }

    /// A file from another door. Nobody can follow by this protocol, so what is for followers is for all.
    pub(super) fn file_of_another(&mut self, from: &str, to: &Audience, name: &str, content: &Bytes) {
        let Some(file) = file_name(name) else { return };
        let file = head(&one_word(file), MAX_NAME_BYTES).to_owned();
        if content.len() > self.max_file_bytes {
            return self.log(format!("{file} of {from} is too long to be passed on"));
        }
        let from = word(from);
        let line = file_line(name, content.len());
        let receivers: Vec<ConnId> = match to {
            Audience::Followers(_) => self.people.present().map(|(conn, _)| conn).collect(),
            Audience::Names(names) => {
                let mut conns: Vec<ConnId> =
                    names.iter().filter_map(|nick| self.people.by_nick(nick)).collect();
                conns.sort_unstable();
                conns.dedup();
                conns
            }
        };
        for conn in receivers {
            if let Some(member) = self.people.member_mut(conn) {
                member.announced.expect(&from, line.clone());
            }
            let (from, name, content) = (from.clone(), file.clone(), content.clone());
            self.reply(conn, Reply::File { from, name, content });
        }
    }
}
