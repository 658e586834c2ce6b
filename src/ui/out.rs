//! The one writer: everything that reaches stdout or stderr passes here, a line at a time, flushed.
//!
//! It has a thread of its own, so that a reader who stops reading holds up this node's events and
//! nothing else, and so that nothing is torn when the terminal has a prompt.

use std::{
    fmt,
    io::{self, Write},
    iter, thread,
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::app::Trouble;

use super::{
    bars::{Bar, Bars},
    clean::clean,
};

/// Lines that wait to be written. When it is full, events wait in the node.
const LINE_QUEUE: usize = 256;

/// How long the end waits for a reader to take the last lines.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Something to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Printed {
    /// Belongs on stdout.
    Data(String),
    /// Belongs on stdout, without an end of line: a prompt that what comes next goes on behind.
    Prompt(String),
    /// Talk beside it: stderr, and nowhere with `-q`.
    Talk(String),
    /// An answer for the person who typed: stderr, also with `-q`.
    Answer(String),
    /// What went wrong: stderr, with `-q` without its hint.
    Trouble(Trouble),
    /// How far a transfer is: drawn where bars are.
    Bar(Bar),
    /// The bar of this transfer is not needed any more.
    BarEnd(u32),
}

/// Where lines go.
pub struct Streams {
    /// For programs and people.
    pub data: Box<dyn Write + Send>,
    /// For people.
    pub talk: Box<dyn Write + Send>,
    /// Says as little as possible.
    pub quiet: bool,
}

/// Nobody reads any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody reads the output")]
pub struct OutputClosed;

/// The way to the writer.
#[derive(Debug)]
pub struct Out {
    lines: mpsc::Sender<Printed>,
    end: oneshot::Receiver<io::Result<()>>,
}

impl Out {
    /// Starts the writer.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(streams: Streams) -> io::Result<Self> {
        Self::start_with(streams, None)
    }

    /// The same with bars below what is written.
    pub(super) fn start_with(mut streams: Streams, mut bars: Option<Bars>) -> io::Result<Self> {
        let (lines, mut waiting) = mpsc::channel(LINE_QUEUE);
        let (ended, end) = oneshot::channel();
        thread::Builder::new().name("out".into()).spawn(move || {
            let write = |printed| write(&mut streams, &mut bars, &printed);
            let written = iter::from_fn(|| waiting.blocking_recv()).try_for_each(write);
            drop((waiting, bars));
            // Nobody may wait for the end any more.
            let _ = ended.send(written);
        })?;
        Ok(Self { lines, end })
    }

    /// Writes; waits while the reader is slow.
    ///
    /// # Errors
    /// [`OutputClosed`] when stdout cannot be written any more; [`Self::close`] tells why.
    pub async fn print(&self, printed: Printed) -> Result<(), OutputClosed> {
        self.lines.send(printed).await.map_err(|_| OutputClosed)
    }

    /// Waits until stdout cannot be written any more. Cancel safe.
    pub async fn closed(&self) {
        self.lines.closed().await;
    }

    /// Writes what waits, then ends. A closed pipe is a normal end.
    ///
    /// # Errors
    /// Why stdout could not be written.
    pub async fn close(self) -> io::Result<()> {
        drop(self.lines);
        match timeout(CLOSE_WITHIN, self.end).await {
            Ok(Ok(Err(error))) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

impl Streams {
    /// Lines of the terminal, or of whatever stdout and stderr are.
    pub fn standard(quiet: bool) -> Self {
        Self { data: Box::new(io::stdout()), talk: Box::new(io::stderr()), quiet }
    }

    /// Writes one thing.
    ///
    /// # Errors
    /// Those of the data stream; without stderr there is nobody to tell.
    pub fn write(&mut self, printed: &Printed) -> io::Result<()> {
        match printed {
            Printed::Data(line) => return write_line(&mut self.data, line),
            Printed::Prompt(text) => {
                self.data.write_all(text.as_bytes())?;
                return self.data.flush();
            }
            Printed::Talk(_) if self.quiet => {}
            Printed::Bar(_) | Printed::BarEnd(_) => {}
            Printed::Talk(line) | Printed::Answer(line) => drop(write_line(&mut self.talk, line)),
            Printed::Trouble(trouble) => drop(write_line(&mut self.talk, &told(trouble, self.quiet))),
        }
        Ok(())
    }
}

/// With bars, everything else goes above them.
fn write(streams: &mut Streams, bars: &mut Option<Bars>, printed: &Printed) -> io::Result<()> {
    let Some(bars) = bars else { return streams.write(printed) };
    match printed {
        Printed::Bar(bar) => bars.draw(bar),
        Printed::BarEnd(id) => bars.remove(*id),
        other => return bars.aside(|| streams.write(other)),
    }
    Ok(())
}

fn told(trouble: &Trouble, quiet: bool) -> String {
    let what = format!("error: {}", clean(&trouble.message));
    if trouble.hint.is_empty() || quiet { what } else { format!("{what}\n  hint: {}", clean(&trouble.hint)) }
}

/// In one piece, so that lines of several processes on one terminal do not mix.
fn write_line(stream: &mut impl Write, line: &str) -> io::Result<()> {
    stream.write_all(format!("{line}\n").as_bytes())?;
    stream.flush()
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").field("quiet", &self.quiet).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::memory::Memory, *};

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn streams(data: &Memory, talk: &Memory, quiet: bool) -> Streams {
        Streams { data: Box::new(data.clone()), talk: Box::new(talk.clone()), quiet }
    }

    fn trouble() -> Trouble {
        Trouble::new("name_taken", "the name al\x1bice is in use", "another one: --name alice2")
    }

    async fn print_all(streams: Streams) -> io::Result<()> {
        let out = Out::start(streams).unwrap();
        for printed in [
            Printed::Data("hello".into()),
            Printed::Talk("tcp is up".into()),
            Printed::Answer("/help".into()),
            Printed::Trouble(trouble()),
        ] {
            if out.print(printed).await.is_err() {
                break;
            }
        }
        out.close().await
    }

    #[tokio::test]
    async fn what_goes_where() {
        let (data, talk) = (Memory::default(), Memory::default());
        print_all(streams(&data, &talk, false)).await.unwrap();
        assert_eq!(data.text(), "hello\n");
        let error = "error: the name al\\x1bice is in use\n  hint: another one: --name alice2\n";
        assert_eq!(talk.text(), format!("tcp is up\n/help\n{error}"));
    }

    #[tokio::test]
    async fn what_is_left_when_quiet() {
        let (data, talk) = (Memory::default(), Memory::default());
        print_all(streams(&data, &talk, true)).await.unwrap();
        assert_eq!(data.text(), "hello\n");
        assert_eq!(talk.text(), "/help\nerror: the name al\\x1bice is in use\n");
    }

    #[tokio::test]
    async fn is_a_closed_pipe_a_normal_end_and_a_full_disk_not() {
        let broken =
            |kind| Streams { data: Box::new(Broken(kind)), talk: Box::new(Memory::default()), quiet: false };
        assert!(print_all(broken(io::ErrorKind::BrokenPipe)).await.is_ok());
        let full = print_all(broken(io::ErrorKind::StorageFull)).await.unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    }

    #[tokio::test]
    async fn does_a_closed_stderr_stop_the_data() {
        let data = Memory::default();
        let talk = Box::new(Broken(io::ErrorKind::BrokenPipe));
        print_all(Streams { data: Box::new(data.clone()), talk, quiet: false }).await.unwrap();
        assert_eq!(data.text(), "hello\n");
    }
}
