//! What is wanted of a pod on this node.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use skep_api::{Container, Pod};

use crate::devices::Wants;

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
    /// Init containers, then the others, each with its kind.
    pub(crate) fn containers(&self) -> impl Iterator<Item = (&Container, bool)> {
        let spec = &self.pod.spec;
        spec.init_containers
            .iter()
            .map(|c| (c, true))
            .chain(spec.containers.iter().map(|c| (c, false)))
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
