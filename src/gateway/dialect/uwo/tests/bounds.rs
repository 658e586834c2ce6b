//! Whatever comes: no panic, no growth.

use proptest::prelude::*;

use super::*;
use crate::gateway::dialect::uwo::{
    MAX_EARLY_BYTES,
    client::{MAX_SERVER_LINE_BYTES, MAX_TYPED},
    guest::MAX_GONE,
    host::room::MAX_LIST_BYTES,
};

#[test]
fn how_much_may_come_before_the_room_answers() {
    let mut stage = Stage::new();
    stage.answers = false;
    let alice = stage.connects();
    stage.sends(alice, "REGISTER alice CHAT/1.0\n");
    stage.sends(alice, vec![b'\n'; MAX_EARLY_BYTES]);
    assert!(!stage.is_closed(alice));
    stage.sends(alice, "\n");
    assert!(stage.is_closed(alice));
    assert_eq!(stage.left, [GuestId(0)]);
}

#[test]
fn is_a_program_that_reads_nothing_and_says_much_bounded() {
    let mut stage = Stage::new();
    stage.answers = false;
    let bare = stage.connects();
    stage.sends(bare, "REGISTER bare CHAT/1.0");
    for _ in 0..MAX_EARLY_BYTES / 33 {
        stage.sends(bare, "x");
    }
    assert!(!stage.is_closed(bare));
    for _ in 0..33 {
        stage.sends(bare, "x");
    }
    assert!(stage.is_closed(bare));
}

#[test]
fn how_long_is_the_list_of_users() {
    let mut stage = Stage::new();
    stage.others = (0..MAX_LIST_BYTES / 8).map(|i| format!("{i:08}")).collect();
    let alice = stage.joins("alice");
    stage.sends(alice, "@alice: !list\n");
    let list = stage.got(alice);
    assert!(list.len() <= MAX_LIST_BYTES + 1 && list.len() > MAX_LIST_BYTES - 10);
    assert!(list.starts_with("alice, 00000000, 00000001, ") && !list.contains(", \n"));
}

#[test]
fn of_how_many_who_left_are_lines_expected() {
    let mut stage = Stage::new();
    let bob = stage.joins("bob");
    for i in 0..=MAX_GONE {
        let conn = stage.joins(&format!("u{i}"));
        stage.input(Input::Ended { conn });
    }
    stage.hears(0, "~u1", "late");
    assert_eq!(stage.got(bob), "");
    stage.hears(0, "~u0", "late");
    assert_eq!(stage.got(bob), "@u0: late\n");
}

#[test]
fn how_many_typed_lines_wait_and_how_long_is_a_line_of_a_server() {
    let mut user = client::User::new(&[]);
    for _ in 0..MAX_TYPED {
        user.types("x");
    }
    assert_eq!(user.warnings(), 0);
    user.types("x");
    assert_eq!(user.warnings(), 1);
    user.hears("200 OK\n");
    user.hears(vec![b'x'; MAX_SERVER_LINE_BYTES]);
    user.hears("\r\n");
    assert_eq!(user.warnings(), 1);
    user.hears(vec![b'x'; MAX_SERVER_LINE_BYTES + 2]);
    user.hears(vec![b'x'; MAX_SERVER_LINE_BYTES + 2]);
    assert_eq!(user.warnings(), 2, "one line, however long");
    user.shown();
    user.hears("\n@bob: hi\n");
    assert_eq!(user.shown(), "\n@bob: hi\n> ");
}

fn chunk() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "REGISTER a CHAT/1.0",
        "REGISTER b CHAT/1.0\n",
        "\n",
        "\r\n",
        "@a: ",
        "@a",
        "!attach f",
        "!exit",
        "!list",
        "!follow x",
        "Follow: a,b\n",
        "Content-Length: 5\n",
        "Content-Length: 99999999999\n",
        "DISCONNECT a CHAT/1.0",
        "200 OK\n",
        "ATTACH f CHAT/1.0\n",
        "ATTACHMENT f CHAT/1.0\n",
        "Origin: x\n",
        "\u{feff}",
        "č",
    ]);
    prop_oneof![words.prop_map(|word| word.as_bytes().to_vec()), prop::collection::vec(any::<u8>(), 1..300)]
}

/// Bytes from one of three programs, or time.
fn steps() -> impl Strategy<Value = Vec<(usize, Vec<u8>, u64)>> {
    prop::collection::vec((0..3_usize, chunk(), prop::sample::select(vec![0, 0, 0, 50, 250, 6_000])), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn does_a_server_survive_anything(steps in steps()) {
        let mut stage = Stage::new();
        let quiet = stage.joins("quiet");
        let mut conns = [stage.connects(), stage.connects(), stage.connects()];
        for (who, bytes, pause) in steps {
            if stage.is_closed(conns[who]) {
                conns[who] = stage.connects();
            }
            stage.sends(conns[who], bytes);
            stage.passes(ms(pause));
        }
        stage.sends(conns[0], "\n");
        prop_assert!(!stage.is_closed(quiet), "nobody else is disturbed");
        stage.passes(Duration::from_secs(60));
        let now = stage.now;
        prop_assert!(stage.host.poll_timeout().is_none_or(|at| at > now), "nothing is due for ever");
        stage.input(Input::Stop);
        prop_assert_eq!(stage.host.poll_timeout(), None);
    }

    #[test]
    fn does_a_client_survive_anything(steps in steps(), registered in any::<bool>()) {
        let mut user = client::User::new(&[]);
        if registered {
            user.hears("200 OK\n");
        }
        for (_, bytes, pause) in steps {
            user.hears(bytes);
            user.passes(ms(pause));
        }
    }
}
