//! What can be done for a pod, one thing at a time.

use std::time::Duration;

use crate::runtime::ContainerId;

/// One thing to do. The executor has no choices left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Set up the pod's volumes, or bring their contents up to date.
    SetUpVolumes,
    /// Give the pod an address.
    TakeAddress,
    /// Give the pod the devices and CPUs that it asks for.
    TakeDevices,
    /// Make and start the holder.
    StartHolder,
    /// See to it that the image for a run is there.
    EnsureImage {
        /// The container.
        container: String,
        /// The run.
        attempt: u32,
    },
    /// Make and start a container.
    Start {
        /// The container.
        container: String,
        /// The run.
        attempt: u32,
        /// Runs in a row before it that ended soon.
        crashes: u32,
    },
    /// Start a container that is made already.
    Resume {
        /// The container.
        container: String,
        /// The run.
        id: ContainerId,
    },
    /// Run the postStart hook.
    PostStart {
        /// The container.
        container: String,
        /// The run.
        id: ContainerId,
    },
    /// Run the preStop hook, then tell the container to end, and kill it after `grace` altogether.
    Stop {
        /// The container.
        container: String,
        /// The run.
        id: ContainerId,
        /// Time for hook and end.
        grace: Duration,
        /// Whether to run the hook.
        pre_stop: bool,
    },
    /// Remove a container.
    Remove {
        /// The run.
        id: ContainerId,
    },
    /// Remove the pod's volumes.
    TearDownVolumes,
    /// Give the address back.
    FreeAddress,
    /// Give devices and CPUs back.
    FreeDevices,
    /// Tell of it as an event.
    Say(Note),
}

/// Something to tell as an event of the pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Note {
    /// The container it is about; empty for the pod.
    pub(crate) container: String,
    /// Whether somebody should look.
    pub(crate) warning: bool,
    /// In CamelCase.
    pub(crate) reason: &'static str,
    /// In words.
    pub(crate) message: String,
}

/// What an action works on: no two actions of the same work run at once, and failures are counted by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    /// The volumes.
    Volumes,
    /// The address.
    Address,
    /// Devices and CPUs.
    Devices,
    /// The holder.
    Holder,
    /// The image of a container.
    Image(String),
    /// The start of a container.
    Start(String),
    /// The postStart hook of a run.
    Hook(ContainerId),
    /// The end of a run.
    Stop(ContainerId),
    /// The removal of a run.
    Remove(ContainerId),
}

impl Action {
    /// What it works on; `None` for what needs no executor.
    pub(crate) fn work(&self) -> Option<Work> {
        Some(match self {
            Self::SetUpVolumes | Self::TearDownVolumes => Work::Volumes,
            Self::TakeAddress | Self::FreeAddress => Work::Address,
            Self::TakeDevices | Self::FreeDevices => Work::Devices,
            Self::StartHolder => Work::Holder,
            Self::EnsureImage { container, .. } => Work::Image(container.clone()),
            Self::Start { container, .. } | Self::Resume { container, .. } => Work::Start(container.clone()),
            Self::PostStart { id, .. } => Work::Hook(id.clone()),
            Self::Stop { id, .. } => Work::Stop(id.clone()),
            Self::Remove { id } => Work::Remove(id.clone()),
            Self::Say(_) => return None,
        })
    }
}
