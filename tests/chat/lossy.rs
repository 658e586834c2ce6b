//! A talk on a link that loses three of ten datagrams each way.

use crate::support::star::Star;

const LINES: usize = 500;

#[test]
fn do_1_000_lines_arrive_in_order_and_once_at_30_percent_loss() {
    let impair = ["--impair", "lossy30"];
    let star = Star::over("udp", &impair);
    let come = |name: &str| {
        // The first dials may get no answer, and without this a client takes a few of them for one.
        let mut client = star.client(name).with(&impair).with(&["--reconnect"]).start();
        client.says_something_like(&format!("joined lobby as {name} ("));
        client
    };
    let mut alice = come("alice");
    let mut bob = come("bob");
    alice.says("[lobby] * bob joined");
    for n in 0..LINES {
        alice.type_line(&format!("question {n}"));
        bob.type_line(&format!("answer {n}"));
    }
    for n in 0..LINES {
        alice.says(&format!("[lobby] bob: answer {n}"));
        bob.says(&format!("[lobby] alice: question {n}"));
    }
    alice.end_input();
    alice.ends(0);
    bob.says("[lobby] * alice left");
    bob.end_input();
    bob.ends(0);
}
