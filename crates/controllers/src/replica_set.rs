//! Replica sets: as many pods as there should be.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use skep_api::{
    Condition, ConditionStatus, Kind, LabelSelector, Namespace, ObjectKey, ObjectMeta, OwnerReference, Pod,
    PodPhase, ReplicaSet, ReplicaSetStatus, Resource, ResourceQuota, Time,
};
use skep_state::{Change, DeleteOptions, Entry, Refusal, State, StateEvent};

use crate::{
    Context, Controller, EventNote, Reconciled, admission,
    count::{Count, at_a_glance, rest},
    hash::{fnv, word},
    pods::{
        counts_differently, dependents, is_active, is_replaced, owners_of_kind, replaced_until, replicas,
        versions,
    },
};

const NAME: &str = "replicaset-controller";

/// How many pods are created or deleted in one pass; the rest follows in the next.
const PODS_PER_PASS_MAX: usize = 500;

/// How many names an event lists.
const NAMES_PER_EVENT_MAX: usize = 5;

/// When pods that could not be created are tried again, though nothing has changed that is known to help.
const RETRY_AFTER: Duration = Duration::from_secs(10);

const REPLICA_FAILURE: &str = "ReplicaFailure";

const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// Keeps each replica set's number of pods.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplicaSetController;

impl Controller for ReplicaSetController {
    fn name(&self) -> &'static str {
        NAME
    }

    fn wakes(&self, state: &State, event: &StateEvent) -> Vec<ObjectKey> {
        if let Some((before, after)) = versions::<Pod>(event) {
            if !counts_differently(before, after) {
                return Vec::new();
            }
            let (old, new) = (before.map(Resource::meta), after.map(Resource::meta));
            let mut keys = owners_of_kind(Kind::ReplicaSet, old, new);
            keys.extend(sets_waiting(state, event));
            return keys;
        }
        match (event.kind, &event.after) {
            (Kind::ReplicaSet, Some(_)) => vec![(*event.key).clone()],
            // What was in the way may be no more.
            (Kind::ResourceQuota | Kind::LimitRange, _) => failed(state, Some(&event.key.namespace)),
            (Kind::WorkloadTier | Kind::PriorityClass, Some(_)) => failed(state, None),
            _ => Vec::new(),
        }
    }

    fn all(&self, state: &State) -> Vec<ObjectKey> {
        state.list::<ReplicaSet>(None).map(Resource::key).collect()
    }

    fn reconcile(&self, ctx: &Context<'_>, key: &ObjectKey) -> Reconciled {
        let mut result = Reconciled::default();
        let Some(set) = ctx.state.get::<ReplicaSet>(key) else {
            return result;
        };
        let resizes = !set.metadata.is_deleting() && !waits_for_adoption(ctx.state, set);
        let selected = |labels: &BTreeMap<String, String>| set.spec.selector.matches(labels);
        let glance = at_a_glance(ctx.state, set, set.spec.min_ready_seconds, ctx.now, selected);
        let mut failure = None;
        let count = match glance.filter(|count| !resizes || count.active <= set.spec.replicas) {
            Some(count) => {
                let missing = usize::try_from(set.spec.replicas - count.active).unwrap_or(0);
                if resizes && missing > 0 {
                    failure = create(ctx, set, missing, &mut result);
                }
                count
            }
            None => look_at_each(ctx, set, resizes, &mut failure, &mut result),
        };
        if result.changes.is_empty() {
            result.rest = rest(set.spec.replicas);
        }
        let mut status = status(set, count);
        note_failure(&mut status, failure, ctx.now);
        if status != set.status {
            result.changes.push(Change::update_status(ReplicaSet {
                status,
                ..set.clone()
            }));
        }
        result
    }
}

