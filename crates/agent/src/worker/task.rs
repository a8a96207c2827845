//! The task of one pod.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use skep_api::Time;
use tokio::task::JoinSet;

use super::{Inbox, examine, execute::Job, outcome::Outcome};
use crate::{
    clock,
    pod::{self, Action, Address, Desired, Failure, Observed, VolumeState, Work},
    runtime::{Container, ContainerId},
    shared::{Bridge, Shared},
    spec::ContainerLabels,
};

/// The task of one pod.
pub(crate) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) desired: Desired,
    pub(super) observed: Observed,
    /// When each run was first seen: a list that the engine gave before says nothing of it.
    pub(super) first_seen: BTreeMap<ContainerId, Time>,
    pub(super) probed: BTreeSet<ContainerId>,
    /// Looks at containers that are going on, and those that are due again after them.
    pub(super) looking: BTreeMap<ContainerId, bool>,
    pub(super) tasks: JoinSet<(Option<ContainerId>, Outcome)>,
    pub(super) reported: bool,
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
        observed.devices = shared.devices.held(uid);
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
            Action::TakeDevices => return !self.take_devices(),
            Action::FreeDevices => {
                self.shared.devices.free(&self.desired.pod.metadata.uid);
                self.observed.devices = None;
                return false;
            }
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

    pub(super) fn job(&self) -> Job {
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
                if count == 1 && self.shared.bridge() == Bridge::Ready {
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

async fn sleep(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration.max(Duration::from_millis(1))).await,
        None => std::future::pending().await,
    }
}
