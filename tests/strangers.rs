//! A real server among strangers: whatever they send, two people who chat there notice nothing.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what a test cannot do fails it")]

mod support;

#[path = "strangers/frames.rs"]
mod frames;
#[path = "strangers/noise.rs"]
mod noise;

use support::{process::Process, star::Star};

/// A server at which two people talk.
struct Town {
    star: Star,
    alice: Process,
    bob: Process,
    said: usize,
}

impl Town {
    fn new(flags: &[&str]) -> Self {
        let star = Star::with(flags);
        let mut alice = star.client("alice").with(flags).start();
        alice.says("joined lobby as alice (1 here: alice)");
        let mut bob = star.client("bob").with(flags).start();
        bob.says("joined lobby as bob (2 here: alice, bob)");
        alice.says("[lobby] * bob joined");
        Self { star, alice, bob, said: 0 }
    }

    /// Each hears the other and nothing else.
    #[track_caller]
    fn is_undisturbed(&mut self) {
        for _ in 0..20 {
            self.said += 1;
            self.alice.type_line(&format!("question {}", self.said));
            self.bob.says(&format!("[lobby] alice: question {}", self.said));
            self.bob.type_line(&format!("answer {}", self.said));
            self.alice.says(&format!("[lobby] bob: answer {}", self.said));
        }
        assert!(self.star.server.is_running());
    }
}
