//! One script of a conversation, over each transport: does it make a difference to what people hear?

use std::collections::BTreeMap;

use sayagain::{
    app::{Change, Command, Event, Place, Said},
    transport::impair::{Impairment, Profile},
    wire::{NodeId, RoomName, Seq},
};

use crate::party::{Carrier, Party, Shape, seed};

/// What each author said in each place, as somebody heard it: by place, name, how many had that name
/// until then, and whether it was shown to one who came after it was said.
type Heard = BTreeMap<(String, String, usize, bool), Vec<(Seq, String)>>;

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

/// A conversation under way: who is where is known, so that everybody knows how much there is to hear.
struct Script {
    party: Party,
    said: usize,
}

impl Script {
    /// Says lines in the current room, and waits until those who are there have heard them.
    async fn says(&mut self, speaker: usize, lines: usize, listeners: &[usize]) {
        for _ in 0..lines {
            self.said += 1;
            self.party.say(speaker, &format!("{} of {speaker}", self.said)).await;
        }
        for &listener in listeners {
            self.party.hears(listener, lines).await;
        }
    }

    /// All say their lines at once, each where it is.
    async fn all_say(&mut self, lines: usize, speakers: &[usize], hearing: &[(usize, usize)]) {
        for _ in 0..lines {
            for &speaker in speakers {
                self.said += 1;
                self.party.say(speaker, &format!("{} of {speaker}", self.said)).await;
            }
        }
        for &(listener, others) in hearing {
            self.party.hears(listener, others * lines).await;
        }
    }

    async fn tells(&mut self, speaker: usize, listener: usize, name: &str, lines: usize) {
        for n in 0..lines {
            let to = vec![name.to_owned()];
            self.party.command(speaker, Command::Tell { to, text: format!("psst {n}") }).await;
        }
        for _ in 0..lines {
            self.party.event(listener, |event| matches!(event, Event::Private(_))).await;
        }
    }

    async fn joins(&mut self, guest: usize, place: &str) {
        self.party.command(guest, Command::Join(room(place))).await;
        self.party
            .event(guest, |event| matches!(event, Event::Joined { room: it, .. } if *it == room(place)))
            .await;
    }

    /// Waits until somebody is seen to come or go.
    async fn sees(&mut self, witness: usize, who: &str, what: &Change, place: &str) {
        let seen = |event: &Event| {
            matches!(event, Event::Presence { room: it, name, change }
                if *it == room(place) && name == who && change == what)
        };
        self.party.event(witness, seen).await;
    }
}

/// Three in the lobby, two of them in another room too; private lines; one leaves and comes back, one comes
/// late, one goes home and comes again. Never as many lines in the lobby as a latecomer is not shown.
async fn play(carrier: Carrier, line: Option<Impairment>) -> Vec<Heard> {
    let party = Party::gather_on(Shape::Star, carrier, line).await;
    let mut script = Script { party, said: 0 };
    script.all_say(6, &[0, 1, 2], &[(0, 2), (1, 2), (2, 2)]).await;

    script.joins(0, "ops").await;
    script.joins(1, "ops").await;
    script.sees(0, "n1", &Change::Join, "ops").await;
    script.all_say(6, &[0, 1], &[(0, 1), (1, 1)]).await;
    script.party.command(0, Command::Switch(room("lobby"))).await;
    script.all_say(5, &[0, 2], &[(0, 1), (1, 2), (2, 1)]).await;
    script.tells(0, 1, "n1", 5).await;
    script.tells(2, 0, "n0", 5).await;

    script.party.command(1, Command::Leave(Some(room("lobby")))).await;
    script.sees(0, "n1", &Change::Leave, "lobby").await;
    script.sees(2, "n1", &Change::Leave, "lobby").await;
    script.says(0, 5, &[2]).await;
    script.says(1, 5, &[0]).await;
    script.party.admit("n3").await;
    script.party.hears_of(3, 33, |said| said.historic).await;
    script.sees(0, "n3", &Change::Join, "lobby").await;
    script.sees(2, "n3", &Change::Join, "lobby").await;
    script.says(3, 5, &[0, 2]).await;

    script.joins(1, "lobby").await;
    for witness in [0, 2, 3] {
        script.sees(witness, "n1", &Change::Join, "lobby").await;
    }
    script.party.hears_of(1, 38, |said| said.historic).await;
    script.says(1, 5, &[0, 2, 3]).await;

    script.party.leave(2).await;
    for witness in [0, 1, 3] {
        script.sees(witness, "n2", &Change::Leave, "lobby").await;
    }
    script.says(3, 2, &[0, 1]).await;
    let again = script.party.admit("n2").await;
    script.party.hears_of(again, 45, |said| said.historic).await;
    for witness in [0, 1, 3] {
        script.sees(witness, "n2", &Change::Join, "lobby").await;
    }
    script.says(again, 4, &[0, 1, 3]).await;
    script.tells(3, again, "n2", 3).await;
    script.party.end().await.iter().map(|heard| by_author(heard)).collect()
}

fn by_author(heard: &[Said]) -> Heard {
    let mut authors = Heard::new();
    let mut called: BTreeMap<&str, Vec<NodeId>> = BTreeMap::new();
    for said in heard {
        let place = match &said.place {
            Place::Room(room) => room.to_string(),
            Place::Person(_) => "private".to_owned(),
        };
        let namesakes = called.entry(&said.from).or_default();
        if namesakes.last() != Some(&said.id) {
            namesakes.push(said.id);
        }
        let author = (place, said.from.clone(), namesakes.len(), said.historic);
        authors.entry(author).or_default().push((said.seq, said.text.clone()));
    }
    authors
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn does_everybody_hear_the_same_over_udp_as_over_tcp() {
    let seed = seed();
    let lossy = Impairment { profile: Profile::named("lossy10").unwrap(), seed };
    let [tcp, udp, lossy] = [(Carrier::Tcp, None), (Carrier::Udp, None), (Carrier::Udp, Some(lossy))]
        .map(|(carrier, line)| tokio::spawn(play(carrier, line)));
    let tcp = tcp.await.unwrap();
    for (guest, heard) in tcp.iter().enumerate() {
        assert!(!heard.is_empty());
        for (whose, lines) in heard {
            assert!(lines.is_sorted() && !lines.is_empty(), "guest {guest}, {whose:?}: {lines:#?}");
        }
    }
    assert_eq!(udp.await.unwrap(), tcp);
    let lossy = lossy.await.unwrap_or_else(|_| panic!("again with SAYAGAIN_SEED={seed}"));
    assert_eq!(lossy, tcp, "again with SAYAGAIN_SEED={seed}");
}
