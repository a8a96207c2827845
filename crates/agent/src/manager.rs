//! Who runs here: turns assignments and the engine's news into tasks of pods, and finds those that nobody wants any more.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use skep_api::{Node, Object, ObjectKey, Pod, Time, convert, proto::Assignments};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    engine::EngineNews,
    ipam::Ipam,
    pod::Desired,
    runtime::{Container, ContainerEventKind, Network},
    shared::Shared,
    spec::{ContainerLabels, container_hash, node_labels},
    worker::{Inbox, Worker},
};

/// Turns assignments and the engine's news into tasks of pods.
pub(crate) struct Manager {
    shared: Arc<Shared>,
    pods: BTreeMap<String, Assigned>,
    workers: BTreeMap<String, Arc<Inbox>>,
    tasks: JoinSet<String>,
    /// The engine's list, until the first snapshot has come: containers are nobody's before that.
    listed: Option<Vec<Container>>,
    snapshot_came: bool,
    engine_away: bool,
    /// Images of assigned pods, which are never removed.
    images_in_use: watch::Sender<BTreeSet<String>>,
    network: NetworkState,
}

struct Assigned {
    pod: Arc<Pod>,
    /// Nothing of it is left here; the server knows or will.
    gone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NetworkState {
    Unknown,
    Wanted,
    Ready,
}

impl Manager {
    pub(crate) fn new(shared: Arc<Shared>, images_in_use: watch::Sender<BTreeSet<String>>) -> Self {
        Self {
            shared,
            pods: BTreeMap::new(),
            workers: BTreeMap::new(),
            tasks: JoinSet::new(),
            listed: None,
            snapshot_came: false,
            engine_away: false,
            images_in_use,
            network: NetworkState::Unknown,
        }
    }

    /// Runs until one of the sources of news ends.
    pub(crate) async fn run(
        mut self,
        mut assignments: mpsc::Receiver<Assignments>,
        mut engine: mpsc::Receiver<EngineNews>,
    ) {
        let mut network_again = tokio::time::interval(Duration::from_secs(1));
        network_again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let wants_network = self.network == NetworkState::Wanted && !self.engine_away;
            tokio::select! {
                news = assignments.recv() => match news {
                    Some(news) => self.assign(news).await,
                    None => return,
                },
                news = engine.recv() => match news {
                    Some(news) => self.engine(news),
                    None => return,
                },
                Some(done) = self.tasks.join_next() => self.finish(done),
                _ = network_again.tick(), if wants_network => self.set_up_network().await,
            }
        }
    }

    async fn assign(&mut self, news: Assignments) {
        let mut changed_namespaces = BTreeSet::new();
        let mut pods = Vec::new();
        if news.snapshot {
            self.shared.objects.clear();
            changed_namespaces.extend(
                self.pods
                    .values()
                    .map(|assigned| assigned.pod.metadata.namespace.clone()),
            );
        }
        for document in news.upserts {
            match convert::from_struct(document) {
                Ok(Object::Pod(pod)) => pods.push(Arc::new(pod)),
                Ok(Object::Node(node)) => self.take_node(&node),
                Ok(object) => {
                    let namespace = object.meta().namespace.clone();
                    if self.shared.objects.put(object) {
                        changed_namespaces.insert(namespace);
                    }
                }
                Err(error) => tracing::error!(%error, "an assignment that cannot be read is left out"),
            }
        }
        for removal in news.removals {
            let key = ObjectKey::new(&removal.namespace, &removal.name);
            if self.shared.objects.remove(&removal.kind, &key) {
                changed_namespaces.insert(removal.namespace);
            } else if removal.kind == "Pod" {
                self.remove(&removal.uid, &key);
            }
        }
        if self.network == NetworkState::Wanted && !self.engine_away {
            self.set_up_network().await;
        }
        if news.snapshot {
            self.keep_only(&pods);
        }
        let named: BTreeSet<String> = pods.iter().map(|pod| pod.metadata.uid.clone()).collect();
        for pod in &pods {
            self.upsert(pod);
        }
        self.desire_again(&changed_namespaces, &named);
        if news.snapshot && !self.snapshot_came {
            self.snapshot_came = true;
            self.adopt();
        }
        self.note_images();
    }

