//! What is seen of a pod on this node.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use skep_api::{PodStatus, Time};

use super::{Run, Work};
use crate::{
    devices::PodDevices,
    runtime::{ContainerId, ImageInfo},
};

/// What is seen of a pod. All of it but `images`, `failed`, `working` and `hooks` can be rebuilt from the engine.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Observed {
    /// The engine does not answer: nothing is started, ended or declared dead.
    pub(crate) engine_away: bool,
    /// The pod's volumes.
    pub(crate) volumes: VolumeState,
    /// The pod's address.
    pub(crate) address: Address,
    /// The devices and CPUs that are its own.
    pub(crate) devices: Option<Arc<PodDevices>>,
    /// The container that holds the namespaces, if there is one.
    pub(crate) holder: Option<Run>,
    /// Runs by container name, oldest first.
    pub(crate) runs: BTreeMap<String, Vec<Run>>,
    /// Images by container name.
    pub(crate) images: BTreeMap<String, Image>,
    /// Work that is going on.
    pub(crate) working: BTreeSet<Work>,
    /// Containers that are being stopped, with the time at which they are killed.
    pub(crate) stopping: BTreeMap<ContainerId, Time>,
    /// Work that failed and has not succeeded since.
    pub(crate) failed: BTreeMap<Work, Failure>,
    /// What the probes say of running containers.
    pub(crate) probes: BTreeMap<ContainerId, Probed>,
    /// postStart hooks that are over.
    pub(crate) hooks: BTreeMap<ContainerId, Hook>,
    /// Why the pod is evicted, if it is.
    pub(crate) evicted: Option<Evicted>,
    /// Why the node can never run the pod, if so.
    pub(crate) refused: Option<String>,
    /// The status as it was reported last.
    pub(crate) status: PodStatus,
}

impl Observed {
    /// The newest run of a container.
    pub(crate) fn latest(&self, container: &str) -> Option<&Run> {
        self.runs.get(container)?.last()
    }

    /// Every run and the holder.
    pub(crate) fn all_runs(&self) -> impl Iterator<Item = (&str, &Run)> {
        let runs = self
            .runs
            .iter()
            .flat_map(|(name, runs)| runs.iter().map(move |run| (name.as_str(), run)));
        runs.chain(self.holder.iter().map(|run| (super::HOLDER, run)))
    }

    /// Notes what the engine says of a run.
    pub(crate) fn see(&mut self, container: &str, run: Run) {
        if container == super::HOLDER {
            if self
                .holder
                .as_ref()
                .is_none_or(|known| known.id == run.id || !known.is_running())
            {
                self.holder = Some(run);
            }
            return;
        }
        let runs = self.runs.entry(container.to_owned()).or_default();
        match runs.iter_mut().find(|known| known.id == run.id) {
            Some(known) => known.merge(run),
            None => {
                runs.push(run);
                runs.sort_by_key(|run| run.attempt);
            }
        }
    }

    /// Forgets a run that the engine does not have any more.
    pub(crate) fn forget(&mut self, id: &str) {
        self.holder.take_if(|run| run.id == id);
        self.runs.retain(|_, runs| {
            runs.retain(|run| run.id != id);
            !runs.is_empty()
        });
        self.probes.remove(id);
        self.hooks.remove(id);
        self.stopping.remove(id);
    }
}

/// Why a pod is evicted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evicted {
    /// In words.
    pub(crate) message: String,
    /// The longest time its containers have to end, where the node is in need; `None`: the pod's own.
    pub(crate) grace: Option<Duration>,
}

/// A pod's volumes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum VolumeState {
    /// There are none on disk.
    #[default]
    Absent,
    /// There may be some, from before the agent's start or from work that was cut short.
    Unknown,
    /// They are set up, with the contents of these sources.
    Ready {
        /// [`super::Desired::sources`] at that time.
        sources: u64,
    },
}

/// A pod's address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Address {
    /// It has none.
    #[default]
    None,
    /// It has this one.
    Held(Ipv4Addr),
}

/// The image for the next run of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Image {
    /// The run that it is there for.
    pub(crate) attempt: u32,
    /// The image.
    pub(crate) info: ImageInfo,
}

/// Why work failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    /// As in a container's waiting state, such as `ErrImagePull`.
    pub(crate) reason: &'static str,
    /// In words.
    pub(crate) message: String,
    /// When it failed last.
    pub(crate) at: Time,
    /// Failures in a row; 0 where the engine was away, which says nothing of the pod.
    pub(crate) count: u32,
}

/// What the probes say of a running container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Probed {
    /// Its startup probe has succeeded; `None` where nothing is known yet.
    pub(crate) started: Option<bool>,
    /// Its readiness probe succeeds; `None` where nothing is known yet.
    pub(crate) ready: Option<bool>,
    /// A startup or liveness probe failed for good: the name of the probe, `startup` or `liveness`.
    pub(crate) failed: Option<&'static str>,
}

/// How a postStart hook ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    /// Well.
    Done,
    /// With this error.
    Failed(String),
}
