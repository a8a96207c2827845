//! The revisions of a deployment: its replica sets.

use skep_api::{Deployment, PodTemplateSpec, ReplicaSet};

use crate::{commands::live, context::Context};

/// Annotation of deployments and replica sets: the number of the revision.
const REVISION: &str = "deployment.kubernetes.io/revision";
/// Annotation that says why a revision was made.
pub(super) const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";
/// Label by which the deployment controller tells the pods of revisions apart; no part of the template.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// One revision of a deployment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Revision {
    /// Counts up from 1.
    pub(super) number: i64,
    /// Why it was made, if somebody said.
    pub(super) change_cause: Option<String>,
    /// The replica set that keeps it.
    pub(super) name: String,
    /// What its pods look like.
    pub(super) template: PodTemplateSpec,
}

impl Revision {
    /// The revision that a replica set keeps; `None` for one the controller has not numbered yet.
    fn of(replica_set: ReplicaSet) -> Option<Self> {
        let annotations = &replica_set.metadata.annotations;
        let number = annotations.get(REVISION)?.parse().ok()?;
        let change_cause = annotations.get(CHANGE_CAUSE).cloned();
        let mut template = replica_set.spec.template;
        template.metadata.labels.remove(TEMPLATE_HASH);
        Some(Self {
            number,
            change_cause,
            name: replica_set.metadata.name,
            template,
        })
    }
}

/// The deployment's revisions, oldest first.
///
/// # Errors
/// Where the server cannot be asked.
pub(super) async fn list(ctx: &Context, deployment: &Deployment) -> anyhow::Result<Vec<Revision>> {
    let selector = deployment.spec.selector.to_string();
    let sets = live::list_as::<ReplicaSet>(ctx, &deployment.metadata.namespace, &selector).await?;
    Ok(of_sets(deployment, sets))
}

fn of_sets(deployment: &Deployment, sets: Vec<ReplicaSet>) -> Vec<Revision> {
    let owned = |set: &ReplicaSet| {
        set.metadata
            .controller()
            .is_some_and(|owner| owner.uid == deployment.metadata.uid)
    };
    let mut revisions: Vec<_> = sets.into_iter().filter(owned).filter_map(Revision::of).collect();
    revisions.sort_by_key(|revision| revision.number);
    revisions
}

/// The revision that the deployment controller has given the deployment; 0 before the first.
pub(super) fn current(deployment: &Deployment) -> i64 {
    deployment
        .metadata
        .annotations
        .get(REVISION)
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use skep_testkit::{deployment, replica_set};

    use super::*;

    #[test]
    fn revisions_are_the_numbered_replica_sets_of_the_deployment() {
        let (web, other) = (deployment("web", 1).build(), deployment("other", 1).build());
        let set = |name: &str, number: &str| {
            let set = replica_set(name, 0)
                .owned_by(&web)
                .template_label(TEMPLATE_HASH, name);
            set.annotation(REVISION, number)
                .annotation(CHANGE_CAUSE, name)
                .build()
        };
        let unnumbered = replica_set("new", 0).owned_by(&web).build();
        let foreign = replica_set("x", 0)
            .owned_by(&other)
            .annotation(REVISION, "1")
            .build();
        let revisions = of_sets(&web, vec![set("c", "10"), unnumbered, set("a", "2"), foreign]);
        let numbers: Vec<_> = revisions.iter().map(|revision| revision.number).collect();
        assert_eq!(numbers, [2, 10]);
        assert_eq!(revisions[0].change_cause.as_deref(), Some("a"));
        assert!(
            revisions
                .iter()
                .all(|revision| !revision.template.metadata.labels.contains_key(TEMPLATE_HASH))
        );
    }
}
