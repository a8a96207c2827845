//! How bindings are told: each pod's by itself, or those of one owner in one event where they are many.

use std::collections::BTreeMap;

use skep_api::{EventType, ObjectReference, OwnerReference, Pod};

use super::placing::COMPONENT;
use crate::EventNote;

/// So many pods of one owner that are bound at once are told of one by one.
const APART_MAX: usize = 16;

/// How many of many pods an event names.
const NAMED_MAX: usize = 5;

const REASON: &str = "Scheduled";

/// What to record of pods that get these nodes.
pub(super) fn bindings(bound: &[(&Pod, &str)]) -> Vec<EventNote> {
    let mut by_owner: BTreeMap<&str, Vec<(&Pod, &str)>> = BTreeMap::new();
    for (pod, node) in bound {
        let owner = pod.metadata.controller().map_or("", |owner| &owner.uid);
        by_owner.entry(owner).or_default().push((pod, node));
    }
    by_owner
        .into_values()
        .flat_map(|pods| of_one_owner(&pods))
        .collect()
}

fn of_one_owner(pods: &[(&Pod, &str)]) -> Vec<EventNote> {
    let (first, _) = pods[0];
    match first.metadata.controller() {
        Some(owner) if pods.len() > APART_MAX => vec![together(first, owner, pods)],
        _ => pods.iter().map(|(pod, node)| apart(pod, node)).collect(),
    }
}

fn apart(pod: &Pod, node: &str) -> EventNote {
    let message = format!("Successfully assigned {} to {node}", pod.metadata.key());
    EventNote::normal(pod, COMPONENT, REASON, message)
}

fn together(first: &Pod, owner: &OwnerReference, pods: &[(&Pod, &str)]) -> EventNote {
    let named = pods[..NAMED_MAX].iter();
    let named: Vec<String> = named
        .map(|(pod, node)| format!("{} to {node}", pod.metadata.name))
        .collect();
    EventNote {
        regarding: ObjectReference {
            api_version: owner.api_version.clone(),
            kind: owner.kind.clone(),
            namespace: first.metadata.namespace.clone(),
            name: owner.name.clone(),
            uid: owner.uid.clone(),
            ..ObjectReference::default()
        },
        r#type: EventType::Normal,
        reason: REASON.to_owned(),
        message: format!(
            "Successfully assigned {} pods: {} and {} more",
            pods.len(),
            named.join(", "),
            pods.len() - NAMED_MAX
        ),
        component: COMPONENT.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use skep_testkit::{pod, replica_set};

    use super::*;

    fn told(pods: &[Pod]) -> Vec<String> {
        let bound: Vec<_> = pods.iter().map(|pod| (pod, "a")).collect();
        let notes = bindings(&bound).into_iter();
        notes
            .map(|note| format!("{}: {}", note.regarding.name, note.message))
            .collect()
    }

    #[test]
    fn a_few_pods_are_told_of_one_by_one_and_many_of_one_owner_together() {
        let set = replica_set("web", 20).build();
        let of_set =
            |count: usize| (0..count).map(|index| pod(&format!("web-{index}")).owned_by(&set).build());
        let mut pods: Vec<Pod> = of_set(2).collect();
        assert_eq!(
            told(&pods),
            [
                "web-0: Successfully assigned default/web-0 to a",
                "web-1: Successfully assigned default/web-1 to a"
            ]
        );
        pods = of_set(20).collect();
        let together = "web: Successfully assigned 20 pods: web-0 to a, web-1 to a, web-2 to a, web-3 to a, web-4 to a \
                        and 15 more";
        assert_eq!(told(&pods), [together]);
        pods = (0..20)
            .map(|index| pod(&format!("bare-{index}")).build())
            .collect();
        assert_eq!(
            told(&pods).len(),
            20,
            "pods without an owner have nobody else to tell of them"
        );
    }
}
