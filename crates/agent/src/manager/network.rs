//! The bridge that pods live on, once the server has given the node its addresses.

use std::time::Duration;

use skep_api::Node;
use tokio::time::Instant;

use super::{Manager, NetworkState};
use crate::{
    ipam::Ipam,
    runtime::{Network, RuntimeError},
    shared::Bridge,
    spec::node_labels,
};

/// The wait after the first failure; it doubles with each.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(60);

/// When the bridge is tried again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    pub(super) at: Instant,
    wait: Duration,
}

impl Retry {
    /// At once.
    pub(super) fn now() -> Self {
        Self {
            at: Instant::now(),
            wait: WAIT_MIN,
        }
    }

    /// True where the wait is over.
    pub(super) fn is_due(&self) -> bool {
        self.at <= Instant::now()
    }

    fn back_off(&mut self) {
        self.at = Instant::now() + self.wait;
        self.wait = (self.wait * 2).min(WAIT_MAX);
    }
}

impl Manager {
    pub(super) fn take_node(&mut self, node: &Node) {
        let cidr = &node.spec.pod_cidr;
        if cidr.is_empty() {
            return;
        }
        match Ipam::new(cidr) {
            Ok(ipam) => {
                if self.shared.set_ipam(cidr, ipam) {
                    self.network = NetworkState::Wanted;
                    self.network_retry = Retry::now();
                }
            }
            Err(error) => tracing::error!(%error, "pods cannot have addresses"),
        }
    }

    /// True where the bridge is to be set up and an engine is there to do it.
    pub(super) fn wants_network(&self) -> bool {
        self.network == NetworkState::Wanted && !self.engine_away
    }

    pub(super) async fn set_up_network(&mut self) {
        let Some((cidr, gateway)) = self.shared.block() else {
            return;
        };
        let labels = node_labels(self.shared.cluster(), &self.shared.config.node_name);
        let network = Network {
            name: self.shared.network(),
            cidr,
            gateway: Some(gateway),
            labels,
        };
        match self.shared.runtime.ensure_network(&network).await {
            Ok(()) => {
                self.network = NetworkState::Ready;
                if self.shared.set_bridge(&Bridge::Ready) {
                    tracing::info!(
                        network = network.name,
                        cidr = network.cidr,
                        "pods have their bridge"
                    );
                }
                self.workers.values().for_each(|inbox| inbox.retry());
            }
            Err(error) => {
                self.network_retry.back_off();
                // Of an engine that is away, the node tells anyway.
                if !matches!(error, RuntimeError::Unavailable(_))
                    && self.shared.set_bridge(&Bridge::Failed(error.to_string()))
                {
                    tracing::warn!("cannot set up the pods' bridge; trying again every minute: {error}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bridge_that_cannot_be_had_is_tried_ever_less_often_up_to_a_minute() {
        let mut retry = Retry::now();
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert!(retry.is_due());
            retry.back_off();
            waits.push((retry.at - Instant::now()).as_secs());
            assert!(!retry.is_due());
            tokio::time::sleep_until(retry.at).await;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
