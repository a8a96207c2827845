//! Deployments: replica sets rolled from one revision of a template to the next, with Kubernetes' rules.

mod bounds;
mod history;
mod progress;
mod recreate;
mod revision;
mod rolling;
mod scaling;
mod sets;
mod status;

use skep_api::{Deployment, DeploymentStrategyType, Kind, ObjectKey, Pod, ReplicaSet, Resource};
use skep_state::{Change, State, StateEvent};

use crate::{
    Context, Controller, Reconciled,
    count::rest,
    pods::{counts_differently, owners_of_kind, versions},
};
use sets::Sets;

pub(crate) use revision::POD_TEMPLATE_HASH;

const NAME: &str = "deployment-controller";

/// Rolls each deployment towards its template and size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeploymentController;

impl Controller for DeploymentController {
    fn name(&self) -> &'static str {
        NAME
    }

    fn wakes(&self, state: &State, event: &StateEvent) -> Vec<ObjectKey> {
        if let Some((before, after)) = versions::<Pod>(event) {
            if !counts_differently(before, after) {
                return Vec::new();
            }
            let sets = owners_of_kind(
                Kind::ReplicaSet,
                before.map(Resource::meta),
                after.map(Resource::meta),
            );
            let sets = sets.iter().filter_map(|key| state.get::<ReplicaSet>(key));
            return sets
                .flat_map(|set| owners_of_kind(Kind::Deployment, None, Some(&set.metadata)))
                .collect();
        }
        if let Some((before, after)) = versions::<ReplicaSet>(event) {
            let mut keys = owners_of_kind(
                Kind::Deployment,
                before.map(Resource::meta),
                after.map(Resource::meta),
            );
            keys.extend(deployments_waiting(state, event));
            return keys;
        }
        if event.kind == Kind::Deployment && event.after.is_some() {
            return vec![(*event.key).clone()];
        }
        Vec::new()
    }

    fn all(&self, state: &State) -> Vec<ObjectKey> {
        state.list::<Deployment>(None).map(Resource::key).collect()
    }

    fn reconcile(&self, ctx: &Context<'_>, key: &ObjectKey) -> Reconciled {
        let mut result = Reconciled::default();
        let Some(deployment) = ctx.state.get::<Deployment>(key) else {
            return result;
        };
        if waits_for_adoption(ctx.state, deployment) {
            return result;
        }
        let mut sets = Sets::of(ctx, deployment);
        let mut annotated = deployment.clone();
        let rolls = roll(ctx, &mut annotated, &mut sets);
        sets.propose(ctx, deployment, &mut result);
        if annotated.metadata != deployment.metadata {
            result.changes.push(Change::update(annotated));
        }
        if result.changes.is_empty() {
            result.rest = rest(deployment.spec.replicas);
        }
        let status = status::of(ctx, deployment, &sets, rolls, &mut result);
        if status != deployment.status {
            result.changes.push(Change::update_status(Deployment {
                status,
                ..deployment.clone()
            }));
        }
        result
    }
}

/// Changes the sets one step towards what the deployment wants. False where it stands still: paused, going, or being resized.
fn roll<'a>(ctx: &Context<'a>, deployment: &mut Deployment, sets: &mut Sets<'a>) -> bool {
    if deployment.metadata.is_deleting() {
        return false;
    }
    if deployment.spec.paused {
        revision::follow(deployment, sets);
        scaling::resize(deployment, sets);
        history::trim(deployment, sets);
        return false;
    }
    if scaling::is_resized(deployment, sets) {
        revision::follow(deployment, sets);
        scaling::resize(deployment, sets);
        return false;
    }
    match deployment.spec.strategy.r#type {
        DeploymentStrategyType::RollingUpdate => {
            revision::follow_or_create(ctx, deployment, sets);
            rolling::step(deployment, sets);
        }
        DeploymentStrategyType::Recreate => recreate::step(ctx, deployment, sets),
    }
    if status::is_complete(deployment, sets) {
        history::trim(deployment, sets);
    }
    true
}

/// A new deployment first takes over the replica sets without owner that it selects.
fn waits_for_adoption(state: &State, deployment: &Deployment) -> bool {
    deployment.status.observed_generation == 0
        && !deployment.metadata.is_deleting()
        && state
            .unmanaged(
                Kind::ReplicaSet,
                &deployment.metadata.namespace,
                &deployment.spec.selector,
            )
            .any(|set| !set.meta().is_deleting())
}

/// The deployments that may have waited to take over the replica set of an event.
fn deployments_waiting(state: &State, event: &StateEvent) -> Vec<ObjectKey> {
    let deployments = crate::adoption::waiting_for(state, event, Kind::Deployment);
    deployments
        .filter_map(|object| Deployment::from_object(object))
        .filter(|deployment| deployment.status.observed_generation == 0)
        .map(Resource::key)
        .collect()
}
