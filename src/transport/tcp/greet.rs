//! The first exchange on a TCP connection: a TLS handshake, or a line each without it. Either tells
//! what is at the other end, if only from how it fails.

use std::{io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use rustls::{AlertDescription, Error as TlsError, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{
    PROTOCOL,
    socket::{FIRST_BYTES, Socket},
};
use crate::transport::{
    HANDSHAKE_TIMEOUT, Link, LinkError, Peer, STALL_TIMEOUT, outbox::Order, stream, tls::SPKI_BYTES,
};

/// What both sides say first on a connection without TLS.
const PLAIN_HELLO: &[u8] = b"sayagain/1 plain\n";

/// How every version of [`PLAIN_HELLO`] starts.
const PLAIN_PREFIX: &[u8] = b"sayagain/";

/// What a TLS record starts with: alert or handshake, and the major version.
const TLS_ALERT: &[u8] = &[0x15, 3];
const TLS_HANDSHAKE: &[u8] = &[0x16, 3];

/// Characters shown of what something else answered.
const MAX_ANSWER_SHOWN: usize = 64;

/// How long to wait for the rest of the first line of something else.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(100);

/// How long one who is turned away may take to read why.
const TURN_AWAY_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes that the kernel takes beyond what it sends now: enough until we are woken.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_BYTES: u32 = 16 << 10;

/// Which end of the connection this is, with what it needs.
#[derive(Clone)]
pub(super) enum End {
    DialTls(TlsConnector),
    AcceptTls(TlsAcceptor),
    Plain,
}

/// Makes a link of a fresh connection, within [`HANDSHAKE_TIMEOUT`].
pub(super) async fn greet(end: End, io: TcpStream, addr: SocketAddr) -> Result<Link, LinkError> {
    ask_the_kernel(&io)?;
    let socket = Socket::new(io);
    let greeting = async {
        match end {
            End::DialTls(connector) => dial_tls(connector, socket, addr).await,
            End::AcceptTls(acceptor) => accept_tls(acceptor, socket, addr).await,
            End::Plain => plain(socket, addr).await,
        }
    };
    let late = || LinkError::Handshake(format!("not done within {} s", HANDSHAKE_TIMEOUT.as_secs()));
    timeout(HANDSHAKE_TIMEOUT, greeting).await.unwrap_or_else(|_| Err(late()))
}

/// What the kernel is asked for on every connection of ours.
fn ask_the_kernel(io: &TcpStream) -> io::Result<()> {
    // Without it small messages wait for the answer to the last one.
    io.set_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let socket = socket2::SockRef::from(io);
        // RFC 5482. Each retransmission waits twice as long as the one before (RFC 6298, 5.5), so after
        // a cut of 45 s the next may be 45 s away; a link dialled anew carries on at once.
        socket.set_tcp_user_timeout(Some(STALL_TIMEOUT))?;
        // While fewer than four packets are under way, and that is chat, six retransmissions do not.
        socket.set_tcp_thin_linear_timeouts(true)?;
        // What the kernel has taken nothing overtakes: a line would wait behind megabytes of a file.
        socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
    }
    Ok(())
}

async fn dial_tls(connector: TlsConnector, socket: Socket, addr: SocketAddr) -> Result<Link, LinkError> {
    match connector.connect(ServerName::from(addr.ip()), socket).into_fallible().await {
        Ok(mut stream) => {
            let (socket, tls) = stream.get_mut();
            let peer = Peer { addr, key: Some(peer_key(tls)?) };
            socket.lift_allowance();
            let meter = socket.meter();
            Ok(stream::spawn(stream, meter, Order::ByClass, peer).0)
        }
        Err((error, socket)) => Err(explain(&error, socket.first())),
    }
}

async fn accept_tls(acceptor: TlsAcceptor, socket: Socket, addr: SocketAddr) -> Result<Link, LinkError> {
    match acceptor.accept(socket).into_fallible().await {
        Ok(mut stream) => {
            let (socket, tls) = stream.get_mut();
            let peer = Peer { addr, key: Some(peer_key(tls)?) };
            socket.lift_allowance();
            let meter = socket.meter();
            Ok(stream::spawn(stream, meter, Order::ByClass, peer).0)
        }
        Err((error, socket)) => {
            let why = explain(&error, socket.first());
            turn_away(socket).await;
            Err(why)
        }
    }
}

/// The key that was proven. TLS lets a side ignore the other's protocol list, so that is checked here.
fn peer_key<T>(tls: &rustls::ConnectionCommon<T>) -> Result<Bytes, LinkError> {
    if tls.alpn_protocol() != Some(PROTOCOL) {
        return Err(LinkError::Handshake("the other side named no protocol".to_owned()));
    }
    match tls.peer_certificates() {
        Some([key]) if key.len() == SPKI_BYTES => Ok(Bytes::copy_from_slice(key)),
        _ => Err(LinkError::Handshake("the other side showed no key".to_owned())),
    }
}

async fn plain(mut socket: Socket, addr: SocketAddr) -> Result<Link, LinkError> {
    let mut hello = [0; PLAIN_HELLO.len()];
    let exchange = async {
        socket.write_all(PLAIN_HELLO).await?;
        read_while(&mut socket, &mut hello, PLAIN_HELLO).await
    };
    match exchange.await {
        Ok(()) if hello == PLAIN_HELLO => {
            socket.lift_allowance();
            let (meter, peer) = (socket.meter(), Peer { addr, key: None });
            Ok(stream::spawn(socket, meter, Order::ByClass, peer).0)
        }
        outcome => {
            let error = outcome.err().unwrap_or_else(|| io::ErrorKind::InvalidData.into());
            let mut rest = [0; FIRST_BYTES];
            // Best effort: it is only for the message.
            let _ = timeout(ANSWER_TIMEOUT, socket.read(&mut rest)).await;
            let why = explain(&error, socket.first());
            turn_away(socket).await;
            Err(why)
        }
    }
}

/// Reads until `buf` is full or what came differs from `expected`.
async fn read_while<S: AsyncRead + Unpin>(io: &mut S, buf: &mut [u8], expected: &[u8]) -> io::Result<()> {
    let mut filled = 0;
    while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match io.read(rest).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
        if buf.get(..filled) != expected.get(..filled) {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(())
}

/// Ends a connection so that the other side can still read what it was told.
async fn turn_away(mut socket: impl AsyncRead + AsyncWrite + Unpin) {
    let farewell = async {
        socket.shutdown().await?;
        let mut rest = [0; 512];
        // Ends by itself: a stranger may send only so much.
        while socket.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // The stranger is not served either way.
    let _ = timeout(TURN_AWAY_TIMEOUT, farewell).await;
}

/// Why a handshake failed, as far as the error and the other side's first bytes tell.
fn explain(error: &io::Error, first: &[u8]) -> LinkError {
    let tls_error = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    match tls_error {
        Some(TlsError::NoApplicationProtocol) => return LinkError::Version,
        Some(TlsError::AlertReceived(AlertDescription::NoApplicationProtocol)) => return LinkError::Version,
        Some(TlsError::InvalidMessage(_)) | None => {}
        Some(error) => return LinkError::Handshake(error.to_string()),
    }
    if first.starts_with(PLAIN_HELLO) {
        return LinkError::InsecureMismatch;
    }
    if first.starts_with(PLAIN_PREFIX) {
        return LinkError::Version;
    }
    let speaks_tls = first.starts_with(TLS_ALERT) || first.starts_with(TLS_HANDSHAKE);
    match tls_error {
        // Only one who speaks plaintext finds TLS surprising.
        None if speaks_tls && error.kind() == io::ErrorKind::InvalidData => LinkError::InsecureMismatch,
        _ if first.is_empty() || speaks_tls => LinkError::Handshake(error.to_string()),
        _ => LinkError::NotANode(clean(first)),
    }
}

/// The first line of an answer, without what could disturb a terminal.
fn clean(first: &[u8]) -> String {
    let line = first.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let shown = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' };
    line.iter().take(MAX_ANSWER_SHOWN).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::net::TcpListener;

    use super::*;
    use crate::transport::Keys;

    fn keys() -> Keys {
        let pkcs8 =
            ring::signature::Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
        Keys::from_pkcs8(pkcs8.as_ref()).unwrap()
    }

    /// How dialer and listener fare when the dialer names these protocols.
    async fn naming(protocols: &[&[u8]]) -> [Result<Link, LinkError>; 2] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut client = keys().client_config(PROTOCOL).unwrap();
        client.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let server = keys().server_config(PROTOCOL).unwrap();
        let dialer = async {
            let io = TcpStream::connect(addr).await.unwrap();
            greet(End::DialTls(Arc::new(client).into()), io, addr).await
        };
        let acceptor = async {
            let (io, addr) = listener.accept().await.unwrap();
            greet(End::AcceptTls(Arc::new(server).into()), io, addr).await
        };
        tokio::join!(dialer, acceptor).into()
    }

    #[tokio::test]
    async fn another_protocol_is_another_version_to_both_sides() {
        let outcomes = naming(&[b"sayagain/2", b"h2"]).await;
        for outcome in outcomes {
            assert!(matches!(outcome, Err(LinkError::Version)), "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn one_common_protocol_is_enough() {
        assert!(naming(&[b"sayagain/2", PROTOCOL]).await.iter().all(Result::is_ok));
    }

    #[tokio::test]
    async fn no_protocol_is_refused() {
        let [_, accepted] = naming(&[]).await;
        assert!(matches!(accepted, Err(LinkError::Handshake(_))), "{accepted:?}");
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[tokio::test]
    async fn does_the_kernel_give_a_link_up_when_we_would() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let io = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        ask_the_kernel(&io).unwrap();
        let socket = socket2::SockRef::from(&io);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(STALL_TIMEOUT));
        assert!(socket.tcp_thin_linear_timeouts().unwrap());
        assert!(socket.tcp_nodelay().unwrap());
    }

    #[test]
    fn an_answer_is_shown_without_its_controls() {
        assert_eq!(clean(b"HTTP/1.1 400 Bad Request\r\nServer: x"), "HTTP/1.1 400 Bad Request");
        assert_eq!(clean(b"\x1b[2J\xff ok"), ".[2J. ok");
        assert_eq!(clean(&[b'x'; 100]).len(), MAX_ANSWER_SHOWN);
    }
}
