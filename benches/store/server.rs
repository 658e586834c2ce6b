//! A server with its store, whose waits for the disk are counted.

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

pub(crate) struct Server {
    child: Child,
    /// Nobody there would be a reason to end.
    _stdout: Lines<BufReader<ChildStdout>>,
    calls: PathBuf,
    history: PathBuf,
    pub(crate) addr: SocketAddr,
}

impl Server {
    pub(crate) fn start(work: &Path) -> Self {
        let (calls, data) = (work.join("calls"), work.join("server"));
        // -D: the child is the server and not strace; the filter leaves all other calls alone.
        let mut child = Command::new("strace")
            .args(["-D", "-f", "-qq", "--seccomp-bpf", "-e", "trace=fsync,fdatasync", "-o"])
            .arg(&calls)
            .arg(env!("CARGO_BIN_EXE_node"))
            .args(["--role", "server", "--listen", "127.0.0.1:0", "-q", "--data-dir"])
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("strace, which this needs: apt-get install strace");
        let mut stdout = BufReader::new(child.stdout.take().expect("its output is a pipe")).lines();
        let mut said = stdout.by_ref().map_while(Result::ok);
        let tcp = said.find(|line| line.starts_with("listening on tcp"));
        let addr = tcp.and_then(|line| line.split_whitespace().last()?.parse().ok()).expect("an address");
        Self { child, _stdout: stdout, calls, history: data.join("history.db"), addr }
    }

    /// How often it waited for the disk so far.
    pub(crate) fn syncs(&self) -> usize {
        let calls = fs::read_to_string(&self.calls).expect("strace writes it");
        calls.lines().filter(|call| call.contains("sync(")).count()
    }

    /// Ends it as Ctrl-C does; its history.
    pub(crate) fn end(mut self) -> PathBuf {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"));
        kill(pid, Signal::SIGINT).expect("it lives");
        let status = self.child.wait().expect("its parent asks");
        assert!(status.success(), "the server ended with {status}");
        self.history.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
