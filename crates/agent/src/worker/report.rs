//! Has the probes of a pod's containers asked, and reports how the pod is doing.

use std::{collections::BTreeSet, sync::Arc};

use skep_api::{PodStatus, convert, proto::PodReport};

use super::task::Worker;
use crate::{
    clock,
    pod::{self, Probed, Work},
    probe::Watch,
};

impl Worker {
    /// Reports how the pod is doing; true where that is news.
    pub(super) fn publish(&mut self, status: PodStatus, gone: bool) -> bool {
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
        self.shared.checkpoint.status(&meta.uid, &status);
        self.observed.status = status;
        self.reported = true;
        is_new
    }

    /// Has the probes asked of the containers that run, and of no others.
    pub(super) async fn watch_probes(&mut self) {
        let pod = Arc::clone(&self.desired.pod);
        let mut wanted = BTreeSet::new();
        for container in pod.spec.lasting_containers() {
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
    pub(super) fn known_of(&self, name: &str, id: &str) -> Probed {
        let id = format!("docker://{id}");
        let status = &self.observed.status;
        let statuses = status.container_statuses.iter();
        match statuses
            .chain(&status.init_container_statuses)
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
}
