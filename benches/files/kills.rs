//! A file on whose way everybody is killed.

use std::{fs::File, path::Path, thread::sleep, time::Duration};

use blake3::{Hash, Hasher};
use rand::{SeedableRng as _, rngs::ChaCha8Rng, seq::IndexedRandom as _};

use super::star::Star;

const KILLS: u64 = 5;

/// How often is looked how far it is.
const STEP: Duration = Duration::from_millis(1);

/// Sends a file and kills somebody at each of as many places, by chance; whom. Fails if what arrives is not
/// what was sent.
pub(crate) fn carry(star: &mut Star, file: &str, len: u64, seed: u64) -> Vec<&'static str> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut killed = Vec::new();
    star.offer(file);
    for kill in 1..=KILLS {
        while star.arrived() < len * kill / (KILLS + 1) {
            sleep(STEP);
        }
        let who = *["alice", "server", "bob"].choose(&mut rng).expect("three");
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
