//! A person's session with a node: lines in, events out, until the node ends.

use std::{collections::VecDeque, future, io, pin::Pin};

use tokio::time::{Instant, sleep_until};

use crate::{
    app::{Command, Event, Trouble, Typed, typed},
    node::{Events, NodeHandle, NodeStopped},
};

use super::{Console, Face, Input, MAX_LINE_BYTES, Printed, paths, progress::Progress};

/// What the end of the input means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtEnd {
    /// Everything said is delivered, then the node leaves.
    Finish,
    /// The same if there was a line at all; a node started without an input goes on.
    FinishIfSpoken,
    /// The node goes on.
    Stay,
}

/// What a session leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The last trouble that was shown, so that nobody shows it twice.
    pub trouble: Option<Trouble>,
    /// Why the output could not be written; not set for a closed pipe, a normal end.
    pub output_failed: Option<Trouble>,
}

/// Shows events and takes lines until the node ends. Events are shown while a command waits for the
/// node, because the node may be waiting for its events to be taken.
pub async fn run(
    handle: NodeHandle,
    mut events: Events,
    console: Console,
    face: Face,
    at_end: AtEnd,
) -> Shown {
    let mut session = Session::new(console, face, at_end);
    let mut asking: Option<Asking<'_>> = None;
    loop {
        if asking.is_none() {
            asking = session.commands.pop_front().map(|command| ask(&handle, command));
        }
        let due = session.progress.due().into_iter().chain(session.console.due()).min();
        tokio::select! { biased;
            event = events.next() => match event {
                Some(event) => session.show(&event).await,
                None => break,
            },
            () = until(due) => session.pass_time().await,
            () = session.console.out.closed(), if session.read => session.stop_reading(),
            asked = answer(&mut asking) => {
                asking = None;
                if asked.is_err() {
                    session.listening = false;
                }
            }
            input = session.console.inputs.recv(), if session.listening && asking.is_none() => {
                session.hear(input).await;
            }
        }
    }
    drop(asking);
    session.end().await
}

type Asking<'a> = Pin<Box<dyn Future<Output = Result<(), NodeStopped>> + Send + 'a>>;

fn ask(handle: &NodeHandle, command: Command) -> Asking<'_> {
    Box::pin(handle.command(command))
}

async fn answer(asking: &mut Option<Asking<'_>>) -> Result<(), NodeStopped> {
    match asking {
        Some(asking) => asking.await,
        None => future::pending().await,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => future::pending().await,
    }
}

struct Session {
    console: Console,
    face: Face,
    at_end: AtEnd,
    commands: VecDeque<Command>,
    progress: Progress,
    /// Whether input is still taken.
    listening: bool,
    /// Whether stdout can still be written.
    read: bool,
    spoken: bool,
    finishing: bool,
    shown: Shown,
}

impl Session {
    fn new(console: Console, face: Face, at_end: AtEnd) -> Self {
        Self {
            progress: Progress::new(console.pace),
            console,
            face,
            at_end,
            commands: VecDeque::new(),
            listening: true,
            read: true,
            spoken: false,
            finishing: false,
            shown: Shown::default(),
        }
    }

    async fn show(&mut self, event: &Event) {
        self.console.learn(event, Instant::now());
        if let Event::Error(trouble) = event {
            self.shown.trouble = Some(trouble.clone());
        }
        let of_progress = match self.face {
            Face::Line(_) => self.progress.hear(event, Instant::now()),
            Face::Json => None,
        };
        for printed in of_progress.unwrap_or_else(|| self.face.render(event).into_iter().collect()) {
            self.print(printed).await;
        }
        self.redraw().await;
    }

    async fn pass_time(&mut self) {
        let now = Instant::now();
        if self.progress.due().is_some_and(|due| due <= now) {
            for printed in self.progress.tick(now) {
                self.print(printed).await;
            }
        }
        self.redraw().await;
    }

    async fn redraw(&mut self) {
        if let Some(printed) = self.console.settle(Instant::now()) {
            self.print(printed).await;
        }
    }

    async fn print(&mut self, printed: Printed) {
        if self.read && self.console.out.print(printed).await.is_err() {
            self.stop_reading();
        }
    }

    /// Without a reader there is no sense in staying: `node | head -1` leaves in order.
    fn stop_reading(&mut self) {
        self.read = false;
        self.leave();
    }

    async fn hear(&mut self, input: Option<Input>) {
        match input {
            Some(Input::Line(line)) if !self.finishing => {
                self.spoken = true;
                self.take(&line).await;
            }
            Some(Input::TooLong) if !self.finishing => self.show(&Event::Error(too_long())).await,
            Some(Input::Cleared) => {
                self.print(Printed::Talk("Ctrl-C again or /quit leaves".to_owned())).await;
            }
            Some(Input::Interrupt) => self.leave(),
            Some(Input::End) => self.finish(),
            Some(Input::Line(_) | Input::TooLong) => {}
            None => self.listening = false,
        }
    }

    async fn take(&mut self, line: &str) {
        match typed::parse(line) {
            Ok(Typed::Nothing) => {}
            Ok(Typed::Help) => self.print(Printed::Answer(typed::help().join("\n"))).await,
            Ok(Typed::Command(command)) => self.commands.push_back(paths::from_here(command)),
            Err(trouble) => self.show(&Event::Error(trouble)).await,
        }
    }

    fn finish(&mut self) {
        let finishes = match self.at_end {
            AtEnd::Finish => true,
            AtEnd::FinishIfSpoken => self.spoken,
            AtEnd::Stay => false,
        };
        if finishes && !self.finishing {
            self.finishing = true;
            self.commands.push_back(Command::Finish);
        }
    }

    fn leave(&mut self) {
        self.listening = false;
        self.commands.clear();
        self.commands.push_back(Command::Quit(None));
    }

    async fn end(self) -> Shown {
        let output_failed = self.console.close().await.err().map(|error| cannot_write(&error));
        Shown { output_failed, ..self.shown }
    }
}

fn too_long() -> Trouble {
    let message = format!("a line of more than {MAX_LINE_BYTES} bytes was not sent");
    Trouble::new("message_too_long", message, "send it in parts")
}

fn cannot_write(error: &io::Error) -> Trouble {
    Trouble::new("output", format!("cannot write the output: {error}"), "is the disk full?")
}

#[cfg(test)]
mod tests;
