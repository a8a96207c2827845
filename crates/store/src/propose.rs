//! Proposals: to this server's own log where it leads, else to the leader, until one of them is sure.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use openraft::errors::{ClientWriteError, RaftError};
use skep_state::{Entry, Outcome};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    Member, ProposeError, Store,
    batch::{Parcel, Proposal, Written},
    guide::{Guide, Target},
    raft::{Command, Types},
    sending::Ticket,
    space,
    store::Inner,
};

/// How long to look for a leader that takes an entry.
const LIMIT: Duration = Duration::from_secs(10);

/// How long one server may take over an entry.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(5);

impl Store {
    /// Proposes an entry; one outcome for each of its changes, once they are durable and applied by the leader.
    /// Proposals that are made at the same time share their way to the disk. Where this server does not lead, the
    /// entry goes to the one that does, under a number of its own, so that it can be sent again when a leader is lost.
    ///
    /// # Errors
    /// See [`ProposeError`]; [`ProposeError::is_retryable`] says whether to try again. With other servers about, it
    /// takes ten seconds at most.
    pub async fn propose(&self, entry: Entry) -> Result<Vec<Outcome>, ProposeError> {
        let inner = &self.inner;
        if !inner.peers.any() {
            let json = written(&entry);
            return inner.write_here(vec![entry], json).await.and_then(only);
        }
        inner.propose_anywhere(entry).await
    }
}

impl Inner {
    async fn propose_anywhere(self: &Arc<Self>, mut entry: Entry) -> Result<Vec<Outcome>, ProposeError> {
        let mut guide = self.guide(LIMIT);
        let mut ticket = None;
        if !self.view.borrow().leads {
            ticket = Some(self.number(&mut entry, &guide).await?);
        }
        let named = !entry.request_id.is_empty();
        let mut json = written(&entry);
        let mut entry = Some(entry);
        let mut uncertain = false;
        loop {
            let target = guide.target();
            if ticket.is_none() && matches!(target, Target::There(_)) {
                let mut unnumbered = entry.take().unwrap_or_else(|| read_back(&json));
                let taken = self.number(&mut unnumbered, &guide).await;
                ticket =
                    Some(taken.map_err(|error| if uncertain { ProposeError::Uncertain } else { error })?);
                json = written(&unnumbered);
            }
            let attempt = match (target, &ticket) {
                (Target::Here, _) => {
                    let limit = guide.left().min(ATTEMPT_LIMIT);
                    let entry = entry.take().unwrap_or_else(|| read_back(&json));
                    let write = timeout(limit, self.write_here(vec![entry], json.clone()));
                    let written = write.await.unwrap_or(Err(ProposeError::Uncertain));
                    written.and_then(only)
                }
                (Target::There(member), Some(ticket)) => {
                    self.forward(member, json.clone(), ticket, &guide).await
                }
                (Target::There(_) | Target::Nobody, _) => Err(ProposeError::NotLeader { leader: None }),
            };
            match attempt {
                Err(ProposeError::NotLeader { leader }) => guide.hint(leader),
                Err(ProposeError::Uncertain) if named || ticket.is_some() => uncertain = true,
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

    /// Numbers an entry: what goes over a network may get lost, or arrive twice.
    async fn number(&self, entry: &mut Entry, guide: &Guide) -> Result<Ticket, ProposeError> {
        let ticket = timeout(guide.left(), self.sending.ticket()).await;
        let ticket = ticket.map_err(|_| ProposeError::NotLeader {
            leader: guide.leader(),
        })?;
        entry.sent = Some(ticket.sent());
        Ok(ticket)
    }

    /// Hands an entry to another server, with those that go there as well; what came of it is seen when this server
    /// applies it, as it then would from whatever leader.
    async fn forward(
        self: &Arc<Self>,
        to: Member,
        json: Bytes,
        ticket: &Ticket,
        guide: &Guide,
    ) -> Result<Vec<Outcome>, ProposeError> {
        self.check_size(json.len())?;
        let mut wait = self.shared.awaited().wait_for(ticket.number());
        let (answer, taken) = oneshot::channel();
        let line = self.line_to(to.id);
        let parcel = Parcel { to, json, answer };
        let sent = async {
            line.send(parcel).await.map_err(|_| ProposeError::Stopped)?;
            let refused = async {
                match taken.await {
                    Ok(Ok(())) => std::future::pending().await,
                    Ok(Err(why)) => why,
                    Err(_) => ProposeError::Stopped,
                }
            };
            tokio::select! {
                biased;
                outcomes = wait.outcomes() => outcomes.ok_or(ProposeError::Stopped),
                why = refused => Err(why),
            }
        };
        let limit = guide.left().min(ATTEMPT_LIMIT);
        timeout(limit, sent).await.unwrap_or(Err(ProposeError::Uncertain))
    }

    /// Writes a list of entries that another server forwarded.
    pub(crate) async fn propose_here(&self, json: &Bytes) -> Result<(), ProposeError> {
        let (Ok(entries), [b'[', .., b']']) = (serde_json::from_slice::<Vec<Entry>>(json), &json[..]) else {
            return Err(ProposeError::Uncertain);
        };
        if entries.is_empty() {
            return Ok(());
        }
        let inside = json.slice(1..json.len() - 1);
        let written = timeout(ATTEMPT_LIMIT, self.write_here(entries, inside)).await;
        written.unwrap_or(Err(ProposeError::Uncertain)).map(drop)
    }

    /// Writes to this server's own log, where it leads, with what others write at the same time.
    async fn write_here(&self, entries: Vec<Entry>, json: Bytes) -> Written {
        if entries.len() == 1 {
            self.check_size(json.len())?;
        }
        let (answer, written) = oneshot::channel();
        let proposal = Proposal {
            entries,
            json,
            answer,
        };
        let stopped = || self.stopped_why().unwrap_or(ProposeError::Stopped);
        self.lines.own().send(proposal).await.map_err(|_| stopped())?;
        written.await.map_err(|_| stopped())?
    }

    /// Writes to this server's own log, where it leads.
    pub(crate) async fn write_command(&self, command: Command) -> Written {
        self.check_room(command.json().len())?;
        self.raft
            .client_write(command)
            .await
            .map(|response| response.data)
            .map_err(|error| self.propose_error(error))
    }

    fn check_size(&self, bytes: usize) -> Result<(), ProposeError> {
        let max = self.config.entry_bytes_max;
        if bytes > max {
            return Err(ProposeError::TooLarge { bytes, max });
        }
        Ok(())
    }

    fn check_room(&self, bytes: usize) -> Result<(), ProposeError> {
        let config = &self.config;
        let needed = config.free_bytes_min;
        match space::free_bytes(&config.dir) {
            Some(free) if needed > 0 && free < needed + bytes as u64 => {
                self.short_of_space.notify_one();
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

fn only(outcomes: Vec<Vec<Outcome>>) -> Result<Vec<Outcome>, ProposeError> {
    outcomes.into_iter().next().ok_or(ProposeError::Uncertain)
}

fn read_back(json: &Bytes) -> Entry {
    serde_json::from_slice(json).expect("it was written a moment ago")
}

fn written(entry: &Entry) -> Bytes {
    serde_json::to_vec(entry)
        .expect("entries hold nothing that JSON cannot hold")
        .into()
}
