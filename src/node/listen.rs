//! Listening on every address a node was given; one port for several transports.

use std::{collections::BTreeMap, io, sync::Arc};

use crate::{
    transport::{Listener, Transport},
    wire::{Addr, Scheme},
};

use super::StartError;

/// Ports that the first transport picks before it is an error that another program has them for the next.
const MAX_PICKS: usize = 16;

/// A listener that is up.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) scheme: Scheme,
    pub(super) transport: &'static str,
    pub(super) listener: Box<dyn Listener>,
}

impl Bound {
    pub(super) fn addr(&self) -> Addr {
        Addr::new(self.scheme, self.listener.local_addr())
    }
}

/// Listens on all of them, in this order. Transports that want a free port of the same IP address get the
/// same one, so that people need to know only one number.
pub(super) async fn bind(
    transports: &BTreeMap<Scheme, Arc<dyn Transport>>,
    wanted: &[Addr],
) -> Result<Vec<Bound>, StartError> {
    let mut picks = 1;
    loop {
        match bind_once(transports, wanted).await {
            Err(Refused { addr, picked: Some(_), error })
                if error.kind() == io::ErrorKind::AddrInUse && picks < MAX_PICKS =>
            {
                tracing::debug!(%addr, "another program has that port");
                picks += 1;
            }
            Err(Refused { addr, picked, error }) => {
                return Err(StartError::Listen { addr: picked.unwrap_or(addr), error });
            }
            Ok(bound) => return Ok(bound),
        }
    }
}

/// An address that could not be listened on.
struct Refused {
    addr: Addr,
    /// With the port that an earlier transport picked for it.
    picked: Option<Addr>,
    error: io::Error,
}

async fn bind_once(
    transports: &BTreeMap<Scheme, Arc<dyn Transport>>,
    wanted: &[Addr],
) -> Result<Vec<Bound>, Refused> {
    let mut bound: Vec<Bound> = Vec::new();
    for (index, &addr) in wanted.iter().enumerate() {
        let earlier = wanted.iter().zip(&bound).take(index);
        let picked = picked(addr, earlier);
        let refused = |error| Refused { addr, picked, error };
        let transport = transports.get(&addr.scheme);
        let transport = transport.ok_or_else(|| refused(io::ErrorKind::Unsupported.into()))?;
        let at = picked.unwrap_or(addr);
        let listener = transport.listen(at.socket).await.map_err(refused)?;
        bound.push(Bound { scheme: addr.scheme, transport: transport.name(), listener });
    }
    Ok(bound)
}

/// This address with the port that another transport has got for the same wish, if there is one.
fn picked<'a>(addr: Addr, earlier: impl Iterator<Item = (&'a Addr, &'a Bound)>) -> Option<Addr> {
    if addr.socket.port() != 0 {
        return None;
    }
    let mut same = earlier.filter(|(wanted, _)| wanted.socket == addr.socket);
    let (wanted, bound) = same.next()?;
    (wanted.scheme != addr.scheme && same.all(|(wanted, _)| wanted.scheme != addr.scheme)).then(|| {
        let mut socket = addr.socket;
        socket.set_port(bound.addr().socket.port());
        Addr::new(addr.scheme, socket)
    })
}

#[cfg(test)]
mod tests;
