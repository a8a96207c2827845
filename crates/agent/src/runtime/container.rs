//! Containers as the engine reports them, and what happens to them.

use std::collections::BTreeMap;

use skep_api::Time;

use super::ContainerId;

/// A container the engine has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Container {
    /// The engine's id.
    pub id: ContainerId,
    /// Its name in the engine.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Image name it was made from.
    pub image: String,
    /// `sha256:…`
    pub image_id: String,
    /// What it is doing.
    pub state: RunState,
    /// The first process, seen from the node; 0 where none runs.
    pub pid: i32,
}

/// What a container is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RunState {
    /// Made, not started yet.
    #[default]
    Created,
    /// Runs.
    Running {
        /// Since when.
        started: Time,
    },
    /// Ended.
    Exited {
        /// Exit code; 128 plus the signal's number where a signal ended it.
        code: i32,
        /// Ended for lack of memory.
        oom_killed: bool,
        /// What the engine says of it, such as why it could not be started.
        message: String,
        /// When it started, if it did.
        started: Option<Time>,
        /// When it ended.
        finished: Time,
    },
}

/// Something that happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerEvent {
    /// Which.
    pub id: ContainerId,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What.
    pub kind: ContainerEventKind,
}

/// What happened to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerEventKind {
    /// It was started.
    Started,
    /// It ended.
    Died,
    /// The kernel ended it or one of its processes for lack of memory.
    OutOfMemory,
    /// It was removed.
    Removed,
}