/// Counts the pods one by one, and creates or deletes some where the set may be resized.
fn look_at_each(
    ctx: &Context<'_>,
    set: &ReplicaSet,
    resizes: bool,
    failure: &mut Option<String>,
    result: &mut Reconciled,
) -> Count {
    let pods: Vec<&Pod> = dependents::<Pod>(ctx.state, &set.metadata.uid)
        .filter(|pod| is_active(pod) && set.spec.selector.matches(&pod.metadata.labels))
        .collect();
    let (leaving, staying): (Vec<&Pod>, Vec<&Pod>) =
        pods.iter().copied().partition(|pod| is_replaced(pod, ctx.now));
    let wanted = usize::try_from(set.spec.replicas).unwrap_or(0);
    if resizes && staying.len() < wanted {
        *failure = create(ctx, set, wanted - staying.len(), result);
    } else if resizes && staying.len() > wanted {
        // Those that are to be replaced go first: nobody waits for their replacements any more.
        let surplus = pods.len() - wanted;
        let first = ranked(ctx, set, &leaving).into_iter();
        let then = ranked(ctx, set, &staying).into_iter();
        let going = first.chain(then).take(surplus.min(PODS_PER_PASS_MAX)).collect();
        delete(ctx, set, going, result);
    }
    for pod in &leaving {
        result.again_at(ctx.now, replaced_until(pod).unwrap_or(ctx.now));
    }
    let available_at = |pod: &&Pod| pod.available_at(set.spec.min_ready_seconds);
    for time in pods
        .iter()
        .filter_map(available_at)
        .filter(|time| *time > ctx.now)
    {
        result.again_at(ctx.now, time);
    }
    counted(set, &pods, ctx.now)
}

/// Replica sets that could not make all their pods.
fn failed(state: &State, namespace: Option<&str>) -> Vec<ObjectKey> {
    let sets = state.list::<ReplicaSet>(namespace);
    let failed = sets.filter(|set| Condition::is_true(&set.status.conditions, REPLICA_FAILURE));
    failed.map(Resource::key).collect()
}

/// A new replica set first takes over the pods without owner that it selects.
fn waits_for_adoption(state: &State, set: &ReplicaSet) -> bool {
    set.status.observed_generation == 0
        && state
            .unmanaged(Kind::Pod, &set.metadata.namespace, &set.spec.selector)
            .filter_map(|object| Pod::from_object(object))
            .any(is_active)
}

/// The replica sets that may have waited to take over the pod of an event.
fn sets_waiting(state: &State, event: &StateEvent) -> Vec<ObjectKey> {
    let sets = crate::adoption::waiting_for(state, event, Kind::ReplicaSet);
    sets.filter_map(|object| ReplicaSet::from_object(object))
        .filter(|set| set.status.observed_generation == 0)
        .map(Resource::key)
        .collect()
}

/// Creates missing pods; why not all of them can be created.
fn create(ctx: &Context<'_>, set: &ReplicaSet, missing: usize, result: &mut Reconciled) -> Option<String> {
    let namespace = ctx
        .state
        .get::<Namespace>(&ObjectKey::cluster(&set.metadata.namespace));
    if namespace.is_none_or(|namespace| namespace.metadata.is_deleting()) {
        return None;
    }
    let names = fresh_names(ctx.state, set, missing.min(PODS_PER_PASS_MAX));
    let (pods, failure) = match admitted(ctx.state, set) {
        Ok(pod) => within_quota(ctx, &pod, names),
        Err(why) => (Vec::new(), Some(why)),
    };
    if let Some(why) = &failure {
        let known = Condition::find(&set.status.conditions, REPLICA_FAILURE);
        if known.is_none_or(|known| known.message != *why) {
            let message = format!("Error creating: {why}");
            result
                .events
                .push(EventNote::warning(set, NAME, "FailedCreate", message));
        }
        result.again_at(ctx.now, ctx.now.plus(RETRY_AFTER));
    }
    if !pods.is_empty() {
        let names: Vec<String> = pods.iter().map(|pod| pod.metadata.name.clone()).collect();
        let message = told("Created", &names);
        result
            .events
            .push(EventNote::normal(set, NAME, "SuccessfulCreate", message));
    }
    result.changes.extend(pods.into_iter().map(Change::create));
    failure
}

