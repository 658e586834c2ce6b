//! The end that dials: each message from stdin to one link.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::AsFd,
    sync::Arc,
    thread,
};

use tokio::{runtime::Handle, sync::oneshot, time::timeout};

use crate::{
    app::{DialError, Trouble},
    cli::{
        Remote,
        signals::{Signals, cannot_start},
        stop::{Status, Stop},
    },
    node::{STOP_TIMEOUT, dial_error},
    transport::{Class, CloseCode, CloseReason, Lane, Link, LinkError, LinkRx, LinkTx},
    ui::{Printed, Streams},
    wire::Addr,
};

use super::{
    Carrier,
    input::{BadInput, Messages},
};

/// Where messages go: so many lanes of one class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes {
    pub(super) count: u32,
    pub(super) class: Class,
}

/// Why the messages of the input did not all go out.
#[derive(Debug, thiserror::Error)]
enum Cut {
    #[error(transparent)]
    Input(#[from] BadInput),
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// Dials, and carries the input until it ends, the link does or a signal comes.
pub(super) async fn run(carrier: &Carrier, remote: &Remote, lanes: Lanes) -> Result<Status, Stop> {
    let mut signals = Signals::catch().map_err(Stop::failed)?;
    let Link { tx, mut rx, .. } = tokio::select! {
        link = connect(carrier, remote) => link?,
        () = signals.next() => return Ok(Status::Done),
    };
    let tx: Arc<dyn LinkTx> = tx.into();
    let fed = start_to_feed(lanes, Arc::clone(&tx)).map_err(|error| Stop::failed(cannot_start(&error)))?;
    // Who does not want to know can close stdout.
    drop(Streams::standard(false).write(&Printed::Data("ready".to_owned())));
    tokio::select! {
        outcome = carry(fed, &*tx, &mut *rx) => outcome.map_err(Stop::failed),
        () = signals.next() => {
            // A signal is no wish for a guarantee: what is queued has its two seconds.
            let _ = timeout(STOP_TIMEOUT, tx.close(done())).await;
            Ok(Status::Done)
        }
    }
}

/// Tries the addresses of the host in turn.
async fn connect(carrier: &Carrier, remote: &Remote) -> Result<Link, Stop> {
    let mut failed = None;
    for &socket in &remote.addrs {
        match carrier.transport.dial(socket).await {
            Ok(link) => return Ok(link),
            Err(error) => failed = Some(dial_error(Addr::new(carrier.scheme, socket), &error)),
        }
    }
    Err(match failed {
        Some(DialError::Refused(trouble)) => Stop::Trouble(Status::Refused, trouble),
        Some(DialError::IdentityChanged(trouble)) => Stop::Trouble(Status::IdentityChanged, trouble),
        Some(DialError::NoAnswer(trouble) | DialError::Unreachable(trouble)) => {
            Stop::Trouble(Status::Unreachable, trouble)
        }
        None => Stop::usage(format!("{remote} has no address"), "give another one"),
    })
}

/// Starts the thread that reads stdin. It may still wait for input when the process ends.
fn start_to_feed(lanes: Lanes, tx: Arc<dyn LinkTx>) -> io::Result<oneshot::Receiver<Result<(), Cut>>> {
    let (report, fed) = oneshot::channel();
    let stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let runtime = Handle::current();
    thread::Builder::new().name("in".into()).spawn(move || {
        // Nobody may wait for the end any more.
        let _ = report.send(feed(Messages::new(stdin, lanes.count), lanes.class, &*tx, &runtime));
    })?;
    Ok(fed)
}

/// Gives each message to the link as soon as it is read; waits while the link has no room.
fn feed(messages: Messages<impl Read>, class: Class, tx: &dyn LinkTx, runtime: &Handle) -> Result<(), Cut> {
    for message in messages {
        let (lane, message) = message?;
        let lane = Lane { class, id: lane.into() };
        if !tx.try_send(lane, &message)? {
            runtime.block_on(tx.send(lane, message))?;
        }
    }
    Ok(())
}

/// Waits for the end of the input or of the link. What was read before is delivered in any case.
async fn carry(
    fed: oneshot::Receiver<Result<(), Cut>>,
    tx: &dyn LinkTx,
    rx: &mut dyn LinkRx,
) -> Result<Status, Trouble> {
    let fed = tokio::select! { biased;
        fed = fed => fed.ok(),
        () = hear_out(rx) => None,
    };
    let mut closing = tx.close(done());
    let closed = tokio::select! {
        closed = &mut closing => closed,
        () = hear_out(rx) => closing.await,
    };
    match (fed, closed) {
        (Some(Err(Cut::Input(bad))), _) => Err(bad.into()),
        (_, Err(undelivered)) => Err(broken(undelivered.to_string())),
        (Some(Err(Cut::Link(error))), Ok(())) => Err(broken(error.to_string())),
        (None, Ok(())) => Err(broken("the other side left before the end of the input".to_owned())),
        (Some(Ok(())), Ok(())) => Ok(Status::Done),
    }
}

/// Takes what the other side says, which is nothing to us, until it leaves. Unread it would hide what the
/// other side says about the link itself.
async fn hear_out(rx: &mut dyn LinkRx) {
    while let Ok(Some(_)) = rx.recv().await {}
}

fn done() -> CloseReason {
    CloseReason::local(CloseCode::Done, "")
}

fn broken(message: String) -> Trouble {
    Trouble::new("undelivered", message, "the other end may say more; dial again and send what is missing")
}
