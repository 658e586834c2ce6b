//! Files that this client sends when it is asked for them, and files that come.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::gateway::dialect::{ConnId, Output, PACE, clean_line};

use super::{
    super::{
        line::{BAD_HEADER, Length, Order, base_name, content_length, order},
        rest_after,
    },
    Client,
};

/// How long the next line waits for the server to ask for a file. Servers read what they ask for at once, so
/// nothing may come between; those that know no files must not hold the user up for long.
const ASK_PATIENCE: Duration = Duration::from_secs(2);

/// The same over UDP, where the line and the question may each have to be repeated.
const LOSSY_ASK_PATIENCE: Duration = Duration::from_secs(20);

/// A file of this user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    Nothing,
    /// Named to the server, which may ask for it; until then the next line waits. Only what was offered is
    /// ever sent.
    Offered {
        path: String,
        until: Option<Instant>,
    },
    /// Being read.
    Reading {
        conn: ConnId,
    },
    /// Its header is out; its bytes follow with a write of their own.
    Announced {
        conn: ConnId,
        content: Bytes,
        at: Instant,
    },
}

impl Outgoing {
    /// The server said something else than to ask for the file.
    pub(super) fn answered(&mut self, line: &str) {
        if let Self::Offered { until, .. } = self
            && line.starts_with("Error:")
        {
            *until = None;
        }
    }

    /// Whether the next line may be sent.
    pub(super) const fn lets_pass(&self) -> bool {
        matches!(self, Self::Nothing | Self::Offered { until: None, .. })
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Nothing | Self::Reading { .. } => None,
            Self::Offered { until, .. } => *until,
            Self::Announced { at, .. } => Some(*at),
        }
    }
}

/// A file on its way to this user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// The line that says who sent it comes next.
    Origin {
        name: String,
    },
    /// The line that says how long it is comes next.
    Length {
        name: String,
    },
    Taking {
        name: String,
        left: usize,
        content: Vec<u8>,
    },
    /// It is too long, and read past.
    Dropping {
        left: u64,
    },
}

impl Client {
    /// Remembers the file that a typed line offers.
    pub(super) fn offer(&mut self, line: &str, now: Instant) {
        let patience = if self.framed { LOSSY_ASK_PATIENCE } else { ASK_PATIENCE };
        if let Some(Order::Attach { path, .. }) = order(line) {
            self.outgoing = Outgoing::Offered { path, until: now.checked_add(patience) };
        }
    }

    pub(super) fn asked_for_file(&mut self, conn: ConnId, path: &str, now: Instant) {
        match &self.outgoing {
            Outgoing::Offered { path: offered, .. } if offered == path => {
                self.outgoing = Outgoing::Reading { conn };
                let max_bytes = self.config.max_file_bytes;
                self.outputs.push_back(Output::Read { path: path.to_owned(), max_bytes });
            }
            _ => {
                self.warn(&format!("the server asked for a file that was not offered: {}", clean_line(path)));
                self.no_file(conn, now);
            }
        }
    }

    pub(super) fn file_read(&mut self, content: Result<Bytes, String>, now: Instant) {
        let Outgoing::Reading { conn } = self.outgoing else { return };
        self.outgoing = Outgoing::Nothing;
        match content {
            Ok(content) => {
                self.send(conn, format!("Content-Length: {}\n", content.len()));
                let at = now.checked_add(PACE).unwrap_or(now);
                if !content.is_empty() {
                    self.outgoing = Outgoing::Announced { conn, content, at };
                }
            }
            Err(why) => {
                self.warn(&format!("the file was not sent: {why}"));
                self.no_file(conn, now);
            }
        }
    }

    fn no_file(&mut self, conn: ConnId, now: Instant) {
        self.send(conn, "Content-Length: -1\n".into());
        self.rest(PACE, now);
    }

    pub(super) fn outgoing_timeout(&mut self, now: Instant) {
        if self.outgoing.deadline().is_none_or(|at| now < at) {
            return;
        }
        match std::mem::replace(&mut self.outgoing, Outgoing::Nothing) {
            Outgoing::Announced { conn, content, .. } => {
                self.rest(rest_after(content.len()), now);
                self.outputs.push_back(Output::Send { conn, bytes: content });
            }
            Outgoing::Offered { path, .. } => self.outgoing = Outgoing::Offered { path, until: None },
            Outgoing::Nothing | Outgoing::Reading { .. } => {}
        }
    }

    pub(super) fn file_announced(&mut self, name: &str) {
        self.end_prompt();
        self.print(format!("Incoming file: {}", clean_line(name)));
        self.incoming = Some(Incoming::Origin { name: name.to_owned() });
    }

    /// A line of the header of a file that comes.
    pub(super) fn file_line(&mut self, line: &[u8], text: &str) {
        self.print(clean_line(text));
        match self.incoming.take() {
            Some(Incoming::Origin { name }) => self.incoming = Some(Incoming::Length { name }),
            Some(Incoming::Length { name }) => self.file_length(name, line),
            Some(Incoming::Taking { .. } | Incoming::Dropping { .. }) | None => {}
        }
    }

    fn file_length(&mut self, name: String, line: &[u8]) {
        match content_length(line) {
            Some(Length::Bytes(len)) => match usize::try_from(len) {
                Ok(left) if left <= self.config.max_file_bytes => {
                    self.incoming = Some(Incoming::Taking { name, left, content: Vec::new() });
                    self.take_file_bytes(&Bytes::new());
                }
                Ok(_) | Err(_) => {
                    self.warn(&format!("left out: a file has at most {} bytes", self.config.max_file_bytes));
                    self.incoming = Some(Incoming::Dropping { left: len });
                }
            },
            Some(Length::Missing) | None => {
                self.print(BAD_HEADER);
                self.prompt();
            }
        }
    }

    pub(super) const fn takes_file(&self) -> bool {
        matches!(self.incoming, Some(Incoming::Taking { .. } | Incoming::Dropping { .. }))
    }

    pub(super) fn wanted_bytes(&self) -> usize {
        match &self.incoming {
            Some(Incoming::Taking { left, .. }) => *left,
            Some(Incoming::Dropping { left }) => usize::try_from(*left).unwrap_or(usize::MAX),
            Some(Incoming::Origin { .. } | Incoming::Length { .. }) | None => 0,
        }
    }

    pub(super) fn take_file_bytes(&mut self, bytes: &Bytes) {
        match &mut self.incoming {
            Some(Incoming::Taking { name, left, content }) => {
                content.extend_from_slice(bytes);
                *left = left.saturating_sub(bytes.len());
                if *left == 0 {
                    let (name, content) = (base_name(name), std::mem::take(content).into());
                    self.incoming = None;
                    let name = name.unwrap_or_else(|| "file".into());
                    self.outputs.push_back(Output::Save { name, content, replaces: false });
                    self.prompt();
                }
            }
            Some(Incoming::Dropping { left }) => {
                *left = left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                if *left == 0 {
                    self.incoming = None;
                    self.prompt();
                }
            }
            Some(Incoming::Origin { .. } | Incoming::Length { .. }) | None => {}
        }
    }

    pub(super) fn file_saved(&mut self, name: &str, result: Result<String, String>) {
        match result {
            Ok(saved) if saved == name => {}
            Ok(saved) => self.warn(&format!("{name} is there already: saved as {saved}")),
            Err(why) => self.warn(&format!("{name} was not saved: {why}")),
        }
    }
}