/// A pod of the set, as its tier, the limits of the namespace and its priority class make it; its name is still open.
fn admitted(state: &State, set: &ReplicaSet) -> Result<Pod, String> {
    let mut pod = new_pod(set, String::new());
    match admission::pod(state, &mut pod) {
        Ok(_) => Ok(pod),
        Err(errors) => {
            let what = if admission::forbids(&errors) {
                "forbidden"
            } else {
                "invalid"
            };
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Err(format!("pod is {what}: {}", errors.join("; ")))
        }
    }
}

/// As many of the pods as the quotas of the namespace allow, and why not more.
fn within_quota(ctx: &Context<'_>, pod: &Pod, names: Vec<String>) -> (Vec<Pod>, Option<String>) {
    let named = |name: String| {
        let mut pod = pod.clone();
        pod.metadata.name = name;
        pod
    };
    let bounded = ctx
        .state
        .list::<ResourceQuota>(Some(&pod.metadata.namespace))
        .next()
        .is_some();
    if !bounded {
        return (names.into_iter().map(named).collect(), None);
    }
    let mut trial = ctx.state.clone();
    let mut pods = Vec::new();
    for pod in names.into_iter().map(named) {
        let mut stamped = pod.clone();
        stamped.metadata.uid = format!("{}/{}", pod.metadata.namespace, pod.metadata.name);
        let entry = Entry {
            request_id: String::new(),
            sent: None,
            now: ctx.now,
            changes: vec![Change::create(stamped)],
        };
        if let Some(Err(Refusal::Forbidden { why, .. })) = trial.apply(&entry).pop() {
            return (pods, Some(format!("pod is forbidden: {why}")));
        }
        pods.push(pod);
    }
    (pods, None)
}

