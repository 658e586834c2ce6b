use std::{io::Write, time::Duration};

use tokio::sync::mpsc;

use crate::{
    app::Place,
    ui::{Paint, Streams, memory::Memory},
};

use super::*;

struct World {
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    session: tokio::task::JoinHandle<Shown>,
    data: Memory,
    talk: Memory,
}

fn start(input: &'static str, face: Face, at_end: AtEnd) -> World {
    let data = Memory::default();
    start_writing(input, face, at_end, Box::new(data.clone()), data)
}

fn start_writing(
    input: &'static str,
    face: Face,
    at_end: AtEnd,
    stdout: Box<dyn Write + Send>,
    data: Memory,
) -> World {
    let talk = Memory::default();
    let (handle, events, node_commands, node_events) = crate::node::unplugged(1, 1);
    let streams = Streams { data: stdout, talk: Box::new(talk.clone()), quiet: false };
    let console = Console::plain(input.as_bytes(), streams).unwrap();
    let session = tokio::spawn(run(handle, events, console, face, at_end));
    World { commands: node_commands, events: node_events, session, data, talk }
}

fn plain(input: &'static str, at_end: AtEnd) -> World {
    start(input, Face::Line(Paint::Plain), at_end)
}

fn left(room: &str) -> Event {
    Event::Left { room: room.parse().unwrap() }
}

impl World {
    async fn end(self) -> (Shown, String, String) {
        drop((self.commands, self.events));
        (self.session.await.unwrap(), self.data.text(), self.talk.text())
    }

    async fn is_asked_nothing(&mut self) {
        let asked = tokio::time::timeout(Duration::from_millis(50), self.commands.recv()).await;
        assert!(asked.is_err(), "{asked:?}");
    }
}

#[tokio::test]
async fn does_a_line_become_a_command_and_the_end_a_finish() {
    let mut world = plain("hello\n\n/join ops\n", AtEnd::Finish);
    assert_eq!(world.commands.recv().await, Some(Command::Say("hello".into())));
    assert_eq!(world.commands.recv().await, Some(Command::Join("ops".parse().unwrap())));
    assert_eq!(world.commands.recv().await, Some(Command::Finish));
    world.events.send(left("lobby")).await.unwrap();
    let (shown, data, talk) = world.end().await;
    assert_eq!((shown, data.as_str(), talk.as_str()), (Shown::default(), "left lobby\n", ""));
}

#[tokio::test]
async fn are_events_shown_while_a_command_waits() {
    let mut world = plain("one\ntwo\nthree\n", AtEnd::Finish);
    for _ in 0..100 {
        world.events.send(left("lobby")).await.unwrap();
    }
    for text in ["one", "two", "three"] {
        assert_eq!(world.commands.recv().await, Some(Command::Say(text.into())));
    }
    let (_, data, _) = world.end().await;
    assert_eq!(data.lines().count(), 100);
}

#[tokio::test]
async fn who_goes_on_without_an_input() {
    let mut world = plain("", AtEnd::FinishIfSpoken);
    world.is_asked_nothing().await;
    let mut world = plain("hello\n", AtEnd::FinishIfSpoken);
    assert_eq!(world.commands.recv().await, Some(Command::Say("hello".into())));
    assert_eq!(world.commands.recv().await, Some(Command::Finish));
    let mut world = plain("hello\n", AtEnd::Stay);
    assert_eq!(world.commands.recv().await, Some(Command::Say("hello".into())));
    world.is_asked_nothing().await;
}

#[tokio::test]
async fn is_a_wrong_line_answered_and_not_sent() {
    let mut world = plain("/jion ops\n", AtEnd::Finish);
    assert_eq!(world.commands.recv().await, Some(Command::Finish));
    let (shown, data, talk) = world.end().await;
    assert_eq!(shown.trouble.unwrap().code, "unknown_command");
    assert_eq!(data, "");
    assert!(talk.starts_with("error: /jion is no command; nothing was sent\n  hint: did you mean /join?"));
}

#[tokio::test]
async fn is_a_wrong_line_an_error_event_in_json() {
    let mut world = start("/jion ops\n", Face::Json, AtEnd::Finish);
    assert_eq!(world.commands.recv().await, Some(Command::Finish));
    let (_, data, talk) = world.end().await;
    assert!(data.starts_with(r#"{"event":"error","code":"unknown_command","#), "{data}");
    assert_eq!(talk, "");
}

#[tokio::test]
async fn does_help_keep_off_stdout() {
    let mut world = plain("/help\n", AtEnd::Finish);
    assert_eq!(world.commands.recv().await, Some(Command::Finish));
    let (_, data, talk) = world.end().await;
    assert_eq!(data, "");
    assert!(talk.contains("/join ROOM"));
}

struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn does_a_reader_who_left_end_the_node_in_order() {
    let face = Face::Line(Paint::Plain);
    let mut world = start_writing("", face, AtEnd::Stay, Box::new(Gone), Memory::default());
    let events = world.events.clone();
    let talking = tokio::spawn(async move { while events.send(left("lobby")).await.is_ok() {} });
    assert_eq!(world.commands.recv().await, Some(Command::Quit(None)));
    talking.abort();
    assert!(talking.await.unwrap_err().is_cancelled());
    let (shown, ..) = world.end().await;
    assert_eq!(shown, Shown::default());
}

#[tokio::test]
async fn does_json_say_what_line_mode_leaves_out() {
    let world = start("", Face::Json, AtEnd::Stay);
    let place = Place::Room("lobby".parse().unwrap());
    let state = crate::app::SentState::Accepted;
    let sent = Event::Sent { place, epoch: crate::wire::Epoch(1), seq: crate::wire::Seq(0), state };
    world.events.send(sent).await.unwrap();
    let (_, data, _) = world.end().await;
    assert_eq!(
        data,
        "{\"event\":\"sent\",\"room\":\"lobby\",\"epoch\":1,\"seq\":0,\"state\":\"accepted\"}\n"
    );
}
