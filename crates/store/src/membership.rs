//! Who is part of the cluster, and who leads it. Asked on any server, done by the leader.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use openraft::{
    ChangeMembers, Instant as _,
    async_runtime::watch::WatchReceiver,
    errors::{ChangeMembershipError, ClientWriteError, RaftError},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{
    Member, MemberStatus, MembershipError, Role, Store,
    guide::Target,
    member::Place,
    peers::{AskError, Manage, Reply, Request},
    raft::Types,
    store::Inner,
};

/// How long a change may take, with all that it waits for.
const LIMIT: Duration = Duration::from_secs(60);

/// How long one server may take over it: a learner has that long to catch up.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(45);

/// How long to wait for the leader's view of the members.
const LIST_LIMIT: Duration = Duration::from_secs(2);

/// A learner that lacks no more than this has caught up.
const LAG_MAX: u64 = 256;

/// A server that was not heard of for so long counts as out of reach.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// How long the heir may take over the lead.
const TRANSFER_LIMIT: Duration = Duration::from_secs(3);

/// Between two looks at something that tells no one when it changes.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

type Members = Result<Vec<MemberStatus>, MembershipError>;
type Changes = ChangeMembers<u64, Place>;

impl Store {
    /// All servers and how they do, as the leader sees it; as this server knows them, where no leader answers.
    pub async fn members(&self) -> Vec<MemberStatus> {
        match self.inner.manage(Manage::List, LIST_LIMIT).await {
            Ok(members) => members,
            Err(_) => self.inner.statuses(),
        }
    }

    /// The servers, as this one knows them; itself included, once it is a member.
    pub fn peers(&self) -> watch::Receiver<Vec<Member>> {
        self.inner.members.clone()
    }

    /// The server that leads, as far as this one knows.
    pub fn leader(&self) -> Option<Member> {
        let view = self.inner.view.borrow();
        view.leader.and_then(|id| view.member(id)).cloned()
    }

    /// Whether this server leads.
    pub fn leadership(&self) -> watch::Receiver<bool> {
        self.inner.leads.clone()
    }

    /// The term that this server knows of, and whether it leads in it. At most one server leads in a term.
    pub fn term(&self) -> (u64, bool) {
        let view = self.inner.view.borrow();
        (view.term, view.leads)
    }

    /// Waits until this server is a member of a cluster; for ever once the store is shut down.
    pub async fn joined(&self) {
        let mut members = self.inner.members.clone();
        let me = self.inner.config.member.id;
        let joined = members.wait_for(|members| members.iter().any(|member| member.id == me));
        if joined.await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// A number that no server has ever had, as far as this one knows: ask the leader for it, or look again where
    /// [`MembershipError::Taken`] says that another was faster.
    pub fn unused_id(&self) -> u64 {
        self.inner.shared.numbers().greatest() + 1
    }

    /// Adds a server that follows and does not vote. It may not be up yet. Adding the same again changes nothing.
    ///
    /// # Errors
    /// See [`MembershipError`].
    pub async fn add_learner(&self, member: Member) -> Result<(), MembershipError> {
        self.inner.manage(Manage::Add(member), LIMIT).await.map(drop)
    }

    /// Makes a learner a voter, once it has caught up. A server with the same name that is there already goes in the
    /// same step: an emptied machine that comes back under a new number takes its old place.
    ///
    /// # Errors
    /// See [`MembershipError`].
    pub async fn promote(&self, id: u64) -> Result<(), MembershipError> {
        self.inner.manage(Manage::Promote(id), LIMIT).await.map(drop)
    }

    /// Takes a server out, voter or learner; a leader that is removed hands over first.
    ///
    /// # Errors
    /// See [`MembershipError`].
    pub async fn remove(&self, id: u64) -> Result<(), MembershipError> {
        self.inner.manage(Manage::Remove(id), LIMIT).await.map(drop)
    }

    /// Hands the lead to a voter; to the one that lacks least where `None`. Returns once it leads.
    ///
    /// # Errors
    /// See [`MembershipError`].
    pub async fn transfer_leader(&self, to: Option<u64>) -> Result<(), MembershipError> {
        self.inner.manage(Manage::Transfer(to), LIMIT).await.map(drop)
    }
}

impl Inner {
    /// Has it done by the leader, wherever that is.
    pub(crate) async fn manage(&self, manage: Manage, limit: Duration) -> Members {
        let mut guide = self.guide(limit);
        let mut lost = false;
        let request = Request::Manage(manage.clone());
        loop {
            let attempt = match guide.target() {
                Target::Here => self.manage_here(manage.clone()).await,
                Target::There(member) => {
                    let limit = guide.left().min(ATTEMPT_LIMIT);
                    match self.peers.ask(&member, &request, limit).await {
                        Ok(Reply::Manage(answer)) => answer,
                        Ok(_) | Err(AskError::Lost(_) | AskError::TimedOut) => {
                            lost = true;
                            Err(MembershipError::NoLeader)
                        }
                        Err(_) => Err(MembershipError::NoLeader),
                    }
                }
                Target::Nobody => Err(MembershipError::NoLeader),
            };
            match attempt {
                // A lost answer may have been a yes.
                Err(MembershipError::Unknown { .. }) if lost && matches!(manage, Manage::Remove(_)) => {
                    return Ok(self.statuses());
                }
                Err(MembershipError::NoLeader | MembershipError::InProgress) => {}
                other => return other,
            }
            if lost && matches!(manage, Manage::Transfer(_)) {
                return Err(MembershipError::Transfer(
                    "the old leader was lost on the way".to_owned(),
                ));
            }
            if !guide.again().await {
                return attempt;
            }
        }
    }

