//! The task of one pod.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use skep_api::{PodStatus, Time, convert, proto::PodReport};
use tokio::task::JoinSet;

use super::{
    Inbox, examine,
    execute::{Job, blocking},
    inbox::News,
    outcome::{Outcome, Problem, Seen},
};
use crate::{
    clock,
    pod::{self, Action, Address, Desired, Failure, Observed, Probed, VolumeState, Work},
    probe::Watch,
    runtime::{Container, ContainerId, RunState},
    shared::Shared,
    spec::ContainerLabels,
};

/// The task of one pod.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    inbox: Arc<Inbox>,
    desired: Desired,
    observed: Observed,
    /// When each run was first seen: a list that the engine gave before says nothing of it.
    first_seen: BTreeMap<ContainerId, Time>,
    probed: BTreeSet<ContainerId>,
    /// Looks at containers that are going on, and those that are due again after them.
    looking: BTreeMap<ContainerId, bool>,
    tasks: JoinSet<(Option<ContainerId>, Outcome)>,
    reported: bool,
}

impl Worker {
    /// The task of a pod that has these containers already.
    pub(crate) async fn new(
        shared: Arc<Shared>,
        inbox: Arc<Inbox>,
        desired: Desired,
        containers: Vec<Container>,
        has_volumes: bool,
    ) -> Self {
        let uid = &desired.pod.metadata.uid;
        let mut observed = Observed {
            status: desired.pod.status.clone(),
            ..Observed::default()
        };
        if has_volumes || !containers.is_empty() {
            observed.volumes = VolumeState::Unknown;
        }
        let mut first_seen = BTreeMap::new();
        for container in &containers {
            if let Some((name, run)) = examine::examine(&shared, &desired, container).await {
                first_seen.insert(run.id.clone(), clock::now());
                observed.see(&name, run);
            }
        }
        let labelled = containers
            .iter()
            .find_map(|container| ContainerLabels::parse(&container.labels)?.pod_address);
        if let Some(address) = labelled
            && shared.claim_address(uid, address) == Some(address)
        {
            observed.address = Address::Held(address);
        }
        Self {
            shared,
            inbox,
            desired,
            observed,
            first_seen,
            probed: BTreeSet::new(),
            looking: BTreeMap::new(),
            tasks: JoinSet::new(),
            reported: false,
        }
    }

    /// Moves the pod until nothing of it is left.
    pub(crate) async fn run(mut self) {
        loop {
            let news = self.inbox.take();
            self.take_in(news);
            let again_in = match self.advance().await {
                Advance::Gone => return self.leave().await,
                Advance::Wait(again_in) => again_in,
            };
            tokio::select! {
                () = self.inbox.arrived() => {}
                Some(done) = self.tasks.join_next() => self.finish(done),
                () = sleep(again_in) => {}
            }
        }
    }

    /// Plans and begins what is to be done now, and reports how the pod is doing.
    async fn advance(&mut self) -> Advance {
        loop {
            while let Some(done) = self.tasks.try_join_next() {
                self.finish(done);
            }
            let step = pod::step(&self.desired, &self.observed, clock::now());
            // Another status may be another goal, such as for a pod that is over now.
            let mut settled = !self.publish(step.status, step.gone);
            if step.gone {
                return Advance::Gone;
            }
            for action in step.actions {
                settled &= self.begin(action);
            }
            if settled {
                self.watch_probes().await;
                return Advance::Wait(step.again_in);
            }
        }
    }

    /// Begins an action; false where it is over already, and so another step can be planned.
    fn begin(&mut self, action: Action) -> bool {
        match action {
            Action::Say(note) => self.shared.event(&self.desired.pod, note),
            Action::TakeAddress => return !self.take_address(),
            Action::FreeAddress => {
                self.shared.free_address(&self.desired.pod.metadata.uid);
                self.observed.address = Address::None;
                return false;
            }
            action => self.spawn(action),
        }
        true
    }

    fn spawn(&mut self, action: Action) {
        if let Action::Stop { id, grace, .. } = &action {
            self.observed
                .stopping
                .insert(id.clone(), clock::now().plus(*grace));
        }
        self.observed.working.extend(action.work());
        let job = self.job();
        self.tasks.spawn(async move { (None, job.execute(action).await) });
    }

