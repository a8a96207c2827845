//! Proposals: to this server's own log where it leads, else to the leader, until one of them is sure.

use std::time::Duration;

use bytes::Bytes;
use openraft::errors::{ClientWriteError, RaftError};
use skep_state::{Entry, Outcome};
use tokio::time::timeout;

use crate::{
    Member, ProposeError, Store,
    guide::{Guide, Target},
    peers::{AskError, Reply, Request},
    raft::{Command, Types},
    space,
    store::Inner,
};

/// How long to look for a leader that takes an entry.
const LIMIT: Duration = Duration::from_secs(10);

/// How long one server may take over an entry.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(5);

type Written = Result<Vec<Outcome>, ProposeError>;

impl Store {
    /// Proposes an entry; one outcome for each of its changes, once they are durable and applied by the leader.
    /// Proposals that are made at the same time share their way to the disk. Where this server does not lead, the
    /// entry goes to the one that does; an entry without a request id gets one then, so that it can be sent again when
    /// a leader is lost.
    ///
    /// # Errors
    /// See [`ProposeError`]; [`ProposeError::is_retryable`] says whether to try again. With other servers about, it
    /// takes ten seconds at most.
    pub async fn propose(&self, entry: Entry) -> Result<Vec<Outcome>, ProposeError> {
        let inner = &self.inner;
        if !inner.peers.any() {
            let json = written(&entry);
            return inner.write(entry, json).await;
        }
        inner.propose_anywhere(entry).await
    }
}

impl Inner {
    async fn propose_anywhere(&self, entry: Entry) -> Written {
        let mut repeatable = !entry.request_id.is_empty();
        let mut json = written(&entry);
        let mut entry = Some(entry);
        let mut guide = self.guide(LIMIT);
        let mut uncertain = false;
        loop {
            let target = guide.target();
            if matches!(target, Target::There(_)) && !repeatable {
                // What goes over a network may get lost, or arrive twice.
                json = with_request_id(&json);
                (entry, repeatable) = (None, true);
            }
            let attempt = match target {
                Target::Here => {
                    let limit = guide.left().min(ATTEMPT_LIMIT);
                    let command = match entry.take() {
                        Some(entry) => Command::new(entry, json.as_ref().into()),
                        None => Command::from_json(json.as_ref().into()),
                    };
                    let write = timeout(limit, self.write_command(command));
                    write.await.unwrap_or(Err(ProposeError::Uncertain))
                }
                Target::There(member) => self.forward(&member, &json, &guide).await,
                Target::Nobody => Err(ProposeError::NotLeader { leader: None }),
            };
            match attempt {
                Err(ProposeError::NotLeader { leader }) => guide.hint(leader),
                Err(ProposeError::Uncertain) if repeatable => uncertain = true,
                other => return other,
            }
            if !guide.again().await {
                return Err(match self.stopped_why() {
                    Some(stopped) => stopped,
                    None if uncertain => ProposeError::Uncertain,
                    None => ProposeError::NotLeader {
                        leader: guide.leader(),
                    },
                });
            }
        }
    }

    /// Hands the entry to another server.
    async fn forward(&self, to: &Member, json: &Bytes, guide: &Guide) -> Written {
        let limit = guide.left().min(ATTEMPT_LIMIT);
        match self.peers.ask(to, &Request::Propose(json.clone()), limit).await {
            Ok(Reply::Propose(Ok(outcomes))) => {
                serde_json::from_slice(&outcomes).map_err(|_| ProposeError::Uncertain)
            }
            // The store that was asked has stopped; another one will lead.
            Ok(Reply::Propose(Err(ProposeError::Stopped | ProposeError::Storage(_)))) => {
                Err(ProposeError::Uncertain)
            }
            Ok(Reply::Propose(Err(error))) => Err(error),
            Err(AskError::Unreachable(_) | AskError::Refused(_)) => {
                Err(ProposeError::NotLeader { leader: None })
            }
            Ok(_) | Err(AskError::Lost(_) | AskError::TimedOut) => Err(ProposeError::Uncertain),
        }
    }

    /// Writes an entry that another server forwarded; the JSON of its outcomes.
    pub(crate) async fn propose_here(&self, json: &Bytes) -> Result<Bytes, ProposeError> {
        let write = self.write_command(Command::from_json(json.as_ref().into()));
        let outcomes = timeout(ATTEMPT_LIMIT, write)
            .await
            .unwrap_or(Err(ProposeError::Uncertain))?;
        let json = serde_json::to_vec(&outcomes).expect("outcomes hold nothing that JSON cannot hold");
        Ok(json.into())
    }

    async fn write(&self, entry: Entry, json: Bytes) -> Written {
        self.write_command(Command::new(entry, json.as_ref().into()))
            .await
    }

    /// Writes to this server's own log, where it leads.
    async fn write_command(&self, command: Command) -> Written {
        self.check_room(command.json().len())?;
        self.raft
            .client_write(command)
            .await
            .map(|response| response.data)
            .map_err(|error| self.propose_error(error))
    }

    fn check_room(&self, bytes: usize) -> Result<(), ProposeError> {
        let config = &self.config;
        if bytes > config.entry_bytes_max {
            return Err(ProposeError::TooLarge {
                bytes,
                max: config.entry_bytes_max,
            });
        }
        let needed = config.free_bytes_min;
        match space::free_bytes(&config.dir) {
            Some(free) if needed > 0 && free < needed + bytes as u64 => {
                Err(ProposeError::NoSpace { free, needed })
            }
            _ => Ok(()),
        }
    }

    fn propose_error(&self, error: RaftError<Types, ClientWriteError<Types>>) -> ProposeError {
        match error {
            RaftError::APIError(ClientWriteError::ForwardToLeader(forward)) => ProposeError::NotLeader {
                leader: forward.leader_id,
            },
            RaftError::APIError(_) => ProposeError::Uncertain,
            RaftError::Fatal(fatal) => self
                .why_stopped(&fatal)
                .map_or(ProposeError::Stopped, ProposeError::Storage),
        }
    }

    /// `None` while the store runs.
    fn stopped_why(&self) -> Option<ProposeError> {
        if let Some(why) = self.failure.borrow().clone() {
            return Some(ProposeError::Storage(why));
        }
        self.leads.has_changed().is_err().then_some(ProposeError::Stopped)
    }
}

/// The same entry under an id of its own. It was not written anywhere yet.
fn with_request_id(json: &Bytes) -> Bytes {
    let entry: Entry = serde_json::from_slice(json).expect("it was written a moment ago");
    written(&Entry {
        request_id: uuid::Uuid::new_v4().to_string(),
        ..entry
    })
}

fn written(entry: &Entry) -> Bytes {
    serde_json::to_vec(entry)
        .expect("entries hold nothing that JSON cannot hold")
        .into()
}
