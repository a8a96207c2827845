//! Disruption budgets: how many pods there should be, how many are healthy, and how many more may be evicted.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use skep_api::{
    Condition, ConditionStatus, IntOrString, Kind, Object, ObjectKey, Pod, PodDisruptionBudget,
    PodDisruptionBudgetStatus, ReplicaSet, Resource, Time,
};
use skep_state::{Change, State, StateEvent};

use crate::{
    Context, Controller, Reconciled,
    pods::{dependents, versions},
};

/// How long a granted eviction counts though the pod shows no sign of going.
const DISRUPTION_TIMEOUT: Duration = Duration::from_secs(120);

/// Keeps the status of each disruption budget.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DisruptionController;

impl Controller for DisruptionController {
    fn name(&self) -> &'static str {
        "disruption-controller"
    }

    fn wakes(&self, state: &State, event: &StateEvent) -> Vec<ObjectKey> {
        if event.kind == Kind::PodDisruptionBudget && event.after.is_some() {
            return vec![(*event.key).clone()];
        }
        if state.count(Kind::PodDisruptionBudget) == 0 {
            return Vec::new();
        }
        if let Some((before, after)) = versions::<Pod>(event) {
            let differs = before.map(facts) != after.map(facts);
            let pods: Vec<&Pod> = before.into_iter().chain(after).filter(|_| differs).collect();
            let selected =
                |budget: &&PodDisruptionBudget| pods.iter().any(|pod| budget.selects(&pod.metadata.labels));
            return keys(state, &event.key.namespace, selected);
        }
        let size = |object: Option<&Object>| object.and_then(replicas);
        let (before, after) = (size(event.before.as_deref()), size(event.after.as_deref()));
        if before == after {
            return Vec::new();
        }
        keys(state, &event.key.namespace, |_| true)
    }

    fn all(&self, state: &State) -> Vec<ObjectKey> {
        state
            .list::<PodDisruptionBudget>(None)
            .map(Resource::key)
            .collect()
    }

    fn reconcile(&self, ctx: &Context<'_>, key: &ObjectKey) -> Reconciled {
        let mut result = Reconciled::default();
        let Some(budget) = ctx.state.get::<PodDisruptionBudget>(key) else {
            return result;
        };
        let pods = selected(ctx.state, budget);
        let disrupted = still_disrupted(ctx.now, budget, &pods, &mut result);
        let status = status(ctx, budget, &pods, disrupted);
        if status != budget.status {
            // An eviction takes from the status as well: where one was granted meanwhile, this is refused and looked at again.
            let only_if = skep_state::Precondition::of(&budget.clone().into());
            result.changes.push(Change {
                only_if,
                ..Change::update_status(PodDisruptionBudget {
                    status,
                    ..budget.clone()
                })
            });
        }
        result
    }
}

/// The pods it is about. A workload's own budget is about the pods of the workload: others need not be looked at.
fn selected<'a>(state: &'a State, budget: &'a PodDisruptionBudget) -> Vec<&'a Pod> {
    let counts = |pod: &&Pod| budget.selects(&pod.metadata.labels) && !pod.is_terminal();
    let Some(owner) = budget.metadata.controller() else {
        return state
            .list::<Pod>(Some(&budget.metadata.namespace))
            .filter(counts)
            .collect();
    };
    let sets = dependents::<ReplicaSet>(state, &owner.uid).map(|set| set.metadata.uid.as_str());
    let owners = sets.chain([owner.uid.as_str()]);
    owners
        .flat_map(|uid| state.owned_by(uid))
        .filter_map(|object| Pod::from_object(object))
        .filter(counts)
        .collect()
}

/// What of a pod matters to a budget.
fn facts(pod: &Pod) -> impl PartialEq + use<> {
    let owners = pod.metadata.controller().map(|owner| owner.uid.clone());
    (
        pod.is_ready(),
        pod.is_terminal(),
        pod.metadata.is_deleting(),
        pod.metadata.labels.clone(),
        owners,
    )
}

fn keys(state: &State, namespace: &str, holds: impl Fn(&&PodDisruptionBudget) -> bool) -> Vec<ObjectKey> {
    state
        .list::<PodDisruptionBudget>(Some(namespace))
        .filter(holds)
        .map(Resource::key)
        .collect()
}

fn replicas(owner: &Object) -> Option<i32> {
    match owner {
        Object::Deployment(owner) => Some(owner.spec.replicas),
        Object::ReplicaSet(owner) => Some(owner.spec.replicas),
        _ => None,
    }
}

