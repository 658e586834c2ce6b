//! What every [`Handshaker`] has to do, whatever it is made of.

use super::{
    Side,
    cid::ConnectionId,
    seal::{
        DirectionKeys, Handshake, Handshaker, KeySchedule, Keys, NewKeys, PacketKey, SAMPLE_BYTES, TAG_BYTES,
    },
};

/// One side, and everything it was given so far.
pub(crate) struct End {
    pub(crate) handshake: Box<dyn Handshake>,
    pub(crate) handshake_keys: Option<Keys>,
    pub(crate) data: Option<(Keys, Box<dyn KeySchedule>)>,
}

impl End {
    pub(crate) fn new(handshake: Box<dyn Handshake>) -> Self {
        Self { handshake, handshake_keys: None, data: None }
    }

    /// All it has to say, one piece per level.
    pub(crate) fn write(&mut self) -> [Vec<u8>; 3] {
        let mut flights = [Vec::new(), Vec::new(), Vec::new()];
        loop {
            let level = usize::from(self.handshake_keys.is_some()) + usize::from(self.data.is_some());
            let before = flights[level].len();
            match self.handshake.write(&mut flights[level]) {
                Some(NewKeys::Handshake(keys)) => self.handshake_keys = Some(keys),
                Some(NewKeys::Data(keys, schedule)) => self.data = Some((keys, schedule)),
                None if flights[level].len() == before => return flights,
                None => {}
            }
        }
    }
}

/// Runs a handshake whose flights arrive in pieces of `piece` bytes; the dialer first.
pub(crate) fn shake(dialer: &dyn Handshaker, acceptor: &dyn Handshaker, piece: usize) -> [End; 2] {
    let mut ends = [
        End::new(dialer.dial(b"of the dialer".to_vec()).unwrap()),
        End::new(acceptor.accept(b"of the acceptor".to_vec()).unwrap()),
    ];
    for turn in 0..4 {
        let flights = ends[turn % 2].write();
        for bytes in flights.iter().flat_map(|flight| flight.chunks(piece)) {
            ends[(turn + 1) % 2].handshake.read(bytes).unwrap();
        }
    }
    ends
}

/// What `from` seals, `to` opens, and nobody who changes a bit of it goes unnoticed.
fn assert_seals(from: &dyn PacketKey, to: &dyn PacketKey) {
    let (header, plain) = (b"header", b"a payload that is long enough");
    let mut sealed = plain.to_vec();
    let tag = from.seal(7, header, &mut sealed).unwrap();
    sealed.extend(tag);
    let open = |packet_number, header: &[u8], mut sealed: Vec<u8>| {
        let len = to.open(packet_number, header, &mut sealed)?;
        sealed.truncate(len);
        Some(sealed)
    };
    assert_eq!(open(7, header, sealed.clone()).as_deref(), Some(&plain[..]));
    assert_eq!(open(8, header, sealed.clone()), None, "another packet number");
    for bit in 0..sealed.len() * 8 {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(7, header, flipped), None, "payload bit {bit}");
    }
    for bit in 0..header.len() * 8 {
        let mut flipped = header.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(7, &flipped, sealed.clone()), None, "header bit {bit}");
    }
    for len in 0..sealed.len() {
        assert_eq!(open(7, header, sealed[..len].to_vec()), None, "{len} bytes");
    }
    assert!(from.confidentiality_limit() > 1 << 20 && from.integrity_limit() > 1 << 20);
}

fn assert_masks(from: &DirectionKeys, to: &DirectionKeys) {
    for (first, len) in [(0x40, 1), (0x45, 2), (0xc2, 3), (0xe3, 4)] {
        let mut packet_number = [1, 2, 3, 4];
        let mut masked = first;
        let sample = [0xa5; SAMPLE_BYTES];
        from.header.protect(&sample, &mut masked, &mut packet_number[..len]);
        assert_eq!(masked & 0xe0, first & 0xe0, "the form of the header stays visible");
        to.header.unprotect(&sample, &mut masked, &mut packet_number);
        assert_eq!((masked, packet_number), (first, [1, 2, 3, 4]));
        let mut unchanged = [1; 4];
        from.header.protect(&sample[1..], &mut masked, &mut unchanged);
        assert_eq!((masked, unchanged), (first, [1; 4]), "a sample of the wrong length");
    }
}

