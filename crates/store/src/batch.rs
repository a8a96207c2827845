//! Proposals that are made at the same time go to the log, or to the leader, together.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use skep_state::{Entry, Outcome};
use tokio::{
    sync::{mpsc, oneshot},
    task::yield_now,
    time::timeout,
};

use crate::{
    Member, ProposeError,
    peers::{AskError, Reply, Request},
    raft::Command,
    store::Inner,
};

/// Proposals that wait at most; more have to wait to wait.
const WAITING_MAX: usize = 4096;

/// What goes together has about so many bytes at most; a single proposal may have more.
const TOGETHER_BYTES_MAX: usize = 1024 * 1024;

/// So many batches are on their way at once: one to the disks, and one behind it.
const ON_THE_WAY_MAX: usize = 2;

/// How long a batch may take; nobody waits longer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// What came of each entry of a proposal.
pub(crate) type Written = Result<Vec<Vec<Outcome>>, ProposeError>;

/// Entries that wait for their turn.
pub(crate) struct Proposal {
    pub(crate) entries: Vec<Entry>,
    /// The entries as JSON, separated by commas.
    pub(crate) json: Bytes,
    pub(crate) answer: oneshot::Sender<Written>,
}

/// An entry that waits to be handed to a leader.
pub(crate) struct Parcel {
    pub(crate) to: Member,
    /// One entry as JSON.
    pub(crate) json: Bytes,
    pub(crate) answer: oneshot::Sender<Result<(), ProposeError>>,
}

/// Where proposals wait. Each server to hand them to has a line of its own, so that nobody waits for one that is gone.
pub(crate) struct Lines {
    own: mpsc::Sender<Proposal>,
    others: Mutex<BTreeMap<u64, mpsc::Sender<Parcel>>>,
}

/// Those who wait for this server's own log.
pub(crate) type OwnLine = mpsc::Receiver<Proposal>;

impl Lines {
    pub(crate) fn new() -> (Self, OwnLine) {
        let (own, line) = mpsc::channel(WAITING_MAX);
        let others = Mutex::default();
        (Self { own, others }, line)
    }

    /// The line for this server's own log.
    pub(crate) fn own(&self) -> &mpsc::Sender<Proposal> {
        &self.own
    }
}

/// Writes what waits in the line until the store is gone.
pub(crate) async fn write_own(inner: Weak<Inner>, line: OwnLine) {
    together(line, |batch| write(inner.clone(), batch)).await;
}

impl Inner {
    /// The line for another server.
    pub(crate) fn line_to(self: &Arc<Self>, id: u64) -> mpsc::Sender<Parcel> {
        let mut others = self.lines.others.lock().unwrap_or_else(PoisonError::into_inner);
        let line = others.entry(id).or_insert_with(|| {
            let (sender, line) = mpsc::channel(WAITING_MAX);
            let inner = Arc::downgrade(self);
            self.spawn(async move { together(line, |batch| forward(inner.clone(), batch)).await });
            sender
        });
        line.clone()
    }
}

/// What can wait in a line.
trait Waits {
    fn bytes(&self) -> usize;
    /// False once nobody waits for what comes of it.
    fn wanted(&self) -> bool;
}

impl Waits for Proposal {
    fn bytes(&self) -> usize {
        self.json.len()
    }

    fn wanted(&self) -> bool {
        !self.answer.is_closed()
    }
}

impl Waits for Parcel {
    fn bytes(&self) -> usize {
        self.json.len()
    }

    fn wanted(&self) -> bool {
        !self.answer.is_closed()
    }
}

