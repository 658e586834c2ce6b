//! What is compared: each column a way to carry messages, and how it is set up.

mod enet;
mod frames;
mod kcp;
mod ours;
mod quic;
mod raw;
mod tcp;

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;

use self::{
    enet::Enet,
    kcp::Kcp,
    ours::Ours,
    quic::{Quic, Streams},
    raw::Raw,
    tcp::Tcp,
};
use crate::arrivals::Arrivals;

/// Where in a connection a message goes. Lanes are independent where the column has such a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    Chat(u32),
    Bulk,
}

/// What accepts connections and reads from them; ends only when nothing more can come.
pub(crate) type Listening = BoxFuture<'static, Result<()>>;

#[async_trait]
pub(crate) trait Column: Send + Sync {
    /// Waits for connections; every message goes to `arrivals` as soon as an application would have it.
    async fn listen(&self, at: SocketAddr, arrivals: Arrivals) -> Result<Listening>;

    async fn dial(&self, to: SocketAddr) -> Result<Arc<dyn Connection>>;

    /// Whether chat beside bulk needs a connection of its own: where there is but one queue, nobody who
    /// knows better puts both into it.
    fn bulk_apart(&self) -> bool {
        false
    }
}

#[async_trait]
pub(crate) trait Connection: Send + Sync {
    /// Ends when the message is taken, which may be long before it arrives.
    async fn send(&self, lane: Lane, message: Bytes) -> Result<()>;
}

/// The column of bare datagrams: the floor, and the probe for a disturbed machine.
pub(crate) const RAW: &str = "raw";

type Make = fn() -> Box<dyn Column>;

/// All of them, in the order of the tables.
const ALL: &[(&str, Make)] = &[
    ("udp", || Box::new(Ours::new("udp"))),
    ("udp-cubic", || Box::new(Ours::new("udp-cubic"))),
    ("tcp", || Box::new(Ours::new("tcp"))),
    ("tcp-cubic", || Box::new(Tcp { congestion: "cubic", thin: false })),
    ("tcp-bbr", || Box::new(Tcp { congestion: "bbr", thin: false })),
    ("tcp-thin", || Box::new(Tcp { congestion: "cubic", thin: true })),
    ("quic-cubic", || Box::new(Quic::cubic(Streams::One))),
    ("quic-bbr", || Box::new(Quic::bbr(Streams::One))),
    ("quic-room-bbr", || Box::new(Quic::bbr(Streams::Lane))),
    ("quic-msg-cubic", || Box::new(Quic::cubic(Streams::Message))),
    ("quic-msg-bbr", || Box::new(Quic::bbr(Streams::Message))),
    ("kcp", || Box::new(Kcp::normal())),
    ("kcp-turbo", || Box::new(Kcp::turbo())),
    ("kcp-turbo-flush", || Box::new(Kcp::turbo().flushing())),
    ("kcp-turbo-w1024", || Box::new(Kcp::turbo().with_window(1024))),
    ("enet", || Box::new(Enet::default())),
    (RAW, || Box::new(Raw)),
];

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name)
}

pub(crate) fn by_name(name: &str) -> Result<Box<dyn Column>> {
    let known = ALL.iter().find(|(known, _)| *known == name);
    known.map(|(_, make)| make()).with_context(|| format!("no column {name}"))
}

/// Whether it is what somebody would pick instead of this project.
pub(crate) fn is_peer(name: &str) -> bool {
    !matches!(name, "udp" | "udp-cubic" | "tcp" | RAW)
}

pub(crate) fn bulk_apart(name: &str) -> bool {
    by_name(name).is_ok_and(|column| column.bulk_apart())
}
