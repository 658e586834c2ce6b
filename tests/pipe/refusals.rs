//! What is refused, and with which words and status?

use std::{net::TcpListener, process::Command};

use crate::ends::{Dialing, Listening, framed};

/// What was whole before the mistake arrives all the same.
#[track_caller]
fn is_told(lanes: &str, mistake: &[u8], error: &str, hint: &str) {
    let listening = Listening::new(&[]);
    let input = [&framed(0, b"whole"), mistake].concat();
    let mut dialing = listening.dialed(&["--lanes", lanes]).fed(input);
    assert_eq!(dialing.ends(1), format!("error: {error}\n  hint: those before it were delivered{hint}\n"));
    assert_eq!(listening.takes(), b"whole");
}

#[test]
fn is_a_mistake_in_the_input_named() {
    let no_such_lane = "message 2 on the input is for lane 4, there are 4: 0 to 3";
    is_told("4", &framed(4, b"x"), no_such_lane, "; --lanes N makes more");
    let cut = "; each is u32 length, u16 lane, bytes";
    is_told("1", &[9, 0], "the input ended within message 2", cut);
    is_told("1", &framed(0, b"four")[..9], "the input ended within message 2", cut);
    let too_long = "message 2 on the input has 16777217 bytes, the limit is 16777216";
    let header = [&((16 << 20) + 1_u32).to_le_bytes()[..], &[0, 0]].concat();
    is_told("1", &header, too_long, "; send it in parts");
}

#[test]
fn is_an_address_where_nothing_listens_unreachable() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut dialing = Dialing::new(&free, &[]);
    let complaints = dialing.ends(5);
    assert!(complaints.starts_with(&format!("error: nothing listens on tcp {free}\n")), "{complaints}");
    dialing.said_all();
    let mut dialing = Dialing::new("no-such-host.invalid:1", &[]);
    assert!(dialing.ends(5).starts_with("error: cannot find the host \"no-such-host.invalid\"\n"));
}

#[test]
fn is_plaintext_on_one_side_refused() {
    let sealed = Listening::new(&[]);
    assert!(sealed.dialed(&["--insecure"]).ends(4).contains("speaks plaintext and the other does not\n"));
    let plain = Listening::new(&["--insecure"]);
    assert!(plain.dialed(&[]).ends(4).contains("speaks plaintext and the other does not\n"));
}

#[test]
fn is_a_port_that_is_taken_named() {
    let listening = Listening::new(&[]);
    let addr = listening.addr.as_str();
    let hint = "another node may be running; choose another with pipe listen 127.0.0.1:0";
    let error = format!("error: cannot listen on {addr}: the port is in use\n  hint: {hint}\n");
    is_refused(&["listen", addr, "--transport", "tcp"], 1, &error);
}

#[test]
fn is_wrong_usage_told() {
    let dial = |flags: &'static [&str]| [&["dial", "127.0.0.1:1", "--transport", "tcp"], flags].concat();
    let usage = |arguments: &[&str], error: &str| is_refused(arguments, 2, &format!("error: {error}\n"));
    usage(&[], "pipe needs a command\n  hint: there are listen, dial");
    usage(&["dial"], "not given: --transport <TRANSPORT>, <ADDR:PORT>\n  hint: node --help lists all");
    let (status, complaints) = refused(&["dial", "127.0.0.1:1", "--transport", "pigeon"]);
    let error = "error: --transport \"pigeon\" is not available\n  hint: available: tcp";
    assert!(status == 2 && complaints.starts_with(error), "{complaints}");
    usage(
        &["dial", "::1", "--transport", "tcp"],
        "pipe dial \"::1\" is no address\n  hint: write an IPv6 address in brackets: [::1]:4224",
    );
    let of_a_stream = "--impair means nothing to tcp: of a stream nothing can be dropped\n  hint: leave tcp out, \
                       or run it on a bad link of the kernel's: netem/run.sh PROFILE -- COMMAND";
    usage(&dial(&["--impair", "lossy30"]), of_a_stream);
    usage(&["listen", "127.0.0.1:0", "--transport", "tcp", "--impair", "lossy30"], of_a_stream);
    for lanes in ["0", "65537", "many"] {
        let arguments = ["dial", "127.0.0.1:1", "--transport", "tcp", "--lanes", lanes];
        assert_eq!(refused(&arguments).0, 2, "{lanes}");
    }
    assert!(refused(&dial(&["--class", "control"])).1.contains("there are thin, bulk"));
}

#[track_caller]
fn is_refused(arguments: &[&str], status: i32, complaints: &str) {
    assert_eq!(refused(arguments), (status, complaints.to_owned()));
}

fn refused(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_node")).arg("pipe").args(arguments).output().unwrap();
    assert_eq!(output.stdout, b"");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}
