use std::path::Path;

use crate::app::Trouble;

use super::*;

fn around() -> Surroundings {
    Surroundings { login: Some("ann".into()), data_home: Some("/data".into()), ..Surroundings::default() }
}

fn resolve(role: RoleName, options: &Options) -> Result<Settings, Stop> {
    Settings::resolve(role, options, &OwnArguments::default(), &[], &around())
}

fn trouble(role: RoleName, options: &Options) -> Trouble {
    match resolve(role, options) {
        Err(Stop::Trouble(Status::Usage, trouble)) => trouble,
        other => panic!("{other:?}"),
    }
}

fn client_of(options: &Options) -> ClientSettings {
    match resolve(RoleName::Client, options).unwrap().role {
        Role::Client(client) => client,
        other => panic!("{other:?}"),
    }
}

fn peer_of(peers: &[&str]) -> PeerSettings {
    let peers = Some(peers.iter().map(|peer| (*peer).to_owned()).collect());
    match resolve(RoleName::Peer, &Options { peers, ..Options::default() }).unwrap().role {
        Role::Peer(peer) => peer,
        other => panic!("{other:?}"),
    }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn what_is_a_node_without_options() {
    let server = resolve(RoleName::Server, &Options::default()).unwrap();
    let expected = ServerSettings {
        listen: Some("127.0.0.1:4224".parse().unwrap()),
        doors: Vec::new(),
        web: None,
        transports: carriers::available(),
        keep: crate::cli::Keep { history: History::DataDirectory, retention: keep::DEFAULT },
        limits: Limits::default(),
    };
    assert_eq!(server.role, Role::Server(expected));
    assert_eq!(server.data_dir, Path::new("/data/sayagain/server"));
    assert_eq!((server.insecure, server.face), (false, Face::Line(Paint::Plain)));

    let client = client_of(&Options::default());
    assert_eq!(client.server.addrs, ["127.0.0.1:4224".parse().unwrap()]);
    assert_eq!((client.person.nick.as_str(), client.person.name_given), ("ann", false));
    assert_eq!(client.person.rooms, ["lobby".parse().unwrap()]);
    assert_eq!(client.person.linger, Duration::from_secs(60));
    let files = crate::cli::Files { rules: crate::app::FileRules::default(), downloads: None };
    assert_eq!(client.person.files, files);
    assert_eq!(peer_of(&[]).person.files, files);
}

#[test]
fn where_does_a_peer_listen_unless_told() {
    assert_eq!(peer_of(&[]).listen.to_string(), "127.0.0.1:0");
    assert_eq!(peer_of(&["127.0.0.1:1", "[::1]:2"]).listen.to_string(), "127.0.0.1:0");
    assert_eq!(peer_of(&["127.0.0.1:1", "10.0.0.5:2"]).listen.to_string(), "0.0.0.0:0");
}

#[test]
fn is_one_known_peer_enough() {
    assert_eq!(peer_of(&["no-such-host.invalid", "127.0.0.1:1"]).peers.len(), 1);
    let peers = Some(vec!["no-such-host.invalid".to_owned()]);
    let stop = resolve(RoleName::Peer, &Options { peers, ..Options::default() }).unwrap_err();
    assert!(matches!(stop, Stop::Trouble(Status::Unreachable, _)), "{stop:?}");
}

#[test]
fn which_name_comes_from_a_login() {
    let nick = |login: &str| login_nick(login).as_str().to_owned();
    assert_eq!(nick("ann.lee"), "ann.lee");
    assert_eq!(nick("_ann lee"), "ann-lee");
    assert_eq!(nick("CORP\\ann"), "CORP-ann");
    assert_eq!(nick("Jörg"), "J-rg");
    assert_eq!(nick(&"x".repeat(100)).len(), crate::wire::MAX_NICK_BYTES);
    for nobody in ["", "root", "___", "日本"] {
        assert_eq!(nick(nobody), "guest", "{nobody:?}");
    }
}

#[test]
fn does_a_name_choose_the_directory() {
    let named = Options { name: text("Alice"), ..Options::default() };
    let directory = |role, options: &Options| resolve(role, options).unwrap().data_dir;
    assert_eq!(directory(RoleName::Client, &named), Path::new("/data/sayagain/client-alice"));
    assert_eq!(directory(RoleName::Peer, &named), Path::new("/data/sayagain/peer-alice"));
    let given = Options { data_dir: Some("/here".into()), ..named };
    assert_eq!(directory(RoleName::Peer, &given), Path::new("/here"));
}

#[test]
fn is_a_wrong_name_refused() {
    let wrong = trouble(RoleName::Client, &Options { name: text("al ice"), ..Options::default() });
    assert_eq!((wrong.code, wrong.message.as_str()), ("name_invalid", "\"al ice\" cannot be a name"));
    let room = Some(vec!["a b".to_owned()]);
    assert_eq!(trouble(RoleName::Client, &Options { room, ..Options::default() }).code, "name_invalid");
}

#[test]
fn is_a_typed_option_of_another_role_refused() {
    let refused = Settings::resolve(
        RoleName::Server,
        &Options::default(),
        &OwnArguments::default(),
        &["peers"],
        &around(),
    );
    let hint = "it is for --role peer";
    assert_eq!(refused, Err(Stop::usage("--peers means nothing to a server", hint)));
    let of_a_file = Options { peers: Some(vec!["10.0.0.5".into()]), name: text("bob"), ..Options::default() };
    assert!(resolve(RoleName::Server, &of_a_file).is_ok());
}

#[test]
fn is_what_is_not_there_yet_refused_with_what_is() {
    let pigeon = Options { transport: text("pigeon"), ..Options::default() };
    for role in [RoleName::Server, RoleName::Client, RoleName::Peer] {
        let trouble = trouble(role, &pigeon);
        assert_eq!(trouble.message, "--transport \"pigeon\" is not available");
        assert!(trouble.hint.starts_with("available: tcp"), "{}", trouble.hint);
    }
    let web = Options { web: text("127.0.0.1:4280"), ..Options::default() };
    assert_eq!(trouble(RoleName::Server, &web).message, "--web has nothing to show");
    let of_vsb = Options { dialect: Some(vec!["vsb".into()]), ..web };
    assert!(resolve(RoleName::Server, &of_vsb).is_ok());
    let history = Options { history: text(""), ..Options::default() };
    assert_eq!(trouble(RoleName::Server, &history).hint, "none, memory or a file");
    let days = Options { retain_days: Some(0), ..Options::default() };
    assert_eq!(trouble(RoleName::Server, &days).hint, "1 to 3652425");
    let listen = Options { listen: text("none"), ..Options::default() };
    assert_eq!(trouble(RoleName::Server, &listen).code, "usage");
    let with_a_door = Options { dialect: Some(vec!["lums".into()]), ..listen };
    assert!(resolve(RoleName::Server, &with_a_door).is_ok());
    for transport in ["tcp", "auto"] {
        client_of(&Options { transport: text(transport), ..Options::default() });
    }
}

#[test]
fn may_a_client_listen_only_where_its_dialect_does() {
    let listen = Options { listen: text("127.0.0.1:0"), ..Options::default() };
    let of = |options: &Options| {
        Settings::resolve(RoleName::Client, options, &OwnArguments::default(), &["listen"], &around())
    };
    let Err(Stop::Trouble(_, trouble)) = of(&listen) else { panic!("it has no use for it") };
    assert_eq!(trouble.message, "--listen means nothing to a client");
    assert!(of(&Options { dialect: Some(vec!["iowa".into()]), ..listen }).is_ok());
}

#[test]
fn where_do_the_limits_end() {
    let of = |bytes| Options { max_message_bytes: Some(bytes), ..Options::default() };
    assert!(resolve(RoleName::Server, &of(1)).is_ok());
    assert!(resolve(RoleName::Server, &of(60_000)).is_ok());
    for wrong in [0, 60_001] {
        let trouble = trouble(RoleName::Server, &of(wrong));
        assert_eq!(trouble.message, format!("--max-message-bytes {wrong} is out of range"));
        assert_eq!(trouble.hint, "1 to 60000");
    }
    assert_eq!(trouble(RoleName::Peer, &Options { max_rooms: Some(0), ..Options::default() }).code, "usage");
}

#[test]
fn who_leaves_at_the_end_of_input() {
    let at_end = |role, is_terminal| {
        let around = Surroundings { is_terminal, ..around() };
        Settings::resolve(role, &Options::default(), &OwnArguments::default(), &[], &around).unwrap().at_end
    };
    assert_eq!(at_end(RoleName::Client, false), AtEnd::Finish);
    assert_eq!(at_end(RoleName::Peer, false), AtEnd::FinishIfSpoken);
    assert_eq!(at_end(RoleName::Server, false), AtEnd::Stay);
    assert_eq!(at_end(RoleName::Server, true), AtEnd::Finish);
}
