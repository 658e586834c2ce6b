mod incoming;
mod outgoing;
mod together;

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::{
    app::{
        TransferState,
        limits::{CREDIT_BYTES, MAX_TRANSFERS},
    },
    wire::{MAX_CHUNK_BYTES, Offer},
};

const ME: u32 = 0;
const CHUNK: u64 = MAX_CHUNK_BYTES as u64;
static ZEROS: [u8; MAX_CHUNK_BYTES] = [0; MAX_CHUNK_BYTES];

fn node(number: u32) -> NodeId {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&number.to_be_bytes());
    NodeId(id)
}

fn nick(number: u32) -> Nick {
    format!("n{number}").parse().unwrap()
}

fn transfer(sender: u32, number: u32) -> TransferId {
    TransferId { sender: node(sender), epoch: Epoch(1), number }
}

fn zeros(len: u64) -> Bytes {
    Bytes::from_static(&ZEROS[..len as usize])
}

fn offer(transfer: TransferId, from: u32, len: u64) -> Offer {
    Offer { transfer, from: nick(from), to: vec![node(ME)], room: None, name: "a.bin".into(), len }
}

fn credit(transfer: TransferId, receiver: u32, from: u64, upto: u64, again: bool) -> Frame {
    Frame::Credit { transfer, receiver: node(receiver), from, upto, again }
}

fn cancel(transfer: TransferId, receiver: u32, code: ErrorCode, detail: &str) -> Frame {
    Frame::Cancel { transfer, receiver: Some(node(receiver)), code, detail: detail.into() }
}

fn failed(transfer: TransferId, code: ErrorCode) -> FileNews {
    FileNews::Failed { transfer, fault: FileFault { code, detail: "/home/me/secret: gone".into() } }
}

type Sent = Vec<(Vec<NodeId>, Frame)>;

/// The files of node 0, its disk, and what it says to others.
struct Desk {
    transfers: Transfers,
    now: Instant,
    sent: Sent,
    jobs: Vec<FileJob>,
    events: Vec<Event>,
}

impl Desk {
    fn new(accept: Acceptance, max_bytes: u64) -> Self {
        let transfers = Transfers::new(node(ME), Epoch(1), nick(ME), FileRules { accept, max_bytes });
        let now = tokio::time::Instant::now().into_std();
        Self { transfers, now, sent: Vec::new(), jobs: Vec::new(), events: Vec::new() }
    }

    /// One that takes everything.
    fn open() -> Self {
        Self::new(Acceptance::All, MAX_FILE_BYTES)
    }

    /// One that is on a server and sends a file of this length to these.
    fn sending(len: u64, to: &[u32]) -> (Self, TransferId) {
        let mut desk = Self::open();
        desk.transfers.server_up();
        desk.sends(to);
        let transfer = transfer(ME, 1);
        desk.opened(transfer, len);
        desk.forget();
        (desk, transfer)
    }

    /// One to which node 1 sends a file of this length, of which nothing has come.
    fn receiving(len: u64) -> (Self, TransferId) {
        let mut desk = Self::open();
        let transfer = transfer(1, 1);
        desk.hears(Frame::Offer(offer(transfer, 1, len)));
        desk.learns(FileNews::Created { transfer, held: 0 });
        desk.forget();
        (desk, transfer)
    }

    fn sends(&mut self, to: &[u32]) {
        let to = to.iter().map(|&number| (node(number), format!("n{number}"))).collect();
        self.transfers.send(Sending { path: "/home/me/a.bin".into(), room: None, to });
    }

    fn hears(&mut self, frame: Frame) {
        self.transfers.handle_frame(frame, self.now);
    }

    fn learns(&mut self, news: FileNews) {
        self.transfers.handle_file(news, self.now);
    }

    fn opened(&mut self, transfer: TransferId, len: u64) {
        self.learns(FileNews::Opened { transfer, name: "a.bin".into(), len, modified_ms: 7 });
    }

    fn waits(&mut self, time: Duration) {
        self.now += time;
        self.transfers.handle_timeout(self.now);
    }

    fn drain(&mut self) {
        while let Some(output) = self.transfers.poll() {
            match output {
                Output::Send { to, frame } => self.sent.push((to, frame)),
                Output::File(job) => self.jobs.push(job),
                Output::Notify(event) => self.events.push(event),
            }
        }
    }

    fn sent(&mut self) -> Sent {
        self.drain();
        std::mem::take(&mut self.sent)
    }

    fn said(&mut self) -> Vec<Frame> {
        self.sent().into_iter().map(|(_, frame)| frame).collect()
    }