    /// Config maps and secrets have changed: pods of their namespaces look again.
    fn desire_again(&self, namespaces: &BTreeSet<String>, but: &BTreeSet<String>) {
        for (uid, assigned) in &self.pods {
            if namespaces.contains(&assigned.pod.metadata.namespace)
                && !but.contains(uid)
                && let Some(inbox) = self.workers.get(uid)
            {
                inbox.desire(self.desired(&assigned.pod, None));
            }
        }
    }

    fn keep_only(&mut self, pods: &[Arc<Pod>]) {
        let named: BTreeSet<&str> = pods.iter().map(|pod| pod.metadata.uid.as_str()).collect();
        let lost: Vec<(String, ObjectKey)> = self
            .pods
            .iter()
            .filter(|(uid, _)| !named.contains(uid.as_str()))
            .map(|(uid, assigned)| (uid.clone(), assigned.pod.metadata.key()))
            .collect();
        for (uid, key) in lost {
            self.remove(&uid, &key);
        }
    }

    fn upsert(&mut self, pod: &Arc<Pod>) {
        let uid = pod.metadata.uid.clone();
        if let Some(assigned) = self.pods.get_mut(&uid) {
            // The status is this agent's own word coming back.
            let is_same = assigned.pod.spec == pod.spec && same_metadata(&assigned.pod, pod);
            assigned.pod = Arc::clone(pod);
            if is_same || assigned.gone {
                return;
            }
        } else {
            self.pods.insert(
                uid.clone(),
                Assigned {
                    pod: Arc::clone(pod),
                    gone: false,
                },
            );
        }
        let desired = self.desired(pod, None);
        match self.workers.get(&uid) {
            Some(inbox) => inbox.desire(desired),
            None if self.snapshot_came => self.spawn(desired, Vec::new(), false),
            None => {}
        }
    }

    /// The server does not want the pod here any more.
    fn remove(&mut self, uid: &str, key: &ObjectKey) {
        let uid = match self.pods.get(uid) {
            Some(_) => uid.to_owned(),
            None => {
                let found = self
                    .pods
                    .iter()
                    .find(|(_, a)| uid.is_empty() && a.pod.metadata.key() == *key);
                let Some((uid, _)) = found else { return };
                uid.clone()
            }
        };
        let Some(assigned) = self.pods.remove(&uid) else {
            return;
        };
        self.shared.outbox.forget(&uid);
        if let Some(inbox) = self.workers.get(&uid) {
            let desired = self.desired(&assigned.pod, None);
            let grace = desired.grace();
            inbox.desire(Desired {
                ending: Some(grace),
                ..desired
            });
        }
    }

    fn desired(&self, pod: &Arc<Pod>, ending: Option<Duration>) -> Desired {
        let seconds = |count: i64| Duration::from_secs(u64::try_from(count).unwrap_or(0));
        let meta = &pod.metadata;
        let asked = meta.is_deleting().then(|| {
            seconds(
                meta.deletion_grace_period_seconds
                    .unwrap_or(pod.spec.termination_grace_period_seconds),
            )
        });
        let containers = pod.spec.init_containers.iter().chain(&pod.spec.containers);
        Desired {
            pod: Arc::clone(pod),
            ending: ending.or(asked),
            sources: self.shared.objects.sources_of(pod),
            host_ip: self.shared.machine.host_ip.clone(),
            hashes: Arc::new(containers.map(|c| (c.name.clone(), container_hash(c))).collect()),
        }
    }

