use rustls::{
    ClientConnection, ServerConnection, SignatureAlgorithm,
    client::ResolvesClientCert,
    sign::{Signer, SigningKey, SingleCertAndKey},
};

use super::*;
use crate::transport::Security;

const PROTOCOL: &[u8] = b"test/1";

/// A PKCS#8 version 1 document, as `openssl genpkey -algorithm ed25519` writes it.
fn pkcs8(seed: u8) -> Vec<u8> {
    let mut der =
        vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend([seed; 32]);
    der
}

fn keys(seed: u8) -> Keys {
    Keys::from_pkcs8(&pkcs8(seed)).unwrap()
}

/// Runs a handshake; what each side (client, server) made of it.
fn shake(client: ClientConfig, server: ServerConfig) -> [Result<Option<Vec<u8>>, Error>; 2] {
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let mut outcomes = [Ok(()), Ok(())];
    for _ in 0..4 {
        let mut flight = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut flight).unwrap();
        }
        server.read_tls(&mut flight.as_slice()).unwrap();
        if let (Err(error), Ok(_)) = (server.process_new_packets(), &outcomes[1]) {
            outcomes[1] = Err(error);
        }
        let mut flight = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut flight).unwrap();
        }
        client.read_tls(&mut flight.as_slice()).unwrap();
        if let (Err(error), Ok(_)) = (client.process_new_packets(), &outcomes[0]) {
            outcomes[0] = Err(error);
        }
    }
    let key = |keys: Option<&[CertificateDer<'_>]>| keys.map(|keys| keys[0].to_vec());
    let [client_outcome, server_outcome] = outcomes;
    [
        client_outcome.map(|_| key(client.peer_certificates())),
        server_outcome.map(|_| key(server.peer_certificates())),
    ]
}

/// A client that follows no rule but the ones a test gives it.
fn odd_client(resolver: Arc<dyn ResolvesClientCert>) -> ClientConfig {
    let mut config = keys(1).client_config(PROTOCOL).unwrap();
    config.client_auth_cert_resolver = resolver;
    config
}

#[test]
fn each_side_learns_the_others_key() {
    let (client, server) = (keys(1), keys(2));
    let outcomes = shake(client.client_config(PROTOCOL).unwrap(), server.server_config(PROTOCOL).unwrap());
    let [seen_by_client, seen_by_server] = outcomes.map(Result::unwrap);
    assert_eq!(seen_by_client.unwrap(), server.spki()[..]);
    assert_eq!(seen_by_server.unwrap(), client.spki()[..]);
    assert_eq!(client.spki().len(), SPKI_BYTES);
}

#[test]
fn both_versions_of_pkcs8_are_read_and_nothing_else() {
    let version_2 =
        ring::signature::Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
    assert!(Keys::from_pkcs8(version_2.as_ref()).is_ok());
    assert!(Keys::from_pkcs8(&pkcs8(1)).is_ok());
    assert!(Keys::from_pkcs8(&pkcs8(1)[..40]).is_err());
    assert!(Keys::from_pkcs8(b"").is_err());
}

#[test]
fn a_derived_secret_belongs_to_one_key_and_one_purpose() {
    let secret = |keys: &Keys, purpose: &[&[u8]]| keys.derive(purpose).unwrap();
    assert_eq!(secret(&keys(1), &[b"a"]), secret(&keys(1), &[b"a"]), "in every run");
    assert_ne!(secret(&keys(1), &[b"a"]), secret(&keys(2), &[b"a"]));
    assert_ne!(secret(&keys(1), &[b"a"]), secret(&keys(1), &[b"b"]));
    let elsewhere = [69, 2, 188, 244];
    assert_eq!(secret(&keys(1), &[b"sayagain/1 ", b"test"])[..4], elsewhere, "by another RFC 5869");
}

#[test]
fn the_form_of_a_key_does_not_change_what_is_derived() {
    let chance = ring::rand::SystemRandom::new();
    let version_2 = ring::signature::Ed25519KeyPair::generate_pkcs8(&chance).unwrap();
    let seed = seed(version_2.as_ref()).unwrap();
    let version_1 = [&pkcs8(0)[..16], seed].concat();
    let [one, two] = [&version_1[..], version_2.as_ref()].map(|der| Keys::from_pkcs8(der).unwrap());
    assert_eq!(one.spki(), two.spki());
    assert_eq!(one.derive(&[b"a"]), two.derive(&[b"a"]));
}

#[test]
fn the_private_key_is_not_shown() {
    let shown = format!("{:?} {:#?}", keys(77), Security::Tls(keys(77)));
    assert!(!shown.contains("77, 77") && !shown.contains("MMMM"), "{shown}");
}

