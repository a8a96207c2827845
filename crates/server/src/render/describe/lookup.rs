//! What a page needs to know about other objects.

use skep_api::{Deployment, Event, Kind, ObjectMeta, Pod, ReplicaSet, Resource, Time};
use skep_state::State;

/// The label that tells the pods of a deployment's revisions apart.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// Events about the object, oldest first. One without uid is about whatever has the name.
pub(super) fn events<'a>(state: &'a State, kind: Kind, meta: &'a ObjectMeta) -> Vec<&'a Event> {
    let about = |event: &Event| {
        let object = &event.involved_object;
        object.kind == kind.as_str()
            && object.name == meta.name
            && (object.namespace == meta.namespace || meta.namespace.is_empty())
            && (object.uid.is_empty() || object.uid == meta.uid)
    };
    // Events of cluster-scoped objects live in some namespace of their reporter's choice.
    let namespace = Some(meta.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    let mut events: Vec<_> = state
        .list::<Event>(namespace)
        .filter(|event| about(event))
        .collect();
    events.sort_by_key(|event| last_seen(event));
    events
}

/// What events are sorted by: when they last happened.
pub(super) fn last_seen(event: &Event) -> (Option<Time>, u64) {
    let last = event.last_timestamp.or(event.metadata.creation_timestamp);
    (last, event.metadata.revision())
}

/// The object's dependents of one kind.
pub(super) fn dependents<'a, K: Resource>(state: &'a State, owner: &ObjectMeta) -> Vec<&'a K> {
    let mut found: Vec<&K> = state
        .owned_by(&owner.uid)
        .filter_map(|object| K::from_object(object))
        .collect();
    found.sort_by_key(|object| object.key());
    found
}

/// The replica set of the deployment's present template, and those of older ones.
pub(super) fn replica_sets<'a>(
    state: &'a State,
    deployment: &Deployment,
) -> (Option<&'a ReplicaSet>, Vec<&'a ReplicaSet>) {
    let mut old = dependents::<ReplicaSet>(state, &deployment.metadata);
    let new = old
        .iter()
        .position(|replica_set| is_of_template(replica_set, deployment));
    (new.map(|index| old.remove(index)), old)
}

fn is_of_template(replica_set: &ReplicaSet, deployment: &Deployment) -> bool {
    let mut template = replica_set.spec.template.clone();
    if !deployment
        .spec
        .template
        .metadata
        .labels
        .contains_key(TEMPLATE_HASH)
    {
        template.metadata.labels.remove(TEMPLATE_HASH);
    }
    template == deployment.spec.template
}

/// Pods of the node that are not at their end, by namespace and name.
pub(super) fn pods_on<'a>(state: &'a State, node: &str) -> Vec<&'a Pod> {
    let mut pods: Vec<&Pod> = state.pods_on(node).filter(|pod| !pod.is_terminal()).collect();
    pods.sort_by_key(|pod| pod.key());
    pods
}