    /// Does it, where this server leads.
    pub(crate) async fn manage_here(&self, manage: Manage) -> Members {
        if !self.view.borrow().leads {
            return Err(MembershipError::NoLeader);
        }
        match manage {
            Manage::List => {}
            Manage::Add(member) => self.add(member).await?,
            Manage::Promote(id) => self.promote(id).await?,
            Manage::Remove(id) => self.remove(id).await?,
            Manage::Update(member) => self.update(member).await?,
            Manage::Transfer(to) => self.transfer(to).await?,
        }
        Ok(self.statuses())
    }

    async fn add(&self, member: Member) -> Result<(), MembershipError> {
        if !self.peers.any() {
            return Err(MembershipError::Alone);
        }
        self.wait_for_members().await?;
        let known = self.view.borrow().member(member.id).cloned();
        match known {
            Some(known) if known == member => return Ok(()),
            Some(Member { id, name, .. }) => return Err(MembershipError::Taken { id, name }),
            None if !self.shared.numbers().is_unused(member.id) => {
                return Err(MembershipError::Taken {
                    id: member.id,
                    name: "the number of a server that was removed".to_owned(),
                });
            }
            None => {}
        }
        self.change(ChangeMembers::AddNodes(one(&member)), true).await
    }

    async fn promote(&self, id: u64) -> Result<(), MembershipError> {
        let (member, role) = self.find(id)?;
        if role == Role::Voter {
            return Ok(());
        }
        self.wait_for_catch_up(id).await?;
        let mut steps = vec![ChangeMembers::AddVoterIds(BTreeSet::from([id]))];
        let view = self.view.borrow().clone();
        let same_name =
            |other: &Member| other.id != id && !other.name.is_empty() && other.name == member.name;
        for (other, role) in view.members.iter().filter(|(other, _)| same_name(other)) {
            tracing::info!(
                old = other.id,
                new = id,
                name = other.name,
                "a server takes its old place"
            );
            steps.push(removal(other.id, *role));
        }
        self.change(ChangeMembers::Batch(steps), false).await
    }

    async fn remove(&self, id: u64) -> Result<(), MembershipError> {
        let (_, role) = self.find(id)?;
        if role == Role::Voter && self.view.borrow().voters().count() == 1 {
            return Err(MembershipError::LastVoter { id });
        }
        self.change(removal(id, role), false).await
    }

    async fn update(&self, member: Member) -> Result<(), MembershipError> {
        let (known, _) = self.find(member.id)?;
        if known == member {
            return Ok(());
        }
        tracing::info!(
            id = member.id,
            name = member.name,
            old = known.address,
            new = member.address,
            "a server has moved"
        );
        self.change(ChangeMembers::SetNodes(one(&member)), true).await
    }

    async fn transfer(&self, to: Option<u64>) -> Result<(), MembershipError> {
        let me = self.config.member.id;
        let to = match to {
            Some(id) if id == me => return Ok(()),
            Some(id) => match self.find(id)? {
                (_, Role::Voter) => id,
                (_, Role::Learner) => {
                    let why = format!("server {id} is a learner: promote it first");
                    return Err(MembershipError::Transfer(why));
                }
            },
            None => self
                .heir()
                .ok_or_else(|| MembershipError::Transfer("there is no other voter in reach".to_owned()))?,
        };
        let trigger = self.raft.trigger();
        let asked = trigger.transfer_leader(to).await;
        asked.map_err(|_| MembershipError::Stopped)?;
        let mut view = self.view.clone();
        let taken = view.wait_for(|view| view.leader.is_some_and(|leader| leader != me));
        match timeout(TRANSFER_LIMIT, taken).await {
            Ok(Ok(view)) if view.leader == Some(to) => Ok(()),
            Ok(Ok(_)) => Err(MembershipError::Transfer("another server was faster".to_owned())),
            Ok(Err(_)) => Err(MembershipError::Stopped),
            Err(_) => Err(MembershipError::Transfer(format!("server {to} did not take it"))),
        }
    }

