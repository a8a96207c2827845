//! What a pod's task hears and looks at by itself.

use std::{collections::BTreeSet, sync::Arc};

use skep_api::Time;

use super::{
    examine,
    inbox::News,
    outcome::{Outcome, Problem, Seen},
    task::Worker,
};
use crate::{
    blocking::blocking,
    clock,
    pod::{Evicted, Failure, Work},
    runtime::{Container, ContainerId, RunState},
};

impl Worker {
    pub(super) fn take_in(&mut self, news: News) {
        if let Some(desired) = news.desired {
            self.desired = desired;
        }
        if let Some(evicted) = news.evicted {
            self.observed.evicted.get_or_insert(evicted);
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
    pub(super) fn compare(&mut self, asked_at: Time, containers: &[Container]) {
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
    pub(super) fn weigh(&mut self) {
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
            let seen = exceeded.ok().flatten().map(over_limit).into_iter().collect();
            (None, Outcome::of(None, Ok(seen)))
        });
    }

    /// Asks the engine about a container; while an answer is awaited, once more after it.
    pub(super) fn look(&mut self, id: ContainerId) {
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

    pub(super) fn note_first_seen(&mut self) {
        let now = clock::now();
        let ids: BTreeSet<&str> = self.observed.all_runs().map(|(_, run)| run.id.as_str()).collect();
        self.first_seen.retain(|id, _| ids.contains(id.as_str()));
        for id in ids {
            if !self.first_seen.contains_key(id) {
                self.first_seen.insert(id.to_owned(), now);
            }
        }
    }
}

fn over_limit(message: String) -> Seen {
    Seen::Evicted(Evicted { message, grace: None })
}

/// False for what may succeed now that something else has changed.
fn is_own_fault(work: &Work, failure: &Failure) -> bool {
    let lacks_object = failure.reason == "CreateContainerConfigError";
    failure.count > 0 && !lacks_object && !matches!(work, Work::Volumes | Work::Address | Work::Devices)
}
