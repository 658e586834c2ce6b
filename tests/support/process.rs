//! A real node in a process of its own: what it says is kept and waited for, what is typed reaches its
//! stdin. It dies with its owner, who shows all it said when the test fails.

use std::{
    env,
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    mem,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Sender, channel},
    },
    thread,
};

use serde_json::Value;

use super::patience::{PATIENCE, eventually};

/// Lines of a stream that are shown when a test fails.
const SHOWN: usize = 100;

/// A process that is about to be started.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    called: String,
    program: String,
    arguments: Vec<String>,
    folder: Option<PathBuf>,
    variables: Vec<(String, String)>,
    input: Input,
    reads: usize,
}

/// What a process has for stdin.
#[derive(Clone, Debug)]
enum Input {
    Typed,
    Nothing,
    File(PathBuf),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

/// What a process said so far.
#[derive(Debug, Default)]
struct Said {
    lines: [Vec<String>; 2],
    ended: usize,
}

#[derive(Debug, Default)]
struct Ear {
    said: Mutex<Said>,
    more: Condvar,
}

/// A node that runs.
#[derive(Debug)]
pub(crate) struct Process {
    called: String,
    child: Child,
    stdin: Option<Sender<String>>,
    ear: Arc<Ear>,
    /// Lines of stdout, of stderr that a test has taken note of.
    noted: [usize; 2],
}

impl Launch {
    /// The program with these arguments and a nearly empty environment.
    pub(crate) fn new(called: &str, arguments: &[&str]) -> Self {
        Self {
            called: called.to_owned(),
            program: env!("CARGO_BIN_EXE_node").to_owned(),
            arguments: Vec::new(),
            folder: None,
            variables: vec![("HOME".into(), env!("CARGO_TARGET_TMPDIR").into())],
            input: Input::Typed,
            reads: usize::MAX,
        }
        .with(arguments)
    }

    /// One of the programs in `tests/clients`, with these arguments.
    pub(crate) fn student(script: &str, arguments: &[&str]) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
        let mut launch = Self::new(script, &["-B", path.to_str().unwrap()]).with(arguments);
        launch.program = "python3".to_owned();
        launch.variable("PATH", &env::var("PATH").unwrap()).variable("PYTHONUTF8", "1")
    }

    /// Started by another program, which takes it and its arguments behind these.
    pub(crate) fn under(mut self, program: &str, arguments: &[&str]) -> Self {
        let own = mem::replace(&mut self.program, program.to_owned());
        let ahead = arguments.iter().map(|&argument| argument.to_owned()).chain([own]);
        self.arguments.splice(0..0, ahead.collect::<Vec<_>>());
        self.variable("PATH", &env::var("PATH").unwrap())
    }

    /// Runs in this folder.
    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// More arguments.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With `/dev/null` for stdin.
    pub(crate) fn without_input(mut self) -> Self {
        self.input = Input::Nothing;
        self
    }

    pub(crate) fn reading_from(mut self, file: PathBuf) -> Self {
        self.input = Input::File(file);
        self
    }

    /// After this many lines nobody reads its stdout any more, as behind `| head`.
    pub(crate) fn heard_for(mut self, lines: usize) -> Self {
        self.reads = lines;
        self
    }

    pub(crate) fn start(self) -> Process {
        let stdin = match &self.input {
            Input::Typed => Stdio::piped(),
            Input::Nothing => Stdio::null(),
            Input::File(path) => File::open(path).unwrap().into(),
        };
        let folder = self.folder.unwrap_or_else(|| ".".into());
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .current_dir(folder)
            .env_clear()
            .envs(self.variables)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} which these tests need: {error}", self.program));
        let ear = Arc::new(Ear::default());
        listen(child.stdout.take().unwrap(), Stream::Out, self.reads, &ear);
        listen(child.stderr.take().unwrap(), Stream::Err, usize::MAX, &ear);
        Process { called: self.called, stdin: child.stdin.take().map(type_into), child, ear, noted: [0, 0] }
    }
}

fn listen(source: impl Read + Send + 'static, stream: Stream, reads: usize, ear: &Arc<Ear>) {
    let ear = Arc::clone(ear);
    thread::spawn(move || {
        for line in BufReader::new(source).split(b'\n').take(reads) {
            let Ok(line) = line else { break };
            ear.lock().lines[stream as usize].push(String::from_utf8_lossy(&line).into_owned());
            ear.more.notify_all();
        }
        ear.lock().ended += 1;
        ear.more.notify_all();
    });
}

/// A thread types, so that a process that reads nothing stops no test.
fn type_into(mut stdin: ChildStdin) -> Sender<String> {
    let (lines, typed) = channel::<String>();
    thread::spawn(move || typed.iter().try_for_each(|line| stdin.write_all(line.as_bytes())));
    lines
}

impl Ear {
    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap()
    }
}

impl Said {
    fn of(&self, stream: Stream, at: usize) -> Option<&str> {
        self.lines[stream as usize].get(at).map(String::as_str)
    }
}

impl Process {
    /// Types a line.
    pub(crate) fn type_line(&mut self, line: &str) {
        self.stdin.as_ref().expect("an input").send(format!("{line}\n")).unwrap();
    }

