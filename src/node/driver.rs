//! The loop: takes what happened, gives it to the topology, does what the topology wants. It waits for
//! nobody: links and front ends wait for it, and when a front end cannot keep up it stops taking.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{Instant, Sleep},
};
use tracing::{debug, error};

use crate::{
    app::{
        Action, Command, DialError, Event, FileNews, Input, LinkEnd, LinkId, Outcome, Restored, Topology,
        Trouble,
    },
    transport::{Class, Listener},
    wire::{Addr, ByeReason, Frame, Hello, encode},
};

use super::{
    EVENT_QUEUE, POST_QUEUE,
    clock::Clock,
    dial::{Dialer, accept_all},
    figures::figures,
    files::{self, FILE_NEWS_QUEUE, Files},
    history::{History, KEPT_QUEUE, Kept, Store},
    lanes::lane_of,
    outbox::Pushed,
    session::LinkHandle,
};

/// How long a node that was told to stop flushes what is queued.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Posts taken in one turn.
const POSTS_PER_TURN: usize = 128;

/// What the tasks around the driver tell it.
#[derive(Debug)]
pub(super) enum Post {
    Up { link: LinkId, handle: LinkHandle, hello: Hello, addr: SocketAddr, dialed: Option<Addr> },
    Down { link: LinkId, end: LinkEnd },
    Room { link: LinkId },
    Frame { link: LinkId, frame: Frame },
    DialFailed { addr: Addr, error: DialError },
}

/// What a driver is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) topology: Box<dyn Topology>,
    pub(super) dialer: Dialer,
    pub(super) listeners: Vec<(&'static str, Box<dyn Listener>)>,
    /// What people are told of them.
    pub(super) opened: Vec<Event>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) outcome: oneshot::Sender<Outcome>,
    /// What is kept, and what was.
    pub(super) store: Option<(Store, Restored)>,
    /// Where files are, and which were on their way.
    pub(super) files: Option<files::Begun>,
}

#[derive(Debug)]
pub(super) struct Driver {
    topology: Box<dyn Topology>,
    dialer: Dialer,
    clock: Clock,
    links: BTreeMap<LinkId, LinkHandle>,
    posts: mpsc::Sender<Post>,
    next_link: Arc<AtomicU64>,
    hello: watch::Sender<Bytes>,
    tasks: JoinSet<()>,
    /// Events that found the queue of the front end full.
    backlog: VecDeque<Event>,
    events: mpsc::Sender<Event>,
    refused: BTreeMap<LinkId, Vec<Frame>>,
    roomy: Vec<LinkId>,
    stop_by: Option<Instant>,
    finished: Option<Outcome>,
    history: Option<History>,
    files: Option<Files>,
    /// What could be said of files at once.
    answered: VecDeque<FileNews>,
}

/// What happens comes in here.
struct Queues {
    inbox: mpsc::Receiver<Post>,
    commands: mpsc::Receiver<Command>,
    stop: watch::Receiver<bool>,
    kept: mpsc::Receiver<Kept>,
    news: mpsc::Receiver<FileNews>,
}

/// Runs a node to its end.
pub(super) async fn run(parts: Parts) {
    let (posts, inbox) = mpsc::channel(POST_QUEUE);
    let Parts { topology, dialer, listeners, opened, commands, stop, events, outcome, store, files } = parts;
    let (kept_sender, kept) = mpsc::channel(KEPT_QUEUE);
    let (news_sender, news) = mpsc::channel(FILE_NEWS_QUEUE);
    let (hello, _) = watch::channel(hello_bytes(&*topology));
    let mut driver = Driver {
        topology,
        dialer,
        clock: Clock::start(),
        links: BTreeMap::new(),
        posts,
        next_link: Arc::default(),
        hello,
        tasks: JoinSet::new(),
        backlog: VecDeque::new(),
        events,
        refused: BTreeMap::new(),
        roomy: Vec::new(),
        stop_by: None,
        finished: None,
        history: None,
        files: None,
        answered: VecDeque::new(),
    };
    opened.into_iter().for_each(|event| driver.notify(event));
    driver.listen(listeners);
    if let Some((store, restored)) = store {
        driver.history = Some(History::start(store, &kept_sender));
        driver.input(Input::Restore(restored));
    }
    if let Some(mut begun) = files {
        let transfers = std::mem::take(&mut begun.kept);
        driver.files = Some(Files::start(begun, news_sender));
        driver.input(Input::Transfers(transfers));
    }
    driver.input(Input::Start);
    let mut queues = Queues { inbox, commands, stop, kept, news };
    driver.turn(&mut queues).await;
    // Nobody takes the store's answers any more, and it must not wait for that.
    drop(queues.kept);
    driver.last_news(&mut queues.news).await;
    drop(queues.news);
    driver.last_words(&mut queues.inbox).await;
    driver.settle().await;
    if let Some(files) = driver.files.take() {
        files.finish().await;
    }
    if let Some(history) = driver.history.take() {
        history.finish().await;
    }
    let _ = outcome.send(driver.finished.take().unwrap_or(Outcome::Done));
}

