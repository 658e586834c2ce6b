//! The four messages of the handshake without secrets: a hello of each side with its parameters, and a
//! proof of each that it saw both. Written under the same keys as their counterparts of TLS.

use std::{collections::VecDeque, mem};

use super::{
    super::{
        Side,
        mac::{self, MAC_BYTES, SipKey, sip_long},
        seal::{Handshake, HandshakeError, NewKeys},
    },
    keys::{Phases, Secret},
};

/// Bytes of the longest parameters.
const MAX_PARAMS_BYTES: usize = 4096;

/// Bytes in front of the body of a message: `kind (1) || length (2)`.
const HEAD_BYTES: usize = 3;

/// The messages, in the order they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    DialerHello = 1,
    AcceptorHello = 2,
    AcceptorFinished = 3,
    DialerFinished = 4,
}

/// Which keys come next.
#[derive(Clone, Copy, Debug)]
enum Level {
    Handshake,
    Data,
}

/// What is to be written before the keys change.
#[derive(Debug)]
struct Flight {
    bytes: Vec<u8>,
    then: Option<Level>,
}

/// One side of the handshake.
pub(super) struct Exchange {
    side: Side,
    own_hello: Vec<u8>,
    /// Of both hellos, once both are known.
    secret: Option<Secret>,
    /// What is to be read next; nothing once the handshake is over.
    expected: Option<Kind>,
    /// Bytes of a message that is not complete yet.
    pending: Vec<u8>,
    flights: VecDeque<Flight>,
    peer_params: Option<Vec<u8>>,
}

impl Exchange {
    /// # Errors
    /// `params` are longer than 4 KiB.
    pub(super) fn new(side: Side, params: &[u8]) -> Result<Self, HandshakeError> {
        let (kind, expected) = match side {
            Side::Dialer => (Kind::DialerHello, Kind::AcceptorHello),
            Side::Acceptor => (Kind::AcceptorHello, Kind::DialerHello),
        };
        if params.len() > MAX_PARAMS_BYTES {
            return Err(error("parameters are too long"));
        }
        let mut exchange = Self {
            side,
            own_hello: message(kind, params),
            secret: None,
            expected: Some(expected),
            pending: Vec::new(),
            flights: VecDeque::new(),
            peer_params: None,
        };
        if side == Side::Dialer {
            exchange.queue(exchange.own_hello.clone(), None);
        }
        Ok(exchange)
    }

    fn queue(&mut self, bytes: Vec<u8>, then: Option<Level>) {
        self.flights.push_back(Flight { bytes, then });
    }

    /// Takes the message at the front of `pending`, if it is complete.
    fn next_message(&mut self) -> Result<Option<(Kind, Vec<u8>)>, HandshakeError> {
        let Some(kind) = self.pending.first() else { return Ok(None) };
        let expected = self.expected.filter(|expected| *expected as u8 == *kind);
        let expected = expected.ok_or_else(|| error("an unexpected message"))?;
        let Some((&[_, high, low], body)) = self.pending.split_first_chunk::<HEAD_BYTES>() else {
            return Ok(None);
        };
        let len = usize::from(u16::from_be_bytes([high, low]));
        if len > MAX_PARAMS_BYTES {
            return Err(error("a message is too long"));
        }
        if body.len() < len {
            return Ok(None);
        }
        let rest = self.pending.split_off(HEAD_BYTES + len);
        Ok(Some((expected, mem::replace(&mut self.pending, rest))))
    }

    fn on_message(&mut self, kind: Kind, message: &[u8]) -> Result<(), HandshakeError> {
        let body = message.get(HEAD_BYTES..).unwrap_or_default();
        match kind {
            Kind::DialerHello => {
                let secret = self.meet(body, transcript(message, &self.own_hello));
                self.queue(self.own_hello.clone(), Some(Level::Handshake));
                self.queue(finished(Kind::AcceptorFinished, secret), Some(Level::Data));
                self.expected = Some(Kind::DialerFinished);
            }
            Kind::AcceptorHello => {
                self.meet(body, transcript(&self.own_hello, message));
                self.queue(Vec::new(), Some(Level::Handshake));
                self.expected = Some(Kind::AcceptorFinished);
            }
            Kind::AcceptorFinished => {
                let secret = self.check_finished(kind, body)?;
                self.queue(finished(Kind::DialerFinished, secret), Some(Level::Data));
                self.expected = None;
            }
            Kind::DialerFinished => {
                self.check_finished(kind, body)?;
                self.expected = None;
            }
        }
        Ok(())
    }

    /// Both hellos are known.
    fn meet(&mut self, params: &[u8], secret: Secret) -> Secret {
        self.peer_params = Some(params.to_vec());
        *self.secret.insert(secret)
    }

    fn check_finished(&self, kind: Kind, proof: &[u8]) -> Result<Secret, HandshakeError> {
        let proof: Option<&[u8; MAC_BYTES]> = proof.try_into().ok();
        match (self.secret, proof) {
            (Some(secret), Some(proof)) if mac::equal(&proof_of(kind, secret), proof) => Ok(secret),
            _ => Err(error("the other side saw other hellos")),
        }
    }
}

impl Handshake for Exchange {
    fn read(&mut self, bytes: &[u8]) -> Result<(), HandshakeError> {
        self.pending.extend_from_slice(bytes);
        while let Some((kind, message)) = self.next_message()? {
            self.on_message(kind, &message)?;
        }
        Ok(())
    }

    fn write(&mut self, out: &mut Vec<u8>) -> Option<NewKeys> {
        while let Some(flight) = self.flights.pop_front() {
            out.extend_from_slice(&flight.bytes);
            let (Some(level), Some(secret)) = (flight.then, self.secret) else { continue };
            return Some(match level {
                Level::Handshake => NewKeys::Handshake(secret.derive(b"handshak").keys(self.side)),
                Level::Data => {
                    let secret = secret.derive(b"data    ");
                    NewKeys::Data(secret.keys(self.side), Box::new(Phases::after(secret, self.side)))
                }
            });
        }
        None
    }

    fn is_handshaking(&self) -> bool {
        self.expected.is_some()
    }

    fn peer_params(&self) -> Option<&[u8]> {
        self.peer_params.as_deref()
    }

    fn peer_key(&self) -> Option<&[u8]> {
        None
    }
}

/// The secret of two hellos; their heads tell where one ends.
fn transcript(dialers: &[u8], acceptors: &[u8]) -> Secret {
    Secret::new(sip_long(SipKey::new(*b"sayagain/1 hello"), &[dialers, acceptors].concat()))
}

/// What shows that the sender of `kind` saw both hellos.
fn proof_of(kind: Kind, secret: Secret) -> [u8; MAC_BYTES] {
    secret.derive(&[kind as u8]).into_bytes()
}

fn finished(kind: Kind, secret: Secret) -> Vec<u8> {
    message(kind, &proof_of(kind, secret))
}

fn error(text: &str) -> HandshakeError {
    HandshakeError(text.to_owned())
}

fn message(kind: Kind, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).unwrap_or(u16::MAX);
    let [high, low] = len.to_be_bytes();
    [&[kind as u8, high, low], body].concat()
}
