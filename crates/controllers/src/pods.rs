//! What several controllers ask of pods.

use skep_api::{Kind, ObjectKey, ObjectMeta, Pod, PodTemplateSpec, ReplicaSet, Resource, Time, well_known};
use skep_state::{State, StateEvent};

/// True for a pod that counts as a replica: not ended, not going away.
pub(crate) fn is_active(pod: &Pod) -> bool {
    !pod.is_terminal() && !pod.metadata.is_deleting()
}

/// Until when the pod counts as one that is being replaced before it goes.
pub(crate) fn replaced_until(pod: &Pod) -> Option<Time> {
    let until = pod.metadata.annotations.get(well_known::REPLACED_UNTIL);
    until.and_then(|until| until.parse().ok())
}

/// True for a pod whose replacement is made before it goes.
pub(crate) fn is_replaced(pod: &Pod, now: Time) -> bool {
    replaced_until(pod).is_some_and(|until| now < until)
}

/// How many replicas hold. A pod that is being replaced and its replacement are one replica: together they are never more
/// than there should be.
pub(crate) fn replicas(set: &ReplicaSet, pods: &[&Pod], now: Time, holds: &dyn Fn(&Pod) -> bool) -> i32 {
    let count = pods.iter().filter(|pod| holds(pod)).count();
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    if pods.iter().any(|pod| is_replaced(pod, now)) {
        count.min(set.spec.replicas.max(0))
    } else {
        count
    }
}

/// True where the object's managing owner is the one with this uid.
pub(crate) fn controlled_by(meta: &ObjectMeta, uid: &str) -> bool {
    meta.controller().is_some_and(|owner| owner.uid == uid)
}

/// The objects of a type that the one with this uid manages.
pub(crate) fn dependents<'a, K: Resource>(state: &'a State, uid: &'a str) -> impl Iterator<Item = &'a K> {
    state
        .owned_by(uid)
        .filter_map(|object| K::from_object(object))
        .filter(move |object| controlled_by(object.meta(), uid))
}

/// The version before and after an event, where it is about this type.
pub(crate) fn versions<K: Resource>(event: &StateEvent) -> Option<(Option<&K>, Option<&K>)> {
    if event.kind != K::KIND {
        return None;
    }
    Some((
        event.before.as_deref().and_then(K::from_object),
        event.after.as_deref().and_then(K::from_object),
    ))
}

/// True where the pod changed in a way that matters to those who count it.
pub(crate) fn counts_differently(before: Option<&Pod>, after: Option<&Pod>) -> bool {
    let (Some(before), Some(after)) = (before, after) else {
        return true;
    };
    let facts = |pod: &Pod| (pod.status.phase, pod.metadata.is_deleting(), pod.available_at(0));
    facts(before) != facts(after)
        || replaced_until(before) != replaced_until(after)
        || before.metadata.labels != after.metadata.labels
        || before.metadata.owner_references != after.metadata.owner_references
}

/// The managing owners of kind `kind` that an object has or had, by name.
pub(crate) fn owners_of_kind(
    kind: Kind,
    before: Option<&ObjectMeta>,
    after: Option<&ObjectMeta>,
) -> Vec<ObjectKey> {
    let metas = [before, after].into_iter().flatten();
    let mut keys: Vec<_> = metas
        .filter_map(|meta| Some((meta, meta.controller()?)))
        .filter(|(_, owner)| owner.kind == kind.as_str())
        .map(|(meta, owner)| ObjectKey::new(&meta.namespace, &owner.name))
        .collect();
    keys.dedup();
    keys
}

/// True where both templates make the same pods, whatever revision they are marked with.
pub(crate) fn same_template(one: &PodTemplateSpec, other: &PodTemplateSpec) -> bool {
    let unmarked = |template: &PodTemplateSpec| {
        let mut template = template.clone();
        template
            .metadata
            .labels
            .remove(crate::deployment::POD_TEMPLATE_HASH);
        template
    };
    one.spec == other.spec && unmarked(one) == unmarked(other)
}
