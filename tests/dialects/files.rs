//! Files across the border between two systems that have them.

use crate::{
    hall::Hall,
    support::{patience::eventually, process::Process},
};

fn uwo(hall: &Hall, name: &str, follow: &str) -> Process {
    let mut client = hall.student(name, "uwo_client.py", &["-f", follow, name, &hall.url("uwo")]);
    client.comes_to_say("Registration successful.  Ready for messaging!");
    client
}

fn lums(hall: &Hall, name: &str) -> Process {
    let port = hall.port("lums");
    hall.student(name, "lums_client.py", &["-u", name, "-p", &port, "-a", "127.0.0.1"])
}

/// Section 10: with the bytes as they were; who cannot take files sees one line that names it.
#[test]
fn do_files_pass_between_uwo_and_lums() {
    let hall = Hall::new(&["uwo", "lums", "vsb"]);
    let content: Vec<u8> = (0..50_000_u32).map(|number| (number % 253) as u8).collect();
    let mut native = hall.native("tcp", "nat");
    let mut uma = uwo(&hall, "uma", "apple,now");
    let mut lou = lums(&hall, "lou");
    native.comes_to_say("[lobby] * ~lou joined");
    let mut vic = hall.student("vic", "vsb_client.py", &["127.0.0.1", &hall.port("vsb")]);
    vic.says_with("has entered the chat");

    std::fs::write(hall.home("uma").join("u.bin"), &content).unwrap();
    uma.type_line("!attach u.bin apple");
    uma.comes_to_say("Attachment u.bin attached and distributed");
    lou.says("file: uma: u.bin");
    assert!(std::fs::read(hall.home("lou").join("lou_u.bin")).unwrap() == content);
    let line = native.says_with("u.bin");
    assert!(line.starts_with("[lobby] ~uma: ") && line.contains("50000"), "{line}");
    let line = vic.says_with("u.bin");
    assert!(line.contains("uma"), "{line}");

    std::fs::write(hall.home("lou").join("l.bin"), &content).unwrap();
    lou.type_line("file 2 uma nat l.bin");
    uma.comes_to_say("Incoming file: l.bin");
    uma.comes_to_say("Origin: lou");
    uma.comes_to_say("Content-Length: 50000");
    let saved = hall.home("uma").join("l.bin");
    eventually("the file is saved", || (std::fs::read(&saved).ok()? == content).then_some(()));
    let line = native.says_with("l.bin");
    assert!(line.starts_with("[private] ~lou: "), "{line}");

    // Once each.
    native.type_line("and now a line");
    lou.says("msg: nat: and now a line");
    uma.comes_to_say("@nat: and now a line");
    let all = native.noted().into_iter().chain(native.unnoted());
    assert_eq!(all.filter(|line| line.contains(".bin")).count(), 2);
    let all = vic.noted().into_iter().chain(vic.unnoted());
    assert_eq!(all.filter(|line| line.contains(".bin")).count(), 1);
}
