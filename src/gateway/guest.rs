//! A guest in our rooms: a client of the server within its process, with a key of its own, so that it is an
//! author like any other.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{
        mpsc,
        oneshot::{self, error::TryRecvError},
    },
    task::JoinSet,
    time::timeout,
};

use crate::{
    app::{Command, Event, Outcome},
    node::{Ended, Events, Node, NodeHandle},
    transport::Transport,
    wire::{Addr, Nick, RoomName, Scheme},
};

use super::dialect::{GuestId, Input, Refusal, plain, safe_nick};

/// What guests have to tell their machine.
const NEWS_QUEUE: usize = 256;

/// Commands that wait for one guest; then connections are not read from.
const COMMAND_QUEUE: usize = 64;

/// How long somebody waits for the one to be gone who leaves with the same name.
const NAME_TIMEOUT: Duration = Duration::from_secs(2);

/// How guests of a door reach the server.
#[derive(Clone, Debug)]
pub(super) struct WayIn {
    pub(super) door: &'static str,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) server: SocketAddr,
    pub(super) room: RoomName,
}

/// The guests of one door.
#[derive(Debug)]
pub(super) struct Guests {
    way_in: WayIn,
    commands: BTreeMap<GuestId, mpsc::Sender<Command>>,
    /// In order; what is for a guest whose queue is full waits here, and everything behind it.
    waiting: VecDeque<(GuestId, Command)>,
    news: mpsc::Receiver<Input>,
    tell: mpsc::Sender<Input>,
    tasks: JoinSet<()>,
    /// Who entered under which name, and when it is free again: when the sender is gone.
    names: BTreeMap<GuestId, (Nick, oneshot::Receiver<()>)>,
}

impl Guests {
    pub(super) fn new(way_in: WayIn) -> Self {
        let (tell, news) = mpsc::channel(NEWS_QUEUE);
        Self {
            way_in,
            commands: BTreeMap::new(),
            waiting: VecDeque::new(),
            news,
            tell,
            tasks: JoinSet::new(),
            names: BTreeMap::new(),
        }
    }

    /// Brings somebody in, after one who is leaving under the same name.
    pub(super) fn enter(&mut self, guest: GuestId, name: &str, insists: bool) {
        let (nick, same) = safe_nick(name);
        let nick = nick.through(self.way_in.door);
        let node = Node::client_at([Addr::new(Scheme::Memory, self.way_in.server)])
            .transport(Scheme::Memory, Arc::clone(&self.way_in.transport))
            .rooms([self.way_in.room.clone()])
            .history(0);
        let left = self.leaving(&nick);
        let (here, gone) = oneshot::channel();
        self.names.insert(guest, (nick.clone(), gone));
        let node = if insists && same { node.insist_on_name(nick) } else { node.suggest_name(nick) };
        let (commands, queue) = mpsc::channel(COMMAND_QUEUE);
        self.commands.insert(guest, commands);
        while self.tasks.try_join_next().is_some() {}
        let tell = self.tell.clone();
        self.tasks.spawn(async move {
            if let Some(left) = left {
                drop(timeout(NAME_TIMEOUT, left).await);
            }
            stay(guest, node, queue, tell).await;
            drop(here);
        });
    }

    /// What to wait for until the name is free, if one of this door is leaving with it.
    fn leaving(&mut self, nick: &Nick) -> Option<oneshot::Receiver<()>> {
        self.names.retain(|_, (_, gone)| gone.try_recv() != Err(TryRecvError::Closed));
        let is_leaving = |(guest, (name, _)): (&GuestId, &(Nick, oneshot::Receiver<()>))| {
            (name == nick && !self.commands.contains_key(guest)).then_some(*guest)
        };
        let guest = self.names.iter().find_map(is_leaving)?;
        self.names.remove(&guest).map(|(_, gone)| gone)
    }

    /// What the guest does, after what it did before.
    pub(super) fn command(&mut self, guest: GuestId, command: Command) {
        self.waiting.push_back((guest, command));
        self.pass_on();
    }

    /// The guest leaves when all that it said has arrived.
    pub(super) fn leave(&mut self, guest: GuestId) {
        self.command(guest, Command::Finish);
    }