    /// Closes stdin.
    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// The next line of stdout.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        self.hear(Stream::Out, "another line", |_| true)
    }

    /// The next line of stdout is this one.
    #[track_caller]
    pub(crate) fn says(&mut self, expected: &str) {
        let line = self.hear(Stream::Out, expected, |_| true);
        assert_eq!(line, expected, "what {} said", self.called);
    }

    /// The next line of stdout begins like this.
    #[track_caller]
    pub(crate) fn says_something_like(&mut self, start: &str) -> String {
        let line = self.hear(Stream::Out, start, |_| true);
        assert!(line.starts_with(start), "{} said {line:?}, not {start:?}", self.called);
        line
    }

    /// This line comes on stdout, after others perhaps.
    #[track_caller]
    pub(crate) fn comes_to_say(&mut self, expected: &str) {
        self.hear(Stream::Out, expected, |line| line == expected);
    }

    /// A line with these words comes on stdout, after others perhaps.
    #[track_caller]
    pub(crate) fn says_with(&mut self, words: &str) -> String {
        self.hear(Stream::Out, words, |line| line.contains(words))
    }

    /// A line that begins like this comes on stderr, after others perhaps.
    #[track_caller]
    pub(crate) fn complains(&mut self, start: &str) {
        self.complaint(start);
    }

    /// The same, and what the line is.
    #[track_caller]
    pub(crate) fn complaint(&mut self, start: &str) -> String {
        self.hear(Stream::Err, start, |line| line.starts_with(start))
    }

    /// The next object of `--json` with this name.
    #[track_caller]
    pub(crate) fn event(&mut self, name: &str) -> Value {
        let object =
            |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|bad| panic!("{line}: {bad}"));
        object(&self.hear(Stream::Out, name, |line| object(line)["event"] == name))
    }

    /// Everything on stdout from here on, until it ends.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        self.hear_out();
        self.ear.lock().lines[Stream::Out as usize].iter().skip(self.noted[0]).cloned().collect()
    }

    /// Everything on stderr, until it ends.
    pub(crate) fn complaints(&mut self) -> String {
        self.hear_out();
        self.ear.lock().lines[Stream::Err as usize].iter().map(|line| format!("{line}\n")).collect()
    }

    /// Its number at the operating system.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lines of stdout that a test has taken note of.
    pub(crate) fn noted(&self) -> Vec<String> {
        self.ear.lock().lines[Stream::Out as usize].iter().take(self.noted[0]).cloned().collect()
    }

    /// Lines of stdout that came and no test has taken note of.
    pub(crate) fn unnoted(&self) -> Vec<String> {
        self.ear.lock().lines[Stream::Out as usize].iter().skip(self.noted[0]).cloned().collect()
    }

    /// Waits until nobody reads its output any more, see [`Launch::heard_for`].
    pub(crate) fn is_unheard(&self) {
        let said = self.ear.lock();
        let (said, _) = self.ear.more.wait_timeout_while(said, PATIENCE, |said| said.ended < 1).unwrap();
        assert!(said.ended > 0, "the output of {} is still read", self.called);
    }

    fn hear_out(&self) {
        let said = self.ear.lock();
        let (said, _) = self.ear.more.wait_timeout_while(said, PATIENCE, |said| said.ended < 2).unwrap();
        assert_eq!(said.ended, 2, "streams of {} at their end", self.called);
    }

    /// Waits for a line that is `wanted` among those not yet noted, and notes it and those before it.
    #[track_caller]
    fn hear(&mut self, stream: Stream, expected: &str, wanted: impl Fn(&str) -> bool) -> String {
        let noted = self.noted[stream as usize];
        let mut checked = noted;
        let mut found = None;
        let said = self.ear.lock();
        let waited = self.ear.more.wait_timeout_while(said, PATIENCE, |said| {
            while found.is_none()
                && let Some(line) = said.of(stream, checked)
            {
                checked += 1;
                found = wanted(line).then(|| line.to_owned());
            }
            found.is_none() && said.ended < 2
        });
        drop(waited.unwrap());
        self.noted[stream as usize] = checked;
        found.unwrap_or_else(|| panic!("{} never said {expected:?}", self.called))
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    }

    /// Waits for the end of the process.
    pub(crate) fn status(&mut self) -> i32 {
        let ended = eventually(&format!("{} ends", self.called), || self.child.try_wait().unwrap());
        ended.code().unwrap_or_else(|| panic!("{} was killed", self.called))
    }

    /// It ends with this status and has no more to say on stdout.
    #[track_caller]
    pub(crate) fn ends(&mut self, status: i32) {
        assert_eq!(self.status(), status, "the status of {}", self.called);
        assert_eq!(self.rest(), [""; 0], "the last words of {}", self.called);
    }

    /// `kill -9`, and gone when this returns.
    pub(crate) fn murder(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    #[expect(clippy::print_stdout, reason = "shown when a test fails")]
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if !thread::panicking() {
            return;
        }
        let said = self.ear.said.lock().unwrap_or_else(PoisonError::into_inner);
        for (stream, lines) in ["stdout", "stderr"].iter().zip(&said.lines) {
            let last = &lines[lines.len().saturating_sub(SHOWN)..];
            println!("the last of {stream} of {}:\n    {}", self.called, last.join("\n    "));
        }
    }
}
