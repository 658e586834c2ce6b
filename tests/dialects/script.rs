//! Conversations as text, played against the real program; `tests/transcripts/README.md` tells the format.

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, TcpListener},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    thread,
    time::Duration,
};

use crate::{
    hall::{free_port, is_bound},
    support::{
        folder::Folder,
        patience::eventually,
        process::{Launch, Process},
    },
    wire::Wire,
};

/// Plays every transcript in a folder, with what `A>` sends cut into pieces of this size.
#[track_caller]
pub(crate) fn play_all(folder: &str, size: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(folder);
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} has transcripts", folder.display());
    let failed: Vec<String> = thread::scope(|scope| {
        let played: Vec<_> = paths.iter().map(|path| scope.spawn(move || play(path, size))).collect();
        played.into_iter().filter_map(|played| played.join().unwrap().err()).collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Plays one; which line failed, if one did.
fn play(path: &Path, size: usize) -> Result<(), String> {
    let text = fs::read_to_string(path).unwrap();
    let mut play = Play::new(size);
    for (number, line) in text.lines().enumerate() {
        let done = catch_unwind(AssertUnwindSafe(|| play.perform(line)));
        done.map_err(|_| format!("{}:{}: {line}", path.display(), number + 1))?;
    }
    let done = catch_unwind(AssertUnwindSafe(|| play.is_over()));
    done.map_err(|_| format!("{}: after the last line", path.display()))
}

struct Play {
    folder: Folder,
    size: usize,
    /// What `{NAME}` stands for.
    values: BTreeMap<String, String>,
    listeners: BTreeMap<String, TcpListener>,
    wires: BTreeMap<String, Wire>,
    process: Option<Process>,
    hears_stdout: bool,
}

impl Play {
    fn new(size: usize) -> Self {
        Self {
            folder: Folder::new(),
            size,
            values: BTreeMap::new(),
            listeners: BTreeMap::new(),
            wires: BTreeMap::new(),
            process: None,
            hears_stdout: false,
        }
    }

    fn perform(&mut self, line: &str) {
        if line.trim().is_empty() || line.starts_with('#') {
            return;
        }
        let line = self.filled_in(line);
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match verb.split_at(verb.len() - 1) {
            (wire, mark @ (">" | "|" | "<" | "=")) => self.exchange(wire, mark, &unescaped(rest)),
            _ if self.prepare(verb, rest) || self.connect(verb, rest) => {}
            _ => self.watch(verb, rest),
        }
    }

    fn filled_in(&self, line: &str) -> String {
        let fill =
            |line: String, (name, value): (&String, &String)| line.replace(&format!("{{{name}}}"), value);
        self.values.iter().fold(line.to_owned(), fill)
    }

    fn exchange(&mut self, wire: &str, mark: &str, bytes: &[u8]) {
        let size = self.size;
        let wire = self.wires.get_mut(wire).unwrap_or_else(|| panic!("{wire} is not open"));
        match mark {
            ">" => wire.sends_in_pieces(bytes, size),
            "|" => wire.sends(bytes),
            "<" => wire.hears(bytes),
            _ => wire.hears_alone(bytes),
        }
    }

    fn prepare(&mut self, verb: &str, rest: &str) -> bool {
        match verb {
            "free" => drop(self.values.insert(rest.to_owned(), free_port().to_string())),
            "listen" => {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let port = listener.local_addr().unwrap().port();
                self.values.insert(rest.to_owned(), port.to_string());
                self.listeners.insert(rest.to_owned(), listener);
            }
            "file" => {
                let (name, content) = rest.split_once(' ').unwrap_or((rest, ""));
                fs::write(self.folder.path().join(name), unescaped(content)).unwrap();
            }
            "run" => {
                let arguments: Vec<&str> = rest.split(' ').collect();
                let mut launch = Launch::new("node", &arguments).in_folder(self.folder.path());
                if arguments.contains(&"server") {
                    launch = launch.with(&["--data-dir", &self.folder.at("data")]);
                }
                self.process = Some(launch.start());
            }
            _ => return false,
        }
        true
    }

    fn connect(&mut self, verb: &str, rest: &str) -> bool {
        let (called, more) = rest.split_once(' ').unwrap_or((rest, ""));
        match verb {
            "open" => {
                let port: u16 = self.values["port"].parse().unwrap();
                let to = SocketAddr::from(([127, 0, 0, 1], port));
                let wire = if more == "udp" {
                    eventually("the door is open", || is_bound("udp", port).then_some(()));
                    Wire::datagrams(called, to)
                } else {
                    Wire::connect_eventually(called, to)
                };
                self.values.insert(called.to_owned(), wire.port().to_string());
                self.wires.insert(called.to_owned(), wire);
            }
            "accept" => {
                let wire = Wire::accepted(called, &self.listeners[more]);
                self.wires.insert(called.to_owned(), wire);
            }
            "nobody" => {
                let listener = &self.listeners[called];
                listener.set_nonblocking(true).unwrap();
                assert!(listener.accept().is_err(), "somebody connected to {called}");
            }
            "close" => self.wires.remove(called).unwrap().close(),
            "shut" => self.wires[called].says_no_more(),
            "ends" => self.wires.remove(called).unwrap().ends(),
            "quiet" => self.wires.get_mut(called).unwrap().is_quiet(),
            _ => return false,
        }
        true
    }

    fn watch(&mut self, verb: &str, rest: &str) {
        let process = self.process.as_mut().unwrap();
        match verb {
            "stdout" => {
                self.hears_stdout = true;
                process.says(rest);
            }
            "stderr" => process.complains(rest),
            "typed" => process.type_line(rest),
            "typed-end" => process.end_input(),
            "interrupt" => process.signal("INT"),
            "exits" => process.ends(rest.parse().unwrap()),
            "pause" => thread::sleep(Duration::from_millis(rest.parse().unwrap())),
            "saved" => {
                let (name, content) = rest.split_once(' ').unwrap_or((rest, ""));
                let saved = fs::read(self.folder.path().join(name)).unwrap();
                assert_eq!(saved, unescaped(content), "{name}");
            }
            _ => panic!("no such thing as {verb}"),
        }
    }

    /// Nobody has anything more to say.
    fn is_over(&mut self) {
        self.wires.values_mut().for_each(Wire::is_quiet);
        if let (Some(process), true) = (&self.process, self.hears_stdout) {
            assert_eq!(process.unnoted(), [""; 0], "more on stdout");
        }
    }
}

/// `\n`, `\r`, `\t`, `\0`, `\\` and `\xNN` as the bytes they stand for.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match (byte, byte == b'\\') {
            (byte, false) => byte,
            _ => match rest.next().unwrap() {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'0' => 0,
                b'\\' => b'\\',
                b'x' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => panic!("no escape: \\{}", char::from(other)),
            },
        };
        bytes.push(byte);
    }
    bytes
}

#[test]
fn are_bytes_of_transcripts_read_as_written() {
    assert_eq!(unescaped(r#"a\n\x00\xff\\n "q""#), b"a\n\x00\xff\\n \"q\"");
}
