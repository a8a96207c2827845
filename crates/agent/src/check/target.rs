//! Whom a question is asked.

use std::sync::Arc;

use skep_api::{Container, IntOrString};

use crate::runtime::{ContainerId, Runtime};

/// A running container, and where its pod is reached.
#[derive(Clone)]
pub(crate) struct Target {
    /// For commands.
    pub(crate) runtime: Arc<dyn Runtime>,
    /// The engine's id.
    pub(crate) id: ContainerId,
    /// The pod's address.
    pub(crate) address: String,
    /// The container, for the names of its ports.
    pub(crate) container: Arc<Container>,
}

impl Target {
    /// The number of a port that is given by number or by a container port's name.
    pub(super) fn port(&self, port: &IntOrString) -> Result<u16, String> {
        let number = match port {
            IntOrString::Int(number) => Some(*number),
            IntOrString::String(name) => {
                let named = self.container.ports.iter().find(|port| port.name == *name);
                named
                    .map(|port| port.container_port)
                    .or_else(|| name.parse().ok())
            }
        };
        let number = number.ok_or_else(|| format!("the container has no port named {port}"))?;
        u16::try_from(number)
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| format!("port {number} is not between 1 and 65535"))
    }

    /// The host to connect to: the stated one, else the pod's address.
    pub(super) fn host<'a>(&'a self, stated: &'a str) -> &'a str {
        if stated.is_empty() { &self.address } else { stated }
    }
}
