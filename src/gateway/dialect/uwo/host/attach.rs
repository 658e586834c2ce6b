//! Files: asked for, taken, given to those who follow (W23).

use std::time::Instant;

use bytes::Bytes;

use crate::gateway::dialect::{Audience, ConnId, Delivery, Output, file_line, plain};

use super::{
    super::{
        ATTACH_PATIENCE, MAX_UPLOADS, STALL_PATIENCE,
        follow::bare_word,
        guest::{Conn, Phase, Upload},
        line::{BAD_HEADER, Length, base_name, content_length, ended},
    },
    Host,
};

impl Host {
    /// Somebody wants to attach a file: the program is asked for it.
    pub(super) fn ask_for_file(&mut self, conn: ConnId, path: String, terms: &[String], now: Instant) {
        let uploads =
            self.conns.values().filter_map(Conn::guest).filter(|guest| guest.upload.is_some()).count();
        let patience = if self.framed { ATTACH_PATIENCE.saturating_mul(2) } else { ATTACH_PATIENCE };
        let until = now.checked_add(patience).unwrap_or(now);
        let Some(guest) = self.guest_mut(conn) else { return };
        let name = base_name(&path).filter(|_| guest.upload.is_none() && uploads < MAX_UPLOADS);
        let Some(name) = name else {
            self.say(conn, &not_sent(&path), now);
            return;
        };
        let own = [format!("@{}", guest.nick), format!("@{}", guest.name)];
        let mut words: Vec<String> =
            own.into_iter().chain(terms.iter().map(|t| bare_word(t).to_owned())).collect();
        words.dedup();
        let ask = format!("ATTACH {path} CHAT/1.0");
        guest.upload = Some(Upload { path, name, words, until, phase: Phase::Asked });
        self.say(conn, &ask, now);
    }

    /// The answer of the program: how long the file is, or that there is none.
    pub(super) fn file_header(&mut self, conn: ConnId, line: &[u8], now: Instant) {
        let max = self.config.max_file_bytes;
        let until = now.checked_add(STALL_PATIENCE).unwrap_or(now);
        let Some(upload) = self.guest_mut(conn).and_then(|guest| guest.upload.as_mut()) else { return };
        upload.until = until;
        match content_length(line) {
            None => {
                self.log(
                    "the header of a file is exactly `Content-Length: N`, N its bytes, or -1 without a file",
                );
                self.drop_upload(conn);
                self.say(conn, BAD_HEADER, now);
            }
            Some(Length::Missing) => self.upload_failed(conn, now),
            Some(Length::Bytes(len)) => match usize::try_from(len) {
                Ok(left) if left <= max => {
                    upload.phase = Phase::Taking { left, content: Vec::new() };
                    self.take_file_bytes(conn, &Bytes::new(), now);
                }
                Ok(_) | Err(_) => {
                    upload.phase = Phase::Dropping { left: len };
                    self.log(format!("a file of {len} bytes is read past: at most {max} are taken"));
                }
            },
        }
    }

    pub(super) fn take_file_bytes(&mut self, conn: ConnId, bytes: &Bytes, now: Instant) {
        let until = now.checked_add(STALL_PATIENCE).unwrap_or(now);
        let Some(upload) = self.guest_mut(conn).and_then(|guest| guest.upload.as_mut()) else { return };
        upload.until = until;
        match &mut upload.phase {
            Phase::Asked => {}
            Phase::Taking { left, content } => {
                content.extend_from_slice(bytes);
                *left = left.saturating_sub(bytes.len());
                if *left == 0 {
                    let content = std::mem::take(content);
                    self.file_is_whole(conn, content.into(), now);
                }
            }
            Phase::Dropping { left } => {
                *left = left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                if *left == 0 {
                    self.upload_failed(conn, now);
                }
            }
        }
    }

    fn file_is_whole(&mut self, conn: ConnId, content: Bytes, now: Instant) {
        let Some(upload) = self.drop_upload(conn) else { return };
        let Upload { path, name, words, .. } = upload;
        let Some(guest) = self.guest(conn) else { return };
        let (id, from) = (guest.id, guest.name.clone());
        let followed: Vec<&str> = words.iter().map(String::as_str).collect();
        for receiver in self.audience(Some(conn), &followed) {
            if !self.give_file(receiver, &from, &name, &content, now) {
                self.say(receiver, &format!("@{from}: {}", file_line(&name, content.len())), now);
            }
        }
        self.say(conn, &format!("Attachment {path} attached and distributed"), now);
        self.outputs.push_back(Output::File { guest: id, to: Audience::Followers(words), name, content });
    }

    /// A file that came through another door.
    pub(super) fn file_from_elsewhere(
        &mut self,
        from: &str,
        to: &Audience,
        name: &str,
        content: &Bytes,
        now: Instant,
    ) {
        let from = plain(from);
        let sender = format!("@{from}");
        let receivers = match to {
            Audience::Names(names) => self.named(names),
            Audience::Followers(words) => {
                let words = words.iter().map(|word| bare_word(word)).chain([sender.as_str()]);
                self.audience(None, &words.collect::<Vec<_>>())
            }
        };
        let word = base_name(name).unwrap_or_else(|| "file".into());
        for receiver in receivers {
            let given = self.give_file(receiver, from, &word, content, now);
            if let Some(guest) = self.guest_mut(receiver).filter(|_| given) {
                guest.announced.expect(from, file_line(name, content.len()));
            }
        }
    }

    /// Sends a file to somebody. Whether it could take it: programs that end no lines, and all where the first
    /// assignment alone is spoken, would take its bytes for talk.
    fn give_file(&mut self, to: ConnId, from: &str, name: &str, content: &Bytes, now: Instant) -> bool {
        let Some(known) = self.conns.get_mut(&to) else { return false };
        let knows = known.guest().is_some_and(|guest| guest.follows.knows());
        if self.config.delivery == Delivery::Broadcast || (known.inbox.is_bare() && !knows) {
            return false;
        }
        let notice = format!("ATTACHMENT {name} CHAT/1.0\nOrigin: {from}\nContent-Length: {}", content.len());
        let notice = ended(notice.as_bytes(), self.config.ascii_safe);
        if known.push_file(notice, content.clone()).is_err() {
            self.log(format!("{} is disconnected: it does not read what it is sent", self.name(to)));
            self.cut(to, now);
            return true;
        }
        self.flush(to, now);
        true
    }

    fn drop_upload(&mut self, conn: ConnId) -> Option<Upload> {
        self.guest_mut(conn)?.upload.take()
    }

    fn upload_failed(&mut self, conn: ConnId, now: Instant) {
        if let Some(upload) = self.drop_upload(conn) {
            self.say(conn, &not_sent(&upload.path), now);
        }
    }

    /// Gives up on a file that does not come.
    pub(super) fn upload_timeout(&mut self, conn: ConnId, now: Instant) {
        let upload = self.guest(conn).and_then(|guest| guest.upload.as_ref());
        let Some(upload) = upload.filter(|upload| upload.until <= now) else { return };
        if matches!(upload.phase, Phase::Asked) {
            self.drop_upload(conn);
            self.say(conn, BAD_HEADER, now);
            return;
        }
        // What would come now could not be told from lines.
        self.log(format!("{} is disconnected: its file stood still", self.name(conn)));
        self.upload_failed(conn, now);
        self.dismiss(conn, now);
    }
}

fn not_sent(path: &str) -> String {
    format!("Error:  Attached file {path} could not be sent")
}
