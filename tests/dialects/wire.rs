//! One end of a connection, played by the test: every read of the other side's bytes is kept apart, because
//! to programs without framing one read is one message.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use crate::support::patience::{PATIENCE, eventually};

/// Nothing comes within this: nothing was sent. What is sent for one reason comes within a few
/// milliseconds, or within the pauses between messages.
pub(crate) const QUIET: Duration = Duration::from_millis(150);

const READ_BYTES: usize = 64 * 1024;

/// A connection, or a socket that exchanges datagrams with one address.
#[derive(Debug)]
pub(crate) struct Wire {
    called: String,
    socket: Socket,
    reads: Receiver<Vec<u8>>,
    /// What was read and not yet expected.
    unread: Vec<u8>,
}

#[derive(Debug)]
enum Socket {
    Stream(TcpStream),
    Datagram(UdpSocket),
}

impl Wire {
    pub(crate) fn connect(called: &str, to: SocketAddr) -> Self {
        Self::over(called, TcpStream::connect(to).unwrap())
    }

    /// Connects as soon as somebody listens there.
    pub(crate) fn connect_eventually(called: &str, to: SocketAddr) -> Self {
        Self::over(called, eventually("somebody listens", || TcpStream::connect(to).ok()))
    }

    /// The next connection that comes.
    #[track_caller]
    pub(crate) fn accepted(called: &str, listener: &TcpListener) -> Self {
        listener.set_nonblocking(true).unwrap();
        let (stream, _) = eventually("a connection", || match listener.accept() {
            Ok(accepted) => Some(accepted),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        });
        stream.set_nonblocking(false).unwrap();
        Self::over(called, stream)
    }

    pub(crate) fn over(called: &str, stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        let mut reading = stream.try_clone().unwrap();
        let reads = listen(move |buffer| reading.read(buffer));
        Self { called: called.to_owned(), socket: Socket::Stream(stream), reads, unread: Vec::new() }
    }

    pub(crate) fn datagrams(called: &str, to: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(to).unwrap();
        let reading = socket.try_clone().unwrap();
        let reads = listen(move |buffer| reading.recv(buffer));
        Self { called: called.to_owned(), socket: Socket::Datagram(socket), reads, unread: Vec::new() }
    }

    pub(crate) fn port(&self) -> u16 {
        match &self.socket {
            Socket::Stream(stream) => stream.local_addr().unwrap().port(),
            Socket::Datagram(socket) => socket.local_addr().unwrap().port(),
        }
    }

    /// Sends this in one write, or as one datagram.
    pub(crate) fn sends(&mut self, bytes: impl AsRef<[u8]>) {
        match &mut self.socket {
            Socket::Stream(stream) => stream.write_all(bytes.as_ref()).unwrap(),
            Socket::Datagram(socket) => drop(socket.send(bytes.as_ref()).unwrap()),
        }
    }

    /// Sends as much of this as the other side takes before it ends the connection.
    pub(crate) fn tries_to_send(&mut self, bytes: &[u8]) {
        if let Socket::Stream(stream) = &mut self.socket {
            drop(stream.write_all(bytes));
        }
    }

    /// Sends it in pieces of at most this size, a write each.
    pub(crate) fn sends_in_pieces(&mut self, bytes: &[u8], size: usize) {
        bytes.chunks(size).for_each(|piece| self.sends(piece));
    }

    /// These are the next bytes, however they arrive.
    #[track_caller]
    pub(crate) fn hears(&mut self, expected: impl AsRef<[u8]>) {
        let expected = expected.as_ref();
        while self.unread.len() < expected.len() && expected.starts_with(&self.unread) {
            match self.reads.recv_timeout(PATIENCE) {
                Ok(read) => self.unread.extend(read),
                Err(_) => self.fail(expected, "no more"),
            }
        }
        if !self.unread.starts_with(expected) {
            self.fail(expected, "something else");
        }
        self.unread.drain(..expected.len());
    }

