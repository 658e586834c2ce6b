//! Peers with a store: each comes back where it listened before, told of all the others.

use super::{folder::Folder, patience::eventually, person::Person, process::Launch};

#[derive(Debug)]
pub(crate) struct Peers {
    pub(crate) folder: Folder,
    transport: &'static str,
    /// Where everybody listens, once they were there.
    addrs: Vec<String>,
}

impl Peers {
    pub(crate) fn over(transport: &'static str) -> Self {
        Self { folder: Folder::new(), transport, addrs: Vec::new() }
    }

    /// Somebody who is in the room.
    pub(crate) fn join(&mut self, name: &str) -> Person {
        let mut person = Person::new(name, &self.folder);
        person.comes(self.peer(name, "127.0.0.1:0", &self.addrs));
        eventually("the peer is there", || person.has_joined().then_some(()));
        self.addrs.push(person.listens_at().unwrap());
        person
    }

    /// Back with the data directory and the address of before.
    pub(crate) fn come_back(&self, person: &mut Person) {
        let node = self.again(person);
        person.comes(node);
    }

    /// How somebody comes back.
    pub(crate) fn again(&self, person: &mut Person) -> Launch {
        let own = person.listens_at().unwrap();
        let others: Vec<String> = self.addrs.iter().filter(|addr| **addr != own).cloned().collect();
        self.peer(&person.name, &own, &others)
    }

    pub(crate) fn store_of(&self, person: &Person) -> String {
        self.folder.at(&format!("{}.db", person.name))
    }

    fn peer(&self, name: &str, listen: &str, others: &[String]) -> Launch {
        let history = self.folder.at(&format!("{name}.db"));
        let peer = Launch::new(name, &["--role", "peer", "--transport", self.transport, "--name", name])
            .with(&["--data-dir", &self.folder.at(name), "--history", &history, "--listen", listen]);
        if others.is_empty() { peer } else { peer.with(&["--peers", &others.join(",")]) }
    }
}