impl Driver {
    async fn turn(&mut self, queues: &mut Queues) {
        let Queues { inbox, commands, stop, kept, news } = queues;
        let mut batch = Vec::with_capacity(POSTS_PER_TURN);
        let mut timer = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
        let events = self.events.clone();
        let (mut listening, mut stoppable) = (true, true);
        while !self.is_over() {
            let timed = self.set(timer.as_mut());
            let has_room = self.history.as_ref().is_none_or(History::has_room);
            let free = self.backlog.len() < EVENT_QUEUE && has_room;
            tokio::select! { biased;
                stopped = stop.changed(), if stoppable => {
                    stoppable = stopped.is_ok();
                    self.input(Input::Command(Command::Quit(None)));
                    self.stop_by.get_or_insert_with(|| Instant::now() + STOP_TIMEOUT);
                }
                permit = events.reserve(), if !self.backlog.is_empty() => {
                    match (permit, self.backlog.pop_front()) {
                        (Ok(permit), Some(event)) => permit.send(event),
                        _ => self.backlog.clear(),
                    }
                }
                Some(kept) = kept.recv() => self.hear_history(kept),
                () = timer.as_mut(), if timed => {
                    let now = self.clock.now();
                    self.topology.handle_timeout(now);
                    self.drain();
                }
                command = commands.recv(), if listening && free && self.topology.is_ready() => match command {
                    Some(command) => self.command(command),
                    None => listening = false,
                },
                _ = inbox.recv_many(&mut batch, POSTS_PER_TURN), if free => {
                    for post in batch.drain(..) {
                        self.post(post);
                    }
                    // Else files would stand still while there is always something new.
                    if let Ok(news) = news.try_recv() {
                        self.input(Input::File(news));
                    }
                }
                Some(news) = news.recv(), if free => self.input(Input::File(news)),
            }
        }
    }

    /// Over when the topology says so and every link is closed, or time is up.
    fn is_over(&mut self) -> bool {
        let late = self.stop_by.is_some_and(|by| by <= Instant::now());
        if self.finished.is_some() {
            self.stop_by.get_or_insert_with(|| Instant::now() + STOP_TIMEOUT);
        }
        late || (self.finished.is_some() && self.links.is_empty())
    }

    /// A file that is just being given its name is to be remembered as saved.
    async fn last_news(&mut self, news: &mut mpsc::Receiver<FileNews>) {
        let Some(files) = &mut self.files else { return };
        files.halt();
        let by = Instant::now() + STOP_TIMEOUT;
        while let Ok(Some(news)) = tokio::time::timeout_at(by, news.recv()).await {
            self.input(Input::File(news));
        }
    }

    /// Front ends get what is left; nobody waits long for one that has stopped reading.
    async fn last_words(&mut self, inbox: &mut mpsc::Receiver<Post>) {
        inbox.close();
        self.tasks.abort_all();
        for event in std::mem::take(&mut self.backlog) {
            if tokio::time::timeout(STOP_TIMEOUT, self.events.send(event)).await.is_err() {
                return;
            }
        }
    }

    /// Who left at the same time may not know yet that all it said was heard. The process ends after this.
    async fn settle(&mut self) {
        let by = self.stop_by.unwrap_or_else(Instant::now);
        for transport in self.dialer.transports.values() {
            if tokio::time::timeout_at(by, transport.settled()).await.is_err() {
                debug!(transport = transport.name(), "its links end without their last acknowledgement");
            }
        }
    }

    fn listen(&mut self, listeners: Vec<(&'static str, Box<dyn Listener>)>) {
        for (transport, listener) in listeners {
            let (hello, ids, posts) = (self.hello.subscribe(), self.next_link.clone(), self.posts.clone());
            self.tasks.spawn(accept_all(listener, transport, hello, ids, posts));
        }
    }

    /// Sets the timer; `false` if nothing is to happen by itself.
    fn set(&self, mut timer: std::pin::Pin<&mut Sleep>) -> bool {
        let wanted = self.topology.poll_timeout().map(Instant::from_std);
        let Some(deadline) = wanted.into_iter().chain(self.stop_by).min() else { return false };
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        true
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Stats => {
                let links = self.links.values().map(figures).collect();
                self.notify(Event::Stats { links });
            }
            Command::Quit(_) => {
                self.stop_by.get_or_insert_with(|| Instant::now() + STOP_TIMEOUT);
                self.input(Input::Command(command));
            }
            Command::Rename(_) => {
                self.input(Input::Command(command));
                self.hello.send_replace(hello_bytes(&*self.topology));
            }
            command => self.input(Input::Command(command)),
        }
    }