    /// The next read gives these bytes and nothing else: a message by itself.
    #[track_caller]
    pub(crate) fn hears_alone(&mut self, expected: impl AsRef<[u8]>) {
        let expected = expected.as_ref();
        assert_eq!(show(&self.unread), "", "{} has read more than it expected", self.called);
        self.unread = self.reads.recv_timeout(PATIENCE).unwrap_or_default();
        if self.unread != expected {
            self.fail(expected, "not exactly that");
        }
        self.unread.clear();
    }

    /// The next line, without its end.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return String::from_utf8_lossy(&line[..end]).into_owned();
            }
            match self.reads.recv_timeout(PATIENCE) {
                Ok(read) => self.unread.extend(read),
                Err(_) => self.fail(b"...\n", "no end of line"),
            }
        }
    }

    /// The next read, as text.
    #[track_caller]
    pub(crate) fn read(&mut self) -> String {
        let read = self.reads.recv_timeout(PATIENCE);
        let read = read.unwrap_or_else(|_| panic!("{} reads nothing", self.called));
        String::from_utf8_lossy(&read).into_owned()
    }

    /// The next read, if one comes in that time.
    pub(crate) fn read_within(&mut self, time: Duration) -> Option<Vec<u8>> {
        self.reads.recv_timeout(time).ok()
    }

    /// The other side ends the connection and has nothing more to say.
    #[track_caller]
    pub(crate) fn ends(&mut self) {
        self.ends_within(PATIENCE);
    }

    #[track_caller]
    pub(crate) fn ends_within(&mut self, time: Duration) {
        match self.reads.recv_timeout(time) {
            Err(RecvTimeoutError::Disconnected) => assert_eq!(show(&self.unread), "", "{}", self.called),
            Err(RecvTimeoutError::Timeout) => panic!("the connection of {} goes on", self.called),
            Ok(read) => panic!("{} reads {} and no end", self.called, show(&read)),
        }
    }

    /// The other side ends the connection sooner or later, whatever it says before.
    #[track_caller]
    pub(crate) fn comes_to_an_end(&mut self) -> String {
        loop {
            match self.reads.recv_timeout(PATIENCE) {
                Ok(read) => self.unread.extend(read),
                Err(RecvTimeoutError::Disconnected) => return show(&self.unread),
                Err(RecvTimeoutError::Timeout) => panic!("the connection of {} goes on", self.called),
            }
        }
    }

    /// Nothing is there that was not expected, and nothing comes.
    #[track_caller]
    pub(crate) fn is_quiet(&mut self) {
        assert_eq!(show(&self.unread), "", "{} has read more than it expected", self.called);
        if let Ok(read) = self.reads.recv_timeout(QUIET) {
            panic!("{} reads {}", self.called, show(&read));
        }
    }

    /// Ends the writing side.
    pub(crate) fn says_no_more(&self) {
        if let Socket::Stream(stream) = &self.socket {
            drop(stream.shutdown(Shutdown::Write));
        }
    }

    /// Ends both sides.
    pub(crate) fn close(self) {
        if let Socket::Stream(stream) = &self.socket {
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    #[track_caller]
    fn fail(&self, expected: &[u8], why: &str) -> ! {
        let (expected, read) = (show(expected), show(&self.unread));
        panic!("{}: {why}\n  expected {expected}\n  read     {read}", self.called);
    }
}

fn listen(mut read: impl FnMut(&mut [u8]) -> std::io::Result<usize> + Send + 'static) -> Receiver<Vec<u8>> {
    let (tell, reads) = channel();
    thread::spawn(move || {
        let mut buffer = vec![0; READ_BYTES];
        while let Ok(len @ 1..) = read(&mut buffer) {
            if tell.send(buffer[..len].to_vec()).is_err() {
                return;
            }
        }
    });
    reads
}

/// Bytes as transcripts write them, the long ones cut.
pub(crate) fn show(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(2_000)];
    let mut text: String = shown.utf8_chunks().fold(String::new(), |mut text, chunk| {
        text.push_str(&chunk.valid().replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r"));
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
        text
    });
    if shown.len() < bytes.len() {
        text.push_str(&format!("... ({} bytes)", bytes.len()));
    }
    text
}