    fn job(&self) -> Job {
        let images = self.observed.images.iter();
        Job {
            shared: Arc::clone(&self.shared),
            desired: self.desired.clone(),
            address: match self.observed.address {
                Address::Held(address) => Some(address),
                Address::None => None,
            },
            holder: self.observed.holder.as_ref().map(|run| run.id.clone()),
            images: images
                .map(|(name, image)| (name.clone(), image.info.clone()))
                .collect(),
            volumes_ready: matches!(self.observed.volumes, VolumeState::Ready { .. }),
        }
    }

    /// True where the pod has an address now.
    fn take_address(&mut self) -> bool {
        let meta = &self.desired.pod.metadata;
        let wanted = self.observed.status.pod_ip.parse().ok();
        match self.shared.take_address(&meta.uid, wanted) {
            Ok(address) => {
                self.observed.address = Address::Held(address);
                self.observed.failed.remove(&Work::Address);
                true
            }
            Err(message) => {
                let count = self
                    .observed
                    .failed
                    .get(&Work::Address)
                    .map_or(0, |failure| failure.count)
                    + 1;
                if count == 1 && self.shared.is_network_ready() {
                    let note = pod::Note {
                        warning: true,
                        reason: "FailedCreatePodSandBox",
                        message: message.clone(),
                        ..pod::Note::default()
                    };
                    self.shared.event(&self.desired.pod, note);
                }
                let failure = Failure {
                    reason: "FailedCreatePodSandBox",
                    message,
                    at: clock::now(),
                    count,
                };
                self.observed.failed.insert(Work::Address, failure);
                false
            }
        }
    }

