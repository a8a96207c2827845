//! One container of the engine, as a run of one of the pod's containers.

use skep_api::Time;

use crate::{
    runtime::{Container, ContainerId, RunState},
    spec::{ContainerKind, ContainerLabels},
};

/// Container name under which a pod's holder goes.
pub(crate) const HOLDER: &str = "POD";

/// Label that counts the runs in a row before this one that ended soon, so that back-off outlives the agent.
pub(crate) const CRASHES_LABEL: &str = "skep.io/crashes";

/// One run of a container. A restart is another run, with the next attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    /// The engine's id.
    pub(crate) id: ContainerId,
    /// Counts runs of this container in this pod, from 0.
    pub(crate) attempt: u32,
    /// Runs in a row before this one that ended soon after their start.
    pub(crate) crashes: u32,
    /// The container's definition in short.
    pub(crate) hash: String,
    /// Image name it was made from.
    pub(crate) image: String,
    /// The image's id.
    pub(crate) image_id: String,
    /// What it is doing.
    pub(crate) state: RunState,
    /// What it wrote to its termination log.
    pub(crate) last_words: String,
}

impl Run {
    /// The run that a container of the engine is, with the name of the pod's container.
    pub(crate) fn of(container: &Container, labels: &ContainerLabels) -> (String, Self) {
        let run = Self {
            id: container.id.clone(),
            attempt: labels.attempt,
            crashes: container
                .labels
                .get(CRASHES_LABEL)
                .and_then(|text| text.parse().ok())
                .unwrap_or(0),
            hash: labels.spec_hash.clone(),
            image: container.image.clone(),
            image_id: container.image_id.clone(),
            state: container.state.clone(),
            last_words: String::new(),
        };
        let name = if labels.kind == ContainerKind::Holder {
            HOLDER
        } else {
            &labels.container_name
        };
        (name.to_owned(), run)
    }

    /// True while its process runs.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self.state, RunState::Running { .. })
    }

    /// True once it has ended.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, RunState::Exited { .. })
    }

    /// When it started, if it did.
    pub(crate) fn started(&self) -> Option<Time> {
        match &self.state {
            RunState::Created => None,
            RunState::Running { started } => Some(*started),
            RunState::Exited { started, .. } => *started,
        }
    }

    /// Takes in what the engine says now. A run never comes back to life, so the end wins over news that were overtaken.
    pub(crate) fn merge(&mut self, newer: Self) {
        if !self.is_over() || newer.is_over() {
            let words = std::mem::take(&mut self.last_words);
            let started = self.started();
            *self = newer;
            if let (RunState::Running { started: theirs }, Some(ours)) = (&mut self.state, started) {
                *theirs = ours;
            }
            if self.last_words.is_empty() {
                self.last_words = words;
            }
        }
    }
}