    /// Whether the machine may be told of more: no guest is behind with what it does.
    pub(super) fn keep_up(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next thing to tell the machine. Cancel safe.
    pub(super) async fn next(&mut self) -> Input {
        loop {
            let slow = self.waiting.front().and_then(|(guest, _)| self.commands.get(guest)).cloned();
            tokio::select! {
                news = self.news.recv() => match news {
                    Some(news) => return news,
                    None => std::future::pending().await,
                },
                () = room_for_one(slow.as_ref()), if slow.is_some() => self.pass_on(),
            }
        }
    }

    fn pass_on(&mut self) {
        while let Some((guest, command)) = self.waiting.pop_front() {
            let Some(commands) = self.commands.get(&guest) else { continue };
            let last = command == Command::Finish;
            match commands.try_send(command) {
                Err(mpsc::error::TrySendError::Full(command)) => {
                    self.waiting.push_front((guest, command));
                    return;
                }
                Err(mpsc::error::TrySendError::Closed(_)) => drop(self.commands.remove(&guest)),
                Ok(()) if last => drop(self.commands.remove(&guest)),
                Ok(()) => {}
            }
        }
    }

    /// Everybody leaves; returns when all they said has arrived.
    pub(super) async fn leave_all(mut self) {
        let all: Vec<GuestId> = self.commands.keys().copied().collect();
        all.into_iter().for_each(|guest| self.leave(guest));
        while !self.keep_up() {
            self.next().await;
        }
        // What they still have to tell is for nobody; when the last is gone there is no sender.
        drop(self.tell);
        while self.news.recv().await.is_some() {}
    }
}

async fn room_for_one(commands: Option<&mpsc::Sender<Command>>) {
    match commands {
        // That it is closed is noticed when something is sent.
        Some(commands) => drop(commands.reserve().await),
        None => std::future::pending().await,
    }
}

/// A guest's life.
async fn stay(guest: GuestId, node: Node, queue: mpsc::Receiver<Command>, tell: mpsc::Sender<Input>) {
    let why = match node.start().await {
        Ok((handle, events, ended)) => live(guest, handle, events, ended, queue, &tell).await,
        Err(error) => Some(Refusal::Other(error.to_string())),
    };
    if let Some(why) = why {
        // The machine may be gone before its guests.
        drop(tell.send(Input::Refused { guest, why }).await);
    }
}

/// Events are taken while a command waits for the node, because the node may wait for its events to be taken.
async fn live(
    guest: GuestId,
    handle: NodeHandle,
    mut events: Events,
    ended: Ended,
    mut queue: mpsc::Receiver<Command>,
    tell: &mpsc::Sender<Input>,
) -> Option<Refusal> {
    let mut entered = false;
    let mut leaving = false;
    let mut doing = None;
    loop {
        tokio::select! { biased;
            event = events.next() => {
                let Some(event) = event else { break };
                let input = match event {
                    Event::Joined { name, users, .. } if !entered => {
                        entered = true;
                        let others = users.into_iter().filter(|user| *user != name).collect();
                        Input::Entered { guest, nick: plain(&name).to_owned(), users: others }
                    }
                    // Why one may not come in is told by the refusal that follows.
                    Event::Closed { .. } if !entered => continue,
                    event => Input::Told { guest, event },
                };
                if tell.send(input).await.is_err() {
                    break;
                }
            }
            () = done(&mut doing) => doing = None,
            command = queue.recv(), if doing.is_none() && !leaving => {
                let command = command.unwrap_or(Command::Finish);
                leaving = command == Command::Finish;
                let handle = handle.clone();
                doing = Some(Box::pin(async move {
                    // That the node has stopped is seen in its events.
                    let _ = handle.command(command).await;
                }));
            }
        }
    }
    match ended.outcome().await {
        Outcome::Done | Outcome::Undelivered(_) if leaving => None,
        Outcome::Refused(trouble) if trouble.code == "name_taken" => Some(Refusal::NameTaken),
        Outcome::Refused(trouble) if trouble.code == "server_full" => Some(Refusal::Full),
        Outcome::Refused(trouble)
        | Outcome::Failed(trouble)
        | Outcome::Unreachable(trouble)
        | Outcome::StoreFailed(trouble)
        | Outcome::IdentityChanged(trouble) => Some(Refusal::Other(trouble.message)),
        Outcome::Done | Outcome::Undelivered(_) => Some(Refusal::Other("the server stopped".into())),
    }
}

type Doing = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

async fn done(doing: &mut Option<Doing>) {
    match doing {
        Some(doing) => doing.await,
        None => std::future::pending().await,
    }
}
