use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use rustls::{
    ClientConfig, ServerConfig, SignatureAlgorithm, SignatureScheme,
    client::AlwaysResolvesClientRawPublicKeys,
    crypto::ring::sign::any_ecdsa_type,
    pki_types::PrivatePkcs8KeyDer,
    server::AlwaysResolvesServerRawPublicKeys,
    sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey},
};
use tokio::time::timeout;

use super::*;
use crate::transport::{
    CloseCode, CloseReason, Lane,
    impair::{Impairment, Profile},
    tls::Keys,
};

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Longer than anything but a failure takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The key whose seed is all `seed`: a PKCS#8 document of version 1.
fn keys(seed: u8) -> Keys {
    let head =
        [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    Keys::from_pkcs8(&[&head[..], &[seed; 32]].concat()).unwrap()
}

fn transport(seed: u8) -> UdpTransport {
    UdpTransport::new(Security::Tls(keys(seed)))
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it hangs")
}

/// A key that signs in its own way, whatever the other side offered to understand.
#[derive(Debug)]
struct Stubborn(Arc<dyn SigningKey>);

impl SigningKey for Stubborn {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        self.0.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256])
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

/// A raw public key of another kind than ours.
fn ecdsa() -> Arc<CertifiedKey> {
    let algorithm = &ring::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
    let chance = ring::rand::SystemRandom::new();
    let der = ring::signature::EcdsaKeyPair::generate_pkcs8(algorithm, &chance).unwrap();
    let signer = any_ecdsa_type(&PrivatePkcs8KeyDer::from(der.as_ref()).into()).unwrap();
    let spki = signer.public_key().unwrap().to_vec();
    Arc::new(CertifiedKey::new(vec![spki.into()], Arc::new(Stubborn(signer))))
}

/// What shows an X.509 certificate, as far as one is looked at here.
fn certificate() -> SingleCertAndKey {
    let CertifiedKey { key, .. } = Arc::unwrap_or_clone(ecdsa());
    SingleCertAndKey::from(CertifiedKey::new(vec![vec![0x30; 300].into()], key))
}

/// Strangers that dial: what each shows for its key.
fn odd_dialers() -> [TlsHandshaker; 2] {
    let odd = |change: &dyn Fn(&mut ClientConfig)| TlsHandshaker::changed(&keys(1), change, |_| {}).unwrap();
    [
        odd(&|config| {
            config.client_auth_cert_resolver = Arc::new(AlwaysResolvesClientRawPublicKeys::new(ecdsa()));
        }),
        odd(&|config| config.client_auth_cert_resolver = Arc::new(certificate())),
    ]
}

/// Strangers that listen.
fn odd_acceptors() -> [TlsHandshaker; 2] {
    let odd = |change: &dyn Fn(&mut ServerConfig)| TlsHandshaker::changed(&keys(2), |_| {}, change).unwrap();
    [
        odd(&|config| config.cert_resolver = Arc::new(AlwaysResolvesServerRawPublicKeys::new(ecdsa()))),
        odd(&|config| config.cert_resolver = Arc::new(certificate())),
    ]
}

async fn call(calls: &mpsc::Sender<Call>, remote: SocketAddr) -> Result<Link, LinkError> {
    let (answer, answered) = oneshot::channel();
    assert!(calls.send(Call { remote, answer }).await.is_ok());
    within(answered).await.unwrap()
}

#[tokio::test]
async fn a_listener_lets_nobody_in_whose_key_is_of_another_kind() {
    let mut listener = transport(2).listen(LOOPBACK).await.unwrap();
    for odd in odd_dialers() {
        let (_, calls, _) = transport(1).start_shaking_by(Arc::new(odd), LOOPBACK, None).unwrap();
        let error = match call(&calls, listener.local_addr()).await {
            // A dialer is done before its key was looked at.
            Ok(mut link) => within(link.rx.recv()).await.unwrap_err(),
            Err(error) => error,
        };
        assert!(matches!(error, LinkError::Lost(_) | LinkError::Handshake(_)), "{error:?}");
    }
    let healthy = transport(3);
    let (dialed, accepted) =
        within(async { tokio::join!(healthy.dial(listener.local_addr()), listener.accept()) }).await;
    assert_eq!(accepted.unwrap().peer.key.as_ref(), Some(keys(3).spki()), "the first that was let in");
    dialed.unwrap();
}

#[tokio::test]
async fn a_dialer_makes_no_link_to_a_key_of_another_kind() {
    for odd in odd_acceptors() {
        let (links, mut accepted) = mpsc::channel(1);
        let (local, _calls, _) = transport(2).start_shaking_by(Arc::new(odd), LOOPBACK, Some(links)).unwrap();
        let error = within(transport(1).dial(local)).await.unwrap_err();
        assert!(matches!(error, LinkError::Handshake(_) | LinkError::Lost(_)), "{error:?}");
        assert!(accepted.try_recv().is_err(), "nor is there one for the other side");
    }
}

