//! Tells who leads and who is a member, and when the store stops by itself.

use std::sync::Arc;

use openraft::{RaftMetrics, ServerState, async_runtime::watch::WatchReceiver, errors::Fatal};
use tokio::sync::watch;

use crate::{
    Member, Role,
    peers::Peers,
    raft::{Membership, Raft, Types},
};

/// What this server knows of the others, and of its own part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) term: u64,
    pub(crate) leads: bool,
    pub(crate) leader: Option<u64>,
    pub(crate) members: Arc<Vec<(Member, Role)>>,
}

/// Follows consensus until it stops.
pub(crate) struct Leadership {
    pub(crate) peers: Arc<Peers>,
    pub(crate) view: watch::Sender<View>,
    pub(crate) leads: watch::Sender<bool>,
    pub(crate) members: watch::Sender<Vec<Member>>,
    /// Why the store stopped by itself.
    pub(crate) failure: watch::Sender<Option<String>>,
}

impl View {
    pub(crate) fn member(&self, id: u64) -> Option<&Member> {
        self.members
            .iter()
            .map(|(member, _)| member)
            .find(|member| member.id == id)
    }

    /// True for the same view of the very same list of members.
    fn is(&self, other: &Self) -> bool {
        let of = |view: &Self| (view.term, view.leads, view.leader);
        of(self) == of(other) && Arc::ptr_eq(&self.members, &other.members)
    }

    pub(crate) fn voters(&self) -> impl Iterator<Item = &Member> {
        self.members
            .iter()
            .filter(|(_, role)| *role == Role::Voter)
            .map(|(member, _)| member)
    }
}

impl Leadership {
    pub(crate) async fn follow(self, raft: Raft) {
        let mut metrics = raft.metrics();
        let mut seen: Option<Arc<Membership>> = None;
        let mut published: Option<View> = None;
        loop {
            let (view, running) = {
                let metrics = metrics.borrow_watched();
                let same = seen
                    .as_ref()
                    .is_some_and(|seen| Arc::ptr_eq(seen, &metrics.membership_config));
                let known = same.then(|| self.view.borrow().members.clone());
                seen = Some(metrics.membership_config.clone());
                (view_of(&metrics, known), metrics.running_state.clone())
            };
            // Every write changes the metrics, and hardly ever the view.
            if published.as_ref().is_none_or(|published| !published.is(&view)) {
                self.publish(&view, &raft);
                published = Some(view);
            }
            match running {
                Ok(()) => {}
                Err(Fatal::Stopped) => return,
                Err(fatal) => {
                    let why = describe(&fatal);
                    tracing::error!(why, "the store has stopped");
                    self.failure.send_replace(Some(why));
                    return;
                }
            }
            if metrics.changed().await.is_err() {
                self.leads.send_replace(false);
                return;
            }
        }
    }

    fn publish(&self, view: &View, raft: &Raft) {
        let members: Vec<Member> = view.members.iter().map(|(member, _)| member.clone()).collect();
        // Nothing happens by itself on a server that is alone: it needs no clock.
        raft.runtime_config().tick(members.len() > 1);
        set(&self.leads, view.leads);
        if set(&self.members, members.clone()) {
            self.peers.learn(&members);
        }
        if set(&self.view, view.clone()) {
            tracing::debug!(
                term = view.term,
                leads = view.leads,
                leader = view.leader,
                "the view has changed"
            );
        }
    }
}

/// The present view; `members` where they are known to be the same as before.
pub(crate) fn view_of(metrics: &RaftMetrics<Types>, members: Option<Arc<Vec<(Member, Role)>>>) -> View {
    let running = metrics.running_state.is_ok();
    View {
        term: metrics.current_term,
        leads: running && metrics.state == ServerState::Leader,
        leader: metrics.current_leader,
        members: members.unwrap_or_else(|| Arc::new(members_of(&metrics.membership_config))),
    }
}

fn members_of(membership: &Membership) -> Vec<(Member, Role)> {
    let voters: Vec<u64> = membership.voter_ids().collect();
    let role = |id: &u64| {
        if voters.contains(id) {
            Role::Voter
        } else {
            Role::Learner
        }
    };
    membership
        .nodes()
        .map(|(id, place)| (Member::at(*id, place), role(id)))
        .collect()
}

fn set<T: PartialEq>(sender: &watch::Sender<T>, value: T) -> bool {
    sender.send_if_modified(|seen| {
        let differs = *seen != value;
        if differs {
            *seen = value;
        }
        differs
    })
}

/// Consensus' last words, for people.
pub(crate) fn describe(fatal: &Fatal<Types>) -> String {
    match fatal {
        Fatal::StorageError(error) => error.to_string(),
        other => other.to_string(),
    }
}
