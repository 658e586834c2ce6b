use std::path::PathBuf;

use super::{super::FilePlace, *};
use crate::{
    app::{FileJob, Now},
    wire::{Epoch, NodeId, PublicKey, Role, TransferId, VERSION},
};

const PATIENCE: Duration = Duration::from_secs(30);

fn transfer(number: u32) -> TransferId {
    TransferId { sender: NodeId([7; 32]), epoch: Epoch(9), number }
}

/// Does these jobs, each when the one before is answered, and ends.
#[derive(Debug)]
struct Clerk {
    jobs: VecDeque<FileJob>,
    actions: VecDeque<Action>,
    heard: std::sync::mpsc::Sender<Input>,
    /// A file that a job makes: the node ends while that job is in hand.
    ends_at: Option<PathBuf>,
}

impl Clerk {
    fn go_on(&mut self) {
        let quit = || Action::Finish(Outcome::Done);
        self.actions.push_back(self.jobs.pop_front().map_or_else(quit, Action::File));
    }
}

impl Topology for Clerk {
    fn hello(&self) -> Hello {
        Hello {
            version: VERSION,
            role: Role::Client,
            key: PublicKey([7; 32]),
            nick: "clerk".parse().unwrap(),
            epoch: Epoch(1),
            listen: Vec::new(),
            capabilities: 0,
        }
    }

    fn handle_input(&mut self, input: Input, _: Now) {
        if let (Input::Start | Input::File(_), None) = (&input, &self.ends_at) {
            self.go_on();
        }
        let _ = self.heard.send(input);
    }

    fn handle_timeout(&mut self, _: Now) {}

    fn poll_action(&mut self) -> Option<Action> {
        let action = self.actions.pop_front();
        if let (Some(Action::Finish(_)), Some(sign)) = (&action, &self.ends_at) {
            // The driver waits for this, so that it cannot hear of the job before it ends.
            let by = Instant::now() + PATIENCE;
            while !sign.exists() {
                assert!(Instant::now() < by, "no {}", sign.display());
                std::thread::yield_now();
            }
        }
        action
    }

    fn poll_timeout(&self) -> Option<std::time::Instant> {
        None
    }
}

/// A whole life; what the topology was told.
async fn life(jobs: impl IntoIterator<Item = FileJob>, files: Option<files::Begun>) -> Vec<Input> {
    let (heard, told) = std::sync::mpsc::channel();
    let clerk = Clerk { jobs: jobs.into_iter().collect(), actions: VecDeque::new(), heard, ends_at: None };
    life_of(clerk, told, files).await
}

async fn life_of(
    clerk: Clerk,
    told: std::sync::mpsc::Receiver<Input>,
    files: Option<files::Begun>,
) -> Vec<Input> {
    let (_commands, commands) = mpsc::channel(1);
    let (_stop, stop) = watch::channel(false);
    let (events, _events) = mpsc::channel(1);
    let (outcome, ended) = oneshot::channel();
    let dialer = Dialer {
        transports: BTreeMap::new(),
        fall_back: None,
        pinned: std::collections::BTreeSet::new(),
        pins: Arc::default(),
    };
    let (topology, listeners, opened) = (Box::new(clerk), Vec::new(), Vec::new());
    let parts =
        Parts { topology, dialer, listeners, opened, commands, stop, events, outcome, store: None, files };
    tokio::time::timeout(PATIENCE, run(parts)).await.expect("an end");
    assert_eq!(ended.await.unwrap(), Outcome::Done);
    told.try_iter().collect()
}

fn create(number: u32) -> FileJob {
    FileJob::Create { transfer: transfer(number), len: 0 }
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn is_a_node_told_of_its_transfers_before_it_starts_and_then_of_what_came_of_each_job() {
    let name = format!("sayagain-driver-files-{}", std::process::id());
    let folder = Folder(std::env::temp_dir().join(name));
    let place = FilePlace { transfers: folder.0.join("transfers"), downloads: folder.0.join("downloads") };
    let seal =
        FileJob::Seal { transfer: transfer(1), name: "empty".into(), digest: *blake3::hash(b"").as_bytes() };
    let heard = life([create(1), seal], Some(files::begin(place.clone()).await.unwrap())).await;
    let [Input::Transfers(kept), Input::Start, Input::File(created), Input::File(saved)] = &heard[..] else {
        panic!("{heard:?}")
    };
    assert!(kept.is_empty());
    assert_eq!(*created, FileNews::Created { transfer: transfer(1), held: 0 });
    assert_eq!(*saved, FileNews::Saved { transfer: transfer(1), path: place.downloads.join("empty") });
}

#[tokio::test]
async fn does_a_node_without_a_place_for_files_say_so() {
    let heard = life([create(1), create(2)], None).await;
    let [Input::Start, Input::File(first), Input::File(second)] = &heard[..] else { panic!("{heard:?}") };
    for (number, news) in [(1, first), (2, second)] {
        let FileNews::Failed { transfer: of, fault } = news else { panic!("{news:?}") };
        assert_eq!((*of, fault.detail.as_str()), (transfer(number), "this node keeps no files"));
    }
}

#[tokio::test]
async fn is_what_a_thread_has_in_hand_heard_of_at_the_end() {
    let name = format!("sayagain-driver-end-{}", std::process::id());
    let folder = Folder(std::env::temp_dir().join(name));
    let place = FilePlace { transfers: folder.0.join("transfers"), downloads: folder.0.join("downloads") };
    let begun = files::begin(place).await.unwrap();
    let (heard, told) = std::sync::mpsc::channel();
    let actions = [Action::File(create(1)), Action::Finish(Outcome::Done)].into();
    let sign = folder.0.join(format!("transfers/parts/{}.part", transfer(1)));
    let clerk = Clerk { jobs: VecDeque::new(), actions, heard, ends_at: Some(sign) };
    let heard = life_of(clerk, told, Some(begun)).await;
    let [Input::Transfers(_), Input::Start, Input::File(created)] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!(*created, FileNews::Created { transfer: transfer(1), held: 0 });
}
