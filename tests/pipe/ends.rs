//! The two ends of a pipe as processes, and messages as they are framed on the way in and out.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStderr, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::{self, JoinHandle},
};

use crate::support::patience::{PATIENCE, eventually};

/// One end: a process that is killed with its owner.
#[derive(Debug)]
pub(crate) struct End {
    child: Child,
    /// What it wrote to stderr, once that is closed.
    complaints: Option<JoinHandle<String>>,
}

/// The end that listens.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) end: End,
    pub(crate) addr: String,
    transport: &'static str,
    messages: Receiver<Vec<u8>>,
}

/// The end that dials.
#[derive(Debug)]
pub(crate) struct Dialing {
    pub(crate) end: End,
    stdin: Option<ChildStdin>,
    said: Receiver<Vec<u8>>,
}

/// A message as the dialing end reads it.
pub(crate) fn framed(lane: u16, message: &[u8]) -> Vec<u8> {
    let len = u32::try_from(message.len()).unwrap().to_le_bytes();
    [len.as_slice(), &lane.to_le_bytes(), message].concat()
}

impl End {
    fn start(arguments: &[&str], stdin: Stdio) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_node"));
        command.arg("pipe").args(arguments).env_clear().stdin(stdin);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self { child, complaints: None }
    }

    fn hear_complaints(&mut self, mut stderr: BufReader<ChildStderr>) {
        self.complaints = Some(thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        }));
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    }

    pub(crate) fn murder(&mut self) {
        self.child.kill().unwrap();
    }

    /// The status it ends with, and its words on stderr.
    pub(crate) fn outcome(&mut self) -> (i32, String) {
        let status = eventually("the end of a pipe", || self.child.try_wait().unwrap());
        let complaints = self.complaints.take().unwrap().join().unwrap();
        (status.code().unwrap_or_else(|| panic!("killed: {complaints}")), complaints)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Listening {
    /// On a free port.
    pub(crate) fn new(flags: &[&str]) -> Self {
        Self::over("tcp", flags)
    }

    /// On a free port of this transport.
    pub(crate) fn over(transport: &'static str, flags: &[&str]) -> Self {
        let arguments = ["listen", "127.0.0.1:0", "--transport", transport];
        let listening = format!("listening on {transport} ");
        let mut end = End::start(&[&arguments, flags].concat(), Stdio::null());
        let mut stderr = BufReader::new(end.child.stderr.take().unwrap());
        let addr = stderr
            .by_ref()
            .lines()
            .map(Result::unwrap)
            .find_map(|line| line.strip_prefix(&listening).map(str::to_owned));
        end.hear_complaints(stderr);
        let mut stdout = end.child.stdout.take().unwrap();
        let (sender, messages) = channel();
        thread::spawn(move || {
            let mut len = [0; 4];
            while stdout.read_exact(&mut len).is_ok() {
                let mut message = vec![0; u32::from_le_bytes(len) as usize];
                stdout.read_exact(&mut message).unwrap();
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        Self { end, addr: addr.unwrap(), transport, messages }
    }

    /// The next message.
    #[track_caller]
    pub(crate) fn takes(&self) -> Vec<u8> {
        self.messages.recv_timeout(PATIENCE).unwrap()
    }

    /// Nothing more came, and nothing will: the process has ended.
    #[track_caller]
    pub(crate) fn took_all(&self) {
        assert_eq!(self.messages.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
    }

    /// Nobody reads its stdout from the next message on.
    pub(crate) fn left_unread(self) -> End {
        self.end
    }

    /// Dials it.
    pub(crate) fn dialed(&self, flags: &[&str]) -> Dialing {
        Dialing::over(self.transport, &self.addr, flags)
    }
}

impl Dialing {
    pub(crate) fn new(addr: &str, flags: &[&str]) -> Self {
        Self::over("tcp", addr, flags)
    }

    pub(crate) fn over(transport: &str, addr: &str, flags: &[&str]) -> Self {
        let arguments = ["dial", addr, "--transport", transport];
        let mut end = End::start(&[&arguments, flags].concat(), Stdio::piped());
        let stderr = BufReader::new(end.child.stderr.take().unwrap());
        end.hear_complaints(stderr);
        let stdout = BufReader::new(end.child.stdout.take().unwrap());
        let (sender, said) = channel();
        thread::spawn(move || stdout.split(b'\n').try_for_each(|line| sender.send(line.unwrap())));
        Self { stdin: end.child.stdin.take(), end, said }
    }

    /// It says that it is connected, and nothing else.
    #[track_caller]
    pub(crate) fn is_ready(&self) {
        assert_eq!(self.said.recv_timeout(PATIENCE).as_deref(), Ok(b"ready".as_slice()));
    }

    /// It has ended without another word on stdout.
    #[track_caller]
    pub(crate) fn said_all(&self) {
        assert_eq!(self.said.recv_timeout(PATIENCE), Err(RecvTimeoutError::Disconnected));
    }

    /// Is written to by a thread, so that an end that reads nothing stops no test; it ends after that.
    pub(crate) fn fed(mut self, input: Vec<u8>) -> Self {
        let mut stdin = self.stdin.take().unwrap();
        // An end that stops reading is another's finding.
        thread::spawn(move || drop(stdin.write_all(&input)));
        self
    }

    /// Is written to, and may be again.
    pub(crate) fn write(&mut self, input: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(input).unwrap();
    }

    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// It ends with this status.
    #[track_caller]
    pub(crate) fn ends(&mut self, status: i32) -> String {
        let (ended, complaints) = self.end.outcome();
        assert_eq!(ended, status, "{complaints}");
        complaints
    }
}
