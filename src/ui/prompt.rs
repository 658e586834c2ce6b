//! The prompt on a terminal: line editing, history, completion, and lines that come in without
//! tearing what is half typed.

use std::{
    fmt,
    io::{self, Write},
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustyline::{
    CompletionType, Config, Context, Editor, ExternalPrinter, Helper, completion::Completer,
    error::ReadlineError, highlight::Highlighter, hint::Hinter, history::FileHistory, validate::Validator,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    Vocabulary,
    input::{INPUT_QUEUE, Input, MAX_LINE_BYTES},
    mark::SharedMark,
    paths,
};

const MAX_HISTORY: usize = 1000;

/// How long the end waits for the editor to give the terminal back. It takes no time, unless the
/// person is in the middle of a search.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);

/// Moves the cursor nowhere, but makes the editor draw.
pub(super) const REDRAW: &str = "\x1b[A\n";
const END_SYNCHRONIZED_UPDATE: &[u8] = b"\x1b[?2026l";

/// What the prompt and the rest of the face share.
pub type SharedVocabulary = Arc<Mutex<Vocabulary>>;

type Printer = Box<dyn ExternalPrinter + Send>;
type LineEditor = Editor<Completion, FileHistory>;

/// A prompt that is up.
pub struct Prompt {
    closing: Arc<AtomicBool>,
    printer: Printer,
    ended: oneshot::Receiver<()>,
}

/// What a prompt needs and gives.
pub(super) struct Opened {
    pub(super) prompt: Prompt,
    pub(super) inputs: mpsc::Receiver<Input>,
    pub(super) data: Box<dyn Write + Send>,
    pub(super) talk: Box<dyn Write + Send>,
}

impl Prompt {
    /// Puts the prompt up.
    ///
    /// # Errors
    /// When stdin and stdout are not a terminal that can edit lines.
    pub(super) fn open(
        vocabulary: SharedVocabulary,
        mark: SharedMark,
        history: Option<PathBuf>,
    ) -> rustyline::Result<Opened> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .max_history_size(MAX_HISTORY)?
            .history_ignore_space(true)
            .build();
        let mut editor = LineEditor::with_config(config)?;
        editor.set_helper(Some(Completion(vocabulary)));
        let printer: Printer = Box::new(editor.create_external_printer()?);
        let data = Box::new(Printing::new(Box::new(editor.create_external_printer()?)));
        let talk = Box::new(Printing::new(Box::new(editor.create_external_printer()?)));
        if let Some(path) = &history {
            // There is none at the first start.
            drop(editor.load_history(path));
        }
        let (sender, inputs) = mpsc::channel(INPUT_QUEUE);
        let (end, ended) = oneshot::channel();
        let closing = Arc::new(AtomicBool::new(false));
        let reading = Reading { editor, inputs: sender, mark, closing: Arc::clone(&closing), history };
        thread::Builder::new().name("prompt".into()).spawn(move || {
            reading.run();
            let _ = end.send(());
        })?;
        Ok(Opened { prompt: Self { closing, printer, ended }, inputs, data, talk })
    }

    /// Gives the terminal back as it was.
    pub(super) async fn close(self) {
        self.closing.store(true, Ordering::SeqCst);
        let mut printer = self.printer;
        // In a thread, because the editor takes nothing while it searches its history.
        let woken = thread::Builder::new().spawn(move || drop(printer.print(REDRAW.to_owned())));
        if woken.is_ok() {
            drop(timeout(CLOSE_WITHIN, self.ended).await);
        }
    }
}

struct Reading {
    editor: LineEditor,
    inputs: mpsc::Sender<Input>,
    mark: SharedMark,
    closing: Arc<AtomicBool>,
    history: Option<PathBuf>,
}

impl Reading {
    fn run(mut self) {
        let read = panic::catch_unwind(AssertUnwindSafe(|| self.read()));
        if let Err(thrown) = read
            && thrown.downcast_ref::<Closing>().is_none()
        {
            panic::resume_unwind(thrown);
        }
        let mut terminal = io::stdout();
        drop(terminal.write_all(END_SYNCHRONIZED_UPDATE).and_then(|()| terminal.flush()));
    }

    fn read(&mut self) {
        let mut asks = true;
        let mut interrupts = 0;
        loop {
            let mark = asks.then(|| self.mark.clone());
            let prompt = Closable { mark, closing: Arc::clone(&self.closing) };
            let line = self.editor.readline(&prompt);
            interrupts = if matches!(line, Err(ReadlineError::Interrupted)) { interrupts + 1 } else { 0 };
            let input = match line {
                Ok(line) if line.len() > MAX_LINE_BYTES => Input::TooLong,
                Ok(line) => {
                    self.remember(&line);
                    Input::Line(line)
                }
                Err(ReadlineError::Interrupted) if interrupts < 2 => Input::Cleared,
                Err(ReadlineError::Interrupted) => Input::Interrupt,
                Err(_) => Input::End,
            };
            if input == Input::End {
                // Lines still come in while the last of ours are delivered, and Ctrl-C must leave.
                asks = false;
            }
            if self.inputs.blocking_send(input).is_err() {
                break;
            }
        }
    }

    fn remember(&mut self, line: &str) {
        if matches!(self.editor.add_history_entry(line), Ok(true))
            && let Some(path) = &self.history
            && let Err(error) = self.editor.append_history(path)
        {
            tracing::debug!(%error, "cannot keep the typed line");
        }
    }
}

/// Thrown, not returned: the editor has no other way out of waiting for a key, and only unwinding
/// through it restores the terminal.
struct Closing;

struct Closable {
    /// `None`: nothing is asked for any more.
    mark: Option<SharedMark>,
    closing: Arc<AtomicBool>,
}

impl rustyline::Prompt for Closable {
    fn raw(&self) -> &str {
        if self.closing.load(Ordering::SeqCst) {
            panic::resume_unwind(Box::new(Closing));
        }
        self.mark.as_ref().map_or("", |mark| mark.get().text())
    }

    fn styled(&self) -> &str {
        self.raw()
    }
}

/// Lines on their way to the terminal, above the prompt.
struct Printing {
    printer: Printer,
    line: Vec<u8>,
}

impl Printing {
    fn new(printer: Printer) -> Self {
        Self { printer, line: Vec::new() }
    }
}

impl Write for Printing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        self.printer.print(line).map_err(io::Error::other)
    }
}

struct Completion(SharedVocabulary);

impl Completer for Completion {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        cursor: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        // Without the lock: a disk may be slow, and events are waiting to be learnt from.
        let file = paths::complete(line, cursor);
        let other = || self.0.lock().unwrap_or_else(PoisonError::into_inner).complete(line, cursor);
        Ok(file.unwrap_or_else(other))
    }
}

impl Helper for Completion {}
impl Highlighter for Completion {}
impl Validator for Completion {}
impl Hinter for Completion {
    type Hint = String;
}

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prompt").finish_non_exhaustive()
    }
}
