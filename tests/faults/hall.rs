//! A server whose disk fails at times, two who speak, one who listens. All but the server outlive it.

use std::fs;

use crate::{
    support::{patience::eventually, person::Person, process::Launch, reckoning::Reckoning, star::Star},
    trace::{self, Fault},
};

#[derive(Debug)]
pub(crate) struct Hall {
    pub(crate) star: Star,
    pub(crate) speakers: [Person; 2],
    pub(crate) listener: Person,
    store: String,
}

impl Hall {
    /// Everybody is there, and a line on disk.
    pub(crate) fn open() -> Self {
        let star = Star::new();
        let store = star.folder.at("server/history.db");
        Self::in_star(star, store)
    }

    /// The same, and the server keeps what is said in this file.
    pub(crate) fn keeping(store: String) -> Self {
        Self::in_star(Star::with(&["--history", &store]), store)
    }

    fn in_star(star: Star, store: String) -> Self {
        let [ann, ben, listener] = ["ann", "ben", "listener"].map(|name| join(&star, name));
        let mut hall = Self { star, speakers: [ann, ben], listener, store };
        hall.speakers[0].says_something();
        hall.gets_everything_stored();
        hall
    }

    /// The server is killed and comes back on a disk with this fault. Returns its status if it ends before it
    /// listens.
    pub(crate) fn serves_under(&mut self, fault: &Fault, files: &[&str]) -> Option<i32> {
        self.star.server.murder();
        drop(fs::remove_file(self.log()));
        let files: Vec<String> = files.iter().map(|file| self.star.folder.at(file)).collect();
        self.star.server = fault.on(self.star.server_again("server"), &self.log(), &files).start();
        trace::ends_unless_it_listens(&mut self.star.server)
    }

    /// The call that failed, if one did.
    pub(crate) fn failed(&self) -> Option<String> {
        trace::failed(&self.log())
    }

    pub(crate) fn is_served(&mut self) -> bool {
        self.star.server.is_running()
    }

    /// Each speaker says so many lines at once; they are stored, or the server ends.
    pub(crate) fn talks(&mut self, lines: u64) {
        for speaker in &mut self.speakers {
            (0..lines).for_each(|_| speaker.says_something());
        }
        eventually("what was said is stored, or the server ends", || {
            let all = self.speakers.iter_mut().all(Person::has_nothing_unstored);
            (all || !self.star.server.is_running()).then_some(())
        });
    }

    pub(crate) fn gets_everything_stored(&mut self) {
        for speaker in &mut self.speakers {
            eventually("everything said is stored", || speaker.has_nothing_unstored().then_some(()));
        }
    }

    /// A line that is heard at once, stored or not.
    pub(crate) fn hears_another(&mut self, who: usize) {
        self.speakers[who].says_something();
        let line = self.speakers[who].last_line().to_owned();
        eventually("the listener hears it", || self.listener.heard(&line).then_some(()));
    }

    /// Whether a speaker was told that there is no space.
    pub(crate) fn is_told(&mut self) -> bool {
        self.speakers.iter_mut().any(|speaker| speaker.was_told_of("store_full"))
    }

    /// What is called stored so far is on disk, whatever became of the server.
    pub(crate) fn holds_what_is_stored(&mut self) -> Reckoning {
        self.speakers.iter_mut().for_each(Person::listen);
        let mut reckoning = Reckoning::of(&self.store);
        self.speakers.iter().for_each(|speaker| reckoning.holds_what_was_stored(speaker));
        reckoning
    }

    /// Everything said is stored now, and was heard once and in order.
    pub(crate) fn is_whole(&mut self) -> String {
        self.gets_everything_stored();
        for speaker in &self.speakers {
            let line = speaker.last_line();
            eventually("the listener hears the last line", || self.listener.heard(line).then_some(()));
        }
        self.star.server.murder();
        let mut reckoning = self.holds_what_is_stored();
        reckoning.is_what_was_heard(&self.listener);
        reckoning.counted()
    }

    /// The first speaker is killed and comes back on a disk with this fault, and speaks until it ends.
    pub(crate) fn speaks_under(&mut self, fault: &Fault) -> i32 {
        let log = self.log();
        drop(fs::remove_file(&log));
        let file = format!("ann/history-{}.db", self.star.addr.replace(':', "_"));
        let files = ["", "-wal"].map(|end| self.star.folder.at(&format!("{file}{end}")));
        let ann = &mut self.speakers[0];
        ann.is_killed();
        ann.comes(fault.on(client(&self.star, "ann"), &log, &files));
        ann.speaks_until_it_ends()
    }

    /// The first speaker comes back on a disk without a fault.
    pub(crate) fn comes_back(&mut self) {
        self.speakers[0].is_killed();
        self.speakers[0].comes(client(&self.star, "ann"));
        self.talks(1);
    }

    fn log(&self) -> String {
        self.star.folder.at("calls")
    }
}

fn join(star: &Star, name: &str) -> Person {
    let mut person = Person::new(name, &star.folder);
    person.comes(client(star, name));
    eventually("somebody is there", || person.has_joined().then_some(()));
    person
}

fn client(star: &Star, name: &str) -> Launch {
    star.client(name).with(&["--reconnect"])
}