    fn jobs(&mut self) -> Vec<FileJob> {
        self.drain();
        std::mem::take(&mut self.jobs)
    }

    fn events(&mut self) -> Vec<Event> {
        self.drain();
        std::mem::take(&mut self.events)
    }

    /// Lets go of everything so far.
    fn forget(&mut self) {
        self.drain();
        (self.sent, self.jobs, self.events) = <_>::default();
    }

    /// The codes of what people were told went wrong.
    fn troubles(&mut self) -> Vec<&'static str> {
        let code = |event| match event {
            Event::Error(trouble) => Some(trouble.code),
            Event::Transfer { state: TransferState::Failed { reason }, .. } => Some(reason.code),
            _ => None,
        };
        self.events().into_iter().filter_map(code).collect()
    }

    /// Has the disk read all that is asked for, and says where those parts begin.
    fn reads(&mut self) -> Vec<u64> {
        let mut begins = Vec::new();
        loop {
            let jobs = self.jobs();
            let read = |job| match job {
                FileJob::Read { transfer, offset, len } => Some((transfer, offset, len as u64)),
                _ => None,
            };
            let parts: Vec<_> = jobs.into_iter().filter_map(read).collect();
            if parts.is_empty() {
                return begins;
            }
            for (transfer, offset, len) in parts {
                begins.push(offset);
                self.learns(FileNews::Read { transfer, offset, bytes: zeros(len) });
            }
        }
    }

    /// The chunks that were sent since the last time: to whom, and where they begin.
    fn chunks(&mut self) -> Vec<(Vec<NodeId>, u64)> {
        let chunk = |(to, frame)| match frame {
            Frame::Chunk { offset, .. } => Some((to, offset)),
            _ => None,
        };
        self.sent().into_iter().filter_map(chunk).collect()
    }

    /// So many parts arrive, the first of them at `from`.
    fn gets(&mut self, transfer: TransferId, from: u64, parts: u64) {
        for part in 0..parts {
            let offset = from + part * CHUNK;
            self.hears(Frame::Chunk { transfer, offset, bytes: zeros(CHUNK) });
        }
    }

    /// All that is to be written is, and where those parts begin.
    fn writes(&mut self) -> Vec<u64> {
        let written = |job| match job {
            FileJob::Write { transfer, offset, bytes } => Some((transfer, offset, bytes.len() as u64)),
            _ => None,
        };
        let parts: Vec<_> = self.jobs().into_iter().filter_map(written).collect();
        for &(transfer, offset, len) in &parts {
            self.learns(FileNews::Written { transfer, upto: offset + len });
        }
        parts.into_iter().map(|(_, offset, _)| offset).collect()
    }
}

fn states(events: &[Event]) -> Vec<&TransferState> {
    let all = events.iter().filter_map(|event| match event {
        Event::Transfer { state, .. } => Some(state),
        _ => None,
    });
    all.collect()
}

fn kept_incoming(number: u32, saved: Option<&str>) -> KeptTransfer {
    KeptTransfer::Incoming(KeptIncoming {
        transfer: transfer(1, number),
        from: nick(1),
        room: None,
        name: "a.bin".into(),
        len: 2 * CHUNK,
        saved: saved.map(Into::into),
    })
}

fn kept_outgoing(modified_ms: u64, receivers: &[u32]) -> KeptTransfer {
    let receivers = receivers.iter().map(|&number| (node(number), format!("n{number}")));
    KeptTransfer::Outgoing(KeptOutgoing {
        transfer: transfer(ME, 1),
        path: "/home/me/a.bin".into(),
        name: "a.bin".into(),
        len: CHUNK,
        modified_ms,
        room: None,
        receivers: receivers.collect(),
    })
}

#[test]
fn is_a_number_that_no_transfer_has_said_to_be_unknown() {
    let (mut desk, _) = Desk::sending(CHUNK, &[1]);
    for id in [0, 2, u32::MAX] {
        desk.transfers.accept(id);
        desk.transfers.reject(id);
        desk.transfers.cancel(id);
        assert_eq!(desk.troubles(), ["unknown_transfer"; 3], "{id}");
    }
    desk.transfers.accept(1);
    desk.transfers.reject(1);
    assert_eq!(desk.troubles(), ["unknown_transfer"; 2], "it is one's own");
}

