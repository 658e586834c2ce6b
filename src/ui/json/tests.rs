use crate::app::{TransferFigures, TransferState};

use super::*;

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

fn lobby() -> Place {
    Place::Room(room("lobby"))
}

fn said(place: Place, seq: u64, text: &str) -> Said {
    Said {
        place,
        from: "bob".into(),
        door: None,
        id: NodeId([0; 32]),
        epoch: Epoch(1_763_680_000),
        seq: Seq(seq),
        sent_at_ms: 1_763_680_001_234,
        text: text.into(),
        historic: false,
        followed: None,
    }
}

fn users() -> Vec<String> {
    vec!["alice".into(), "bob".into()]
}

fn check(event: &Event, expected: &str) {
    let id = NodeId([0; 32]).to_string();
    assert_eq!(render(event), expected.replace("NODEID", &id));
}

#[test]
fn are_messages_those_of_the_contract() {
    check(
        &Event::Message(said(lobby(), 0, "hello")),
        r#"{"event":"message","room":"lobby","from":"bob","id":"NODEID","epoch":1763680000,"seq":0,"sent_at_ms":1763680001234,"text":"hello","historic":false}"#,
    );
    check(
        &Event::Private(said(Place::Person("alice".into()), 3, "only for you")),
        r#"{"event":"private","from":"bob","to":["alice"],"id":"NODEID","epoch":1763680000,"seq":3,"text":"only for you","sent_at_ms":1763680001234,"historic":false}"#,
    );
}

