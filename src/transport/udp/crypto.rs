//! The protocol's cryptography by `rustls::quic`: TLS 1.3 with raw public keys on both sides, packets
//! protected as in QUIC version 1 (RFC 9001).

use std::{fmt, net::Ipv4Addr, sync::Arc};

use rustls::{
    ClientConfig, ServerConfig,
    crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256,
    pki_types::ServerName,
    quic::{self, ClientConnection, Connection, KeyChange, ServerConnection, Suite, Version},
};

use super::proto::{
    ConnectionId, DirectionKeys, Handshake, HandshakeError, Handshaker, HeaderKey, KeySchedule, Keys,
    NewKeys, PacketKey, PacketKeys, Side, TAG_BYTES, VERSION,
};
use crate::transport::tls;

/// The name of the protocol in the handshake (RFC 7301).
const PROTOCOL: &[u8] = b"sayagain/1";

/// Makes handshakes that prove both nodes' keys.
pub struct TlsHandshaker {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    /// Of the first packets, whatever is agreed afterwards (RFC 9001 §5.2).
    initial: Suite,
}

impl TlsHandshaker {
    /// Handshakes of the node that holds `keys`.
    ///
    /// # Errors
    /// The keys cannot be used.
    pub fn new(keys: &tls::Keys) -> Result<Self, HandshakeError> {
        let client = keys.client_config(PROTOCOL).map_err(failed)?;
        let server = keys.server_config(PROTOCOL).map_err(failed)?;
        Self::configured(client, server)
    }

    fn configured(client: ClientConfig, server: ServerConfig) -> Result<Self, HandshakeError> {
        let initial = TLS13_AES_128_GCM_SHA256.tls13().and_then(|suite| suite.quic_suite());
        let initial = initial.ok_or_else(|| HandshakeError("no cipher for first packets".to_owned()))?;
        Ok(Self { client: Arc::new(client), server: Arc::new(server), initial })
    }

    /// Handshakes of a node that keeps to its own rules.
    #[cfg(test)]
    pub(super) fn changed(
        keys: &tls::Keys,
        client: impl FnOnce(&mut ClientConfig),
        server: impl FnOnce(&mut ServerConfig),
    ) -> Result<Self, HandshakeError> {
        let mut client_config = keys.client_config(PROTOCOL).map_err(failed)?;
        let mut server_config = keys.server_config(PROTOCOL).map_err(failed)?;
        client(&mut client_config);
        server(&mut server_config);
        Self::configured(client_config, server_config)
    }
}

impl fmt::Debug for TlsHandshaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsHandshaker").finish_non_exhaustive()
    }
}

impl Handshaker for TlsHandshaker {
    fn version(&self) -> u32 {
        VERSION
    }

    fn initial_keys(&self, dst: &ConnectionId, side: Side) -> Keys {
        let side = match side {
            Side::Dialer => rustls::Side::Client,
            Side::Acceptor => rustls::Side::Server,
        };
        self.initial.keys(dst.as_bytes(), side, Version::V1).into()
    }

    fn dial(&self, params: Vec<u8>) -> Result<Box<dyn Handshake>, HandshakeError> {
        // A name is asked for but neither sent nor compared: nodes know each other by key.
        let name = ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into());
        let connection =
            ClientConnection::new(self.client.clone(), Version::V1, name, params).map_err(failed)?;
        Ok(Box::new(TlsHandshake(connection.into())))
    }

    fn accept(&self, params: Vec<u8>) -> Result<Box<dyn Handshake>, HandshakeError> {
        let connection = ServerConnection::new(self.server.clone(), Version::V1, params).map_err(failed)?;
        Ok(Box::new(TlsHandshake(connection.into())))
    }
}

fn failed(error: rustls::Error) -> HandshakeError {
    HandshakeError(error.to_string())
}

/// One side of a handshake. Its parameters are one opaque extension (RFC 9001 §8.2).
struct TlsHandshake(Connection);

impl Handshake for TlsHandshake {
    fn read(&mut self, bytes: &[u8]) -> Result<(), HandshakeError> {
        self.0.read_hs(bytes).map_err(failed)
    }

    fn write(&mut self, out: &mut Vec<u8>) -> Option<NewKeys> {
        Some(match self.0.write_hs(out)? {
            KeyChange::Handshake { keys } => NewKeys::Handshake(keys.into()),
            KeyChange::OneRtt { keys, next } => NewKeys::Data(keys.into(), Box::new(Phases(next))),
        })
    }

    fn is_handshaking(&self) -> bool {
        self.0.is_handshaking()
    }

    fn peer_params(&self) -> Option<&[u8]> {
        self.0.quic_transport_parameters()
    }

    fn peer_key(&self) -> Option<&[u8]> {
        self.0.peer_certificates()?.first().map(AsRef::as_ref)
    }
}

/// The secrets of the key phase that comes next.
struct Phases(quic::Secrets);

impl KeySchedule for Phases {
    fn next(&mut self) -> PacketKeys {
        let quic::PacketKeySet { local, remote } = self.0.next_packet_keys();
        PacketKeys { local: Box::new(Aead(local)), remote: Box::new(Aead(remote)) }
    }

    fn peek(&self) -> PacketKeys {
        Self(self.0.clone()).next()
    }
}

impl From<quic::Keys> for Keys {
    fn from(keys: quic::Keys) -> Self {
        Self { local: keys.local.into(), remote: keys.remote.into() }
    }
}

impl From<quic::DirectionalKeys> for DirectionKeys {
    fn from(keys: quic::DirectionalKeys) -> Self {
        Self { header: Box::new(Mask(keys.header)), packet: Box::new(Aead(keys.packet)) }
    }
}

struct Aead(Box<dyn quic::PacketKey>);

impl PacketKey for Aead {
    fn seal(&self, packet_number: u64, header: &[u8], payload: &mut [u8]) -> Option<[u8; TAG_BYTES]> {
        let tag = self.0.encrypt_in_place(packet_number, header, payload).ok()?;
        tag.as_ref().try_into().ok()
    }

    fn open(&self, packet_number: u64, header: &[u8], payload: &mut [u8]) -> Option<usize> {
        self.0.decrypt_in_place(packet_number, header, payload).ok().map(<[u8]>::len)
    }

    fn confidentiality_limit(&self) -> u64 {
        self.0.confidentiality_limit()
    }

    fn integrity_limit(&self) -> u64 {
        self.0.integrity_limit()
    }
}

struct Mask(Box<dyn quic::HeaderProtectionKey>);

impl HeaderKey for Mask {
    // With a sample of the wrong length nothing is changed; the packet then fails to open.

    fn protect(&self, sample: &[u8], first: &mut u8, packet_number: &mut [u8]) {
        let _ = self.0.encrypt_in_place(sample, first, packet_number);
    }

    fn unprotect(&self, sample: &[u8], first: &mut u8, packet_number: &mut [u8]) {
        let _ = self.0.decrypt_in_place(sample, first, packet_number);
    }
}

#[cfg(test)]
mod tests;