#[test]
fn are_frames_about_unknown_transfers_ignored() {
    let mut desk = Desk::open();
    for sender in [ME, 1] {
        let transfer = transfer(sender, 9);
        desk.hears(credit(transfer, 1, 0, CHUNK, true));
        desk.hears(Frame::Chunk { transfer, offset: 0, bytes: zeros(1) });
        desk.hears(Frame::Complete { transfer, digest: [0; 32] });
        desk.hears(Frame::Verified { transfer, receiver: node(1) });
        desk.hears(cancel(transfer, 1, ErrorCode::Cancelled, ""));
        desk.hears(Frame::Cancel { transfer, receiver: None, code: ErrorCode::Cancelled, detail: "".into() });
        desk.hears(Frame::Away { transfer, node: node(1) });
        desk.learns(FileNews::Created { transfer, held: 0 });
        desk.learns(FileNews::Written { transfer, upto: 1 });
        desk.learns(FileNews::Read { transfer, offset: 0, bytes: zeros(1) });
        desk.learns(failed(transfer, ErrorCode::FileFailed));
    }
    assert!(desk.transfers.poll().is_none());
}

#[test]
fn is_idle_who_neither_sends_nor_takes_anything() {
    let mut desk = Desk::new(Acceptance::Ask, MAX_FILE_BYTES);
    assert!(desk.transfers.is_idle());
    desk.hears(Frame::Offer(offer(transfer(1, 1), 1, CHUNK)));
    assert!(desk.transfers.is_idle(), "nobody here wants it yet");
    desk.transfers.accept(1);
    assert!(!desk.transfers.is_idle());
    desk.learns(FileNews::Created { transfer: transfer(1, 1), held: CHUNK });
    desk.learns(FileNews::Saved { transfer: transfer(1, 1), path: "/tmp/a.bin".into() });
    assert!(desk.transfers.is_idle());
    desk.sends(&[1, 2, 3, 4, 5]);
    assert!(!desk.transfers.is_idle());
    let unsent: Vec<String> = desk.transfers.unsent().collect();
    assert_eq!(unsent, ["/send /home/me/a.bin to n1, n2, n3 and 2 others"]);
    desk.transfers.cancel(2);
    assert!(desk.transfers.is_idle() && desk.transfers.unsent().next().is_none());
}

/// They name paths of this machine.
#[test]
fn are_the_words_of_a_fault_for_the_people_here_only() {
    for code in [ErrorCode::NoSpace, ErrorCode::FileChanged, ErrorCode::FileDamaged, ErrorCode::FileFailed] {
        let (mut desk, transfer) = Desk::receiving(CHUNK);
        desk.learns(failed(transfer, code));
        assert_eq!(desk.said(), [cancel(transfer, ME, code, "")]);
        let close = FileJob::Close { transfer, discard: true };
        assert_eq!(desk.jobs(), [close, FileJob::Forget(transfer)]);
        let (mut desk, transfer) = Desk::sending(CHUNK, &[1, 2]);
        desk.learns(failed(transfer, code));
        assert_eq!(desk.said(), [1, 2].map(|number| cancel(transfer, number, code, "")));
        assert_eq!(desk.troubles().len(), 1, "once for all of them");
        assert!(desk.transfers.is_idle());
    }
    let mut desk = Desk::open();
    desk.sends(&[1]);
    desk.learns(failed(transfer(ME, 1), ErrorCode::FileFailed));
    assert_eq!(desk.said(), [cancel(transfer(ME, 1), 1, ErrorCode::FileFailed, "")]);
    let told = desk.events();
    let with_words = |state: &&TransferState| match state {
        TransferState::Failed { reason } => reason.message.contains("/home/me/secret"),
        _ => false,
    };
    assert_eq!(states(&told).iter().filter(|state| with_words(state)).count(), 1);
}

#[test]
fn are_all_transfers_listed_but_those_that_are_over() {
    let (mut desk, _) = Desk::sending(CHUNK, &[1]);
    desk.hears(Frame::Offer(offer(transfer(2, 1), 2, CHUNK)));
    desk.hears(Frame::Offer(offer(transfer(3, 1), 3, CHUNK)));
    desk.learns(FileNews::Saved { transfer: transfer(3, 1), path: "/tmp/a.bin".into() });
    desk.forget();
    desk.transfers.list();
    let listed = desk.events().into_iter().find_map(|event| match event {
        Event::Transfers { transfers } => Some(transfers),
        _ => None,
    });
    let listed: Vec<_> = listed.unwrap().into_iter().map(|(f, peer)| (f.id, f.outgoing, peer)).collect();
    assert_eq!(listed, [(1, true, "n1".into()), (2, false, "n2".into())]);
}
