//! Our client and our server.

use super::*;

/// A server and two clients, whose writes arrive at once and whole.
struct Pair {
    stage: Stage,
    clients: [Client; 2],
    shown: [Vec<String>; 2],
    saved: Vec<(usize, String, Bytes)>,
    exits: [Option<u8>; 2],
}

impl Pair {
    fn new(follow: [&[&str]; 2]) -> Self {
        let mut names = ["alice", "bob"].into_iter();
        let clients = follow.map(|follow| Client::new(client::config(names.next().unwrap(), follow)));
        let stage = Stage::new();
        let (shown, saved, exits) = ([Vec::new(), Vec::new()], Vec::new(), [None; 2]);
        let mut pair = Self { stage, clients, shown, saved, exits };
        pair.each(|client, now| client.handle(Input::Start, now));
        pair
    }

    fn each(&mut self, act: impl Fn(&mut Client, Instant)) {
        let now = self.stage.now;
        self.clients.iter_mut().for_each(|client| act(client, now));
        self.settle();
    }

    fn types(&mut self, who: usize, line: &str) {
        assert!(self.clients[who].is_ready());
        self.clients[who].handle(Input::Typed(line.into()), self.stage.now);
        self.settle();
    }

    /// Until nobody has anything more to say now.
    fn settle(&mut self) {
        while (0..2).any(|who| self.turn(who)) {}
    }

    fn turn(&mut self, who: usize) -> bool {
        let (conn, now) = (ConnId(who as u64), self.stage.now);
        let mut busy = false;
        for bytes in self.stage.written.remove(&conn).unwrap_or_default() {
            self.clients[who].handle(Input::Received { conn, bytes }, now);
            busy = true;
        }
        while let Some(output) = self.clients[who].poll_output() {
            busy = true;
            match output {
                Output::Dial { dial, .. } => {
                    let conn = self.stage.connects();
                    self.clients[who].handle(Input::Connected { dial, conn }, now);
                }
                Output::Send { conn, bytes } => self.stage.input(Input::Received { conn, bytes }),
                Output::Close { conn } => self.stage.input(Input::Ended { conn }),
                Output::Print(line) => self.shown[who].push(line),
                Output::Save { name, content, .. } => self.saved.push((who, name, content)),
                Output::Read { path, .. } => {
                    let content = Ok(Bytes::from_static(b"\0file\n@bob: not a line\n"));
                    self.clients[who].handle(Input::Read { path, content }, now);
                }
                Output::Exit { status } => self.exits[who] = Some(status),
                other => assert!(matches!(other, Output::Prompt(_)), "{other:?}"),
            }
        }
        busy
    }

    fn passes(&mut self, time: Duration) {
        for _ in 0..time.as_millis() / 10 {
            self.stage.passes(ms(10));
            self.each(|client, now| client.handle_timeout(now));
        }
    }

    fn showed(&mut self, who: usize) -> Vec<String> {
        std::mem::take(&mut self.shown[who]).into_iter().filter(|line| !line.is_empty()).collect()
    }
}

#[test]
fn do_two_clients_talk() {
    let mut pair = Pair::new([&[], &[]]);
    pair.passes(Duration::from_secs(2));
    pair.showed(0);
    pair.types(1, "Hi Alice!");
    pair.types(1, "!list");
    assert_eq!(pair.showed(0), ["@bob: Hi Alice!"], "nobody was taken for one who follows");
    assert_eq!(pair.showed(1).last().unwrap(), "alice, bob");
    pair.types(1, "!exit");
    assert_eq!(pair.exits, [None, Some(0)]);
    pair.stage.input(Input::Stop);
    pair.settle();
    assert_eq!(pair.showed(0), ["Disconnected from server ... exiting!"]);
    assert_eq!(pair.exits, [Some(0); 2]);
}

#[test]
fn do_two_clients_exchange_a_file() {
    let mut pair = Pair::new([&["pie"], &["apple"]]);
    pair.showed(1);
    pair.types(0, "!attach dir/f.bin apple");
    pair.passes(Duration::from_secs(1));
    pair.types(0, "after, @bob");
    let content = Bytes::from_static(b"\0file\n@bob: not a line\n");
    assert_eq!(pair.saved, [(1, "f.bin".into(), content)]);
    let header = ["Incoming file: f.bin", "Origin: alice", "Content-Length: 23"];
    assert_eq!(pair.showed(1), [&header[..], &["@alice: after, @bob"]].concat());
    assert_eq!(pair.showed(0).last().unwrap(), "Attachment dir/f.bin attached and distributed");
}
