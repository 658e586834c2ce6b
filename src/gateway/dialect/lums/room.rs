//! What comes to users of the protocol from the room: lines of others, files from other doors.

use bytes::Bytes;

use crate::{
    app::{Event, Said},
    gateway::dialect::{Audience, ConnId, clean_line, plain},
};

use super::{MAX_NAME_BYTES, MAX_TEXT_BYTES, message::file_name, people::word, reply::Reply, server::Server};

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
        if member.is_expected(&from, &said.text) {
            return;
        }
        let text = within(clean_line(&said.text), MAX_TEXT_BYTES);
        self.reply(conn, Reply::Text { from, text: Bytes::from(text) });
    }

    /// A file from another door. Nobody can follow by this protocol, so what is for followers is for all.
    pub(super) fn file_of_another(&mut self, from: &str, to: &Audience, name: &str, content: &Bytes) {
        let Some(file) = file_name(name).map(one_word) else { return };
        if content.len() > self.max_file_bytes {
            return self.log(format!("{file} of {from} is too long to be passed on"));
        }
        let from = word(from);
        let line = format!("sends the file {name} ({} bytes)", content.len());
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
                member.expect_line(&from, line.clone());
            }
            let (from, name, content) = (from.clone(), file.clone(), content.clone());
            self.reply(conn, Reply::File { from, name, content });
        }
    }
}

/// The name of a file as this protocol can say it.
fn one_word(name: &str) -> String {
    let name = name.replace(|c: char| c.is_whitespace() || c.is_control(), "_");
    head(&name, MAX_NAME_BYTES).to_owned()
}

/// Text that is cut, visibly, where it is longer than this many bytes.
pub(super) fn within(text: String, max_bytes: usize) -> String {
    const MORE: &str = " …";
    if text.len() <= max_bytes {
        return text;
    }
    format!("{}{MORE}", head(&text, max_bytes.saturating_sub(MORE.len())))
}

/// As many whole characters as fit.
pub(super) fn head(text: &str, max_bytes: usize) -> &str {
    (0..=max_bytes.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}
