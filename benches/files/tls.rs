//! TLS 1.3 with the nodes' algorithms: raw Ed25519 keys on both sides, whoever's they are.

use std::{net::TcpStream, sync::Arc};

use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConfig, ServerConnection,
    SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring as provider, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::AlwaysResolvesServerRawPublicKeys,
    sign::CertifiedKey,
    version::TLS13,
};
use sayagain::node::Identity;

pub(crate) fn accept(socket: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    let key = Identity::ephemeral().expect("random bytes").key.to_pkcs8();
    let signer = provider::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(&key[..])).expect("its own key");
    let public = CertificateDer::from(signer.public_key().expect("of a pair").to_vec());
    let certified = Arc::new(CertifiedKey::new(vec![public], signer));
    let config = ServerConfig::builder_with_provider(algorithms())
        .with_protocol_versions(&[&TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified)));
    StreamOwned::new(ServerConnection::new(Arc::new(config)).expect("a server's settings"), socket)
}

pub(crate) fn dial(socket: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
    let config = ClientConfig::builder_with_provider(algorithms())
        .with_protocol_versions(&[&TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyKey))
        .with_no_client_auth();
    let name = ServerName::try_from("relay").expect("a name");
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).expect("a client's settings"), socket)
}

fn algorithms() -> Arc<CryptoProvider> {
    let cipher_suites = vec![provider::cipher_suite::TLS13_AES_128_GCM_SHA256];
    Arc::new(CryptoProvider { cipher_suites, ..provider::default_provider() })
}

#[derive(Debug)]
struct AnyKey;

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        let known = provider::default_provider().signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &key, signed, &known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider::default_provider().signature_verification_algorithms.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
