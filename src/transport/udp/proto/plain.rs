//! A handshake and packets without secrets, for `--insecure` and for simulations: the same formats and
//! steps as under TLS, with a checksum in place of each tag. It notices accidents, and packets of another
//! connection; it keeps nothing secret and proves nobody's key.

use super::{
    Side,
    cid::ConnectionId,
    mac::{SipKey, sip_long},
    packet::VERSION_PLAIN,
    seal::{Handshake, HandshakeError, Handshaker, Keys},
};

mod exchange;
mod keys;

use exchange::Exchange;
use keys::Secret;

/// Makes handshakes that hide and prove nothing. What they say follows from the parameters alone, so a
/// simulation that uses it replays.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainHandshaker;

impl Handshaker for PlainHandshaker {
    fn version(&self) -> u32 {
        VERSION_PLAIN
    }

    fn initial_keys(&self, dst: &ConnectionId, side: Side) -> Keys {
        let everybodys = SipKey::new(*b"sayagain/1 plain");
        Secret::new(sip_long(everybodys, dst.as_bytes())).keys(side)
    }

    fn dial(&self, params: Vec<u8>) -> Result<Box<dyn Handshake>, HandshakeError> {
        Ok(Box::new(Exchange::new(Side::Dialer, &params)?))
    }

    fn accept(&self, params: Vec<u8>) -> Result<Box<dyn Handshake>, HandshakeError> {
        Ok(Box::new(Exchange::new(Side::Acceptor, &params)?))
    }
}

#[cfg(test)]
mod tests;
