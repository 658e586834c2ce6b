//! A file on whose way everybody is killed.

use std::{fs::File, path::Path, thread::sleep, time::Duration};

use blake3::{Hash, Hasher};
use rand::{SeedableRng as _, rngs::ChaCha8Rng, seq::SliceRandom as _};

use super::star::Star;

const KILLS: usize = 5;

/// Everybody's turn comes, in whatever order.
const WHOM: [&str; KILLS + 1] = ["alice", "alice", "server", "server", "bob", "bob"];

/// How often is looked how far it is.
const STEP: Duration = Duration::from_millis(1);

/// Sends a file and kills somebody at each of as many places, by chance; whom. Fails if what arrives is not
/// what was sent.
pub(crate) fn carry(star: &mut Star, file: &str, len: u64, seed: u64) -> Vec<&'static str> {
    let mut whom = WHOM;
    whom.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut killed = Vec::new();
    star.offer(file);
    for who in whom.into_iter().take(KILLS) {
        while star.arrived() < len * (killed.len() as u64 + 1) / (KILLS as u64 + 1) {
            sleep(STEP);
        }
        match who {
            "alice" => star.alice.kill(),
            "server" => star.server.kill(),
            _ => star.bob.kill(),
        }
        star.restart(who);
        killed.push(who);
    }
    let (_, path) = star.is_there();
    assert_eq!(hash(Path::new(&path)), hash(Path::new(file)), "what arrives is what was sent");
    killed
}

fn hash(path: &Path) -> Hash {
    let mut hasher = Hasher::new();
    hasher.update_reader(File::open(path).expect("it is there")).expect("it can be read");
    hasher.finalize()
}
