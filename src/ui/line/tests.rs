use crate::{
    app::{SentState, Trouble},
    wire::{Epoch, NodeId},
};

use super::*;

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

fn said(place: Place, text: &str) -> Said {
    Said {
        place,
        from: "bob".into(),
        door: None,
        id: NodeId([7; 32]),
        epoch: Epoch(1_763_680_000),
        seq: Seq(0),
        sent_at_ms: 1_763_680_001_234,
        text: text.into(),
        historic: false,
        followed: None,
    }
}

fn data(event: &Event) -> String {
    match render(event, Paint::Plain) {
        Some(Printed::Data(line)) => line,
        other => panic!("{event:?} gave {other:?}"),
    }
}

fn presence_of(change: Change) -> String {
    data(&Event::Presence { room: room("lobby"), name: "carol".into(), change })
}

#[test]
fn are_the_lines_those_of_the_contract() {
    let addr = "127.0.0.1:4224".parse().unwrap();
    let users = vec!["alice".to_owned(), "bob".to_owned()];
    let joined = Event::Joined { room: room("lobby"), name: "alice".into(), users: users.clone() };
    let message = Event::Message(said(Place::Room(room("lobby")), "hello"));
    let private = Event::Private(said(Place::Person("alice".into()), "only for you"));
    assert_eq!(data(&Event::Listening { transport: "tcp", addr }), "listening on tcp 127.0.0.1:4224");
    assert_eq!(data(&joined), "joined lobby as alice (2 here: alice, bob)");
    assert_eq!(data(&message), "[lobby] bob: hello");
    assert_eq!(presence_of(Change::Join), "[lobby] * carol joined");
    assert_eq!(presence_of(Change::Leave), "[lobby] * carol left");
    assert_eq!(presence_of(Change::Rename { to: "dave".into() }), "[lobby] * carol is now known as dave");
    let lost = Change::Lost { reason: "no answer for 30 s".into() };
    assert_eq!(presence_of(lost), "[lobby] * carol was disconnected: no answer for 30 s");
    assert_eq!(data(&private), "[private] bob: only for you");
    assert_eq!(data(&Event::Users { room: room("lobby"), users }), "users in lobby: alice, bob");
    assert_eq!(data(&Event::Closed { reason: "server_shutdown" }), "server shut down");
}

#[test]
fn what_do_the_other_answers_look_like() {
    let rooms = vec![room("lobby"), room("ops")];
    let rooms = Event::Rooms { rooms, current: Some(room("ops")) };
    assert_eq!(data(&rooms), "rooms: lobby, ops (current)");
    let terms = vec!["#fire".parse().unwrap(), "@bob".parse().unwrap()];
    assert_eq!(data(&Event::Following { terms }), "following: #fire, @bob");
    assert_eq!(data(&Event::Left { room: room("ops") }), "left ops");
    let topic = |text: &str, changed| {
        data(&Event::Topic { room: room("ops"), from: "bob".into(), text: text.into(), changed })
    };
    assert_eq!(topic("cables", true), "[ops] * bob set the topic: cables");
    assert_eq!(topic("cables", false), "[ops] * topic by bob: cables");
    assert_eq!(topic("", false), "[ops] * no topic");
}

#[test]
fn is_a_hole_shown() {
    let gap = |first, last| {
        let place = Place::Room(room("lobby"));
        data(&Event::Gap { place, from: "bob".into(), first: Seq(first), last: Seq(last) })
    };
    assert_eq!(gap(10, 12), "[lobby] * 3 lines of bob are lost (10 to 12)");
    assert_eq!(gap(10, 10), "[lobby] * 1 line of bob is lost (10)");
}

#[test]
fn does_talk_about_links_and_trouble_stay_off_stdout() {
    let state = LinkState::Reconnecting { retry_in_ms: 8_000 };
    let link = Event::Link { peer: "10.0.0.5:4224".into(), transport: "tcp", state };
    let line = "tcp 10.0.0.5:4224 is being redialled, next try in 8 s";
    assert_eq!(render(&link, Paint::Plain), Some(Printed::Talk(line.into())));
    let trouble = Trouble::new("name_taken", "the name alice is in use", "another one: --name alice2");
    let error = Event::Error(trouble.clone());
    assert_eq!(render(&error, Paint::Plain), Some(Printed::Trouble(trouble)));
}

#[test]
fn is_a_line_of_ones_own_not_echoed() {
    let place = Place::Room(room("lobby"));
    let sent = Event::Sent { place, epoch: Epoch(1), seq: Seq(0), state: SentState::Accepted };
    assert_eq!(render(&sent, Paint::Plain), None);
}

#[test]
fn can_a_message_act_on_the_terminal_or_look_like_two() {
    let place = Place::Room(room("lobby"));
    let hostile = Event::Message(said(place, "\x1b[2Jx\n[lobby] alice: me"));
    assert_eq!(data(&hostile), "[lobby] bob: \\x1b[2Jx\\n[lobby] alice: me");
}

#[test]
fn are_old_lines_dimmed_only_in_color() {
    let old = Said { historic: true, ..said(Place::Room(room("lobby")), "hello") };
    assert_eq!(message(&old, Paint::Plain), "[lobby] bob: hello");
    assert_eq!(message(&old, Paint::Colored), "\x1b[2m[lobby] bob: hello\x1b[0m");
}

#[test]
fn how_are_figures_written() {
    let link = LinkFigures {
        peer: "127.0.0.1:4224".into(),
        name: "hub".into(),
        transport: "tcp",
        rtt_us: Some(1_234),
        bytes_sent: 999,
        bytes_received: 12_345,
        messages_sent: 3,
        messages_received: 40,
        path: None,
    };
    let line = "tcp 127.0.0.1:4224 (hub)  rtt 1.23 ms  sent 999 B in 3 messages  received 12.3 kB in 40";
    assert_eq!(data(&Event::Stats { links: vec![link.clone()] }), line);
    let path = PathFigures {
        min_rtt_us: 1_001,
        rtt_var_us: 20,
        packets_sent: 1_000,
        packets_lost: 103,
        retransmits: 90,
        spurious: 1,
        copies: 200,
        window: 14_720,
        in_flight: 1_200,
        mtu: 1_472,
    };
    let line = "udp 127.0.0.1:4224 (hub)  rtt 1.23 ms (least 1.00 ms, varies 0.02 ms)  loss 10.2 % \
                (1 only late)  retransmits 90  copies 200  window 14.7 kB (1.2 kB under way)  mtu 1472  \
                sent 999 B in 3 messages  received 12.3 kB in 40";
    let link = LinkFigures { transport: "udp", path: Some(path), ..link };
    assert_eq!(data(&Event::Stats { links: vec![link] }), line);
    assert_eq!(data(&Event::Stats { links: Vec::new() }), "no links");
}