    fn engine(&mut self, news: EngineNews) {
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
                self.adopt();
            }
        }
    }

    fn set_engine_away(&mut self, away: bool) {
        if away && self.network == NetworkState::Ready {
            self.network = NetworkState::Wanted;
        }
        self.engine_away = away;
        for inbox in self.workers.values() {
            inbox.engine(away);
        }
    }

    fn list(&mut self, asked_at: Time, containers: Vec<Container>) {
        if !self.snapshot_came {
            self.listed = Some(containers);
            return;
        }
        let mut by_pod = by_pod(containers);
        for (uid, inbox) in &self.workers {
            inbox.list(asked_at, by_pod.remove(uid).unwrap_or_default());
        }
        for (uid, containers) in by_pod {
            self.spawn_orphan(&uid, containers);
        }
    }

    /// Once both the first snapshot and the engine's first list are there: each pod gets its containers, and what is left is
    /// nobody's and goes.
    fn adopt(&mut self) {
        if !self.snapshot_came {
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
        let pods: Vec<Arc<Pod>> = self
            .pods
            .values()
            .map(|assigned| Arc::clone(&assigned.pod))
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
            let has_volumes = on_disk.remove(uid);
            if !self.workers.contains_key(uid) {
                let desired = self.desired(&pod, None);
                self.spawn(desired, containers, has_volumes);
            }
        }
        on_disk.extend(by_pod.keys().cloned());
        for uid in on_disk {
            self.spawn_orphan(&uid, by_pod.remove(&uid).unwrap_or_default());
        }
    }

    /// A pod that the server does not know here: all that is left of it goes, gracefully.
    fn spawn_orphan(&mut self, uid: &str, containers: Vec<Container>) {
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

    fn spawn(&mut self, desired: Desired, containers: Vec<Container>, has_volumes: bool) {
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

    fn finish(&mut self, done: Result<String, tokio::task::JoinError>) {
        let uid = match done {
            Ok(uid) => uid,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        self.workers.remove(&uid);
        match self.pods.get_mut(&uid) {
            Some(assigned) => assigned.gone = true,
            None => self.shared.outbox.forget(&uid),
        }
        self.note_images();
    }

    fn note_images(&self) {
        let containers = |pod: &Pod| {
            let spec = &pod.spec;
            spec.init_containers
                .iter()
                .chain(&spec.containers)
                .map(|c| c.image.clone())
                .collect::<Vec<_>>()
        };
        let images = self
            .pods
            .values()
            .flat_map(|assigned| containers(&assigned.pod))
            .collect();
        self.images_in_use.send_if_modified(|known| {
            let is_new = *known != images;
            *known = images;
            is_new
        });
    }

    fn take_node(&mut self, node: &Node) {
        let cidr = &node.spec.pod_cidr;
        if cidr.is_empty() {
            return;
        }
        match Ipam::new(cidr) {
            Ok(ipam) => {
                if self.shared.set_ipam(cidr, ipam) {
                    self.network = NetworkState::Wanted;
                }
            }
            Err(error) => tracing::error!(%error, "pods cannot have addresses"),
        }
    }

    async fn set_up_network(&mut self) {
        let Some((cidr, gateway)) = self.shared.block() else {
            return;
        };
        let labels = node_labels(self.shared.cluster(), &self.shared.config.node_name);
        let network = Network {
            name: self.shared.network(),
            cidr,
            gateway: Some(gateway),
            labels,
        };
        match self.shared.runtime.ensure_network(&network).await {
            Ok(()) => {
                self.network = NetworkState::Ready;
                self.shared.set_network(None);
                self.workers.values().for_each(|inbox| inbox.retry());
            }
            Err(error) => {
                tracing::warn!(%error, "cannot set up the pods' bridge");
                self.shared.set_network(Some(error.to_string()));
            }
        }
    }
}

/// Whether nothing has changed that is of interest to the pod's task.
fn same_metadata(old: &Pod, new: &Pod) -> bool {
    let (old, new) = (&old.metadata, &new.metadata);
    old.labels == new.labels
        && old.annotations == new.annotations
        && old.deletion_timestamp == new.deletion_timestamp
        && old.deletion_grace_period_seconds == new.deletion_grace_period_seconds
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
