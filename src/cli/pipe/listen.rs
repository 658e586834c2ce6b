//! The end that waits: one link after another, each message to stdout.

use std::{
    collections::VecDeque,
    convert::Infallible,
    fs::File,
    future::pending,
    io::{self, BufWriter},
    net::SocketAddr,
    os::fd::AsFd,
    thread,
};

use tokio::{runtime::Handle, sync::oneshot, task::JoinSet, time::timeout};

use crate::{
    app::Trouble,
    cli::{
        signals::{Signals, cannot_start},
        start::listen_trouble,
        stop::{Status, Stop},
    },
    node::STOP_TIMEOUT,
    transport::{CloseCode, CloseReason, Link, LinkTx, Listener},
    wire::Addr,
};

use super::{
    Carrier,
    output::{BATCH_BYTES, Broken, drain},
    tell,
};

/// Links that wait for the one before them to end. One more waits at the door.
const MAX_WAITING: usize = 16;

/// Listens until a signal comes or nobody takes the messages any more.
pub(super) async fn run(carrier: &Carrier, addr: SocketAddr) -> Result<Status, Stop> {
    let mut signals = Signals::catch().map_err(Stop::failed)?;
    let addr = Addr::new(carrier.scheme, addr);
    let listener = carrier.transport.listen(addr.socket).await;
    let mut listener = listener.map_err(|error| Stop::failed(listen_trouble(addr, &error, "pipe listen")))?;
    tell(&format!("listening on {} {}", addr.scheme, listener.local_addr()));
    let mut links = Links::default();
    tokio::select! {
        Err(trouble) = links.serve(&mut *listener) => Err(Stop::failed(trouble)),
        () = signals.next() => {
            links.leave().await;
            Ok(Status::Done)
        }
    }
}

/// The link whose messages are written, and those behind it.
#[derive(Debug, Default)]
struct Links {
    served: Option<Served>,
    waiting: VecDeque<Link>,
}

/// A link whose messages are written, by a thread of its own.
#[derive(Debug)]
struct Served {
    peer: SocketAddr,
    tx: Box<dyn LinkTx>,
    ended: oneshot::Receiver<Result<(), Broken>>,
}

impl Links {
    /// Serves one link after another; ends when it cannot go on.
    async fn serve(&mut self, listener: &mut dyn Listener) -> Result<Infallible, Trouble> {
        loop {
            if self.served.is_none()
                && let Some(link) = self.waiting.pop_front()
            {
                self.served = Some(Served::start(link).map_err(|error| cannot_start(&error))?);
            }
            tokio::select! {
                (peer, end) = end_of(&mut self.served) => {
                    self.served = None;
                    match end {
                        Ok(()) => {}
                        Err(Broken::Link(error)) => tell(&format!("{peer}: {error}")),
                        Err(Broken::Output(error)) => return Err(output_trouble(&error)),
                    }
                }
                link = listener.accept(), if self.waiting.len() < MAX_WAITING => {
                    self.waiting.push_back(link.map_err(|error| listener_trouble(&error))?);
                }
            }
        }
    }

    /// Tells everybody that nothing more is taken.
    async fn leave(self) {
        let waiting = self.waiting.into_iter().map(|link| link.tx);
        let mut farewells = JoinSet::new();
        for tx in self.served.map(|served| served.tx).into_iter().chain(waiting) {
            farewells.spawn(async move { tx.close(CloseReason::local(CloseCode::Shutdown, "")).await });
        }
        // Whoever does not listen to a farewell is left without one.
        let _ = timeout(STOP_TIMEOUT, farewells.join_all()).await;
    }
}

impl Served {
    fn start(link: Link) -> io::Result<Self> {
        let Link { peer, tx, mut rx } = link;
        let (report, ended) = oneshot::channel();
        // Not `io::stdout`, which looks for ends of lines.
        let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let runtime = Handle::current();
        thread::Builder::new().name("out".into()).spawn(move || {
            let mut out = BufWriter::with_capacity(BATCH_BYTES, stdout);
            // Nobody may wait for the end any more.
            let _ = report.send(drain(&mut *rx, &mut out, &runtime));
        })?;
        Ok(Self { peer: peer.addr, tx, ended })
    }
}

/// Waits for the end of the link, if there is one. Cancel safe.
async fn end_of(served: &mut Option<Served>) -> (SocketAddr, Result<(), Broken>) {
    let Some(served) = served else { return pending().await };
    let end = (&mut served.ended).await;
    (served.peer, end.unwrap_or_else(|_| Err(io::Error::other("its thread has ended").into())))
}

fn output_trouble(error: &io::Error) -> Trouble {
    let hint = "whoever dialled hears that its last messages were not consumed";
    Trouble::new("output", format!("cannot write the messages to stdout: {error}"), hint)
}

fn listener_trouble(error: &io::Error) -> Trouble {
    Trouble::new("listen", format!("cannot take links any more: {error}"), "start it again")
}
