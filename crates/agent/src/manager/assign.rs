//! What the server wants of this node, and what has changed about it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use skep_api::Struct;
use skep_api::{Object, ObjectKey, Pod, convert, proto::Assignments};

use super::{Assigned, Manager, Word};
use crate::{pod::Desired, spec::container_hash};

impl Manager {
    pub(super) async fn assign(&mut self, news: Assignments) {
        let objects = decode(news.upserts);
        let mut changed_namespaces = BTreeSet::new();
        if news.snapshot {
            self.saved = None;
            self.shared.objects.clear();
            self.shared.checkpoint.replace(&objects);
            changed_namespaces.extend(
                self.pods
                    .values()
                    .map(|assigned| assigned.pod.metadata.namespace.clone()),
            );
        } else {
            objects
                .iter()
                .for_each(|object| self.shared.checkpoint.put(object));
        }
        let pods = self.take_objects(objects, &mut changed_namespaces);
        for removal in news.removals {
            let key = ObjectKey::new(&removal.namespace, &removal.name);
            if self.shared.objects.remove(&removal.kind, &key) {
                self.shared.checkpoint.remove(&removal.kind, &key);
                changed_namespaces.insert(removal.namespace);
            } else if removal.kind == "Pod" {
                self.remove(&removal.uid, &key);
            }
        }
        if self.wants_network() && self.network_retry.is_due() {
            self.set_up_network().await;
        }
        let before = self.word;
        if news.snapshot {
            self.keep_only(&pods);
            self.word = Word::Servers;
        }
        let adopts = self.word != before;
        let desired: BTreeSet<String> = pods
            .iter()
            .filter(|pod| self.upsert(pod, adopts))
            .map(|pod| pod.metadata.uid.clone())
            .collect();
        self.desire_again(&changed_namespaces, &desired);
        if adopts {
            self.adopt(before);
        }
        self.note_pods();
    }

    /// Takes in what is no pod, and gives the pods.
    pub(super) fn take_objects(
        &mut self,
        objects: Vec<Object>,
        changed_namespaces: &mut BTreeSet<String>,
    ) -> Vec<Arc<Pod>> {
        let mut pods = Vec::new();
        for object in objects {
            match object {
                Object::Pod(pod) => pods.push(Arc::from(pod)),
                Object::Node(node) => self.take_node(&node),
                object => {
                    let namespace = object.meta().namespace.clone();
                    if self.shared.objects.put(object) {
                        changed_namespaces.insert(namespace);
                    }
                }
            }
        }
        pods
    }

    /// Config maps and secrets have changed: pods of their namespaces look again.
    pub(super) fn desire_again(&self, namespaces: &BTreeSet<String>, but: &BTreeSet<String>) {
        for (uid, assigned) in &self.pods {
            if namespaces.contains(&assigned.pod.metadata.namespace)
                && !but.contains(uid)
                && let Some(inbox) = self.workers.get(uid)
            {
                inbox.desire(self.desired(&assigned.pod, None));
            }
        }
    }

    pub(super) fn keep_only(&mut self, pods: &[Arc<Pod>]) {
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

    /// Takes in a pod; true where its task was told. A pod without a task waits for its containers where all are `adopted`
    /// next.
    pub(super) fn upsert(&mut self, pod: &Arc<Pod>, adopted: bool) -> bool {
        let uid = pod.metadata.uid.clone();
        if let Some(assigned) = self.pods.get_mut(&uid) {
            // The status is this agent's own word coming back.
            let is_same = assigned.pod.spec == pod.spec && same_metadata(&assigned.pod, pod);
            assigned.pod = Arc::clone(pod);
            if is_same || assigned.gone {
                return false;
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
            None if adopted || self.word == Word::Nobodys => return false,
            None => self.spawn(desired, Vec::new(), false),
        }
        true
    }

    /// The server does not want the pod here any more.
    pub(super) fn remove(&mut self, uid: &str, key: &ObjectKey) {
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
        self.shared.checkpoint.remove_pod(&uid);
        if let Some(inbox) = self.workers.get(&uid) {
            let desired = self.desired(&assigned.pod, None);
            let grace = desired.grace();
            inbox.desire(Desired {
                ending: Some(grace),
                ..desired
            });
        }
    }

    pub(super) fn desired(&self, pod: &Arc<Pod>, ending: Option<Duration>) -> Desired {
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
            wants: Arc::new(self.shared.devices.wants(pod)),
            hashes: Arc::new(containers.map(|c| (c.name.clone(), container_hash(c))).collect()),
        }
    }
}

fn decode(documents: Vec<Struct>) -> Vec<Object> {
    let decoded = documents.into_iter().map(convert::from_struct);
    let readable = decoded.filter_map(|object| {
        object
            .inspect_err(|error| tracing::error!(%error, "an assignment that cannot be read is left out"))
            .ok()
    });
    readable.collect()
}

/// Whether nothing has changed that is of interest to the pod's task.
fn same_metadata(old: &Pod, new: &Pod) -> bool {
    let (old, new) = (&old.metadata, &new.metadata);
    old.labels == new.labels
        && old.annotations == new.annotations
        && old.deletion_timestamp == new.deletion_timestamp
        && old.deletion_grace_period_seconds == new.deletion_grace_period_seconds
}
