//! A client of our wire without a node around it, which costs the machine next to nothing.

use std::net::SocketAddr;

use sayagain::{
    node::Identity,
    transport::{Keys, Lane, Link, LinkRx, LinkTx, Security, TcpTransport, Transport},
    wire::{Epoch, Frame, Hello, Role, RoomId, SigningKey, VERSION, Vector, decode, encode},
};

/// Connects, and is a member of a room when it returns.
pub(crate) async fn join(
    server: SocketAddr,
    number: usize,
    room: &RoomId,
    insecure: bool,
) -> (SigningKey, Epoch, Link) {
    let identity = Identity::ephemeral().expect("random bytes");
    let key = SigningKey::from_pkcs8(&identity.key.to_pkcs8()).expect("its own key");
    let security = if insecure {
        Security::Insecure
    } else {
        Security::Tls(Keys::from_pkcs8(&key.to_pkcs8()).expect("its own key"))
    };
    let mut link = TcpTransport::new(security).dial(server).await.expect("the server listens");
    let hello = Hello {
        version: VERSION,
        role: Role::Client,
        key: key.public(),
        nick: format!("n{number}").parse().expect("a name"),
        epoch: identity.epoch,
        listen: Vec::new(),
        capabilities: 0,
    };
    let have = Vector::default();
    let subscribe = Frame::Subscribe { room: room.clone(), have, age_ms: 0, history: 0, more: false };
    for frame in [Frame::Hello(hello), subscribe] {
        send(&*link.tx, Lane::CONTROL, &frame).await;
    }
    while !matches!(receive(&mut *link.rx).await, Frame::Joined { more: false, .. }) {}
    (key, identity.epoch, link)
}

pub(crate) async fn send(tx: &dyn LinkTx, lane: Lane, frame: &Frame) {
    tx.send(lane, encode(frame).expect("a short frame")).await.expect("the server listens");
}

/// The next frame that is known.
pub(crate) async fn receive(rx: &mut dyn LinkRx) -> Frame {
    loop {
        let message = rx.recv().await.expect("the link holds").expect("the server stays");
        if let Ok(frame) = decode(&message) {
            return frame;
        }
    }
}
