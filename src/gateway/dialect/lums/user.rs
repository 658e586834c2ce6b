//! The assignment's client on whole messages, whatever carries them: what typed lines mean, what is printed.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

use crate::gateway::dialect::{CallerConfig, Input, Output, clean_line, names::file_name};

use super::{
    CLIENT_HELP, LONG_FILE_BYTES, MAX_TEXT_BYTES, MISSING_USERNAME,
    message::{Malformed, addressed, user_name, word},
    reply::Reply,
    request::Request,
};

/// How long a typed line waits behind `list` for the answer, so that `list` and `quit` from a pipe show one.
const LIST_PATIENCE: Duration = Duration::from_secs(1);

/// Files that may be on the way to the disk; of one more nothing is kept.
pub(super) const MAX_SAVING: usize = 64;

/// What `help` prints (L12).
pub(crate) const HELP: [&str; 5] = [
    "msg <number_of_users> <username1> <username2> ... <message>",
    "list",
    "file <number_of_users> <username1> <username2> ... <file_name>",
    "help",
    "quit",
];

/// What is to be done for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Say this to the server.
    Send(Request),
    /// When everything is said, end with this status.
    Leave(u8),
    /// Nothing about the server.
    Do(Output),
}

/// The user of a client.
#[derive(Debug)]
pub(crate) struct User {
    name: String,
    format_line: String,
    max_file_bytes: usize,
    /// Receivers and path of the file that is being read.
    reading: Option<(Vec<String>, String)>,
    /// Files on their way to the disk: the name asked for, and the line to print.
    saving: VecDeque<(String, String)>,
    list_until: Option<Instant>,
    has_joined: bool,
    /// Input ended; leave when the line before is done with.
    is_last: bool,
    is_leaving: bool,
    deeds: VecDeque<Deed>,
}

