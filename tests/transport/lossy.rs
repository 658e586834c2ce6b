//! Does a link over UDP keep its promises where packets get lost?

use std::time::Duration;

use bytes::Bytes;
use rand::{TryRng as _, rngs::SysRng};
use sayagain::transport::{
    Lane, Link, MAX_MESSAGE_BYTES, Security, Transport, UdpTransport,
    impair::{Impairment, Profile},
};
use tokio::time::{interval, timeout};

use crate::support::{LOOPBACK, PATIENCE, done, keys, number, numbered};

/// Lines of a talk.
const LINES: u32 = 1000;

/// Two ends of a link on a line of this kind.
async fn link_over(profile: &str, seed: u64) -> (Link, Link) {
    let line = |seed| Some(Impairment { profile: Profile::named(profile).unwrap(), seed });
    let host = |key, seed| UdpTransport::new(Security::Tls(keys(key))).impaired(line(seed));
    let (dialer, acceptor) = (host(1, seed), host(2, seed.wrapping_add(1)));
    let mut listener = acceptor.listen(LOOPBACK).await.unwrap();
    let addr = listener.local_addr();
    // A handshake may lose too much for the time it has.
    let dialing = async {
        loop {
            if let Ok(link) = dialer.dial(addr).await {
                break link;
            }
        }
    };
    let (dialed, accepted) = tokio::join!(dialing, listener.accept());
    (dialed, accepted.unwrap())
}

fn seed() -> u64 {
    let told = std::env::var("SAYAGAIN_SEED").ok();
    told.map_or_else(|| SysRng.try_next_u64().unwrap(), |seed| seed.parse().unwrap())
}

/// Bytes of which none looks like its neighbour.
fn file(len: usize) -> Bytes {
    (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// A talk of 1,000 lines, a hundred a second, while a message of `len` bytes is under way
/// on the same link.
async fn talk_beside_a_message(profile: &str, len: usize, patience: Duration) {
    let seed = seed();
    let (near, mut far) = link_over(profile, seed).await;
    let file = file(len);
    let sending = async {
        near.tx.send(Lane::bulk(1), file.clone()).await.unwrap();
        let mut pace = interval(Duration::from_millis(10));
        for next in 0..LINES {
            pace.tick().await;
            near.tx.send(Lane::thin(1), numbered(next, 200)).await.unwrap();
        }
        near.tx.close(done()).await
    };
    let receiving = async {
        let (mut lines, mut files) = (0, 0);
        while let Some(message) = far.rx.recv().await.unwrap() {
            if message.len() == file.len() {
                assert!(message == file, "every byte of it");
                files += 1;
            } else {
                assert_eq!(number(&message), lines, "in order and once");
                lines += 1;
            }
        }
        (lines, files)
    };
    let both = timeout(patience, async { tokio::join!(sending, receiving) }).await;
    let (closed, arrived) = both.unwrap_or_else(|_| panic!("not within {patience:?}, SAYAGAIN_SEED={seed}"));
    assert_eq!((closed, arrived), (Ok(()), (LINES, 1)), "SAYAGAIN_SEED={seed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn do_1_000_lines_arrive_beside_a_message_of_128_kib_at_30_percent_loss() {
    talk_beside_a_message("lossy30", 128 << 10, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "16 minutes: at 30 % loss CUBIC sends no more than two packets a round trip, 17 kB/s"]
async fn do_1_000_lines_arrive_beside_a_message_of_16_mib_at_30_percent_loss() {
    talk_beside_a_message("lossy30", MAX_MESSAGE_BYTES, Duration::from_secs(3600)).await;
}