#[tokio::test]
async fn a_dial_to_where_nobody_listens_ends_at_once_and_harms_no_other() {
    let dialer = transport(1);
    for _ in 0..3 {
        let nobody = Socket::bind(LOOPBACK).unwrap().local_addr();
        let error = within(dialer.dial(nobody)).await.unwrap_err();
        assert!(matches!(error, LinkError::NothingListens), "{error:?}");
    }
    // Complaints about others do not disturb the link that there is.
    let mut listener = transport(2).listen(LOOPBACK).await.unwrap();
    let (dialed, accepted) =
        within(async { tokio::join!(dialer.dial(listener.local_addr()), listener.accept()) }).await;
    let (dialed, mut accepted) = (dialed.unwrap(), accepted.unwrap());
    dialed.tx.send(Lane::thin(1), Bytes::from_static(b"hello")).await.unwrap();
    assert_eq!(within(accepted.rx.recv()).await.unwrap(), Some(Bytes::from_static(b"hello")));
}

/// Sends much back and forth until the datagrams both ways are as large as `most`.
async fn grow_to(most: u16, dialer: &UdpTransport) {
    let mut listener = dialer.listen(LOOPBACK).await.unwrap();
    let (dialed, accepted) = tokio::join!(dialer.dial(listener.local_addr()), listener.accept());
    let (mut dialed, mut accepted) = (dialed.unwrap(), accepted.unwrap());
    let mtu = |link: &Link| link.tx.stats().path.map_or(0, |path| path.mtu);
    let much = Bytes::from_static(&[0; 1000]);
    let grown = async {
        while mtu(&dialed) != most || mtu(&accepted) != most {
            dialed.tx.send(Lane::thin(1), much.clone()).await.unwrap();
            accepted.tx.send(Lane::thin(1), much.clone()).await.unwrap();
            accepted.rx.recv().await.unwrap();
            dialed.rx.recv().await.unwrap();
            assert!(mtu(&dialed) <= most && mtu(&accepted) <= most);
        }
    };
    within(grown).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn are_datagrams_as_large_as_the_interface_takes() {
    grow_to(MAX_DATAGRAM, &transport(1)).await;
}

#[tokio::test]
async fn are_datagrams_of_ethernet_s_size_on_an_emulated_line() {
    let line = Impairment { profile: Profile::parse("{}").unwrap(), seed: 1 };
    grow_to(1472, &transport(1).impaired(Some(line))).await;
}

/// Closes and hears the rest; whether both ended in order.
async fn farewell(link: &mut Link) -> bool {
    let Link { tx, rx, .. } = link;
    let (closed, rest) = tokio::join!(tx.close(CloseReason::local(CloseCode::Done, "")), rx.recv());
    closed.is_ok() && rest.is_ok_and(|message| message.is_none())
}

/// The way of one that takes part in a conversation and leaves with its process.
fn leave_with_process(seed: u64, remote: SocketAddr) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lossy = Impairment { profile: Profile::parse(r#"{ "loss_percent": 40 }"#).unwrap(), seed };
    runtime.block_on(async {
        let transport = transport(1).impaired(Some(lossy));
        let mut link = within(transport.dial(remote)).await.unwrap();
        link.tx.send(Lane::thin(1), Bytes::from_static(b"hello")).await.unwrap();
        within(link.rx.recv()).await.unwrap().unwrap();
        assert!(within(farewell(&mut link)).await);
        drop(link);
        within(transport.settled()).await;
    });
    runtime.shutdown_background();
}

#[tokio::test]
async fn does_who_leaves_stay_until_the_other_side_knows_that_all_was_heard() {
    let mut listener = transport(2).listen(LOOPBACK).await.unwrap();
    let remote = listener.local_addr();
    for seed in 0..8 {
        let leaver = std::thread::spawn(move || leave_with_process(seed, remote));
        let mut link = within(listener.accept()).await.unwrap();
        within(link.rx.recv()).await.unwrap().unwrap();
        link.tx.send(Lane::thin(1), Bytes::from_static(b"hello")).await.unwrap();
        let ended = timeout(Duration::from_secs(8), farewell(&mut link)).await;
        assert_eq!(ended, Ok(true), "seed {seed}");
        leaver.join().unwrap();
    }
}

#[test]
fn only_a_socket_that_listens_at_the_same_address_resets_for_the_run_before() {
    let at = |port| Some(SocketAddr::from(([127, 0, 0, 1], port)));
    let secret = |seed, listens| transport(seed).reset_secret(listens).unwrap();
    assert_eq!(secret(1, at(4224)), secret(1, at(4224)));
    assert_ne!(secret(1, at(4224)), secret(2, at(4224)), "another node");
    assert_ne!(secret(1, at(4224)), secret(1, at(4225)), "another socket, which could be asked for resets");
    assert_ne!(secret(1, None), secret(1, None), "what dials");
    let plain = UdpTransport::new(Security::Insecure);
    assert_ne!(plain.reset_secret(at(4224)).unwrap(), plain.reset_secret(at(4224)).unwrap());
}