fn note_failure(status: &mut ReplicaSetStatus, failure: Option<String>, now: Time) {
    let Some(why) = failure else {
        return status
            .conditions
            .retain(|condition| condition.r#type != REPLICA_FAILURE);
    };
    let known = Condition::find(&status.conditions, REPLICA_FAILURE).is_some_and(|old| old.message == why);
    if !known {
        let condition = Condition {
            last_transition_time: Some(now),
            ..Condition::new(REPLICA_FAILURE, ConditionStatus::True, "FailedCreate", why)
        };
        Condition::set(&mut status.conditions, condition);
    }
}

/// Names that look random and are made from what is: the same state gives the same names.
fn fresh_names(state: &State, set: &ReplicaSet, count: usize) -> Vec<String> {
    let mut names = Vec::with_capacity(count);
    let mut given = BTreeSet::new();
    let mut attempt: u64 = 0;
    while names.len() < count {
        let revision = state.revision().to_le_bytes();
        let hash = fnv(&[set.metadata.uid.as_bytes(), &revision, &attempt.to_le_bytes()]);
        attempt += 1;
        let name = format!("{}-{}", set.metadata.name, word(hash, 5));
        let taken = state
            .object(Kind::Pod, &ObjectKey::new(&set.metadata.namespace, &name))
            .is_some();
        if !taken && given.insert(name.clone()) {
            names.push(name);
        }
    }
    names
}

fn new_pod(set: &ReplicaSet, name: String) -> Pod {
    let template = &set.spec.template;
    let metadata = ObjectMeta {
        name,
        generate_name: format!("{}-", set.metadata.name),
        namespace: set.metadata.namespace.clone(),
        labels: template.metadata.labels.clone(),
        annotations: template.metadata.annotations.clone(),
        finalizers: template.metadata.finalizers.clone(),
        owner_references: vec![OwnerReference::controller_of(Kind::ReplicaSet, &set.metadata)],
        ..ObjectMeta::default()
    };
    Pod {
        metadata,
        spec: template.spec.clone(),
        ..Pod::default()
    }
}

/// The pods, those that should go first in front.
fn ranked<'a>(ctx: &Context<'_>, set: &ReplicaSet, pods: &[&'a Pod]) -> Vec<&'a Pod> {
    let doubled = related_pods_by_node(ctx.state, set);
    let mut ranked = pods.to_vec();
    ranked.sort_by_cached_key(|pod| rank(pod, doubled.get(&pod.spec.node_name).copied().unwrap_or(0)));
    ranked
}

fn delete(ctx: &Context<'_>, set: &ReplicaSet, pods: Vec<&Pod>, result: &mut Reconciled) {
    let names: Vec<String> = pods.iter().map(|pod| pod.metadata.name.clone()).collect();
    result.events.push(EventNote::normal(
        set,
        NAME,
        "SuccessfulDelete",
        told("Deleted", &names),
    ));
    for pod in pods {
        if let Some(object) = ctx.state.object(Kind::Pod, &pod.key()) {
            result
                .changes
                .push(Change::delete(object, DeleteOptions::default()));
        }
    }
}

/// How many active pods each node has of this set and its siblings under the same owner.
fn related_pods_by_node(state: &State, set: &ReplicaSet) -> BTreeMap<String, usize> {
    let siblings: Vec<&ReplicaSet> = match set.metadata.controller() {
        Some(owner) => dependents::<ReplicaSet>(state, &owner.uid).collect(),
        None => vec![set],
    };
    let mut by_node = BTreeMap::new();
    for sibling in siblings {
        for pod in dependents::<Pod>(state, &sibling.metadata.uid).filter(|pod| is_active(pod)) {
            *by_node.entry(pod.spec.node_name.clone()).or_insert(0) += 1;
        }
    }
    by_node
}

/// The smallest goes first, in Kubernetes' order: unplaced before placed, pending before running, not ready before ready, cheap
/// before dear, crowded nodes first, then the one ready for less time, restarted more often, younger.
fn rank(pod: &Pod, doubled: usize) -> impl Ord + use<> {
    let phase = match pod.status.phase {
        PodPhase::Pending => 0,
        PodPhase::Unknown => 1,
        _ => 2,
    };
    let cost = pod
        .metadata
        .annotations
        .get(DELETION_COST)
        .and_then(|cost| cost.parse::<i32>().ok());
    let restarts = pod
        .status
        .container_statuses
        .iter()
        .map(|status| status.restart_count)
        .max();
    (
        (!pod.spec.node_name.is_empty(), phase, pod.is_ready()),
        cost.unwrap_or(0),
        Reverse(doubled),
        Reverse(pod.available_at(0)),
        Reverse(restarts.unwrap_or(0)),
        Reverse(pod.metadata.creation_timestamp),
        pod.metadata.name.clone(),
    )
}

fn told(done: &str, names: &[String]) -> String {
    let listed = names[..names.len().min(NAMES_PER_EVENT_MAX)].join(", ");
    match names.len() {
        1 => format!("{done} pod: {listed}"),
        count if count <= NAMES_PER_EVENT_MAX => format!("{done} {count} pods: {listed}"),
        count => format!(
            "{done} {count} pods: {listed} and {} more",
            count - NAMES_PER_EVENT_MAX
        ),
    }
}

fn counted(set: &ReplicaSet, pods: &[&Pod], now: Time) -> Count {
    let count = |holds: &dyn Fn(&Pod) -> bool| replicas(set, pods, now, holds);
    let template = LabelSelector {
        match_labels: set.spec.template.metadata.labels.clone(),
        ..LabelSelector::default()
    };
    Count {
        active: count(&|_| true),
        labelled: count(&|pod| template.matches(&pod.metadata.labels)),
        ready: count(&Pod::is_ready),
        available: count(&|pod| pod.is_available(set.spec.min_ready_seconds, now)),
    }
}

fn status(set: &ReplicaSet, count: Count) -> ReplicaSetStatus {
    ReplicaSetStatus {
        replicas: count.active,
        fully_labeled_replicas: count.labelled,
        ready_replicas: count.ready,
        available_replicas: count.available,
        observed_generation: set.metadata.generation,
        conditions: Vec::<Condition>::clone(&set.status.conditions),
    }
}