    /// The voter in reach that lacks least.
    pub(crate) fn heir(&self) -> Option<u64> {
        let me = self.config.member.id;
        self.statuses()
            .into_iter()
            .filter(|status| status.role == Role::Voter && status.member.id != me)
            .filter_map(|status| Some((status.reached?, status.member.id)))
            .min()
            .map(|(_, id)| id)
    }

    async fn wait_for_catch_up(&self, id: u64) -> Result<(), MembershipError> {
        let deadline = Instant::now() + ATTEMPT_LIMIT;
        loop {
            let status = self.statuses().into_iter().find(|status| status.member.id == id);
            let lag = status.ok_or(MembershipError::Unknown { id })?.reached;
            if lag.is_some_and(|lag| lag <= LAG_MAX) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(MembershipError::Behind { id, lag });
            }
            if !self.view.borrow().leads {
                return Err(MembershipError::NoLeader);
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn change(&self, changes: Changes, retain: bool) -> Result<(), MembershipError> {
        let change = self.raft.change_membership(changes, retain);
        let changed = timeout(ATTEMPT_LIMIT, change)
            .await
            .map_err(|_| MembershipError::NoLeader)?;
        let id = changed.map_err(change_error)?.log_id.index;
        // What follows looks at the view: let it see the change first.
        let wait = self.raft.wait(Some(LIST_LIMIT));
        wait.applied_index_at_least(Some(id), "a change of the members")
            .await
            .ok();
        self.view_sees(id).await;
        Ok(())
    }

    /// Waits until the numbers that servers have had are known as far as the log names any.
    async fn wait_for_members(&self) -> Result<(), MembershipError> {
        let metrics = self.raft.metrics();
        let logged = metrics
            .borrow_watched()
            .membership_config
            .log_id()
            .as_ref()
            .map(|id| id.index);
        let wait = self.raft.wait(Some(LIST_LIMIT));
        let applied = wait.applied_index_at_least(logged, "the last change of the members");
        applied.await.map_err(|_| MembershipError::InProgress).map(drop)
    }

    /// Waits until the view is as new as the membership that was logged at `index`.
    async fn view_sees(&self, index: u64) {
        let deadline = Instant::now() + LIST_LIMIT;
        let logged = |metrics: &openraft::RaftMetrics<Types>| {
            let logged = metrics.membership_config.log_id().as_ref().map(|id| id.index);
            (logged, crate::leadership::view_of(metrics, None).members)
        };
        while Instant::now() < deadline {
            let (logged, members) = logged(&self.raft.metrics().borrow_watched());
            if logged >= Some(index) && self.view.borrow().members == members {
                return;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    fn find(&self, id: u64) -> Result<(Member, Role), MembershipError> {
        let view = self.view.borrow();
        let found = view.members.iter().find(|(member, _)| member.id == id);
        found.cloned().ok_or(MembershipError::Unknown { id })
    }

    /// The members as this server sees them; how far they are is for the leader to know.
    pub(crate) fn statuses(&self) -> Vec<MemberStatus> {
        let (me, view) = (self.config.member.id, self.view.borrow().clone());
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let end = metrics.last_log_index.map_or(0, |index| index + 1);
        let reached = |id: u64| {
            if id == me {
                return Some(0).filter(|_| view.leads);
            }
            let heard = metrics.heartbeat.as_ref()?.get(&id)?.as_ref()?;
            let matched = metrics.replication.as_ref()?.get(&id)?.as_ref();
            let matched = matched.map_or(0, |id| id.index + 1);
            (heard.elapsed() < SILENCE_MAX).then_some(end.saturating_sub(matched))
        };
        view.members
            .iter()
            .map(|(member, role)| MemberStatus {
                member: member.clone(),
                role: *role,
                leads: view.leader == Some(member.id),
                reached: reached(member.id),
            })
            .collect()
    }
}

fn one(member: &Member) -> BTreeMap<u64, Place> {
    BTreeMap::from([(member.id, member.place())])
}

fn removal(id: u64, role: Role) -> Changes {
    let ids = BTreeSet::from([id]);
    match role {
        Role::Voter => ChangeMembers::RemoveVoters(ids),
        Role::Learner => ChangeMembers::RemoveNodes(ids),
    }
}

fn change_error(error: RaftError<Types, ClientWriteError<Types>>) -> MembershipError {
    match error {
        RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => match error {
            ChangeMembershipError::InProgress(_) | ChangeMembershipError::UncommittedLeaderLog(_) => {
                MembershipError::InProgress
            }
            ChangeMembershipError::LearnerNotFound(error) => MembershipError::Unknown { id: error.node_id },
            ChangeMembershipError::EmptyMembership(_)
            | ChangeMembershipError::UnsupportedMembershipTransition(_)
            | ChangeMembershipError::NodeMetadataChanged(_) => MembershipError::InProgress,
        },
        RaftError::APIError(_) => MembershipError::NoLeader,
        RaftError::Fatal(_) => MembershipError::Stopped,
    }
}
