//! The sending half: an open loop. A ticker says when a message is due, other tasks send; how long those take
//! changes nothing about when the next one is due.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Result;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, stdin},
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::{
    clock::{self, Alarm},
    columns::{self, Column, Connection, Lane},
    message::{BULK, Header},
    plan::{CONNECT, Plan, Workload},
    spent::Spent,
};

/// A message of bulk.
const CHUNK_BYTES: usize = 16 << 10;

/// How long one attempt to connect may take, and how many are made at once.
const ATTEMPT: Duration = Duration::from_secs(10);
const AT_ONCE: usize = 16;

/// Messages of a flow that nobody has taken yet: more than a cell has.
const QUEUE: usize = 1 << 16;

/// What the sender says when the connections stand.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Begin {
    pub(crate) start: u64,
    pub(crate) counted_from: u64,
    pub(crate) counted_to: u64,
    pub(crate) connected: usize,
}

/// What it says in the end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) spent: Spent,
    /// What went wrong first.
    pub(crate) note: Option<String>,
}

/// What went wrong, the first of it.
#[derive(Clone, Default)]
struct Note(Arc<Mutex<Option<String>>>);

impl Note {
    fn set(&self, why: impl ToString) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| why.to_string());
    }

    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

type Connected = Option<Arc<dyn Connection>>;

pub(crate) async fn run(plan: Plan, to: SocketAddr) -> Result<()> {
    let column = columns::by_name(&plan.column)?;
    let note = Note::default();
    // Who needs a connection of its own for bulk has it at the end.
    let apart = plan.workload == Workload::Beside && column.bulk_apart();
    let wanted = plan.connections() + usize::from(apart);
    let connections = connect(column.as_ref(), to, wanted, &note).await;

    let start = clock::now();
    let counted_from = start + plan.warm_up_ns();
    let counted_to = plan.ends.unwrap_or_else(|| counted_from + clock::nanos(plan.counted));
    let connected = connections.iter().flatten().count();
    println!("{}", serde_json::to_string(&Begin { start, counted_from, counted_to, connected })?);

    if let Some(bulk) = connections.last().cloned().flatten().filter(|_| plan.workload.has_bulk()) {
        tokio::spawn(send_bulk(bulk, counted_to, note.clone()));
    }
    let before = tokio::spawn(async move {
        Alarm::new()?.wait(counted_from).await?;
        Ok::<_, std::io::Error>(Spent::now())
    });
    tick(&plan, start, &connections, &note).await?;
    Alarm::new()?.wait(counted_to).await?;
    // The receiver knows when it is over.
    BufReader::new(stdin()).read_line(&mut String::new()).await?;
    let spent = Spent::now() - before.await??;
    println!("{}", serde_json::to_string(&Sent { spent, note: note.take() })?);
    Ok(())
}

async fn connect(column: &dyn Column, to: SocketAddr, wanted: usize, note: &Note) -> Vec<Connected> {
    let all = stream::iter(0..wanted).map(|_| timeout(CONNECT, dial(column, to, note))).buffered(AT_ONCE);
    let collected = all.map(Result::ok).collect::<Vec<Connected>>().await;
    let missing = collected.iter().filter(|connection| connection.is_none()).count();
    if missing > 0 {
        note.set(format!("{missing} of {wanted} connections did not come about"));
    }
    collected
}

/// Until it stands.
async fn dial(column: &dyn Column, to: SocketAddr, note: &Note) -> Arc<dyn Connection> {
    loop {
        match timeout(ATTEMPT, column.dial(to)).await {
            Ok(Ok(connection)) => return connection,
            Ok(Err(why)) => note.set(format!("dial: {why:#}")),
            Err(_) => note.set("a dial took too long"),
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Queues every message when it is due.
async fn tick(plan: &Plan, start: u64, connections: &[Connected], note: &Note) -> Result<()> {
    let queues: Vec<_> = (0..plan.flows).map(|flow| queue(plan, flow, connections, note)).collect();
    let end = plan.first_counted() + plan.messages();
    let mut due: BinaryHeap<_> =
        (0..plan.flows).map(|flow| Reverse((plan.due_ns(flow, 0), flow, 0))).collect();
    let alarm = Alarm::new()?;
    while let Some(Reverse((after, flow, seq))) = due.pop() {
        let due_ns = start + after;
        if clock::now() < due_ns {
            alarm.wait(due_ns).await?;
        }
        let message = Header { due_ns, flow, seq }.padded(plan.bytes);
        if let Some(queue) = queues.get(flow as usize).and_then(Option::as_ref)
            && queue.try_send(message).is_err()
        {
            note.set("a flow takes no more messages");
        }
        if seq + 1 < end {
            due.push(Reverse((plan.due_ns(flow, seq + 1), flow, seq + 1)));
        }
    }
    Ok(())
}

/// The queue of a flow whose connection stands, and its task.
fn queue(plan: &Plan, flow: u32, connections: &[Connected], note: &Note) -> Option<mpsc::Sender<Bytes>> {
    let connection = connections.get(plan.connection(flow))?.clone()?;
    let lane = Lane::Chat(if plan.workload == Workload::Rooms { flow } else { 0 });
    let (queue, mut queued) = mpsc::channel(QUEUE);
    let note = note.clone();
    tokio::spawn(async move {
        while let Some(message) = queued.recv().await {
            if let Err(why) = connection.send(lane, message).await {
                note.set(format!("send: {why:#}"));
                break;
            }
        }
        // It stays open: what was sent may still be on its way.
        std::future::pending::<()>().await;
        drop(connection);
    });
    Some(queue)
}

async fn send_bulk(connection: Arc<dyn Connection>, until: u64, note: Note) {
    let mut seq = 0;
    while clock::now() < until {
        let message = Header { due_ns: clock::now(), flow: BULK, seq }.padded(CHUNK_BYTES);
        if let Err(why) = connection.send(Lane::Bulk, message).await {
            // Afterwards the receiver may leave.
            if clock::now() < until {
                note.set(format!("bulk: {why:#}"));
            }
            break;
        }
        seq = seq.wrapping_add(1);
    }
    std::future::pending::<()>().await;
    drop(connection);
}
