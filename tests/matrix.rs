//! Either topology runs over any transport: one set of scenarios, every pair. The memory transport
//! also shuffles its lanes, so nothing may depend on order across them. Over UDP either runs on every
//! kind of network, and what people hear is what they hear over TCP.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what a test cannot do fails it")]

#[path = "matrix/alike.rs"]
mod alike;
#[path = "matrix/party.rs"]
mod party;
#[path = "matrix/profiles.rs"]
mod profiles;

use party::{Carrier, Party, Shape};
use sayagain::app::{Change, Command, Event};

macro_rules! matrix {
    ($($name:ident($party:ident) $body:block)*) => {
        $(mod $name {
            use super::*;

            async fn scenario(mut $party: Party) $body

            #[tokio::test]
            async fn in_a_star_over_tcp() {
                scenario(Party::gather(Shape::Star, Carrier::Tcp).await).await;
            }

            #[tokio::test]
            async fn in_a_mesh_over_tcp() {
                scenario(Party::gather(Shape::Mesh, Carrier::Tcp).await).await;
            }

            #[tokio::test]
            async fn in_a_star_over_plain_tcp() {
                scenario(Party::gather(Shape::Star, Carrier::PlainTcp).await).await;
            }

            #[tokio::test]
            async fn in_a_mesh_over_plain_tcp() {
                scenario(Party::gather(Shape::Mesh, Carrier::PlainTcp).await).await;
            }

            #[tokio::test]
            async fn in_a_star_over_udp() {
                scenario(Party::gather(Shape::Star, Carrier::Udp).await).await;
            }

            #[tokio::test]
            async fn in_a_mesh_over_udp() {
                scenario(Party::gather(Shape::Mesh, Carrier::Udp).await).await;
            }

            #[tokio::test]
            async fn in_a_star_over_plain_udp() {
                scenario(Party::gather(Shape::Star, Carrier::PlainUdp).await).await;
            }

            #[tokio::test]
            async fn in_a_mesh_over_plain_udp() {
                scenario(Party::gather(Shape::Mesh, Carrier::PlainUdp).await).await;
            }

            #[tokio::test]
            async fn in_a_star_over_memory() {
                scenario(Party::gather(Shape::Star, Carrier::Memory).await).await;
            }

            #[tokio::test]
            async fn in_a_mesh_over_memory() {
                scenario(Party::gather(Shape::Mesh, Carrier::Memory).await).await;
            }

            #[tokio::test]
            async fn in_a_star_over_shuffled_lanes() {
                scenario(Party::gather(Shape::Star, Carrier::Shuffled).await).await;
            }

            #[tokio::test]
            async fn in_a_mesh_over_shuffled_lanes() {
                scenario(Party::gather(Shape::Mesh, Carrier::Shuffled).await).await;
            }
        })*
    };
}

matrix! {
    does_everybody_but_the_sender_hear_a_line_once(party) {
        all_hear_each_other(&mut party, 200).await;
        party.end().await;
    }

    is_a_private_line_for_one_only(party) {
        party.command(0, Command::Tell { to: vec!["n1".into(), "N1".into()], text: "psst".into() }).await;
        let private = party.event(1, |event| matches!(event, Event::Private(_))).await;
        let Event::Private(said) = private else { unreachable!() };
        assert_eq!((said.from.as_str(), said.text.as_str()), ("n0", "psst"));
        party.say(0, "for all").await;
        assert_eq!(party.hears(1, 1).await, ["for all"]);
        assert_eq!(party.hears(2, 1).await, ["for all"]);
        assert!(!party.heard_private(2));
        party.end().await;
    }

    is_a_room_left_silent_and_heard_again_after_coming_back(party) {
        party.command(1, Command::Leave(None)).await;
        let left = |e: &Event| matches!(e, Event::Presence { name, change: Change::Leave, .. } if name == "n1");
        party.event(0, left).await;
        party.event(2, left).await;
        party.say(0, "while it was away").await;
        assert_eq!(party.hears(2, 1).await, ["while it was away"]);
        party.command(1, Command::Join("lobby".parse().unwrap())).await;
        let back = |e: &Event| matches!(e, Event::Presence { name, change: Change::Join, .. } if name == "n1");
        party.event(0, back).await;
        party.say(1, "back").await;
        party.say(0, "welcome").await;
        assert_eq!(party.hears(0, 1).await, ["back"]);
        assert_eq!(party.hears(1, 1).await, ["welcome"]);
        party.hears(2, 2).await;
        party.end().await;
    }

    is_a_new_name_told(party) {
        party.command(2, Command::Rename("carol".parse().unwrap())).await;
        for listener in 0..2 {
            party.event(listener, |event| {
                matches!(event, Event::Presence { change: Change::Rename { to }, .. } if to == "carol")
            }).await;
        }
        party.end().await;
    }
}

/// Three say so many lines in all, and each hears those of the others: all, in order, once.
async fn all_hear_each_other(party: &mut Party, lines: usize) {
    for n in 0..lines {
        party.say(n % 3, &format!("line {n}")).await;
    }
    for listener in 0..3 {
        let due: Vec<String> =
            (0..lines).filter(|n| n % 3 != listener).map(|n| format!("line {n}")).collect();
        let mut heard = party.hears(listener, due.len()).await;
        for author in 0..3 {
            let of_one: Vec<&String> = heard.iter().filter(|line| number(line) % 3 == author).collect();
            assert!(of_one.windows(2).all(|pair| number(pair[0]) < number(pair[1])), "{of_one:?}");
        }
        heard.sort_by_key(|line| number(line));
        assert_eq!(heard, due, "listener {listener}");
    }
}

fn number(line: &str) -> usize {
    line.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap()
}