impl User {
    /// A user of an edition whose line for bad input is `format_line`, unless it is set otherwise.
    pub(crate) fn new(config: &CallerConfig, format_line: &str) -> Self {
        Self {
            name: config.name.clone().unwrap_or_default(),
            format_line: config.format_line.clone().unwrap_or_else(|| format_line.to_owned()),
            max_file_bytes: config.max_file_bytes,
            reading: None,
            saving: VecDeque::new(),
            list_until: None,
            has_joined: false,
            is_last: false,
            is_leaving: false,
            deeds: VecDeque::new(),
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Deed> {
        self.deeds.pop_front()
    }

    /// Whether there is a user to begin with; if not, says so (L2).
    pub(crate) fn is_named(&mut self) -> bool {
        if user_name(&self.name).is_some() {
            return true;
        }
        if self.name.is_empty() {
            for line in [MISSING_USERNAME].into_iter().chain(CLIENT_HELP.lines()) {
                self.print(line.to_owned());
            }
        } else {
            self.warn(format!("{:?} is no username: {}", self.name, Malformed::Name));
        }
        self.leave(1);
        false
    }

    pub(crate) fn join(&mut self) {
        let name = self.name.clone();
        self.has_joined = true;
        self.deeds.push_back(Deed::Send(Request::Join(name)));
        self.quit_if_last();
    }

    /// Whether the line before is done with.
    pub(crate) const fn is_ready(&self) -> bool {
        self.has_joined && self.reading.is_none() && self.list_until.is_none() && !self.is_leaving
    }

    pub(crate) const fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// When an answer is no longer waited for.
    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.list_until
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.list_until = self.list_until.filter(|until| now < *until);
        self.quit_if_last();
    }

    /// What the person and the disk do.
    pub(crate) fn handle(&mut self, input: Input, now: Instant) {
        match input {
            _ if self.is_leaving => {}
            Input::Typed(line) => self.typed(line.trim_end_matches(['\r', '\n']), now),
            Input::TypedEnd => {
                self.is_last = true;
                self.quit_if_last();
            }
            Input::Interrupted => self.quit(),
            Input::Read { path, content } => self.read(&path, content),
            Input::Saved { name, result } => self.saved(&name, result),
            _ => {}
        }
    }

    fn typed(&mut self, line: &str, now: Instant) {
        match line {
            "list" => {
                self.list_until = Some(now + LIST_PATIENCE);
                self.deeds.push_back(Deed::Send(Request::List));
            }
            "help" => HELP.iter().for_each(|line| self.print((*line).to_owned())),
            "quit" => self.quit(),
            _ => {
                let (verb, rest) = word(&Bytes::copy_from_slice(line.as_bytes()));
                let understood = match &*verb {
                    b"msg" => self.typed_message(&rest),
                    b"file" => self.typed_file(&rest),
                    _ => false,
                };
                if !understood {
                    self.misunderstood();
                }
            }
        }
    }

    /// L9; tells whether the format is right (LUMS-D9).
    fn typed_message(&mut self, rest: &Bytes) -> bool {
        let Ok((to, text)) = addressed(rest, "") else { return false };
        if to.is_empty() || text.is_empty() {
            return false;
        }
        if text.len() > MAX_TEXT_BYTES {
            self.warn(format!("a message has at most {MAX_TEXT_BYTES} bytes, this one {}", text.len()));
            return false;
        }
        self.deeds.push_back(Deed::Send(Request::Text { to, text }));
        true
    }

    /// L11; tells whether the format is right (LUMS-D9).
    fn typed_file(&mut self, rest: &Bytes) -> bool {
        let Ok((to, path)) = addressed(rest, "") else { return false };
        let path = String::from_utf8_lossy(&path).into_owned();
        if to.is_empty() || file_name(&path).and_then(user_name).is_none() {
            return false;
        }
        let max_bytes = self.max_file_bytes;
        self.deeds.push_back(Deed::Do(Output::Read { path: path.clone(), max_bytes }));
        self.reading = Some((to, path));
        true
    }

    fn read(&mut self, path: &str, content: Result<Bytes, String>) {
        let Some((to, _)) = self.reading.take_if(|(_, asked)| asked == path) else { return };
        match (content, file_name(path)) {
            (Ok(content), Some(name)) => {
                self.warn_of_length(name, content.len());
                self.deeds.push_back(Deed::Send(Request::File { to, name: name.to_owned(), content }));
            }
            (Err(why), _) => {
                self.warn(format!("{path}: {why}"));
                self.misunderstood();
            }
            (Ok(_), None) => self.misunderstood(),
        }
        self.quit_if_last();
    }

    fn quit_if_last(&mut self) {
        if self.is_last && self.is_ready() {
            self.quit();
        }
    }

    fn quit(&mut self) {
        let name = self.name.clone();
        self.deeds.push_back(Deed::Send(Request::Disconnect(name)));
        self.print("quitting".to_owned());
        self.leave(0);
    }

    /// What the server says.
    pub(crate) fn hear(&mut self, reply: Result<Reply, Malformed>) {
        match reply {
            _ if self.is_leaving => {}
            Ok(Reply::Users(mut users)) => {
                self.list_until = None;
                users.sort_unstable();
                self.print(format!("list: {}", users.join(" ")));
                self.quit_if_last();
            }
            Ok(Reply::Text { from, text }) => {
                let text = String::from_utf8_lossy(&text).into_owned();
                self.print(format!("msg: {from}: {}", text.trim_end_matches(['\r', '\n'])));
            }
            Ok(Reply::File { from, name, content }) => self.save(&from, &name, content),
            Ok(Reply::UnknownMessage) => self.turned_away("server received an unknown command"),
            Ok(Reply::ServerFull) => self.turned_away("server full"),
            Ok(Reply::UsernameUnavailable) => self.turned_away("username not available"),
            Err(rule) => self.log(format!("the server sent what is no message: {rule}")),
        }
    }

    /// The server cannot be reached any more.
    pub(crate) fn lost(&mut self, why: &str) {
        if !self.is_leaving {
            self.warn(why.to_owned());
            self.leave(1);
        }
    }

    /// A file that was too long and was thrown away as it came.
    pub(crate) fn lost_file(&mut self) {
        self.warn(format!("a file longer than {} bytes came and was not taken", self.max_file_bytes));
    }

    fn save(&mut self, from: &str, file: &str, content: Bytes) {
        let name = format!("{}_{file}", self.name);
        if file_name(&name) != Some(&name) || file_name(file).is_none() {
            return self.warn(format!("{from} sends {file:?}, which is a path and no name of a file"));
        }
        if content.len() > self.max_file_bytes {
            return self.lost_file();
        }
        if self.saving.len() >= MAX_SAVING {
            return self.warn(format!("too many files at once: {file} of {from} is lost"));
        }
        self.warn_of_length(file, content.len());
        self.saving.push_back((name.clone(), format!("file: {from}: {file}")));
        self.deeds.push_back(Deed::Do(Output::Save { name, content, replaces: true }));
    }

    fn saved(&mut self, name: &str, result: Result<String, String>) {
        let place = self.saving.iter().position(|(asked, _)| asked == name);
        let Some((_, line)) = place.and_then(|place| self.saving.remove(place)) else { return };
        match result {
            Ok(_) => self.print(line),
            Err(why) => self.warn(format!("{name} was not saved: {why}")),
        }
    }

    fn turned_away(&mut self, why: &str) {
        self.print(format!("disconnected: {why}"));
        self.leave(1);
    }

    fn leave(&mut self, status: u8) {
        self.is_leaving = true;
        self.deeds.push_back(Deed::Leave(status));
    }

    fn misunderstood(&mut self) {
        let line = self.format_line.clone();
        self.print(line);
    }

    fn warn_of_length(&mut self, name: &str, bytes: usize) {
        if bytes > LONG_FILE_BYTES {
            self.warn(format!("{name} has {bytes} bytes: some programs cannot hold that"));
        }
    }

    fn print(&mut self, line: String) {
        self.deeds.push_back(Deed::Do(Output::Print(clean_line(&line))));
    }

    fn warn(&mut self, line: String) {
        self.deeds.push_back(Deed::Do(Output::Warn(line)));
    }

    fn log(&mut self, line: String) {
        self.deeds.push_back(Deed::Do(Output::Log(line)));
    }
}
