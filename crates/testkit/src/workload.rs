//! Replica sets and deployments.

use std::collections::BTreeMap;

use skep_api::{
    Deployment, DeploymentSpec, DeploymentStatus, DeploymentStrategy, DeploymentStrategyType, IntOrString,
    LabelSelector, ObjectMeta, PodTemplateSpec, ReplicaSet, ReplicaSetSpec, ReplicaSetStatus,
    RollingUpdateDeployment,
};

use crate::{
    meta::{builder, meta},
    pod::pod_spec,
};

/// Builds a [`ReplicaSet`] whose pods are selected by the label `app`.
#[derive(Clone, Debug)]
pub struct ReplicaSetBuilder(pub(crate) ReplicaSet);

/// Builds a [`Deployment`] whose pods are selected by the label `app`; it rolls with the default bounds of 25%.
#[derive(Clone, Debug)]
pub struct DeploymentBuilder(pub(crate) Deployment);

builder!(ReplicaSetBuilder, ReplicaSet);
builder!(DeploymentBuilder, Deployment);

/// A replica set in the namespace `default`, with its selector and template labels `app: NAME`.
pub fn replica_set(name: &str, replicas: i32) -> ReplicaSetBuilder {
    let spec = ReplicaSetSpec {
        replicas,
        selector: selector(name),
        template: template(name),
        ..ReplicaSetSpec::default()
    };
    ReplicaSetBuilder(ReplicaSet {
        metadata: meta("default", name),
        spec,
        status: ReplicaSetStatus::default(),
    })
}

/// A deployment in the namespace `default`, with its selector and template labels `app: NAME`.
pub fn deployment(name: &str, replicas: i32) -> DeploymentBuilder {
    let strategy = DeploymentStrategy {
        r#type: DeploymentStrategyType::RollingUpdate,
        rolling_update: Some(RollingUpdateDeployment::default()),
    };
    let spec = DeploymentSpec {
        replicas,
        selector: selector(name),
        template: template(name),
        strategy,
        ..DeploymentSpec::default()
    };
    DeploymentBuilder(Deployment {
        metadata: meta("default", name),
        spec,
        status: DeploymentStatus::default(),
    })
}

fn labels(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("app".to_owned(), name.to_owned())])
}

fn selector(name: &str) -> LabelSelector {
    LabelSelector {
        match_labels: labels(name),
        ..LabelSelector::default()
    }
}

fn template(name: &str) -> PodTemplateSpec {
    PodTemplateSpec {
        metadata: ObjectMeta {
            labels: labels(name),
            ..ObjectMeta::default()
        },
        spec: pod_spec().into(),
    }
}

macro_rules! template_methods {
    ($builder:ident) => {
        impl $builder {
            /// Sets the image of its pods' first container.
            #[must_use]
            pub fn image(mut self, image: &str) -> Self {
                self.0.spec.template.spec.containers[0].image = image.to_owned();
                self
            }

            /// Requests CPU for its pods' first container.
            #[must_use]
            pub fn cpu(self, amount: &str) -> Self {
                self.request("cpu", amount)
            }

            /// Requests memory for its pods' first container.
            #[must_use]
            pub fn memory(self, amount: &str) -> Self {
                self.request("memory", amount)
            }

            /// Requests any resource for its pods' first container.
            #[must_use]
            pub fn request(mut self, resource: &str, amount: &str) -> Self {
                let requests = &mut self.0.spec.template.spec.containers[0].resources.requests;
                requests.insert(resource.to_owned(), crate::quantity(amount));
                self
            }

            /// Adds a label to its pods.
            #[must_use]
            pub fn template_label(mut self, key: &str, value: &str) -> Self {
                self.0
                    .spec
                    .template
                    .metadata
                    .labels
                    .insert(key.to_owned(), value.to_owned());
                self
            }

            /// Sets the seconds a pod must have been ready to count as available.
            #[must_use]
            pub fn min_ready_seconds(mut self, secs: i32) -> Self {
                self.0.spec.min_ready_seconds = secs;
                self
            }
        }
    };
}

template_methods!(ReplicaSetBuilder);
template_methods!(DeploymentBuilder);

impl DeploymentBuilder {
    /// Sets the bounds of a rolling update, each a count or a percentage.
    #[must_use]
    pub fn rolling(
        mut self,
        max_surge: impl Into<IntOrString>,
        max_unavailable: impl Into<IntOrString>,
    ) -> Self {
        self.0.spec.strategy = DeploymentStrategy {
            r#type: DeploymentStrategyType::RollingUpdate,
            rolling_update: Some(RollingUpdateDeployment {
                max_surge: max_surge.into(),
                max_unavailable: max_unavailable.into(),
            }),
        };
        self
    }

    /// Stops all old pods before it starts new ones.
    #[must_use]
    pub fn recreate(mut self) -> Self {
        self.0.spec.strategy = DeploymentStrategy {
            r#type: DeploymentStrategyType::Recreate,
            rolling_update: None,
        };
        self
    }

    /// Sets how many old revisions are kept.
    #[must_use]
    pub fn history_limit(mut self, revisions: i32) -> Self {
        self.0.spec.revision_history_limit = revisions;
        self
    }

    /// Sets the seconds without progress after which a rollout counts as failed.
    #[must_use]
    pub fn progress_deadline(mut self, secs: i32) -> Self {
        self.0.spec.progress_deadline_seconds = secs;
        self
    }

    /// Rolls nothing.
    #[must_use]
    pub fn paused(mut self) -> Self {
        self.0.spec.paused = true;
        self
    }
}
