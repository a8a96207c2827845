//! The other servers: how they are asked, and how they are answered.

mod incoming;
pub(crate) mod message;
mod network;
mod patient;
mod serve;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use crate::{Lane, Member, Transport, TransportError, home::Home};
pub(crate) use incoming::Incoming;
pub(crate) use message::{Envelope, Manage, Reply, Request};
pub(crate) use network::Network;

/// The way to the other servers, by their numbers.
pub(crate) struct Peers {
    home: Arc<Home>,
    transport: Option<Arc<dyn Transport>>,
    /// The members as this server last knew them: a server may have moved since a connection to it was made.
    known: RwLock<BTreeMap<u64, Member>>,
    /// The marks of the folders that they answered from.
    marks: Mutex<BTreeMap<u64, u64>>,
}

/// Why a peer did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AskError {
    /// It was not asked.
    #[error("{0}")]
    Unreachable(String),
    /// It refused: nothing was done.
    #[error("{0}")]
    Refused(String),
    /// Nobody knows what it did.
    #[error("{0}")]
    Lost(String),
    #[error("it does not answer in time")]
    TimedOut,
}

impl Peers {
    pub(crate) fn new(home: Arc<Home>, transport: Option<Arc<dyn Transport>>) -> Self {
        Self {
            home,
            transport,
            known: RwLock::default(),
            marks: Mutex::default(),
        }
    }

    /// False where there is no way to others at all.
    pub(crate) fn any(&self) -> bool {
        self.transport.is_some()
    }

    pub(crate) fn learn(&self, members: &[Member]) {
        let known = members.iter().map(|member| (member.id, member.clone())).collect();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// What is known of a server.
    pub(crate) fn member(&self, id: u64) -> Option<Member> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&id).cloned()
    }

    /// Asks a server and waits for its answer, but no longer than `limit`.
    pub(crate) async fn ask(
        &self,
        to: &Member,
        request: &Request,
        limit: Duration,
    ) -> Result<Reply, AskError> {
        self.ask_on(Lane::Talk, to, request, limit).await
    }

    /// As [`Self::ask`], with the message on this lane.
    pub(crate) async fn ask_on(
        &self,
        lane: Lane,
        to: &Member,
        request: &Request,
        limit: Duration,
    ) -> Result<Reply, AskError> {
        let Some(transport) = &self.transport else {
            return Err(AskError::Unreachable(format!(
                "there is no way to server {}",
                to.id
            )));
        };
        let request = message::encode(&Envelope::new(&self.home, to.id), request);
        let answer = match tokio::time::timeout(limit, transport.call(to, lane, request, limit)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(TransportError::Unreachable(why))) => return Err(AskError::Unreachable(why)),
            Ok(Err(TransportError::Lost(why))) => return Err(AskError::Lost(why)),
            Ok(Err(TransportError::TimedOut)) | Err(_) => return Err(AskError::TimedOut),
        };
        match message::decode(&answer) {
            Ok((_, Reply::Refused(why))) => Err(AskError::Refused(why)),
            Ok((envelope, reply)) => self.check_mark(to.id, envelope.mark).map(|()| reply),
            Err(why) => Err(AskError::Lost(why)),
        }
    }

    /// A server that comes back without its folder has forgotten what it acknowledged and for whom it voted: it is not
    /// to be counted on under its old number.
    fn check_mark(&self, id: u64, mark: u64) -> Result<(), AskError> {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if *marks.entry(id).or_insert(mark) == mark {
            return Ok(());
        }
        let why = format!(
            "server {id} has lost its folder: remove it, and let it join under a new number with an empty folder"
        );
        tracing::error!(id, "{why}");
        Err(AskError::Lost(why))
    }
}
