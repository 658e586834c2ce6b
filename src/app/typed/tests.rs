use super::*;

fn asked(line: &str) -> Command {
    match parse(line) {
        Ok(Typed::Command(command)) => command,
        other => panic!("{line:?} gave {other:?}"),
    }
}

fn trouble(line: &str) -> Trouble {
    parse(line).unwrap_err()
}

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

#[test]
fn is_a_line_without_a_slash_said_as_it_is() {
    assert_eq!(asked("hello"), Command::Say("hello".into()));
    assert_eq!(asked("a  b   c "), Command::Say("a  b   c ".into()));
    assert_eq!(asked("  /join ops"), Command::Say("  /join ops".into()));
    assert_eq!(asked("//join ops"), Command::Say("/join ops".into()));
}

#[test]
fn does_an_empty_line_ask_for_nothing() {
    assert_eq!(parse(""), Ok(Typed::Nothing));
    assert_eq!(parse(" \t"), Ok(Typed::Nothing));
}

#[test]
fn do_all_names_of_a_command_mean_the_same() {
    for join in ["/join Ops", "/subscribe ops", "/JOIN   ops  "] {
        assert_eq!(asked(join), Command::Join(room("ops")), "{join}");
    }
    for leave in ["/leave ops", "/unsubscribe ops", "/part ops"] {
        assert_eq!(asked(leave), Command::Leave(Some(room("ops"))), "{leave}");
    }
    for users in ["/users", "/list"] {
        assert_eq!(asked(users), Command::Users(None), "{users}");
    }
    for name in ["/name dave", "/nick dave", "/setname dave"] {
        assert_eq!(asked(name), Command::Rename("dave".parse().unwrap()), "{name}");
    }
    assert_eq!(asked("/quit"), asked("/exit"));
}

#[test]
fn what_do_the_other_commands_ask() {
    assert_eq!(asked("/room ops"), Command::Switch(room("ops")));
    assert_eq!(asked("/rooms"), Command::Rooms);
    assert_eq!(asked("/history"), Command::History(DEFAULT_HISTORY));
    assert_eq!(asked("/history 5"), Command::History(5));
    assert_eq!(asked("/follow #Fire"), Command::Follow("#fire".parse().unwrap()));
    assert_eq!(asked("/unfollow @bob"), Command::Unfollow("@bob".parse().unwrap()));
    assert_eq!(asked("/following"), Command::Following);
    assert_eq!(asked("/stats"), Command::Stats);
    assert_eq!(asked("/topic"), Command::Topic(None));
    assert_eq!(asked("/topic bring  cables"), Command::Topic(Some("bring  cables".into())));
    assert_eq!(asked("/quit see you"), Command::Quit(Some("see you".into())));
    assert_eq!(parse("/help"), Ok(Typed::Help));
}

#[test]
fn does_a_private_line_reach_each_person_once() {
    let tell = |to: &[&str], text: &str| Command::Tell {
        to: to.iter().map(|name| (*name).to_owned()).collect(),
        text: text.to_owned(),
    };
    assert_eq!(asked("/msg bob a  b"), tell(&["bob"], "a  b"));
    assert_eq!(asked("/msg bob,carol,BOB hi"), tell(&["bob", "carol"], "hi"));
    assert_eq!(asked("/msg bob, carol hi there"), tell(&["bob", "carol"], "hi there"));
    assert_eq!(asked("/msg bob#K7QD hi"), tell(&["bob#K7QD"], "hi"));
    for wrong in ["/msg", "/msg bob", "/msg , hi", "/msg bob,"] {
        assert_eq!(trouble(wrong).code, "usage", "{wrong}");
    }
}

#[test]
fn is_a_file_sent_to_people_or_to_the_room() {
    let send = |path: &str, to: &[&str]| Command::Send {
        path: path.into(),
        to: to.iter().map(|name| (*name).to_owned()).collect(),
    };
    assert_eq!(asked("/send notes.txt"), send("notes.txt", &[]));
    assert_eq!(asked("/SEND  notes.txt   bob "), send("notes.txt", &["bob"]));
    assert_eq!(asked("/send notes.txt bob,carol,BOB"), send("notes.txt", &["bob", "carol"]));
    assert_eq!(asked("/send notes.txt bob, carol#K7QD"), send("notes.txt", &["bob", "carol#K7QD"]));
    assert_eq!(asked("/send \"my notes.txt\" bob"), send("my notes.txt", &["bob"]));
    assert_eq!(asked("/send 'my notes.txt'"), send("my notes.txt", &[]));
    assert_eq!(asked(r"/send my\ notes.txt bob"), send("my notes.txt", &["bob"]));
    assert_eq!(asked("/send ~/notes.txt"), send("~/notes.txt", &[]));
    for wrong in ["/send", "/send \"\"", "/send my notes.txt bob", "/send a ,", "/send a bob carol"] {
        assert_eq!(trouble(wrong).hint, "type /send FILE [NAME[,NAME...]]", "{wrong}");
    }
    let quote = trouble("/send bob's.txt carol");
    assert_eq!((quote.code, quote.message.as_str()), ("usage", "a ' is not closed; nothing was sent"));
    assert_eq!(quote.hint, r"put another ' behind the name, or \ before a ' that belongs to it");
}

#[test]
fn is_a_transfer_called_by_its_number() {
    assert_eq!(asked("/accept 8"), Command::Accept(8));
    assert_eq!(asked("/accept #8"), Command::Accept(8));
    assert_eq!(asked("/reject  8 "), Command::Reject(8));
    assert_eq!(asked("/cancel #7"), Command::Cancel(7));
    assert_eq!(asked("/transfers"), Command::Transfers);
    for wrong in ["", " x", " #", " 8 9", " -8", " +8", " ##8", " 4294967296"] {
        assert_eq!(trouble(&format!("/accept{wrong}")).hint, "type /accept ID", "{wrong}");
    }
    assert_eq!(trouble("/transfers 8").hint, "type /transfers");
}

#[test]
fn does_an_unknown_command_name_help_and_what_was_meant() {
    let sned = trouble("/jion ops");
    assert_eq!(sned.code, "unknown_command");
    assert_eq!(sned.message, "/jion is no command; nothing was sent");
    assert_eq!(sned.hint, "did you mean /join? /help lists all; //jion sends it as text");
    assert_eq!(trouble("/sned x").hint, "did you mean /send? /help lists all; //sned sends it as text");
    assert_eq!(trouble("/frobnicate").hint, "/help lists all; //frobnicate sends it as text");
    assert_eq!(trouble("/").code, "unknown_command");
}

#[test]
fn are_wrong_words_behind_a_command_refused() {
    for wrong in ["/join", "/room", "/name", "/follow", "/rooms now", "/history x", "/history 0"] {
        assert_eq!(trouble(wrong).code, "usage", "{wrong}");
    }
    assert_eq!(trouble("/join").hint, "type /join ROOM");
    let name = trouble("/name al ice");
    assert_eq!((name.code, name.message.as_str()), ("name_invalid", "\"al ice\" cannot be a name"));
    assert_eq!(trouble("/name server").code, "name_invalid");
    assert_eq!(trouble("/join a b").code, "name_invalid");
    assert_eq!(trouble("/follow a b").code, "term_invalid");
}

#[test]
fn is_every_command_in_the_help() {
    let help = help().join("\n");
    for name in COMMANDS.iter().flat_map(|spelling| spelling.names) {
        assert!(help.contains(&format!("/{name}")), "{name}");
    }
}
