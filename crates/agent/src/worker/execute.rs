//! Does what a step says. There are no choices left here, only I/O.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use skep_api::Container;

use super::{
    image,
    outcome::{Outcome, Problem, Seen},
    start, stop,
};
use crate::{
    blocking::blocking,
    check::{self, Target},
    pod::{Action, Desired, HOLDER, Hook, Note, VolumeState},
    runtime::ImageInfo,
    shared::Shared,
};

/// What an action needs to know besides itself.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) shared: Arc<Shared>,
    pub(super) desired: Desired,
    pub(super) address: Option<Ipv4Addr>,
    /// The engine's id of the pod's holder.
    pub(super) holder: Option<String>,
    /// Images that are there, by container.
    pub(super) images: BTreeMap<String, ImageInfo>,
    /// Volumes are there already and only need new contents.
    pub(super) volumes_ready: bool,
}

/// What is seen; or what is seen nevertheless, and what failed.
pub(super) type Done = Result<Vec<Seen>, (Vec<Seen>, Problem)>;

impl Job {
    /// Does the action to its end.
    pub(super) async fn execute(self, action: Action) -> Outcome {
        let work = action.work();
        let done = match action {
            Action::SetUpVolumes => self.set_up_volumes().await,
            Action::TearDownVolumes => self.tear_down_volumes().await,
            Action::EnsureImage { container, attempt } => image::ensure(&self, &container, attempt).await,
            Action::StartHolder => start::holder(&self).await,
            Action::Start {
                container,
                attempt,
                crashes,
            } => start::container(&self, &container, attempt, crashes).await,
            Action::Resume { container, id } => start::resume(&self, &container, &id).await,
            Action::PostStart { container, id } => self.post_start(&container, &id).await,
            Action::Stop {
                container,
                id,
                grace,
                pre_stop,
            } => stop::stop(&self, &container, &id, grace, pre_stop).await,
            Action::Remove { id } => self.remove(id).await,
            Action::TakeAddress
            | Action::FreeAddress
            | Action::TakeDevices
            | Action::FreeDevices
            | Action::Say(_) => Ok(Vec::new()),
        };
        Outcome::of(work, done)
    }

    /// The container of the pod by name.
    pub(super) fn container(&self, name: &str) -> Option<&Container> {
        self.desired
            .containers()
            .map(|(container, _)| container)
            .find(|container| container.name == name)
    }

    /// Tells of something that happened to the pod.
    pub(super) fn note(&self, container: &str, warning: bool, reason: &'static str, message: String) {
        let container = if container == HOLDER { "" } else { container };
        let note = Note {
            container: container.to_owned(),
            warning,
            reason,
            message,
        };
        self.shared.event(&self.desired.pod, note);
    }

    /// A container to ask.
    pub(super) fn target(&self, container: &Container, id: &str) -> Target {
        let address = self.address.filter(|_| !self.desired.pod.spec.host_network);
        Target {
            runtime: Arc::clone(&self.shared.runtime),
            id: id.to_owned(),
            address: address.map_or_else(
                || self.shared.machine.host_ip.clone(),
                |address| address.to_string(),
            ),
            container: Arc::new(container.clone()),
        }
    }

    async fn set_up_volumes(&self) -> Done {
        let (shared, pod) = (Arc::clone(&self.shared), Arc::clone(&self.desired.pod));
        let (facts, refresh) = (self.shared.facts(self.address), self.volumes_ready);
        let result = blocking(move || {
            if refresh {
                shared.volumes.refresh(&pod, &shared.objects, &facts).map(drop)
            } else {
                shared.volumes.set_up(&pod, &shared.objects, &facts).map(drop)
            }
        });
        match result.await {
            Ok(()) => Ok(vec![Seen::Volumes(VolumeState::Ready {
                sources: self.desired.sources,
            })]),
            Err(error) => {
                let message = format!("MountVolume.SetUp failed: {error}");
                self.note("", true, "FailedMount", message.clone());
                let state = if self.volumes_ready {
                    Vec::new()
                } else {
                    vec![Seen::Volumes(VolumeState::Unknown)]
                };
                Err((state, Problem::new("FailedMount", message)))
            }
        }
    }

    async fn tear_down_volumes(&self) -> Done {
        let (shared, uid) = (Arc::clone(&self.shared), self.desired.pod.metadata.uid.clone());
        match blocking(move || shared.volumes.tear_down(&uid)).await {
            Ok(()) => Ok(vec![Seen::Volumes(VolumeState::Absent)]),
            Err(error) => Err((Vec::new(), Problem::new("FailedUnMount", error.to_string()))),
        }
    }

    async fn post_start(&self, name: &str, id: &str) -> Done {
        let container = self.container(name);
        let handler = container.and_then(|container| container.lifecycle.as_ref()?.post_start.as_ref());
        let hook = match (container, handler) {
            (Some(container), Some(handler)) => check::hook(&self.target(container, id), handler).await,
            _ => Ok(()),
        };
        let hook = match hook {
            Ok(()) => Hook::Done,
            Err(error) => {
                self.note(
                    name,
                    true,
                    "FailedPostStartHook",
                    format!("PostStartHook failed: {error}"),
                );
                Hook::Failed(error)
            }
        };
        Ok(vec![Seen::Hook(id.to_owned(), hook)])
    }

    async fn remove(&self, id: String) -> Done {
        match self.shared.runtime.remove(&id).await {
            Ok(()) => Ok(vec![Seen::Gone(id)]),
            Err(error) => Err((Vec::new(), Problem::engine("FailedRemove", &error))),
        }
    }
}
