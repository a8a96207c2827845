//! What the engine has: each pod gets its containers, and what is nobody's goes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use skep_api::{Pod, PodPhase, Time};

use super::{Manager, NetworkState, Word, network::Retry};
use crate::{
    engine::EngineNews,
    pod::Desired,
    runtime::{Container, ContainerEventKind, ContainerId, RunState},
    spec::{ContainerLabels, label},
    worker::{Inbox, Worker},
};

impl Manager {
    pub(super) fn engine(&mut self, news: EngineNews) {
        match news {
            EngineNews::Up => self.set_engine_away(false),
            EngineNews::Away => self.set_engine_away(true),
            // Who starts a container hears so from the engine's answer.
            EngineNews::Event(event) if event.kind == ContainerEventKind::Started => {}
            EngineNews::Event(event) => {
                let uid = ContainerLabels::parse(&event.labels).map(|labels| labels.pod_uid);
                if let Some(inbox) = uid.and_then(|uid| self.workers.get(&uid)) {
                    inbox.touch(event.id);
                }
            }
            EngineNews::List(asked_at, containers) if self.listed.is_some() => {
                self.list(asked_at, containers);
            }
            EngineNews::List(_, containers) => {
                self.listed = Some(containers);
                self.adopt(Word::Nobodys);
            }
        }
    }

    pub(super) fn set_engine_away(&mut self, away: bool) {
        if away && self.network == NetworkState::Ready {
            self.network = NetworkState::Wanted;
        }
        self.network_retry = Retry::now();
        self.engine_away = away;
        for inbox in self.workers.values() {
            inbox.engine(away);
        }
    }

    pub(super) fn list(&mut self, asked_at: Time, containers: Vec<Container>) {
        let mut by_pod = by_pod(containers);
        for (uid, inbox) in &self.workers {
            inbox.list(asked_at, by_pod.remove(uid).unwrap_or_default());
        }
        if self.word != Word::Servers {
            self.listed = Some(by_pod.into_values().flatten().collect());
            return;
        }
        for (uid, containers) in by_pod {
            self.spawn_orphan(&uid, containers);
        }
    }

    /// Once it is said what is to run, and the engine's first list is there: each pod gets its containers. What is left is
    /// nobody's and goes, once it is a server that has said so.
    ///
    /// `before` is on whose word pods have run so far.
    pub(super) fn adopt(&mut self, before: Word) {
        if self.word == Word::Nobodys {
            return;
        }
        let Some(containers) = self.listed.replace(Vec::new()) else {
            self.listed = None;
            return;
        };
        let mut by_pod = by_pod(containers);
        let mut on_disk: BTreeSet<String> = self
            .shared
            .volumes
            .known()
            .unwrap_or_default()
            .into_iter()
            .collect();
        for (uid, containers) in &by_pod {
            for labels in containers
                .iter()
                .filter_map(|container| ContainerLabels::parse(&container.labels))
            {
                labels
                    .pod_address
                    .map(|address| self.shared.claim_address(uid, address));
            }
        }
        self.restore_devices(&by_pod);
        let pods: Vec<Arc<Pod>> = self
            .pods
            .iter()
            .filter(|(uid, assigned)| !assigned.gone && !self.workers.contains_key(*uid))
            .map(|(_, assigned)| Arc::clone(&assigned.pod))
            .collect();
        for pod in &pods {
            if let Ok(address) = pod.status.pod_ip.parse()
                && !pod.spec.host_network
                && by_pod.contains_key(&pod.metadata.uid)
            {
                self.shared.claim_address(&pod.metadata.uid, address);
            }
        }
        for pod in pods {
            let uid = &pod.metadata.uid;
            let containers = by_pod.remove(uid).unwrap_or_default();
            let has_volumes = on_disk.contains(uid);
            // The list may be old where the checkpoint was followed until now.
            let listed: Vec<ContainerId> = containers.iter().map(|found| found.id.clone()).collect();
            let desired = self.desired(&pod, None);
            self.spawn(desired, containers, has_volumes);
            if let Some(inbox) = self.workers.get(uid).filter(|_| before == Word::Checkpoints) {
                listed.into_iter().for_each(|id| inbox.touch(id));
            }
        }
        self.note_pods();
        self.shared.devices.settle();
        if self.word != Word::Servers {
            self.listed = Some(by_pod.into_values().flatten().collect());
            return;
        }
        on_disk.extend(by_pod.keys().cloned());
        for uid in on_disk {
            self.spawn_orphan(&uid, by_pod.remove(&uid).unwrap_or_default());
        }
    }

    /// What pods had before the agent's start: first those whose containers run, since a pod that is over may have given back what
    /// its labels still name.
    fn restore_devices(&self, by_pod: &BTreeMap<String, Vec<Container>>) {
        for running in [true, false] {
            for (uid, containers) in by_pod {
                let is_over = self.pods.get(uid).is_none_or(|assigned| {
                    matches!(assigned.pod.status.phase, PodPhase::Succeeded | PodPhase::Failed)
                });
                let mut wanted = containers.iter().filter(|container| {
                    let runs = matches!(container.state, RunState::Running { .. });
                    runs == running && (runs || !is_over)
                });
                if let Some(label) = wanted.find_map(|container| container.labels.get(label::DEVICES)) {
                    self.shared.devices.restore(uid, label);
                }
            }
        }
    }

    /// A pod that the server does not know here: all that is left of it goes, gracefully.
    pub(super) fn spawn_orphan(&mut self, uid: &str, containers: Vec<Container>) {
        if self.workers.contains_key(uid) || self.pods.contains_key(uid) {
            return;
        }
        let labels = containers
            .iter()
            .find_map(|container| ContainerLabels::parse(&container.labels));
        let labels = labels.unwrap_or_else(|| ContainerLabels {
            grace_seconds: 30,
            ..ContainerLabels::default()
        });
        let mut pod = Pod::default();
        pod.metadata.uid = uid.to_owned();
        pod.metadata.name = labels.pod_name;
        pod.metadata.namespace = labels.pod_namespace;
        let grace = Duration::from_secs(u64::try_from(labels.grace_seconds).unwrap_or(30));
        tracing::info!(pod = %pod.metadata.key(), uid, "removing a pod that is not assigned to this node");
        let desired = self.desired(&Arc::new(pod), Some(grace));
        self.spawn(desired, containers, true);
    }

    pub(super) fn spawn(&mut self, desired: Desired, containers: Vec<Container>, has_volumes: bool) {
        if self.listed.is_none() {
            // The engine was never there; adopt() begins it once its list has come.
            return;
        }
        let uid = desired.pod.metadata.uid.clone();
        let inbox = Arc::new(Inbox::new(&self.shared, Arc::clone(&desired.pod)));
        if self.engine_away {
            inbox.engine(true);
        }
        self.workers.insert(uid.clone(), Arc::clone(&inbox));
        let shared = Arc::clone(&self.shared);
        self.tasks.spawn(async move {
            Worker::new(shared, inbox, desired, containers, has_volumes)
                .await
                .run()
                .await;
            uid
        });
    }
}

fn by_pod(containers: Vec<Container>) -> BTreeMap<String, Vec<Container>> {
    let mut by_pod: BTreeMap<String, Vec<Container>> = BTreeMap::new();
    for container in containers {
        if let Some(labels) = ContainerLabels::parse(&container.labels) {
            by_pod.entry(labels.pod_uid).or_default().push(container);
        }
    }
    by_pod
}
