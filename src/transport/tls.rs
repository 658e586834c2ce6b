//! A node's key, and the one way it is used to secure a link: TLS 1.3 with raw public keys (RFC 7250)
//! on both sides. Whose key the other side should have is the caller's to check, after the handshake.

use std::{fmt, slice, sync::Arc};

use bytes::Bytes;
use ring::{error::Unspecified, hkdf};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys, Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, ring as provider, verify_tls13_signature_with_raw_key,
    },
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::{
        AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
    version::TLS13,
};

/// The start of every Ed25519 public key in SPKI form (RFC 8410); 32 bytes follow.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Bytes of an Ed25519 public key in SPKI form.
pub(super) const SPKI_BYTES: usize = SPKI_PREFIX.len() + 32;

/// What stands before the seed of every Ed25519 private key in PKCS#8 form (RFC 8410 §7): the name of the
/// algorithm, and two octet strings one within the other.
const SEED_PREFIX: [u8; 9] = [0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Keeps what is derived here apart from whatever else the same seed may be used for (RFC 5869 §3.1).
const DERIVATION_SALT: &[u8] = b"sayagain/1 derived from the node key";

/// The Ed25519 key with which a node proves who it is.
#[derive(Clone)]
pub struct Keys {
    certified: Arc<CertifiedKey>,
    spki: Bytes,
    derivation: Arc<hkdf::Prk>,
}

/// Bytes that are not an Ed25519 private key in PKCS#8 form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 private key in PKCS#8 form: {0}")]
pub struct KeyError(String);

impl Keys {
    /// The key of a PKCS#8 document in DER form, version 1 (as OpenSSL writes) or 2.
    ///
    /// # Errors
    /// [`KeyError`] for any other document or kind of key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let signer = provider::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(der))
            .map_err(|error| KeyError(error.to_string()))?;
        let public = signer.public_key().ok_or_else(|| KeyError("it has no public key".to_owned()))?;
        let spki = Bytes::copy_from_slice(&public);
        let certificate = CertificateDer::from(spki.to_vec());
        let seed = seed(der).ok_or_else(|| KeyError("it has no seed".to_owned()))?;
        let derivation = hkdf::Salt::new(hkdf::HKDF_SHA256, DERIVATION_SALT).extract(seed);
        let certified = CertifiedKey::new(vec![certificate], signer);
        Ok(Self { certified: Arc::new(certified), spki, derivation: Arc::new(derivation) })
    }

    /// A secret for one purpose, which is the same in every run of this node and tells nothing about the
    /// key or about any other purpose's (HKDF-SHA256, RFC 5869).
    pub(super) fn derive(&self, purpose: &[&[u8]]) -> Result<[u8; 32], Unspecified> {
        let mut secret = [0; 32];
        self.derivation.expand(purpose, hkdf::HKDF_SHA256)?.fill(&mut secret)?;
        Ok(secret)
    }

    /// The public key in SPKI form (44 bytes), as the other side finds it in
    /// [`Peer::key`](super::Peer::key).
    pub fn spki(&self) -> &Bytes {
        &self.spki
    }

    /// What an accepting side uses to speak `protocol`, over TCP or under QUIC's rules.
    pub(super) fn server_config(&self, protocol: &[u8]) -> Result<ServerConfig, Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(Arc::new(AnyEd25519Key(ed25519())))
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(self.certified.clone())));
        config.alpn_protocols = vec![protocol.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(config)
    }

    /// What a dialing side uses to speak `protocol`, over TCP or under QUIC's rules.
    pub(super) fn client_config(&self, protocol: &[u8]) -> Result<ClientConfig, Error> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyEd25519Key(ed25519())))
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
                self.certified.clone(),
            )));
        config.alpn_protocols = vec![protocol.to_vec()];
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        config.enable_sni = false;
        Ok(config)
    }
}

/// The private half as it stands in a document that was found to hold one.
fn seed(pkcs8: &[u8]) -> Option<&[u8; 32]> {
    let prefix = pkcs8.windows(SEED_PREFIX.len()).position(|bytes| bytes == SEED_PREFIX)?;
    pkcs8.get(prefix + SEED_PREFIX.len()..)?.first_chunk()
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("spki", &self.spki).finish_non_exhaustive()
    }
}

/// Every node has the same choice of algorithms, so there is nothing to downgrade to.
fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            provider::cipher_suite::TLS13_AES_128_GCM_SHA256,
            provider::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: vec![provider::kx_group::X25519],
        signature_verification_algorithms: ed25519(),
        ..provider::default_provider()
    }
}

fn ed25519() -> WebPkiSupportedAlgorithms {
    let known = provider::default_provider().signature_verification_algorithms.mapping;
    match known.iter().find(|(scheme, _)| *scheme == SignatureScheme::ED25519) {
        Some(one) => WebPkiSupportedAlgorithms { all: one.1, mapping: slice::from_ref(one) },
        None => WebPkiSupportedAlgorithms { all: &[], mapping: &[] },
    }
}

/// Accepts whoever proves to hold the private half of a well-formed Ed25519 key.
#[derive(Debug)]
struct AnyEd25519Key(WebPkiSupportedAlgorithms);

impl AnyEd25519Key {
    fn check(key: &CertificateDer<'_>, more: &[CertificateDer<'_>]) -> Result<(), Error> {
        let well_formed = key.len() == SPKI_BYTES && key.starts_with(&SPKI_PREFIX) && more.is_empty();
        if well_formed { Ok(()) } else { Err(Error::InvalidCertificate(CertificateError::BadEncoding)) }
    }

    fn check_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.0)
    }
}

fn no_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::General("TLS 1.2 is not spoken here".to_owned()))
}

impl ServerCertVerifier for AnyEd25519Key {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Self::check(key, more).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for AnyEd25519Key {
    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Self::check(key, more).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