/// Takes what waits and sends it off together, a few batches at a time.
async fn together<T: Waits, F: Future<Output = ()>>(mut line: mpsc::Receiver<T>, send: impl Fn(Vec<T>) -> F) {
    let mut on_the_way = FuturesUnordered::new();
    loop {
        let room = on_the_way.len() < ON_THE_WAY_MAX;
        tokio::select! {
            biased;
            Some(()) = on_the_way.next() => {}
            first = line.recv(), if room => {
                let Some(first) = first else { break };
                // Whoever is about to join the line does so now.
                yield_now().await;
                let batch = fill(&mut line, first);
                if !batch.is_empty() {
                    on_the_way.push(send(batch));
                }
            }
        }
    }
    while on_the_way.next().await.is_some() {}
}

/// Adds what waits already.
fn fill<T: Waits>(line: &mut mpsc::Receiver<T>, first: T) -> Vec<T> {
    let mut bytes = first.bytes();
    let mut batch = vec![first];
    while bytes < TOGETHER_BYTES_MAX
        && let Ok(next) = line.try_recv()
    {
        bytes += next.bytes();
        batch.push(next);
    }
    batch.retain(Waits::wanted);
    batch
}

/// Writes proposals to this server's own log.
async fn write(inner: Weak<Inner>, batch: Vec<Proposal>) {
    let Some(inner) = inner.upgrade() else { return };
    let json = list(batch.iter().map(|proposal| &proposal.json));
    let mut entries = Vec::new();
    let mut waiting = Vec::with_capacity(batch.len());
    for proposal in batch {
        waiting.push((proposal.entries.len(), proposal.answer));
        entries.extend(proposal.entries);
    }
    let written = timeout(
        ANSWER_LIMIT,
        inner.write_command(Command::new(entries, json.into())),
    )
    .await;
    answer(waiting, written.unwrap_or(Err(ProposeError::Uncertain)));
}

/// Hands entries to another server.
async fn forward(inner: Weak<Inner>, batch: Vec<Parcel>) {
    let Some(inner) = inner.upgrade() else { return };
    let to = batch[0].to.clone();
    let json = list(batch.iter().map(|parcel| &parcel.json));
    let reply = inner
        .peers
        .ask(&to, &Request::Propose(json.into()), ANSWER_LIMIT)
        .await;
    drop(inner);
    let taken = match reply {
        // The store that was asked has stopped; another one will lead.
        Ok(Reply::Propose(Err(ProposeError::Stopped | ProposeError::Storage(_)))) => {
            Err(ProposeError::Uncertain)
        }
        Ok(Reply::Propose(taken)) => taken,
        Err(AskError::Unreachable(_) | AskError::Refused(_)) => Err(ProposeError::NotLeader { leader: None }),
        Ok(_) | Err(AskError::Lost(_) | AskError::TimedOut) => Err(ProposeError::Uncertain),
    };
    for parcel in batch {
        // Nobody may be waiting any more.
        parcel.answer.send(taken.clone()).ok();
    }
}

/// Tells each how its entries came out.
fn answer(waiting: Vec<(usize, oneshot::Sender<Written>)>, written: Written) {
    let expected: usize = waiting.iter().map(|(count, _)| count).sum();
    let mut written = match written {
        Ok(outcomes) if outcomes.len() == expected => Ok(outcomes.into_iter()),
        Ok(_) => Err(ProposeError::Uncertain),
        Err(error) => Err(error),
    };
    for (count, waiting) in waiting {
        let own = match &mut written {
            Ok(outcomes) => Ok(outcomes.take(count).collect()),
            Err(error) => Err(error.clone()),
        };
        // Nobody may be waiting any more.
        waiting.send(own).ok();
    }
}

/// A JSON list of what is JSON already.
fn list<'a>(parts: impl Iterator<Item = &'a Bytes> + Clone) -> Vec<u8> {
    let bytes: usize = parts.clone().map(|part| part.len() + 1).sum();
    let mut json = Vec::with_capacity(bytes + 1);
    json.push(b'[');
    for (index, part) in parts.enumerate() {
        if index > 0 {
            json.push(b',');
        }
        json.extend_from_slice(part);
    }
    json.push(b']');
    json
}
