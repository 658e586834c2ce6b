use super::{
    super::tests::{Scratch, incoming, names_in, transfer},
    *,
};
use crate::{app::KeptOutgoing, wire::NodeId};

fn outgoing(number: u32) -> KeptTransfer {
    KeptTransfer::Outgoing(KeptOutgoing {
        transfer: transfer(number),
        path: "/home/über/notes.txt".into(),
        name: "notes.txt".into(),
        len: u64::MAX,
        modified_ms: 1_700_000_000_123,
        room: None,
        receivers: vec![(NodeId([1; 32]), "bob".into()), (NodeId([2; 32]), "carol".into())],
    })
}

fn open(scratch: &Scratch) -> (Ledger, Vec<KeptTransfer>) {
    Ledger::open(&scratch.0).unwrap()
}

#[test]
fn is_a_transfer_remembered_in_another_run_until_it_is_forgotten() {
    let scratch = Scratch::new("ledger");
    let (mut ledger, none) = open(&scratch);
    assert!(none.is_empty());
    for kept in [incoming(1, None), outgoing(2), incoming(3, Some("there"))] {
        ledger.keep(&kept);
    }
    ledger.keep(&incoming(1, Some("here")));
    let (mut ledger, kept) = open(&scratch);
    assert_eq!(kept, [incoming(1, Some("here")), outgoing(2), incoming(3, Some("there"))]);
    ledger.forget(transfer(2));
    ledger.forget(transfer(9));
    assert_eq!(open(&scratch).1, [incoming(1, Some("here")), incoming(3, Some("there"))]);
}

#[test]
fn is_what_cannot_be_read_skipped_and_left() {
    let scratch = Scratch::new("garbage");
    let (mut ledger, _) = open(&scratch);
    ledger.keep(&incoming(1, None));
    let whole = fs::read(scratch.0.join(format!("{}.json", transfer(1)))).unwrap();
    for (name, content) in [
        ("empty.json", &b""[..]),
        ("binary.json", &[0xff, 0, 0xfe]),
        ("half.json", &whole[..whole.len() / 2]),
        ("other.json", b"{\"outgoing\":7}"),
        ("misnamed.json", &whole),
        ("unfinished.json.new", &whole),
        ("notes.txt", b"hello"),
    ] {
        scratch.file(name, content);
    }
    scratch.file("long.json", &vec![b' '; 2 * MAX_KEPT_BYTES as usize]);
    fs::create_dir(scratch.0.join("folder.json")).unwrap();
    std::os::unix::fs::symlink("empty.json", scratch.0.join("link.json")).unwrap();
    let before = names_in(&scratch.0);
    assert_eq!(open(&scratch).1, [incoming(1, None)]);
    assert_eq!(names_in(&scratch.0), before);
}

#[test]
fn are_as_many_remembered_as_the_limit_says_and_does_the_one_saved_first_make_way() {
    let scratch = Scratch::new("bound");
    let (mut ledger, _) = open(&scratch);
    let most = MAX_KEPT_TRANSFERS as u32;
    // Those of which nothing is written are as well known as others.
    for number in 0..most {
        ledger.note(&incoming(number, None));
    }
    ledger.keep(&incoming(most, None));
    assert!(!ledger.known.contains_key(&transfer(most)), "none of them makes way");
    for number in [5, 3] {
        ledger.keep(&incoming(number, Some("there")));
    }
    ledger.keep(&incoming(most, None));
    assert!(ledger.known.contains_key(&transfer(most)) && !ledger.known.contains_key(&transfer(5)));
    let kept = [incoming(3, Some("there")), incoming(most, None)];
    assert_eq!(open(&scratch).1, kept, "what made way is gone from disk");
}

#[test]
fn does_the_one_saved_first_make_way_at_the_start_too() {
    let scratch = Scratch::new("bound-start");
    let (mut ledger, _) = open(&scratch);
    ledger.keep(&incoming(0, Some("there")));
    let text = fs::read_to_string(scratch.0.join(format!("{}.json", transfer(0)))).unwrap();
    let most = MAX_KEPT_TRANSFERS as u32;
    for number in 1..=most {
        let path = scratch.file(
            &format!("{}.json", transfer(number)),
            text.replace("\"number\":0", &format!("\"number\":{number}")).as_bytes(),
        );
        let age = Duration::from_secs(if number == 77 { 1_000 } else { 10 });
        let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(unix_ms()) - age;
        File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
    }
    let (_, kept) = open(&scratch);
    assert_eq!(kept.len(), MAX_KEPT_TRANSFERS);
    assert!(!kept.contains(&incoming(77, Some("there"))), "the oldest");
    assert!(!scratch.0.join(format!("{}.json", transfer(77))).exists());
}

#[test]
fn are_parts_that_nobody_remembers_removed_when_they_are_old() {
    let scratch = Scratch::new("sweep");
    let parts = scratch.0.join("parts");
    fs::create_dir(&parts).unwrap();
    let (mut ledger, _) = open(&scratch);
    ledger.keep(&incoming(1, None));
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(unix_ms());
    let minute = Duration::from_secs(60);
    let put = |name: &str, age: Duration| {
        let file = File::create(parts.join(name)).unwrap();
        file.set_modified(now - age).unwrap();
    };
    let name = |number| format!("{}.part", transfer(number));
    put(&name(1), 2 * PART_PATIENCE);
    put(&name(2), PART_PATIENCE + minute);
    put(&name(3), PART_PATIENCE - minute);
    put("something else", 2 * PART_PATIENCE);
    ledger.sweep(&parts).unwrap();
    assert_eq!(names_in(&parts), [name(1), name(3), "something else".into()]);
}
