//! What is wanted of a pod on this node.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use skep_api::{Container, Pod};

use crate::devices::Wants;

/// What a container is to its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It runs to its end before those after it start.
    Init,
    /// It starts among the init containers, and lasts as long as the pod does.
    Sidecar,
    /// One of the others.
    Main,
}

impl Role {
    /// True where it is one of `initContainers`.
    pub(crate) fn is_init(self) -> bool {
        self != Self::Main
    }

    /// True where it is not to end by itself before the others start.
    pub(crate) fn lasts(self) -> bool {
        self != Self::Init
    }
}

/// The role of an init container.
pub(crate) fn role_of_init(container: &Container) -> Role {
    if container.is_sidecar() {
        Role::Sidecar
    } else {
        Role::Init
    }
}

/// What is wanted of a pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Desired {
    /// The pod as the server sent it last.
    pub(crate) pod: Arc<Pod>,
    /// Set where it is to end: the time its containers have for that.
    pub(crate) ending: Option<Duration>,
    /// Another number whenever a config map or secret that the pod names has changed.
    pub(crate) sources: u64,
    /// The node's address.
    pub(crate) host_ip: String,
    /// What it asks for by the piece.
    pub(crate) wants: Arc<Wants>,
    /// The definitions of its containers in short, by name: a container of another one is replaced.
    pub(crate) hashes: Arc<BTreeMap<String, String>>,
}

impl Desired {
    /// Init containers, then the others, each with its role.
    pub(crate) fn containers(&self) -> impl Iterator<Item = (&Container, Role)> {
        let mains = self.pod.spec.containers.iter();
        self.init_containers()
            .chain(mains.map(|container| (container, Role::Main)))
    }

    /// Init containers, each with its role.
    pub(crate) fn init_containers(&self) -> impl DoubleEndedIterator<Item = (&Container, Role)> {
        let inits = self.pod.spec.init_containers.iter();
        inits.map(|container| (container, role_of_init(container)))
    }

    /// The time that containers have to end where nothing else is stated.
    pub(crate) fn grace(&self) -> Duration {
        let stated = self.pod.spec.termination_grace_period_seconds;
        self.ending
            .unwrap_or(Duration::from_secs(u64::try_from(stated).unwrap_or(0)))
    }

    /// The present definition of a container in short.
    pub(crate) fn hash(&self, container: &str) -> &str {
        self.hashes.get(container).map_or("", String::as_str)
    }
}
