//! Loss in bursts as netem makes it (`loss gemodel P% R%`): a chain of two states that moves a step with
//! each packet, whoever sends it and however long after the one before.

use std::time::Instant;

use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};

use crate::transport::udp::proto::simulation::world::Tamper;

/// The two probabilities of a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gilbert {
    /// From losing nothing to losing everything.
    pub(super) worsens: f64,
    /// Back.
    pub(super) heals: f64,
}

impl Gilbert {
    /// The share of the packets that are lost.
    pub(super) fn loss(self) -> f64 {
        self.worsens / (self.worsens + self.heals)
    }

    /// One chain for each direction, shared by all who send.
    pub(super) fn channel(self, seed: u64) -> Tamper {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let mut bad = [false; 2];
        Box::new(move |from: usize, _: Instant, _: &mut Vec<u8>| {
            let leaves = if bad[from] { self.heals } else { self.worsens };
            bad[from] ^= chance.random_bool(leaves);
            !bad[from]
        })
    }
}

#[test]
fn do_losses_come_as_often_and_for_as_long_as_the_chain_says() {
    let gilbert = Gilbert { worsens: 0.02, heals: 0.3 };
    let mut channel = gilbert.channel(1);
    #[expect(clippy::disallowed_methods, reason = "some time: the chain does not look at it")]
    let now = Instant::now();
    let lost: Vec<bool> = (0..200_000).map(|_| !channel(0, now, &mut Vec::new())).collect();
    let losses = lost.iter().filter(|lost| **lost).count() as f64;
    let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
    assert!((losses / 200_000.0 - gilbert.loss()).abs() < 0.003);
    assert!((losses / bursts - 1.0 / gilbert.heals).abs() < 0.15);
}
