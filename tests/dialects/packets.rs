//! The editions over UDP, packet by packet: what is in flight, what is repeated, what is taken for new.

use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use md5::{Digest as _, Md5};

use crate::{
    hall::{Hall, caller},
    support::{folder::Folder, patience::PATIENCE},
    wire::Wire,
};

/// A server of `lums-udp`, played by the test.
struct Desk {
    socket: UdpSocket,
    client: Option<SocketAddr>,
}

impl Desk {
    fn new() -> Self {
        Self { socket: UdpSocket::bind("127.0.0.1:0").unwrap(), client: None }
    }

    fn port(&self) -> String {
        self.socket.local_addr().unwrap().port().to_string()
    }

    /// The next packet within this time: its type and number.
    fn packet(&mut self, within: Duration) -> Option<(String, u64)> {
        let mut buffer = [0; 2_000];
        self.socket.set_read_timeout(Some(within)).unwrap();
        let (len, from) = self.socket.recv_from(&mut buffer).ok()?;
        self.client = Some(from);
        assert!(len <= 1_500, "a packet has at most 1500 bytes");
        let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
        let (body, sum) = text.rsplit_once('|').unwrap();
        assert_eq!(sum, crc32fast::hash(format!("{body}|").as_bytes()).to_string(), "{text}");
        let mut fields = body.split('|');
        Some((fields.next().unwrap().to_owned(), fields.next().unwrap().parse().unwrap()))
    }

    #[track_caller]
    fn expect(&mut self, kind: &str) -> u64 {
        let (found, number) = self.packet(PATIENCE).expect("a packet");
        assert_eq!(found, kind);
        number
    }

    fn acknowledge(&self, next: u64) {
        let body = format!("ack|{next}||");
        let packet = format!("{body}{}", crc32fast::hash(body.as_bytes()));
        self.socket.send_to(packet.as_bytes(), self.client.unwrap()).unwrap();
    }

    /// Takes a whole message of one chunk.
    fn take_short(&mut self) {
        for kind in ["start", "data", "end"] {
            let number = self.expect(kind);
            self.acknowledge(number + 1);
        }
    }
}

/// 7.3: three data packets in flight, never more, and never fewer while there are more; the whole window is
/// sent again after 500 ms, four times in all; then the client gives up (LUDP-D4).
#[test]
fn are_three_packets_in_flight_and_sent_four_times() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("a.txt"), "x".repeat(9_000)).unwrap();
    let mut desk = Desk::new();
    let arguments = ["-u", "ann", "-a", "127.0.0.1", "-p", &desk.port()];
    let mut ann = caller("lums-udp", &arguments).in_folder(folder.path()).start();
    desk.take_short();
    ann.type_line("file 1 ben a.txt");
    let start = desk.expect("start");
    desk.acknowledge(start + 1);

    let short = Duration::from_millis(150);
    let window = |desk: &mut Desk, expected: &[u64]| {
        for number in expected {
            assert_eq!(desk.expect("data"), start + number);
        }
    };
    window(&mut desk, &[1, 2, 3]);
    assert_eq!(desk.packet(short), None, "never more than three");
    desk.acknowledge(start + 2);
    window(&mut desk, &[4]);
    assert_eq!(desk.packet(short), None, "one for one");
    // Two at once, then an old one, which moves nothing.
    desk.acknowledge(start + 4);
    window(&mut desk, &[5, 6]);
    desk.acknowledge(start + 2);
    assert_eq!(desk.packet(short), None, "an old number is no news");
    for _ in 0..3 {
        window(&mut desk, &[4, 5, 6]);
    }
    assert_eq!(desk.packet(Duration::from_millis(700)), None, "four times in all");
    ann.complains("");
    assert_ne!(ann.status(), 0);
}

fn data_packet(seq: u32, text: &str) -> Vec<u8> {
    let mut packet = [seq.to_le_bytes(), u32::try_from(text.len()).unwrap().to_le_bytes()].concat();
    packet.extend(text.as_bytes());
    packet.resize(264, 0);
    let digest = Md5::digest(&packet);
    packet.extend(digest.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()));
    packet
}

/// UUDP-D1, UUDP-D2: a packet that comes again is acknowledged and not taken again; one whose number never
/// changes is taken when it says something else.
#[test]
fn is_a_number_that_never_changes_heard() {
    let hall = Hall::new(&["uwo-udp", "uwo"]);
    let mut bob = hall.uwo("bob");
    let mut alice = Wire::datagrams("alice", hall.at("uwo-udp"));
    alice.sends(data_packet(0, "REGISTER alice CHAT/1.0\n"));
    // The ACK, and the answer until it is acknowledged.
    let ack = alice.read();
    assert!(ack.contains("9e4a85729f78b2975359db968fd85c01"), "{ack}");
    let answer = alice.read();
    assert!(answer.contains("200 Registration successful"), "{answer}");
    alice.sends(b"\x0b\0\0\0\0\0\0\x009e4a85729f78b2975359db968fd85c01");
    for text in ["@alice: one\n", "@alice: one\n", "@alice: two\n"] {
        alice.sends(data_packet(0, text));
        let ack = alice.read();
        assert!(ack.contains("9e4a85729f78b2975359db968fd85c01"), "{text}: {ack}");
    }
    bob.hears("@alice: one\n@alice: two\n");
    bob.is_quiet();
}

/// 4.5, UUDP-D1: an answer that nobody acknowledges is sent again after a second.
#[test]
fn is_an_answer_sent_until_it_is_acknowledged() {
    let hall = Hall::new(&["uwo-udp"]);
    let mut alice = Wire::datagrams("alice", hall.at("uwo-udp"));
    alice.sends(data_packet(0, "REGISTER alice CHAT/1.0\n"));
    alice.read();
    let answer = alice.read();
    assert_eq!(alice.read(), answer);
    assert_eq!(answer, String::from_utf8(data_packet(0, "200 Registration successful\n")).unwrap());
}

/// UUDP-D4: who is silent through eight repetitions, a second apart, is removed.
#[test]
fn is_a_silent_user_removed_after_eight_repetitions() {
    let hall = Hall::new(&["uwo-udp"]);
    let mut alice = Wire::datagrams("alice", hall.at("uwo-udp"));
    alice.sends(data_packet(0, "REGISTER alice CHAT/1.0\n"));
    alice.read();
    let mut sent = 0;
    // The answer itself is what she never acknowledges.
    while alice.read_within(Duration::from_secs(3)).is_some() {
        sent += 1;
    }
    assert_eq!(sent, 9, "once and eight times more");
    let mut again = Wire::datagrams("again", hall.at("uwo-udp"));
    again.sends(data_packet(0, "REGISTER alice CHAT/1.0\n"));
    again.read();
    assert!(again.read().contains("200 Registration successful"), "the name is free");
}