/// The keys of both sides of one level fit each other, in both directions, and only so.
fn assert_interoperate(dialer: &Keys, acceptor: &Keys) {
    for (from, to) in [(&dialer.local, &acceptor.remote), (&acceptor.local, &dialer.remote)] {
        assert_seals(&*from.packet, &*to.packet);
        assert_masks(from, to);
    }
    assert!(!opens(&*dialer.local.packet, &*dialer.remote.packet), "one's own packets, reflected");
}

fn opens(from: &dyn PacketKey, to: &dyn PacketKey) -> bool {
    let mut sealed = vec![0; 20];
    let tag = from.seal(0, b"", &mut sealed).unwrap();
    sealed.extend(tag);
    let opened = to.open(0, b"", &mut sealed);
    assert!(opened.is_none_or(|len| len == sealed.len() - TAG_BYTES));
    opened.is_some()
}

/// A whole life of keys between two handshakers, with flights in pieces of `piece` bytes.
pub(crate) fn assert_conforms(dialer: &dyn Handshaker, acceptor: &dyn Handshaker, piece: usize) {
    let dst = ConnectionId::from([1, 2, 3, 4, 5, 6, 7, 8]);
    let initial = [Side::Dialer, Side::Acceptor].map(|side| dialer.initial_keys(&dst, side));
    assert_interoperate(&initial[0], &acceptor.initial_keys(&dst, Side::Acceptor));
    let other = acceptor.initial_keys(&ConnectionId::from([0; 8]), Side::Acceptor);
    assert!(!opens(&*initial[0].local.packet, &*other.remote.packet), "another connection");

    let [mut dialer, mut acceptor] = shake(dialer, acceptor, piece);
    assert!(!dialer.handshake.is_handshaking() && !acceptor.handshake.is_handshaking());
    assert_eq!(dialer.handshake.peer_params(), Some(&b"of the acceptor"[..]));
    assert_eq!(acceptor.handshake.peer_params(), Some(&b"of the dialer"[..]));
    let levels = [dialer.handshake_keys.unwrap(), acceptor.handshake_keys.unwrap()];
    assert_interoperate(&levels[0], &levels[1]);
    assert!(!opens(&*initial[0].local.packet, &*levels[1].remote.packet), "keys of another level");

    let (dialers, mut dialers_next) = dialer.data.take().unwrap();
    let (acceptors, mut acceptors_next) = acceptor.data.take().unwrap();
    assert_interoperate(&dialers, &acceptors);
    assert!(!opens(&*levels[0].local.packet, &*acceptors.remote.packet), "keys of another level");
    let mut before = acceptors.remote.packet;
    for _ in 0..3 {
        let (dialers, acceptors) = (dialers_next.next(), acceptors_next.next());
        assert_seals(&*dialers.local, &*acceptors.remote);
        assert_seals(&*acceptors.local, &*dialers.remote);
        assert!(!opens(&*dialers.local, &*before), "keys of another phase");
        before = acceptors.remote;
    }
}

/// Bytes of the dialer's first flight, then of both of the acceptor's, of a handshake without faults.
pub(crate) fn flights(dialer: &dyn Handshaker, acceptor: &dyn Handshaker) -> (Vec<u8>, Vec<u8>) {
    let mut from = End::new(dialer.dial(b"of the dialer".to_vec()).unwrap());
    let mut to = End::new(acceptor.accept(b"of the acceptor".to_vec()).unwrap());
    let hello = from.write().concat();
    to.handshake.read(&hello).unwrap();
    (hello, to.write().concat())
}
