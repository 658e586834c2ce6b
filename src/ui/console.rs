//! Where a face reads and writes: a terminal with a prompt, or plain streams.

use std::{
    io::{self, IsTerminal, Read, Write},
    path::PathBuf,
    sync::{Arc, PoisonError},
};

use tokio::{sync::mpsc, time::Instant};

use crate::app::Event;

use super::{
    Face, Input, Out, Printed, Streams,
    bars::Bars,
    mark::{Marks, SharedMark},
    progress::Pace,
    prompt::{Opened, Prompt, REDRAW, SharedVocabulary},
    read_lines,
};

/// An input and an output.
#[derive(Debug)]
pub struct Console {
    pub(super) inputs: mpsc::Receiver<Input>,
    pub(super) out: Out,
    /// How it is told here that transfers go on.
    pub(super) pace: Pace,
    vocabulary: SharedVocabulary,
    prompt: Option<Prompt>,
    marks: Marks,
}

/// How to open the standard streams.
#[derive(Clone, Debug)]
pub struct ConsoleOptions {
    /// As little talk as possible.
    pub quiet: bool,
    /// Whether a person is to type here: a server only listens, and Ctrl-C is to stop it at once.
    pub prompt: bool,
    /// Where typed lines are kept for the next start.
    pub typed_lines: Option<PathBuf>,
}

/// Whether somebody sits there: stdin and stdout are both a terminal.
pub fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

impl Console {
    /// The standard streams: with a prompt where a person sits, unless the face is for programs.
    ///
    /// Handlers of SIGINT must be in place before: the prompt takes that signal while it reads and
    /// puts back what it found.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn standard(face: Face, options: ConsoleOptions) -> io::Result<Self> {
        let (vocabulary, mark) = (SharedVocabulary::default(), SharedMark::default());
        if options.prompt && matches!(face, Face::Line(_)) && is_terminal() {
            match Prompt::open(Arc::clone(&vocabulary), mark.clone(), options.typed_lines) {
                Ok(opened) => return Self::prompted(opened, vocabulary, Marks::new(mark), options.quiet),
                Err(error) => tracing::debug!(%error, "this terminal gets no prompt"),
            }
        }
        let bars = if options.quiet || face == Face::Json { None } else { Bars::open() };
        Self::streaming(io::stdin(), Streams::standard(options.quiet), bars)
    }

    /// Plain streams.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn plain(source: impl Read + Send + 'static, streams: Streams) -> io::Result<Self> {
        Self::streaming(source, streams, None)
    }

    fn streaming(
        source: impl Read + Send + 'static,
        streams: Streams,
        bars: Option<Bars>,
    ) -> io::Result<Self> {
        let vocabulary = SharedVocabulary::default();
        let pace = if bars.is_some() { Pace::Bars } else { Pace::Tenths };
        let out = Out::start_with(streams, bars)?;
        Ok(Self { inputs: read_lines(source)?, out, pace, vocabulary, prompt: None, marks: Marks::default() })
    }

    fn prompted(opened: Opened, vocabulary: SharedVocabulary, marks: Marks, quiet: bool) -> io::Result<Self> {
        let Opened { prompt, inputs, data, talk } = opened;
        // Talk that goes to a file instead of this terminal cannot tear the prompt.
        let (talk, pace) = match io::stderr().is_terminal() {
            true => (talk, Pace::Seldom),
            false => (Box::new(io::stderr()) as Box<dyn Write + Send>, Pace::Tenths),
        };
        let out = Out::start(Streams { data, talk, quiet })?;
        Ok(Self { inputs, out, pace, vocabulary, prompt: Some(prompt), marks })
    }

    pub(super) fn learn(&mut self, event: &Event, now: Instant) {
        if self.prompt.is_some() {
            self.vocabulary.lock().unwrap_or_else(PoisonError::into_inner).learn(event);
            self.marks.hear(event, now);
        }
    }

    /// When the prompt has another mark if nothing happens.
    pub(super) fn due(&self) -> Option<Instant> {
        self.marks.due()
    }

    /// What draws the prompt again, if its mark has changed.
    pub(super) fn settle(&mut self, now: Instant) -> Option<Printed> {
        self.marks.settle(now).then(|| Printed::Prompt(REDRAW.to_owned()))
    }

    /// Writes what waits and gives the terminal back.
    pub(super) async fn close(self) -> io::Result<()> {
        let written = self.out.close().await;
        if let Some(prompt) = self.prompt {
            prompt.close().await;
        }
        written
    }
}
