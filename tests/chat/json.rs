//! `--json`: every line an object, every object with the keys that scripts were promised.

use serde_json::{Value, json};

use crate::support::star::Star;

#[track_caller]
fn has_keys(object: &Value, expected: &[&str]) {
    let mut expected: Vec<&str> = expected.iter().copied().chain(["event"]).collect();
    expected.sort_unstable();
    let keys = object.as_object().unwrap().keys();
    assert!(keys.map(String::as_str).eq(expected.iter().copied()), "{object}: {expected:?}");
}

#[test]
fn which_keys_have_the_objects_of_a_star() {
    let star = Star::new();
    let mut alice = star.client("alice").with(&["--json"]).start();
    let up = alice.event("link");
    assert_eq!(up, json!({"event": "link", "peer": star.addr, "transport": "tcp", "state": "up"}));
    let joined = alice.event("joined");
    assert_eq!(joined, json!({"event": "joined", "room": "lobby", "name": "alice", "users": ["alice"]}));
    let mut bob = star.join("bob");
    let presence = alice.event("presence");
    assert_eq!(presence, json!({"event": "presence", "room": "lobby", "name": "bob", "change": "join"}));
    bob.type_line("hello");
    let message = alice.event("message");
    has_keys(&message, &["room", "from", "id", "epoch", "seq", "sent_at_ms", "text", "historic"]);
    assert_eq!(
        (&message["from"], &message["text"], &message["seq"]),
        (&json!("bob"), &json!("hello"), &json!(0))
    );
    bob.type_line("/msg alice psst");
    let private = alice.event("private");
    has_keys(&private, &["from", "to", "id", "epoch", "seq", "text", "sent_at_ms", "historic"]);
    assert_eq!(private["to"], json!(["alice"]));
    assert_eq!(private["id"], message["id"]);
    alice.type_line("hello bob");
    let sent = alice.event("sent");
    has_keys(&sent, &["room", "epoch", "seq", "state"]);
    assert_eq!(
        (&sent["room"], &sent["seq"], &sent["state"]),
        (&json!("lobby"), &json!(0), &json!("accepted"))
    );
    alice.type_line("/users");
    let users = alice.event("users");
    assert_eq!(users, json!({"event": "users", "room": "lobby", "users": ["alice", "bob"]}));
    alice.type_line("/nonsense");
    let error = alice.event("error");
    has_keys(&error, &["code", "message", "hint"]);
    assert_eq!(error["code"], "unknown_command");
    bob.type_line("/name dave");
    let rename = alice.event("presence");
    let expected =
        json!({"event": "presence", "room": "lobby", "name": "bob", "change": "rename", "to": "dave"});
    assert_eq!(rename, expected);
    bob.says("[lobby] alice: hello bob");
    bob.says("you are now known as dave");
    bob.murder();
    let lost = alice.event("presence");
    has_keys(&lost, &["room", "name", "change", "reason"]);
    assert_eq!((&lost["name"], &lost["change"]), (&json!("dave"), &json!("lost")));
    star.server.signal("TERM");
    assert_eq!(alice.event("closed"), json!({"event": "closed", "reason": "server_shutdown"}));
    alice.ends(0);
}

#[test]
fn is_a_server_a_source_of_objects_too() {
    let mut star = Star::new();
    star.server.signal("TERM");
    star.server.ends(0);
    let mut server =
        crate::support::process::Launch::new("server", &["--role", "server", "--transport", "tcp", "--json"])
            .with(&["--listen", "127.0.0.1:0", "--data-dir", &star.folder.at("server")])
            .without_input()
            .start();
    let listening = server.event("listening");
    has_keys(&listening, &["transport", "addr"]);
    assert_eq!(listening["transport"], "tcp");
    server.signal("TERM");
    assert_eq!(server.event("closed"), json!({"event": "closed", "reason": "quit"}));
    server.ends(0);
}

#[test]
fn is_every_line_an_object_whatever_others_say() {
    let star = Star::new();
    let mut alice = star.client("alice").with(&["--json"]).start();
    alice.event("joined");
    let mut bob = star.join("bob");
    let texts =
        ["\"quotes\" and \\ slashes", "{\"event\":\"closed\"}", "\u{2028} \u{85} \u{202e} \u{7f}", "日本語"];
    for text in texts {
        bob.type_line(text);
        assert_eq!(alice.event("message")["text"], text);
    }
}
