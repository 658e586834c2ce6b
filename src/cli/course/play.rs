//! A client or peer of a course system from its start to its exit status.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use tokio::{net::TcpListener, sync::mpsc};

use crate::{
    app::Trouble,
    cli::{
        signals::{Signals, cannot_start},
        start::{listen_trouble, seed},
        stop::{Status, Stop},
    },
    gateway::{
        Seen, Sockets, Typed, call,
        dialect::{CallerConfig, Carrier, MAX_FILE_BYTES},
    },
    ui::{Input, Out, Paint, Printed, Streams, clean, is_terminal, read_lines},
    wire::{Addr, Scheme},
};

use super::CourseSettings;

/// Lines that wait on their way in and out.
const LINE_QUEUE: usize = 64;

/// Plays it to its end.
pub(in crate::cli) fn play(settings: &CourseSettings, quiet: bool) -> Result<Status, Stop> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Stop::failed(cannot_start(&error)))?;
    let status = runtime.block_on(live(settings, quiet)).map_err(Stop::failed)?;
    Ok(if status == 0 { Status::Done } else { Status::Failed })
}

async fn live(settings: &CourseSettings, quiet: bool) -> Result<u8, Trouble> {
    let signals = Signals::catch()?;
    let (sockets, local) = sockets(settings).await?;
    let config = config(settings, local)?;
    let dialect = settings.dialect;
    let machine = if settings.is_peer { dialect.peer(config) } else { dialect.client(config) };
    let system = |error: io::Error| Trouble::new("system", format!("cannot use the terminal: {error}"), "");
    let out = Out::start(Streams::standard(quiet)).map_err(system)?;
    let (typed, lines) = mpsc::channel(LINE_QUEUE);
    let (show, mut seen) = mpsc::channel(LINE_QUEUE);
    let inputs = read_lines(io::stdin()).map_err(system)?;
    let (interrupt, interrupts) = mpsc::channel(1);
    let typing = tokio::spawn(pass_on(inputs, typed));
    let watching = tokio::spawn(interrupt_on(signals, interrupt));
    let showing = async {
        while let Some(seen) = seen.recv().await {
            if out.print(printed(seen, settings)).await.is_err() {
                break;
            }
        }
    };
    let folder = std::env::current_dir().map_err(system)?;
    let (status, ()) = tokio::join!(call(machine, sockets, folder, lines, interrupts, show), showing);
    typing.abort();
    watching.abort();
    drop(out.close().await);
    Ok(status)
}

fn config(settings: &CourseSettings, local: Option<SocketAddr>) -> Result<CallerConfig, Trouble> {
    Ok(CallerConfig {
        name: settings.name.clone(),
        server: settings.server,
        local: local.map(|local| as_seen_by(settings.server, local)),
        peers: settings.peers.clone(),
        follow: settings.follow.clone(),
        window: settings.window,
        reliable: settings.reliable,
        format_line: settings.format_line.clone(),
        interactive: is_terminal(),
        max_file_bytes: MAX_FILE_BYTES,
        seed: seed()?,
    })
}

/// What a server can call: a listener on all addresses does not know which of them leads there.
fn as_seen_by(server: Option<SocketAddr>, local: SocketAddr) -> SocketAddr {
    let Some(server) = server.filter(|_| local.ip().is_unspecified()) else { return local };
    let any = SocketAddr::new(
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() },
        0,
    );
    // Nothing is sent: connecting a socket for datagrams only asks for the route.
    let route = UdpSocket::bind(any).and_then(|socket| {
        socket.connect(server)?;
        socket.local_addr()
    });
    route.map_or(local, |route| SocketAddr::new(route.ip(), local.port()))
}

async fn sockets(settings: &CourseSettings) -> Result<(Sockets, Option<SocketAddr>), Trouble> {
    if let Some(addr) = settings.listen {
        let trouble = |error| listen_trouble(Addr::new(Scheme::Tcp, addr), &error, "--listen");
        let listener = TcpListener::bind(addr).await.map_err(trouble)?;
        let local = listener.local_addr().map_err(trouble)?;
        return Ok((Sockets { listener: Some(listener), socket: None }, Some(local)));
    }
    match settings.server {
        Some(server) if settings.dialect.carrier == Carrier::Datagram => {
            let sockets = Sockets::datagrams(server).await;
            let trouble = |error: io::Error| Trouble::new("system", format!("no socket: {error}"), "");
            Ok((sockets.map_err(trouble)?, None))
        }
        _ => Ok((Sockets::default(), None)),
    }
}

async fn pass_on(mut inputs: mpsc::Receiver<Input>, typed: mpsc::Sender<Typed>) {
    while let Some(input) = inputs.recv().await {
        let line = match input {
            Input::Line(line) => Typed::Line(line),
            Input::End => Typed::End,
            Input::TooLong => {
                tracing::warn!("a line was too long; none of it was sent");
                continue;
            }
            // Keys of our own prompt, which is not here.
            Input::Cleared | Input::Interrupt => continue,
        };
        if typed.send(line).await.is_err() {
            return;
        }
    }
}

async fn interrupt_on(mut signals: Signals, interrupt: mpsc::Sender<()>) {
    loop {
        signals.next().await;
        if interrupt.send(()).await.is_err() {
            return;
        }
    }
}

/// What others wrote is cleaned here, where it leaves for the terminal; the assignments' programs print ends
/// of line within a message as they are.
fn printed(seen: Seen, settings: &CourseSettings) -> Printed {
    let cleaned = |text: &str| text.split('\n').map(clean).collect::<Vec<_>>().join("\n");
    match seen {
        Seen::Line(line) if settings.dialect.name == "vsb" => {
            Printed::Data(painted(&cleaned(&line), settings))
        }
        Seen::Line(line) => Printed::Data(cleaned(&line)),
        Seen::Prompt(text) => Printed::Prompt(text),
        Seen::Warning(line) => Printed::Talk(clean(&line).into_owned()),
    }
}

/// `source: message` with the source in its colour.
fn painted(line: &str, settings: &CourseSettings) -> String {
    match line.split_once(": ") {
        Some(("[Server]", _)) if settings.colors => Paint::Colored.dim(line),
        Some((source, text)) if settings.colors => format!("{}: {text}", Paint::Colored.name(source)),
        _ => line.to_owned(),
    }
}
