//! The doors of a server while it runs.

use std::sync::Arc;

use tokio::{
    sync::{Mutex, mpsc, watch},
    task::JoinHandle,
};

use crate::{
    app::{Event, Trouble},
    cli::{
        Role, Settings,
        signals::cannot_start,
        start::{listen_trouble, seed},
    },
    gateway::{Door, Indoors, Page, dialect::HostConfig},
    node::{Events, Node},
    ui::{Out, Printed, Shown, Streams, clean},
    wire::{Addr, Scheme},
};

/// Doors that are bound, so that their ports are known, and wait for the server.
pub(in crate::cli) struct Doors {
    doors: Vec<Door>,
    page: Option<Page>,
    indoors: Indoors,
    /// Whether there is one door and no other way in: then its lines are the program's.
    is_only: bool,
}

/// Doors that are open.
pub(in crate::cli) struct OpenDoors {
    closer: Closer,
    page: Option<JoinHandle<()>>,
    only: Option<mpsc::Receiver<String>>,
}

/// Closes doors, once.
#[derive(Clone)]
pub(in crate::cli) struct Closer {
    stop: watch::Sender<bool>,
    ends: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Doors {
    /// Binds the doors that the settings ask for.
    pub(in crate::cli) async fn bind(settings: &Settings) -> Result<Self, Trouble> {
        let mut doors = Vec::new();
        let mut page = None;
        let mut is_only = false;
        if let Role::Server(server) = &settings.role {
            is_only = server.listen.is_none() && server.doors.len() == 1;
            for door in &server.doors {
                let config = HostConfig { seed: seed()?, ..door.config.clone() };
                let bound = Door::bind(door.dialect, door.listen, door.room.clone(), config).await;
                let at = Addr::new(Scheme::Tcp, door.listen);
                doors.push(bound.map_err(|error| listen_trouble(at, &error, "--dialect"))?);
            }
            if let Some(at) = server.web {
                let addr = Addr::new(Scheme::Tcp, at);
                page = Some(Page::bind(at).await.map_err(|error| listen_trouble(addr, &error, "--web"))?);
            }
        }
        Ok(Self { doors, page, indoors: Indoors::new(), is_only })
    }

    /// The server that these are the doors of.
    pub(in crate::cli) fn beside(&self, node: Node) -> Node {
        if self.doors.is_empty() {
            return node;
        }
        let (addr, transport) = self.indoors.for_server();
        let node = node.indoors(addr, transport);
        let doors = self.doors.iter();
        let doors = doors.map(|door| Event::Door { dialect: door.dialect().name, addr: door.addr() });
        let page = self.page.iter().map(|page| Event::Listening { transport: "web", addr: page.addr() });
        doors.chain(page).fold(node, Node::announce)
    }

    /// Opens them.
    pub(in crate::cli) fn open(self) -> OpenDoors {
        let (stop, stopped) = watch::channel(false);
        let mut ends = Vec::new();
        let mut only = None;
        let mut board = None;
        for door in self.doors {
            let has_board = door.dialect().name == "vsb";
            let (shown, end) = door.open(&self.indoors, stopped.clone());
            ends.push(end);
            board = if has_board { Some(shown.board) } else { board };
            only = self.is_only.then_some(shown.lines);
        }
        let page = self.page.zip(board).map(|(page, board)| tokio::spawn(page.serve(board)));
        let closer = Closer { stop, ends: Arc::new(Mutex::new(ends)) };
        OpenDoors { closer, page, only }
    }
}

impl OpenDoors {
    /// What closes them.
    pub(in crate::cli) fn closer(&self) -> Closer {
        self.closer.clone()
    }

    /// The lines to print in place of ours.
    pub(in crate::cli) fn only(&mut self) -> Option<mpsc::Receiver<String>> {
        self.only.take()
    }

    /// Closes them, where nobody did before.
    pub(in crate::cli) async fn close(self) {
        self.closer.close().await;
        if let Some(page) = self.page {
            page.abort();
        }
    }
}

impl Closer {
    /// Everybody at the doors is told, and what they said has arrived.
    pub(in crate::cli) async fn close(&self) {
        self.stop.send_replace(true);
        for end in self.ends.lock().await.drain(..) {
            // One that panicked has told so already.
            drop(end.await);
        }
    }
}

/// Prints what the assignment's server prints, until the node ends.
pub(in crate::cli) async fn show_instead(
    mut lines: mpsc::Receiver<String>,
    mut events: Events,
    quiet: bool,
) -> Result<Shown, Trouble> {
    let out = Out::start(Streams::standard(quiet)).map_err(|error| cannot_start(&error))?;
    let mut open = true;
    loop {
        tokio::select! { biased;
            line = lines.recv(), if open => match line {
                Some(line) => {
                    let cleaned = line.split('\n').map(clean).collect::<Vec<_>>().join("\n");
                    open = out.print(Printed::Data(cleaned)).await.is_ok();
                }
                None => open = false,
            },
            event = events.next() => if event.is_none() { break },
        }
    }
    while let Ok(line) = lines.try_recv() {
        let _ = out.print(Printed::Data(clean(&line).into_owned())).await;
    }
    drop(out.close().await);
    Ok(Shown::default())
}
