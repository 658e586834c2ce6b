//! Strangers that do not even speak the protocol.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::Arc,
    thread,
    time::Duration,
};

use rustls::{ClientConfig, ClientConnection, RootCertStore, pki_types::ServerName};

use crate::{Town, support::patience::PATIENCE};

/// A little more than a handshake may take. One who has spoken is waited for a little longer, because
/// it may still be reading why it is turned away.
const SILENT_WITHIN: Duration = Duration::from_secs(8);

const PLAIN_HELLO: &[u8] = b"sayagain/1 plain\n";

/// Says something to the server and waits until it hangs up.
fn is_hung_up_on(addr: &str, what: &str, words: &[u8]) {
    let mut stream = TcpStream::connect(addr).unwrap();
    // It may have hung up already.
    drop(stream.write_all(words));
    let patience = if words.is_empty() { SILENT_WITHIN } else { PATIENCE };
    stream.set_read_timeout(Some(patience)).unwrap();
    let mut rest = [0; 4096];
    loop {
        match stream.read(&mut rest) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            Err(error) => panic!("{what}: {error}"),
        }
    }
}

fn browser_hello() -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("example.org").unwrap();
    let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    hello
}

fn noises() -> Vec<(&'static str, Vec<u8>)> {
    let noise = (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    vec![
        ("silence", Vec::new()),
        ("noise", noise),
        ("a length of 4 GiB", vec![0xff; 8]),
        ("http", b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n".to_vec()),
        ("a browser", browser_hello()),
        ("invalid UTF-8", b"\xc3\x28\xa0\xa1\xe2\x28\xa1\xf0\x28\x8c\xbc\n".to_vec()),
        ("json", b"{\"hello\":{\"version\":2,\"name\":\"mallory\"}}\n".to_vec()),
        ("nothing but zeros", vec![0; 100_000]),
    ]
}

fn survives(flags: &[&str], noises: &[(&str, Vec<u8>)]) {
    let mut town = Town::new(flags);
    let addr = town.star.addr.clone();
    thread::scope(|scope| {
        for (what, words) in noises {
            let addr = &addr;
            scope.spawn(move || is_hung_up_on(addr, what, words));
        }
        town.is_undisturbed();
    });
    town.is_undisturbed();
}

#[test]
fn does_a_sealed_server_survive_noise() {
    survives(&[], &noises());
}

#[test]
fn does_a_plain_server_survive_noise() {
    survives(&["--insecure"], &noises());
}

#[test]
fn does_a_plain_server_survive_noise_after_the_right_first_line() {
    let greeted = noises().into_iter().map(|(what, words)| (what, [PLAIN_HELLO, &words].concat()));
    survives(&["--insecure"], &greeted.collect::<Vec<_>>());
}

#[test]
fn does_a_server_survive_a_crowd_that_says_nothing() {
    let mut town = Town::new(&[]);
    let crowd: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(&town.star.addr).unwrap()).collect();
    town.is_undisturbed();
    let mut carol = town.star.join("carol");
    carol.type_line("past the crowd");
    for other in [&mut town.alice, &mut town.bob] {
        other.says("[lobby] * carol joined");
        other.says("[lobby] carol: past the crowd");
    }
    drop(crowd);
}
