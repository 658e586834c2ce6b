//! Does a TCP listener survive whoever comes along, and does a dialer say what it found?

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use sayagain::transport::{
    HANDSHAKE_TIMEOUT, Lane, Link, LinkError, MAX_PENDING_HANDSHAKES, Security, TcpTransport, Transport,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use crate::support::{LOOPBACK, Net, keys, numbered, within};

const PLAIN_HELLO: &[u8] = b"sayagain/1 plain\n";

/// A listener that is always accepting, with a healthy link through it.
struct Host {
    addr: SocketAddr,
    healthy: (Link, Link),
    accepting: tokio::task::JoinHandle<()>,
    accepted: tokio::sync::mpsc::Receiver<Link>,
    net: Net,
}

impl Host {
    async fn start(net: Net) -> Self {
        let mut listener = net.listener.listen(LOOPBACK).await.unwrap();
        let addr = listener.local_addr();
        let healthy = net.link_to(listener.as_mut()).await;
        let (links, accepted) = tokio::sync::mpsc::channel(16);
        let accepting = tokio::spawn(async move {
            loop {
                let link = listener.accept().await.unwrap();
                links.send(link).await.unwrap();
            }
        });
        Self { addr, healthy, accepting, accepted, net }
    }

    /// Fails unless the old link works and a new one can be made.
    async fn check(mut self) {
        let (near, far) = &mut self.healthy;
        near.tx.send(Lane::thin(1), numbered(7, 200)).await.unwrap();
        assert_eq!(within(far.rx.recv()).await.unwrap(), Some(numbered(7, 200)));
        let dialed = within(self.net.dialer.dial(self.addr)).await.unwrap();
        let mut accepted = within(self.accepted.recv()).await.unwrap();
        dialed.tx.send(Lane::thin(1), numbered(8, 10)).await.unwrap();
        assert_eq!(within(accepted.rx.recv()).await.unwrap(), Some(numbered(8, 10)));
        assert!(self.accepted.try_recv().is_err(), "no stranger became a link");
        assert!(!self.accepting.is_finished());
        self.accepting.abort();
    }
}

/// Says something to a listener and returns all that it answers until it hangs up.
async fn say(addr: SocketAddr, words: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    // A listener that hangs up early may reset the connection; that is an end too.
    let _ = stream.write_all(words).await;
    let mut answer = Vec::new();
    let _ = within(stream.read_to_end(&mut answer)).await;
    answer
}

async fn survives(words: &[u8]) {
    for net in [Net::tcp(), Net::tcp_insecure()] {
        let host = Host::start(net).await;
        say(host.addr, words).await;
        host.check().await;
    }
}

#[tokio::test]
async fn does_a_listener_survive_noise() {
    let noise: Vec<u8> = (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    survives(&noise).await;
}

#[tokio::test]
async fn does_a_listener_survive_http() {
    survives(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n").await;
}

#[tokio::test]
async fn does_a_listener_survive_a_browser() {
    for net in [Net::tcp(), Net::tcp_insecure()] {
        let host = Host::start(net).await;
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let stream = TcpStream::connect(host.addr).await.unwrap();
        let name = ServerName::try_from("example.org").unwrap();
        let outcome = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        assert!(outcome.is_err());
        host.check().await;
    }
}

#[tokio::test]
async fn does_a_listener_survive_a_length_of_4_gib() {
    survives(&[0xff; 8]).await;
}

#[tokio::test]
async fn does_a_length_of_4_gib_end_its_link_only() {
    let mut host = Host::start(Net::tcp_insecure()).await;
    say(host.addr, &[PLAIN_HELLO, &[0xff; 8]].concat()).await;
    let mut link = within(host.accepted.recv()).await.unwrap();
    let lost = within(link.rx.recv()).await.unwrap_err();
    assert!(matches!(&lost, LinkError::Lost(why) if why.contains("control unit")), "{lost}");
    host.check().await;
}

#[tokio::test]
async fn is_half_a_message_never_delivered() {
    let mut host = Host::start(Net::tcp_insecure()).await;
    let mut stream = TcpStream::connect(host.addr).await.unwrap();
    stream.write_all(PLAIN_HELLO).await.unwrap();
    stream.write_all(&[&100_u32.to_be_bytes()[..], &[1; 50]].concat()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut link = within(host.accepted.recv()).await.unwrap();
    assert!(matches!(within(link.rx.recv()).await, Err(LinkError::Lost(_))));
    host.check().await;
}

#[tokio::test(start_paused = true)]
async fn is_silence_ended_after_5_s() {
    for net in [Net::tcp(), Net::tcp_insecure()] {
        let host = Host::start(net).await;
        let started = Instant::now();
        say(host.addr, b"").await;
        let took = started.elapsed();
        assert!(took >= HANDSHAKE_TIMEOUT && took < 2 * HANDSHAKE_TIMEOUT, "{took:?}");
        host.check().await;
    }
}

#[tokio::test]
async fn is_no_more_than_4_kib_taken_from_a_stranger() {
    let host = Host::start(Net::tcp()).await;
    // A handshake message of 64 KiB in records of 16 KiB: well formed, and never at its end.
    let mut hello = vec![0x16, 3, 1, 0x3f, 0xff, 1, 0, 0xff, 0xff];
    hello.resize(30_000, 0);
    let started = Instant::now();
    say(host.addr, &hello).await;
    assert!(started.elapsed() < HANDSHAKE_TIMEOUT);
    host.check().await;
}

#[tokio::test]
async fn do_silent_strangers_give_way_to_those_who_come_after() {
    let host = Host::start(Net::tcp()).await;
    rlimit::increase_nofile_limit(8192).unwrap();
    let started = Instant::now();
    let mut silent = Vec::new();
    for _ in 0..MAX_PENDING_HANDSHAKES + 20 {
        silent.push(TcpStream::connect(host.addr).await.unwrap());
    }
    for oldest in &mut silent[..20] {
        assert_eq!(within(oldest.read(&mut [0; 16])).await.unwrap_or(0), 0, "dropped");
    }
    assert!(started.elapsed() < HANDSHAKE_TIMEOUT, "for their age and not for their silence");
    host.check().await;
}

async fn dial_error(dialer: Security, listener: Security) -> LinkError {
    let mut listener = TcpTransport::new(listener).listen(LOOPBACK).await.unwrap();
    let addr = listener.local_addr();
    let accepting = tokio::spawn(async move { listener.accept().await });
    let error = within(TcpTransport::new(dialer).dial(addr)).await.unwrap_err();
    assert!(!accepting.is_finished());
    accepting.abort();
    error
}

#[tokio::test]
async fn is_plaintext_on_one_side_recognised_by_both_kinds_of_dialer() {
    for _ in 0..20 {
        let error = dial_error(Security::Tls(keys(1)), Security::Insecure).await;
        assert!(matches!(error, LinkError::InsecureMismatch), "{error}");
        let error = dial_error(Security::Insecure, Security::Tls(keys(1))).await;
        assert!(matches!(error, LinkError::InsecureMismatch), "{error}");
    }
}

/// Dials something that reads a little, answers and hangs up.
async fn dial_answering(security: Security, answer: &'static [u8]) -> LinkError {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let answering = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
        stream.write_all(answer).await.unwrap();
        stream.shutdown().await.unwrap();
        // Its end is the dialer's to choose.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let error = within(TcpTransport::new(security).dial(addr)).await.unwrap_err();
    within(answering).await.unwrap();
    error
}

#[tokio::test]
async fn is_something_else_shown_as_what_it_answers() {
    for security in [Security::Tls(keys(1)), Security::Insecure] {
        let answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
        let error = dial_answering(security.clone(), answer).await;
        assert!(
            matches!(&error, LinkError::NotANode(shown) if shown == "HTTP/1.1 400 Bad Request"),
            "{error}"
        );
        let error = dial_answering(security.clone(), b"sayagain/2 plain\n").await;
        assert!(matches!(error, LinkError::Version), "{error}");
        let error = dial_answering(security, b"").await;
        assert!(matches!(error, LinkError::Handshake(_)), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn is_a_silent_host_given_up_after_5_s() {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let addr = listener.local_addr().unwrap();
    for security in [Security::Tls(keys(1)), Security::Insecure] {
        let started = Instant::now();
        let error = TcpTransport::new(security).dial(addr).await.unwrap_err();
        assert!(matches!(error, LinkError::Handshake(_)), "{error}");
        assert!(started.elapsed() < HANDSHAKE_TIMEOUT + Duration::from_secs(1));
    }
}

#[tokio::test]
async fn can_an_accept_be_dropped_and_asked_again() {
    let net = Net::tcp();
    let mut listener = net.listener.listen(LOOPBACK).await.unwrap();
    let addr = listener.local_addr();
    let dialing = tokio::spawn(async move { net.dialer.dial(addr).await });
    let link = loop {
        tokio::select! {
            biased;
            link = listener.accept() => break link.unwrap(),
            () = tokio::task::yield_now() => {}
        }
    };
    within(dialing).await.unwrap().unwrap();
    assert!(link.peer.key.is_some());
}