    fn finish(&mut self, done: Result<(Option<ContainerId>, Outcome), tokio::task::JoinError>) {
        let (looked_at, outcome) = match done {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let was_away = outcome.failure.as_ref().is_some_and(|problem| problem.passing);
        outcome.apply(&mut self.observed, clock::now());
        self.note_first_seen();
        if let Some(id) = looked_at
            && (self.looking.remove(&id) == Some(true) && !was_away)
        {
            self.look(id);
        }
    }

    fn note_first_seen(&mut self) {
        let now = clock::now();
        let ids: BTreeSet<&str> = self.observed.all_runs().map(|(_, run)| run.id.as_str()).collect();
        self.first_seen.retain(|id, _| ids.contains(id.as_str()));
        for id in ids {
            if !self.first_seen.contains_key(id) {
                self.first_seen.insert(id.to_owned(), now);
            }
        }
    }

    fn take_in(&mut self, news: News) {
        if let Some(desired) = news.desired {
            self.desired = desired;
        }
        if let Some(away) = news.engine_away {
            self.observed.engine_away = away;
        }
        if news.retry || news.engine_away == Some(false) {
            self.observed
                .failed
                .retain(|work, failure| is_own_fault(work, failure));
        }
        for (id, probed) in news.probed {
            if self.probed.contains(&id) {
                self.observed.probes.insert(id, probed);
            }
        }
        if let Some((asked_at, containers)) = news.listed {
            self.compare(asked_at, &containers);
            self.weigh();
        }
        for id in news.touched {
            self.look(id);
        }
    }

    /// Compares what is known with the engine's list.
    fn compare(&mut self, asked_at: Time, containers: &[Container]) {
        let missing = |id: &str| {
            let is_old = self.first_seen.get(id).is_some_and(|seen| *seen < asked_at);
            is_old && !containers.iter().any(|container| container.id == id)
        };
        let gone: Vec<String> = self
            .observed
            .all_runs()
            .map(|(_, run)| run.id.clone())
            .filter(|id| missing(id))
            .collect();
        for id in gone {
            self.observed.forget(&id);
        }
        for container in containers {
            let known = self
                .observed
                .all_runs()
                .find(|(_, run)| run.id == container.id)
                .map(|(_, run)| run);
            let is_news = match known {
                None => true,
                Some(run) => matches!(container.state, RunState::Exited { .. }) != run.is_over(),
            };
            if is_news {
                self.look(container.id.clone());
            }
        }
    }

    /// Looks whether the pod's emptyDir volumes hold more than they may.
    fn weigh(&mut self) {
        let pod = Arc::clone(&self.desired.pod);
        let has_limit = |volume: &skep_api::Volume| {
            volume
                .empty_dir
                .as_ref()
                .is_some_and(|empty_dir| empty_dir.size_limit.is_some())
        };
        if self.observed.evicted.is_some() || !pod.spec.volumes.iter().any(has_limit) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        self.tasks.spawn(async move {
            let exceeded = blocking(move || shared.volumes.exceeded(&pod)).await;
            let seen = exceeded.ok().flatten().map(Seen::Evicted).into_iter().collect();
            (None, Outcome::of(None, Ok(seen)))
        });
    }

    /// Asks the engine about a container; while an answer is awaited, once more after it.
    fn look(&mut self, id: ContainerId) {
        if let Some(again) = self.looking.get_mut(&id) {
            *again = true;
            return;
        }
        self.looking.insert(id.clone(), false);
        let (shared, desired) = (Arc::clone(&self.shared), self.desired.clone());
        self.tasks.spawn(async move {
            let seen = examine::look(&shared, &desired, &id).await;
            let seen = seen.map(|seen| vec![seen]);
            let done = seen.map_err(|error| (Vec::new(), Problem::engine("InspectError", &error)));
            (Some(id), Outcome::of(None, done))
        });
    }

    /// Reports how the pod is doing; true where that is news.
    fn publish(&mut self, status: PodStatus, gone: bool) -> bool {
        let is_new = status != self.observed.status;
        if !is_new && !gone && self.reported {
            return false;
        }
        for note in pod::notes(&self.observed.status, &status) {
            self.shared.event(&self.desired.pod, note);
        }
        let meta = &self.desired.pod.metadata;
        let document = serde_json::to_value(&status)
            .ok()
            .and_then(convert::struct_from_value);
        let report = PodReport {
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            uid: meta.uid.clone(),
            status: document,
            gone,
        };
        if is_new || gone {
            self.shared.outbox.report(report);
        } else {
            self.shared.outbox.keep(report);
        }
        self.observed.status = status;
        self.reported = true;
        is_new
    }

    /// Has the probes asked of the containers that run, and of no others.
    async fn watch_probes(&mut self) {
        let pod = Arc::clone(&self.desired.pod);
        let mut wanted = BTreeSet::new();
        for container in &pod.spec.containers {
            let Some(run) = self
                .observed
                .latest(&container.name)
                .filter(|run| run.is_running())
            else {
                continue;
            };
            let has_probe = container.startup_probe.is_some()
                || container.readiness_probe.is_some()
                || container.liveness_probe.is_some();
            let hook_is_open = container
                .lifecycle
                .as_ref()
                .is_some_and(|hooks| hooks.post_start.is_some())
                && self.observed.working.contains(&Work::Hook(run.id.clone()));
            if !has_probe || hook_is_open {
                continue;
            }
            wanted.insert(run.id.clone());
            if !self.probed.contains(&run.id) {
                let target = self.job().target(container, &run.id);
                let started_at = run.started().unwrap_or_else(clock::now);
                let listener = Arc::clone(&self.inbox) as Arc<dyn crate::probe::Listener>;
                let known = self.known_of(&container.name, &run.id);
                let watch = Watch {
                    target,
                    started_at,
                    known,
                    listener,
                };
                self.shared.prober.watch(watch).await;
            }
        }
        for id in self.probed.difference(&wanted) {
            self.shared.prober.forget(id.clone()).await;
        }
        self.probed = wanted;
    }

    /// What was reported of this very run before the agent's restart.
    fn known_of(&self, name: &str, id: &str) -> Probed {
        let id = format!("docker://{id}");
        let statuses = &self.observed.status.container_statuses;
        match statuses
            .iter()
            .find(|status| status.name == name && status.container_id == id)
        {
            Some(status) => Probed {
                started: status.started.filter(|started| *started),
                ready: Some(status.ready).filter(|ready| *ready),
                failed: None,
            },
            None => Probed::default(),
        }
    }

    async fn leave(mut self) {
        for id in std::mem::take(&mut self.probed) {
            self.shared.prober.forget(id).await;
        }
        tracing::debug!(pod = %self.desired.pod.metadata.key(), "nothing of the pod is left");
    }
}

enum Advance {
    Gone,
    Wait(Option<Duration>),
}

/// False for what may succeed now that something else has changed.
fn is_own_fault(work: &Work, failure: &Failure) -> bool {
    let lacks_object = failure.reason == "CreateContainerConfigError";
    failure.count > 0 && !lacks_object && !matches!(work, Work::Volumes | Work::Address)
}

async fn sleep(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration.max(Duration::from_millis(1))).await,
        None => std::future::pending().await,
    }
}
