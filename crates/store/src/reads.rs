//! Linearizable reads: the leader says how far the log is, once it is sure that it leads, and this server's own state
//! is read when it has come so far. Reads that wait at the same time share one question.

use std::{sync::Weak, time::Duration};

use openraft::{
    ReadPolicy,
    errors::{LinearizableReadError, RaftError},
};
use skep_state::State;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    ReadError, Store,
    guide::Target,
    peers::{Reply, Request},
    store::Inner,
};

/// How long to look for a leader that is sure.
const LIMIT: Duration = Duration::from_secs(5);

/// How long one server may take to be sure.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(2);

/// Reads that wait at most; more have to wait to wait.
const WAITING_MAX: usize = 4096;

/// A read that waits for its turn.
pub(crate) type Waiting = oneshot::Sender<Result<(), ReadError>>;

/// A line to wait in.
pub(crate) fn line() -> (mpsc::Sender<Waiting>, mpsc::Receiver<Waiting>) {
    mpsc::channel(WAITING_MAX)
}

/// Answers those who wait, all that are there at once, until the store is gone.
pub(crate) async fn answer_reads(inner: Weak<Inner>, mut line: mpsc::Receiver<Waiting>) {
    let mut waiting = Vec::new();
    while line.recv_many(&mut waiting, WAITING_MAX).await > 0 {
        let Some(inner) = inner.upgrade() else {
            return;
        };
        let answer = inner.confirm_anywhere().await;
        for waiting in waiting.drain(..) {
            // Nobody may be waiting any more.
            waiting.send(answer.clone()).ok();
        }
    }
}

impl Store {
    /// The state with at least everything that was acknowledged before this call, by any server.
    ///
    /// # Errors
    /// Where no server can be found that is sure to lead, within five seconds.
    pub async fn read(&self) -> Result<State, ReadError> {
        if !self.inner.peers.any() {
            self.inner.confirm_here().await?;
            return Ok(self.state());
        }
        let (sender, receiver) = oneshot::channel();
        self.inner
            .reads
            .send(sender)
            .await
            .map_err(|_| ReadError::Stopped)?;
        receiver.await.map_err(|_| ReadError::Stopped)??;
        Ok(self.state())
    }
}

impl Inner {
    /// Waits until this server's own state has everything that was acknowledged before.
    async fn confirm_anywhere(&self) -> Result<(), ReadError> {
        let mut guide = self.guide(LIMIT);
        loop {
            let attempt = match guide.target() {
                Target::Here => self.confirm_here().await,
                Target::There(member) => {
                    let limit = guide.left().min(ATTEMPT_LIMIT);
                    match self.peers.ask(&member, &Request::ReadIndex, limit).await {
                        Ok(Reply::ReadIndex(Ok(index))) => self.reach(index, guide.left()).await,
                        Ok(Reply::ReadIndex(Err(ReadError::NotLeader { leader }))) => {
                            Err(ReadError::NotLeader { leader })
                        }
                        _ => Err(ReadError::NoQuorum),
                    }
                }
                Target::Nobody => Err(ReadError::NotLeader { leader: None }),
            };
            let error = match attempt {
                Err(error @ (ReadError::NotLeader { .. } | ReadError::NoQuorum)) => error,
                other => return other,
            };
            if let ReadError::NotLeader { leader } = error {
                guide.hint(leader);
            }
            if !guide.again().await {
                return Err(error);
            }
        }
    }

    async fn confirm_here(&self) -> Result<(), ReadError> {
        let confirmed = self.raft.ensure_linearizable(ReadPolicy::ReadIndex);
        let confirmed = timeout(ATTEMPT_LIMIT, confirmed).await;
        let confirmed = confirmed.map_err(|_| ReadError::NoQuorum)?;
        confirmed.map(drop).map_err(|error| self.read_error(error))
    }

    /// For another server: how far the log is, where this one leads for sure.
    pub(crate) async fn read_index_here(&self) -> Result<u64, ReadError> {
        let confirmed = self.raft.get_read_linearizer(ReadPolicy::ReadIndex);
        let confirmed = timeout(ATTEMPT_LIMIT, confirmed).await;
        let linearizer = confirmed
            .map_err(|_| ReadError::NoQuorum)?
            .map_err(|error| self.read_error(error))?;
        Ok(linearizer.read_log_id().index())
    }

    /// Waits until this server has applied so much.
    async fn reach(&self, index: u64, limit: Duration) -> Result<(), ReadError> {
        let wait = self.raft.wait(Some(limit));
        let reached = wait.applied_index_at_least(Some(index), "a read").await;
        reached.map(drop).map_err(|_| ReadError::NoQuorum)
    }

    fn read_error(
        &self,
        error: RaftError<crate::raft::Types, LinearizableReadError<crate::raft::Types>>,
    ) -> ReadError {
        match error {
            RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)) => ReadError::NotLeader {
                leader: forward.leader_id,
            },
            RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)) => ReadError::NoQuorum,
            RaftError::Fatal(fatal) => self
                .why_stopped(&fatal)
                .map_or(ReadError::Stopped, ReadError::Storage),
        }
    }
}