/// Evictions that were granted and whose pods do not show it yet. One that comes to nothing is forgotten after a while.
fn still_disrupted(
    now: Time,
    budget: &PodDisruptionBudget,
    pods: &[&Pod],
    result: &mut Reconciled,
) -> BTreeMap<String, Time> {
    let mut disrupted = BTreeMap::new();
    for (name, granted) in &budget.status.disrupted_pods {
        let until = granted.plus(DISRUPTION_TIMEOUT);
        let waits = pods
            .iter()
            .any(|pod| pod.metadata.name == *name && !pod.metadata.is_deleting());
        if waits && now < until {
            result.again_at(now, until);
            disrupted.insert(name.clone(), *granted);
        }
    }
    disrupted
}

fn status(
    ctx: &Context<'_>,
    budget: &PodDisruptionBudget,
    pods: &[&Pod],
    disrupted_pods: BTreeMap<String, Time>,
) -> PodDisruptionBudgetStatus {
    let healthy = pods.iter().filter(|pod| {
        pod.is_ready() && !pod.metadata.is_deleting() && !disrupted_pods.contains_key(&pod.metadata.name)
    });
    let current_healthy = count(healthy.count());
    let (expected_pods, desired_healthy) = expected(ctx.state, budget, pods);
    let spare = current_healthy.saturating_sub(desired_healthy).max(0);
    let disruptions_allowed = if expected_pods > 0 { spare } else { 0 };
    let mut status = PodDisruptionBudgetStatus {
        observed_generation: budget.metadata.generation,
        disrupted_pods,
        disruptions_allowed,
        current_healthy,
        desired_healthy,
        expected_pods,
        conditions: budget.status.conditions.clone(),
    };
    let (holds, reason, message) = if disruptions_allowed > 0 {
        (ConditionStatus::True, "SufficientPods", String::new())
    } else {
        let message = format!("{desired_healthy} healthy pods are needed, and there are {current_healthy}");
        (ConditionStatus::False, "InsufficientPods", message)
    };
    let transition = Condition::find(&status.conditions, "DisruptionAllowed")
        .filter(|old| old.status == holds)
        .map_or(Some(ctx.now), |old| old.last_transition_time);
    let condition = Condition {
        last_transition_time: transition,
        ..Condition::new("DisruptionAllowed", holds, reason, message)
    };
    Condition::set(&mut status.conditions, condition);
    status
}

/// How many pods there should be, and how many of them must be healthy.
fn expected(state: &State, budget: &PodDisruptionBudget, pods: &[&Pod]) -> (i32, i32) {
    let there = count(pods.len());
    let share = |bound: &IntOrString, total: i32| {
        let scaled = bound.scaled(total.max(0).unsigned_abs(), true).unwrap_or(0);
        i32::try_from(scaled).unwrap_or(i32::MAX)
    };
    match (&budget.spec.min_available, &budget.spec.max_unavailable) {
        (Some(IntOrString::Int(least)), _) => (there, (*least).max(0)),
        (Some(least), _) => {
            let total = scale(state, pods);
            (total, share(least, total))
        }
        (None, Some(most)) => {
            let total = scale(state, pods);
            (total, (total - share(most, total)).max(0))
        }
        // A budget without bound bounds nothing.
        (None, None) => (there, 0),
    }
}

/// How many pods the owners of these want together; each pod without such an owner counts for itself.
fn scale(state: &State, pods: &[&Pod]) -> i32 {
    let mut owners = BTreeSet::new();
    let mut total: i32 = 0;
    for pod in pods {
        match scaled_by(state, pod) {
            Some((uid, replicas)) => {
                if owners.insert(uid) {
                    total = total.saturating_add(replicas);
                }
            }
            None => total = total.saturating_add(1),
        }
    }
    total
}

/// The topmost owner that says how many pods there should be.
fn scaled_by(state: &State, pod: &Pod) -> Option<(String, i32)> {
    let mut found = None;
    let mut meta = &pod.metadata;
    while let Some(owner) = meta.controller().and_then(|owner| state.by_uid(&owner.uid)) {
        let Some(replicas) = replicas(owner) else { break };
        meta = owner.meta();
        found = Some((meta.uid.clone(), replicas));
    }
    found
}

fn count(pods: usize) -> i32 {
    i32::try_from(pods).unwrap_or(i32::MAX)
}