#[test]
fn another_protocol_is_refused() {
    let client = keys(1).client_config(b"test/2").unwrap();
    let [_, server] = shake(client, keys(2).server_config(PROTOCOL).unwrap());
    assert_eq!(server.unwrap_err(), Error::NoApplicationProtocol);
}

#[test]
fn a_client_without_a_key_is_refused() {
    #[derive(Debug)]
    struct NoKey;
    impl ResolvesClientCert for NoKey {
        fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
            None
        }
        fn has_certs(&self) -> bool {
            false
        }
        fn only_raw_public_keys(&self) -> bool {
            true
        }
    }
    let [_, server] = shake(odd_client(Arc::new(NoKey)), keys(2).server_config(PROTOCOL).unwrap());
    assert_eq!(server.unwrap_err(), Error::NoCertificatesPresented);
}

#[test]
fn a_certificate_instead_of_a_key_is_refused() {
    let certified = CertifiedKey::new(vec![vec![0x30; 300].into()], keys(1).certified.key.clone());
    let resolver = Arc::new(SingleCertAndKey::from(certified));
    let [client, server] = shake(odd_client(resolver), keys(2).server_config(PROTOCOL).unwrap());
    assert!(client.is_err() && server.is_err(), "{client:?} {server:?}");
}

#[test]
fn another_kind_of_key_is_refused() {
    let rng = ring::rand::SystemRandom::new();
    let algorithm = &ring::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
    let der = ring::signature::EcdsaKeyPair::generate_pkcs8(algorithm, &rng).unwrap();
    let signer = provider::sign::any_ecdsa_type(&PrivatePkcs8KeyDer::from(der.as_ref()).into()).unwrap();
    let spki = signer.public_key().unwrap().to_vec();
    let certified = Arc::new(CertifiedKey::new(vec![spki.into()], signer));
    let resolver = Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified.clone()));
    let [_, server] = shake(odd_client(resolver), keys(2).server_config(PROTOCOL).unwrap());
    assert!(server.is_err(), "as a client");

    let mut config = keys(2).server_config(PROTOCOL).unwrap();
    config.cert_resolver = Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified));
    let [client, _] = shake(keys(1).client_config(PROTOCOL).unwrap(), config);
    assert!(client.is_err(), "as a server");
}

/// Signs with one key and shows another.
#[derive(Debug)]
struct Impostor {
    own: Arc<dyn SigningKey>,
}

impl SigningKey for Impostor {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        self.own.choose_scheme(offered)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.own.algorithm()
    }
}

#[test]
fn anothers_key_is_of_no_use_without_its_private_half() {
    let own = keys(1).certified.key.clone();
    let stolen = vec![CertificateDer::from(keys(3).spki().to_vec())];
    let certified = Arc::new(CertifiedKey::new(stolen, Arc::new(Impostor { own })));
    let bad_signature = Error::InvalidCertificate(CertificateError::BadSignature);

    let resolver = Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified.clone()));
    let [_, server] = shake(odd_client(resolver), keys(2).server_config(PROTOCOL).unwrap());
    assert_eq!(server.unwrap_err(), bad_signature);

    let mut config = keys(2).server_config(PROTOCOL).unwrap();
    config.cert_resolver = Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified));
    let [client, _] = shake(keys(1).client_config(PROTOCOL).unwrap(), config);
    assert_eq!(client.unwrap_err(), bad_signature);
}

#[test]
fn only_one_form_of_key_is_well_formed() {
    let good = keys(1).spki().to_vec();
    let check = |key: Vec<u8>| AnyEd25519Key::check(&key.into(), &[]).is_ok();
    assert!(check(good.clone()));
    assert!(!check([good.as_slice(), &[0]].concat()), "one byte more");
    assert!(!check(good[..43].to_vec()), "one byte less");
    let mut other = good.clone();
    other[8] = 0x71;
    assert!(!check(other), "Ed448");
    let more = [CertificateDer::from(good.clone())];
    assert!(AnyEd25519Key::check(&good.into(), &more).is_err(), "two keys");
}

#[test]
fn the_configurations_serve_quic_too() {
    use rustls::quic::{ClientConnection, ServerConnection, Version};
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let client = Arc::new(keys(1).client_config(PROTOCOL).unwrap());
    let server = Arc::new(keys(2).server_config(PROTOCOL).unwrap());
    assert!(ClientConnection::new(client, Version::V1, name, Vec::new()).is_ok());
    assert!(ServerConnection::new(server, Version::V1, Vec::new()).is_ok());
}
