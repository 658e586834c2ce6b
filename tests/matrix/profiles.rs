//! Either topology over UDP, on every kind of network that there is a profile of.

use sayagain::transport::impair::{Impairment, Profile};
use tokio::task::JoinSet;

use crate::{
    all_hear_each_other,
    party::{Carrier, Party, Shape, seed},
};

/// What three say in all: 60 lines take the narrowest of links a second.
const LINES: usize = 60;

/// All at once, since most of the time of most of them is waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn does_everybody_hear_each_line_once_and_in_order_on_every_network() {
    let seed = seed();
    let mut networks = JoinSet::new();
    let mut names = Vec::new();
    for name in Profile::names() {
        for shape in [Shape::Star, Shape::Mesh] {
            let line = Impairment { profile: Profile::named(name).unwrap(), seed };
            let id = networks.spawn(async move {
                let mut party = Party::gather_on(shape, Carrier::Udp, Some(line)).await;
                all_hear_each_other(&mut party, LINES).await;
                party.end().await;
            });
            names.push((id.id(), name, shape));
        }
    }
    let mut failed = Vec::new();
    while let Some(outcome) = networks.join_next().await {
        if let Err(error) = outcome {
            let (_, name, shape) = names.iter().find(|(id, ..)| *id == error.id()).unwrap();
            failed.push(format!("{shape:?} on {name}"));
        }
    }
    assert!(failed.is_empty(), "again with SAYAGAIN_SEED={seed}: {failed:#?}");
}