#[test]
fn is_a_guest_called_by_name_and_door() {
    let guest = |place| Said { from: "~bob".into(), door: Some("vsb".into()), ..said(place, 0, "hello") };
    let rendered = render(&Event::Message(guest(lobby())));
    assert!(rendered.contains(r#""from":"bob","guest":"vsb","id""#), "{rendered}");
    let rendered = render(&Event::Private(guest(Place::Person("alice".into()))));
    assert!(rendered.contains(r#""from":"bob","guest":"vsb","to":["alice"]"#), "{rendered}");
}

#[test]
fn is_the_followed_term_there_only_when_one_was() {
    let followed = Said { followed: Some("#fire".parse().unwrap()), ..said(lobby(), 0, "a #fire") };
    assert!(render(&Event::Message(followed)).ends_with(r##""historic":false,"followed":"#fire"}"##));
}

#[test]
fn are_rooms_and_people_those_of_the_contract() {
    let addr = "127.0.0.1:4224".parse().unwrap();
    check(
        &Event::Listening { transport: "tcp", addr },
        r#"{"event":"listening","transport":"tcp","addr":"127.0.0.1:4224"}"#,
    );
    check(
        &Event::Door { dialect: "uwo", addr },
        r#"{"event":"listening","dialect":"uwo","addr":"127.0.0.1:4224"}"#,
    );
    check(
        &Event::Joined { room: room("lobby"), name: "alice".into(), users: users() },
        r#"{"event":"joined","room":"lobby","name":"alice","users":["alice","bob"]}"#,
    );
    check(
        &Event::Users { room: room("lobby"), users: users() },
        r#"{"event":"users","room":"lobby","users":["alice","bob"]}"#,
    );
    let presence = |change| Event::Presence { room: room("lobby"), name: "carol".into(), change };
    check(&presence(Change::Join), r#"{"event":"presence","room":"lobby","name":"carol","change":"join"}"#);
    check(
        &presence(Change::Lost { reason: "gone".into() }),
        r#"{"event":"presence","room":"lobby","name":"carol","change":"lost","reason":"gone"}"#,
    );
    check(
        &presence(Change::Rename { to: "dave".into() }),
        r#"{"event":"presence","room":"lobby","name":"carol","change":"rename","to":"dave"}"#,
    );
    let rooms = Event::Rooms { rooms: vec![room("lobby")], current: None };
    check(&rooms, r#"{"event":"rooms","rooms":["lobby"],"current":null}"#);
}

#[test]
fn are_marks_and_holes_those_of_the_contract() {
    let sent = |state| Event::Sent { place: lobby(), epoch: Epoch(1_763_680_000), seq: Seq(0), state };
    check(
        &sent(SentState::Accepted),
        r#"{"event":"sent","room":"lobby","epoch":1763680000,"seq":0,"state":"accepted"}"#,
    );
    check(
        &sent(SentState::Delivered { to: 3 }),
        r#"{"event":"sent","room":"lobby","epoch":1763680000,"seq":0,"state":"delivered","to":3}"#,
    );
    check(
        &Event::Gap { place: lobby(), from: "bob".into(), first: Seq(10), last: Seq(12) },
        r#"{"event":"gap","room":"lobby","from":"bob","first":10,"last":12}"#,
    );
    check(
        &Event::Gap { place: Place::Person("bob".into()), from: "bob".into(), first: Seq(1), last: Seq(1) },
        r#"{"event":"gap","person":"bob","from":"bob","first":1,"last":1}"#,
    );
}

#[test]
fn are_links_and_ends_those_of_the_contract() {
    let link = |state| Event::Link { peer: "127.0.0.1:4224".into(), transport: "udp", state };
    check(&link(LinkState::Up), r#"{"event":"link","peer":"127.0.0.1:4224","transport":"udp","state":"up"}"#);
    check(
        &link(LinkState::Reconnecting { retry_in_ms: 800 }),
        r#"{"event":"link","peer":"127.0.0.1:4224","transport":"udp","state":"reconnecting","retry_in_ms":800}"#,
    );
    check(
        &Event::Error(Trouble::new("name_taken", "the name alice is in use", "another one")),
        r#"{"event":"error","code":"name_taken","message":"the name alice is in use","hint":"another one"}"#,
    );
    check(&Event::Closed { reason: "server_shutdown" }, r#"{"event":"closed","reason":"server_shutdown"}"#);
}

#[test]
fn are_figures_of_the_way_there_only_where_they_are_known() {
    let tcp = LinkFigures {
        peer: "127.0.0.1:4224".into(),
        name: "hub".into(),
        transport: "tcp",
        rtt_us: None,
        bytes_sent: 999,
        bytes_received: 12_345,
        messages_sent: 3,
        messages_received: 40,
        path: None,
    };
    let path = PathFigures { packets_sent: 100, packets_lost: 7, mtu: 1200, ..PathFigures::default() };
    let udp = LinkFigures { transport: "udp", rtt_us: Some(1_234), path: Some(path), ..tcp.clone() };
    let counters = r#""bytes_sent":999,"bytes_received":12345,"messages_sent":3,"messages_received":40"#;
    let way = r#""min_rtt_us":0,"rtt_var_us":0,"packets_sent":100,"packets_lost":7,"retransmits":0,"spurious":0,"copies":0,"window":0,"in_flight":0,"mtu":1200"#;
    let link = |figures: &str| format!(r#"{{"peer":"127.0.0.1:4224","name":"hub",{figures}}}"#);
    let tcp_link = link(&format!(r#""transport":"tcp","rtt_us":null,{counters}"#));
    let udp_link = link(&format!(r#""transport":"udp","rtt_us":1234,{counters},{way}"#));
    check(
        &Event::Stats { links: vec![tcp, udp] },
        &format!(r#"{{"event":"stats","links":[{tcp_link},{udp_link}]}}"#),
    );
}

#[test]
fn is_the_text_exact_to_a_parser_and_inert_on_a_terminal() {
    let text = "two\nlines \u{9b}31m \u{202e}";
    let json = render(&Event::Message(said(lobby(), 0, text)));
    assert!(json.contains(r"two\nlines \u009b31m \u202e"));
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["text"], text);
}

fn figures() -> TransferFigures {
    TransferFigures {
        id: 7,
        name: "site-survey.zip".into(),
        outgoing: true,
        bytes: 4_096,
        held: 0,
        total: 12_345,
    }
}

#[test]
fn are_files_those_of_the_contract() {
    let offered = |room| Event::Offered {
        id: 8,
        from: "alice".into(),
        room,
        name: "core-switch.cfg".into(),
        bytes: 18_000,
    };
    check(
        &offered(None),
        r#"{"event":"offer","transfer":"8","from":"alice","name":"core-switch.cfg","bytes":18000}"#,
    );
    check(
        &offered(Some(room("lobby"))),
        r#"{"event":"offer","transfer":"8","from":"alice","room":"lobby","name":"core-switch.cfg","bytes":18000}"#,
    );
    let (from, name, path) = ("bob".into(), "notes.txt".into(), "downloads/notes.txt".into());
    check(
        &Event::File { id: 8, from, name, bytes: 12_345, path },
        r#"{"event":"file","transfer":"8","from":"bob","name":"notes.txt","bytes":12345,"path":"downloads/notes.txt"}"#,
    );
    check(&Event::Progress(figures()), r#"{"event":"progress","transfer":"7","bytes":4096,"total":12345}"#);
}

#[test]
fn what_becomes_of_a_transfer() {
    let transfer =
        r#""transfer":"7","name":"site-survey.zip","peer":"dave","outgoing":true,"bytes":4096,"total":12345"#;
    let check_state = |state: TransferState, expected: &str| {
        let event = Event::Transfer { figures: figures(), peer: "dave".into(), state };
        check(&event, &format!(r#"{{"event":"transfer",{transfer},{expected}}}"#));
    };
    check_state(TransferState::Offered, r#""state":"offered""#);
    check_state(TransferState::Accepted, r#""state":"accepted""#);
    check_state(TransferState::Resumed, r#""state":"resumed""#);
    let reason = "dave's link is gone".to_owned();
    check_state(TransferState::Waiting { reason }, r#""state":"waiting","reason":"dave's link is gone""#);
    check_state(TransferState::Verifying, r#""state":"verifying""#);
    check_state(TransferState::Done, r#""state":"done""#);
    check_state(
        TransferState::Failed { reason: Trouble::new("file_refused", "dave did not take it", "ask him") },
        r#""state":"failed","reason":"file_refused","message":"dave did not take it","hint":"ask him""#,
    );
    check(
        &Event::Transfers { transfers: vec![(figures(), "dave".into())] },
        &format!(r#"{{"event":"transfers","transfers":[{{{transfer}}}]}}"#),
    );
    check(&Event::Transfers { transfers: Vec::new() }, r#"{"event":"transfers","transfers":[]}"#);
}

#[test]
fn can_the_name_of_a_file_act_on_a_terminal() {
    let (from, name, path) = ("bob".into(), "\x1b[2J\u{202e}gnp.exe".into(), "d/\u{9b}31m".into());
    let json = render(&Event::File { id: 8, from, name, bytes: 0, path });
    assert!(json.contains(r#""name":"\u001b[2J\u202egnp.exe""#), "{json}");
    assert!(json.contains(r#""path":"d/\u009b31m""#), "{json}");
}