    fn post(&mut self, post: Post) {
        match post {
            Post::Up { link, handle, hello, addr, dialed } => {
                self.links.insert(link, handle);
                self.input(Input::LinkUp { link, hello, addr, dialed });
            }
            Post::Down { link, end } => {
                self.links.remove(&link);
                self.input(Input::LinkDown { link, end });
                self.sweep_tasks();
            }
            Post::Room { link } => self.input(Input::LinkRoom { link }),
            Post::Frame { link, frame } => self.input(Input::Frame { link, frame }),
            Post::DialFailed { addr, error } => {
                self.input(Input::DialFailed { addr, error });
                self.sweep_tasks();
            }
        }
    }

    fn hear_history(&mut self, kept: Kept) {
        match kept {
            Kept::Input(input) => self.input(*input),
            Kept::Failed(error) => {
                error!(%error, "the store failed");
                let hint = "the disk may be failing; node history verify looks at what it holds";
                let trouble = Trouble::new("store_failed", error.to_string(), hint);
                self.finished.get_or_insert(Outcome::StoreFailed(trouble));
                self.input(Input::Command(Command::Quit(None)));
            }
        }
    }

    /// Dials and links that have ended.
    fn sweep_tasks(&mut self) {
        while self.tasks.try_join_next().is_some() {}
    }

    fn input(&mut self, input: Input) {
        let now = self.clock.now();
        self.topology.handle_input(input, now);
        self.drain();
    }

    /// Does all that the topology wants, and all that follows from it.
    fn drain(&mut self) {
        loop {
            while let Some(action) = self.topology.poll_action() {
                self.perform(action);
            }
            let now = self.clock.now();
            if let Some((link, refused)) = self.refused.pop_first() {
                self.topology.handle_input(Input::LinkFull { link, refused }, now);
            } else if let Some(link) = self.roomy.pop() {
                self.topology.handle_input(Input::LinkRoom { link }, now);
            } else if let Some(news) = self.answered.pop_front() {
                self.topology.handle_input(Input::File(news), now);
            } else {
                return;
            }
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Send { to, frame } => self.send(&to, &frame),
            Action::Notify(event) => self.notify(event),
            Action::File(job) => {
                let answer = match &mut self.files {
                    Some(files) => files.perform(job),
                    None => files::refuse(&job),
                };
                self.answered.extend(answer);
            }
            Action::Keep(entry) => {
                if let Some(history) = &self.history {
                    history.keep(entry);
                }
            }
            Action::Read { link, query } => {
                if let Some(history) = &self.history {
                    history.read(link, query);
                }
            }
            Action::Recall { link, query } => {
                if let Some(history) = &self.history {
                    history.recall(link, query);
                }
            }
            Action::AwaitRoom(link) => {
                if self.links.get(&link).is_some_and(|handle| handle.outbox.await_room()) {
                    self.roomy.push(link);
                }
            }
            Action::Dial(addr) => {
                let hello = hello_bytes(&*self.topology);
                let id = LinkId(self.next_link.fetch_add(1, Ordering::Relaxed));
                let posts = self.posts.clone();
                self.tasks.spawn(self.dialer.clone().dial(addr, id, hello, posts));
            }
            Action::Close { link, reason, detail } => {
                if let Some(handle) = self.links.get(&link) {
                    handle.outbox.close(reason, detail);
                }
            }
            Action::Finish(outcome) => {
                self.finished.get_or_insert(outcome);
            }
        }
    }

    fn send(&mut self, to: &[LinkId], frame: &Frame) {
        let lane = lane_of(frame);
        let bytes = match encode(frame) {
            Ok(bytes) => bytes,
            Err(too_long) => return error!(%too_long, "a frame of our own could not be sent"),
        };
        for link in to {
            let Some(handle) = self.links.get(link) else { continue };
            if handle.send(lane, &bytes) == Pushed::Taken {
                continue;
            }
            if lane.class == Class::Control {
                self.cut(*link);
            } else {
                self.refused.entry(*link).or_default().push(frame.clone());
            }
        }
    }

    /// A link that cannot even take what steers it is cut.
    fn cut(&self, link: LinkId) {
        if let Some(handle) = self.links.get(&link) {
            debug!(link = link.0, "the link is cut: it reads too slowly");
            handle.outbox.close(ByeReason::Other, "read too slowly".into());
        }
    }

    fn notify(&mut self, event: Event) {
        if !self.events.is_closed() {
            self.backlog.push_back(event);
        }
    }
}

fn hello_bytes(topology: &dyn Topology) -> Bytes {
    encode(&Frame::Hello(topology.hello())).unwrap_or_default()
}

#[cfg(test)]
mod tests;
