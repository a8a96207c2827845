//! How many pods may be missing or in excess during a rollout.

use skep_api::{Deployment, DeploymentStrategyType, RollingUpdateDeployment};

/// The bounds of a deployment's rollout, in pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Pods that may be there in excess.
    pub(super) surge: i32,
    /// Pods that may be missing, at most all.
    pub(super) unavailable: i32,
}

impl Bounds {
    /// Percentages of the size: the surge rounded up, the missing rounded down; where that leaves no room at all, one may be
    /// missing. Nothing of both where pods are recreated.
    pub(super) fn of(deployment: &Deployment) -> Self {
        let spec = &deployment.spec;
        if spec.strategy.r#type == DeploymentStrategyType::Recreate || spec.replicas <= 0 {
            return Self {
                surge: 0,
                unavailable: 0,
            };
        }
        let default = RollingUpdateDeployment::default();
        let rolling = spec.strategy.rolling_update.as_ref().unwrap_or(&default);
        let size = spec.replicas.unsigned_abs();
        let pods = |count: Option<u32>| i32::try_from(count.unwrap_or(0)).unwrap_or(i32::MAX);
        let surge = pods(rolling.max_surge.scaled(size, true));
        let unavailable = pods(rolling.max_unavailable.scaled(size, false));
        let unavailable = if surge == 0 && unavailable == 0 {
            1
        } else {
            unavailable
        };
        Self {
            surge,
            unavailable: unavailable.min(spec.replicas),
        }
    }

    /// The most pods there may be.
    pub(super) fn total_max(&self, deployment: &Deployment) -> i32 {
        deployment.spec.replicas.saturating_add(self.surge)
    }

    /// The fewest available pods there may be.
    pub(super) fn available_min(&self, deployment: &Deployment) -> i32 {
        deployment.spec.replicas - self.unavailable
    }
}
