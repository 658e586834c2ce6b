//! QUIC, as `quinn` has it.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use bytes::Bytes;
use quinn::{
    ClientConfig, Endpoint, SendStream, ServerConfig, TransportConfig, VarInt,
    congestion::{BbrConfig, ControllerFactory, CubicConfig},
};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};
use tokio::sync::Mutex;

use super::{Column, Connection, Lane, Listening, frames};
use crate::arrivals::Arrivals;

/// Which messages share a stream. Bulk always has its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Streams {
    One,
    Lane,
    Message,
}

pub(super) struct Quic {
    streams: Streams,
    congestion: Arc<dyn ControllerFactory + Send + Sync>,
}

/// For whoever opens a stream a message: the default of 100 would be a window.
const UNI_STREAMS: u32 = 8192;

const HOST: &str = "lab";

impl Quic {
    pub(super) fn cubic(streams: Streams) -> Self {
        Self { streams, congestion: Arc::new(CubicConfig::default()) }
    }

    pub(super) fn bbr(streams: Streams) -> Self {
        Self { streams, congestion: Arc::new(BbrConfig::default()) }
    }

    fn transport(&self) -> Arc<TransportConfig> {
        let mut config = TransportConfig::default();
        config.congestion_controller_factory(self.congestion.clone());
        config.max_concurrent_uni_streams(VarInt::from_u32(UNI_STREAMS));
        Arc::new(config)
    }
}

#[async_trait]
impl Column for Quic {
    async fn listen(&self, at: SocketAddr, arrivals: Arrivals) -> Result<Listening> {
        let (cert, key) = certificate()?;
        let mut config = ServerConfig::with_single_cert(vec![cert], key.into())?;
        config.transport_config(self.transport());
        let endpoint = Endpoint::server(config, at)?;
        Ok(Box::pin(async move {
            while let Some(incoming) = endpoint.accept().await {
                tokio::spawn(serve(incoming, arrivals.clone()));
            }
            Ok(())
        }))
    }

    async fn dial(&self, to: SocketAddr) -> Result<Arc<dyn Connection>> {
        let mut endpoint = Endpoint::client(([0, 0, 0, 0], 0).into())?;
        let mut config = ClientConfig::with_root_certificates(Arc::new(trusted()?))?;
        config.transport_config(self.transport());
        endpoint.set_default_client_config(config);
        let connection = endpoint.connect(to, HOST)?.await?;
        Ok(Arc::new(Dialed {
            connection,
            streams: self.streams,
            open: Mutex::default(),
            _endpoint: endpoint,
        }))
    }
}

async fn serve(incoming: quinn::Incoming, arrivals: Arrivals) -> Result<()> {
    let connection = incoming.await?;
    loop {
        let stream = connection.accept_uni().await?;
        let arrivals = arrivals.clone();
        tokio::spawn(async move { frames::read(stream, &arrivals).await });
    }
}

struct Dialed {
    connection: quinn::Connection,
    streams: Streams,
    open: Mutex<HashMap<Lane, Arc<Mutex<SendStream>>>>,
    _endpoint: Endpoint,
}

#[async_trait]
impl Connection for Dialed {
    async fn send(&self, lane: Lane, message: Bytes) -> Result<()> {
        let framed = frames::frame(&message)?;
        let key = match lane {
            Lane::Bulk => Lane::Bulk,
            Lane::Chat(_) if self.streams == Streams::One => Lane::Chat(0),
            Lane::Chat(_) if self.streams == Streams::Message => {
                let mut stream = self.open(lane).await?;
                stream.write_all(&framed).await?;
                return Ok(stream.finish()?);
            }
            lane @ Lane::Chat(_) => lane,
        };
        let stream = self.stream(key).await?;
        Ok(stream.lock().await.write_all(&framed).await?)
    }
}

impl Dialed {
    async fn stream(&self, key: Lane) -> Result<Arc<Mutex<SendStream>>> {
        let mut open = self.open.lock().await;
        if let Some(stream) = open.get(&key) {
            return Ok(stream.clone());
        }
        let stream = Arc::new(Mutex::new(self.open(key).await?));
        open.insert(key, stream.clone());
        Ok(stream)
    }

    async fn open(&self, lane: Lane) -> Result<SendStream> {
        let stream = self.connection.open_uni().await?;
        stream.set_priority(i32::from(lane != Lane::Bulk))?;
        Ok(stream)
    }
}

/// The same on both sides, without a file: a key that is no secret signs the same certificate each time.
fn certificate() -> Result<(CertificateDer<'static>, PrivatePkcs8KeyDer<'static>)> {
    // An Ed25519 key in PKCS #8 (RFC 8410): the header, and 32 bytes that are the key.
    let header = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let key = PrivatePkcs8KeyDer::from([&header[..], &[7; 32]].concat());
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&key, &rcgen::PKCS_ED25519)?;
    let cert =
        rcgen::CertificateParams::new([HOST.to_owned()])?.self_signed(&pair).context("a certificate")?;
    Ok((cert.der().clone(), key))
}

fn trusted() -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate()?.0)?;
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_make_the_same_certificate() {
        assert_eq!(certificate().unwrap().0, certificate().unwrap().0);
    }
}
