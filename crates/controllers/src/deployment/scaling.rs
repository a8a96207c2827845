//! A deployment that gets another size: in the middle of a rollout each replica set gets its share.

use skep_api::{Deployment, DeploymentStrategyType, ReplicaSet};

use super::{
    bounds::Bounds,
    sets::{SetView, Sets},
};

const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";

/// Notes on the set what size of the deployment its own size is a share of.
pub(super) fn note_size(deployment: &Deployment, bounds: &Bounds, set: &mut ReplicaSet) {
    let notes = [
        (DESIRED_REPLICAS, deployment.spec.replicas),
        (MAX_REPLICAS, bounds.total_max(deployment)),
    ];
    for (key, value) in notes {
        let value = value.to_string();
        if set.metadata.annotations.get(key) != Some(&value) {
            set.metadata.annotations.insert(key.to_owned(), value);
        }
    }
}

/// True where a set with pods was made for another size of the deployment.
pub(super) fn is_resized(deployment: &Deployment, sets: &Sets<'_>) -> bool {
    let mut active = sets.iter().filter(|view| view.wanted() > 0);
    active.any(|view| noted(&view.set, DESIRED_REPLICAS).is_some_and(|size| size != deployment.spec.replicas))
}

fn noted(set: &ReplicaSet, key: &str) -> Option<i32> {
    set.metadata.annotations.get(key)?.parse().ok()
}

/// Gives the sets the sizes that the deployment's size asks for, without rolling from one to the other.
pub(super) fn resize(deployment: &Deployment, sets: &mut Sets<'_>) {
    let bounds = Bounds::of(deployment);
    let size = deployment.spec.replicas;
    if let Some(only) = only_active_or_newest(sets) {
        only.resize(size);
        note_size(deployment, &bounds, &mut only.set);
        return;
    }
    if is_saturated(deployment, sets) {
        for view in sets.old.iter_mut().filter(|view| view.wanted() > 0) {
            view.resize(0);
            note_size(deployment, &bounds, &mut view.set);
        }
        return;
    }
    if deployment.spec.strategy.r#type == DeploymentStrategyType::RollingUpdate {
        share(deployment, &bounds, sets);
    }
    for view in sets.iter_mut().filter(|view| view.wanted() > 0) {
        note_size(deployment, &bounds, &mut view.set);
    }
}

/// The one set with pods; where none has any, the new one or the youngest. `None` where several have pods.
fn only_active_or_newest<'s, 'a>(sets: &'s mut Sets<'a>) -> Option<&'s mut SetView<'a>> {
    match sets.iter().filter(|view| view.wanted() > 0).count() {
        0 => sets.iter_mut().last(),
        1 => sets.iter_mut().find(|view| view.wanted() > 0),
        _ => None,
    }
}

/// True where the new set has all the pods that the deployment wants, all available.
fn is_saturated(deployment: &Deployment, sets: &Sets<'_>) -> bool {
    let size = deployment.spec.replicas;
    sets.new.as_ref().is_some_and(|new| {
        noted(&new.set, DESIRED_REPLICAS) == Some(size) && new.wanted() == size && new.available() == size
    })
}

/// Shares what is to be added or taken among the sets with pods, by their sizes; the largest gets what rounding leaves.
fn share(deployment: &Deployment, bounds: &Bounds, sets: &mut Sets<'_>) {
    let allowed = if deployment.spec.replicas > 0 {
        bounds.total_max(deployment)
    } else {
        0
    };
    let difference = allowed - sets.wanted();
    let mut active: Vec<(usize, &mut SetView<'_>)> = sets
        .iter_mut()
        .enumerate()
        .filter(|(_, view)| view.wanted() > 0)
        .collect();
    // Sets are enumerated by age. The largest first; among equals the youngest where pods are added, else the oldest.
    active.sort_by_key(|(age, view)| {
        let age = i64::try_from(*age).unwrap_or(i64::MAX);
        (
            std::cmp::Reverse(view.wanted()),
            if difference > 0 { -age } else { age },
        )
    });
    let mut left = difference;
    for (_, view) in &mut active {
        let part = portion(deployment, bounds, view, left);
        view.resize(view.wanted() + part);
        left -= part;
    }
    if let Some((_, largest)) = active.first_mut() {
        largest.resize(largest.wanted() + left);
    }
}

/// A set's share of what is left to be added (or, below zero, taken).
fn portion(deployment: &Deployment, bounds: &Bounds, view: &SetView<'_>, left: i32) -> i32 {
    if deployment.spec.replicas == 0 {
        return (-view.wanted()).max(left);
    }
    let before = noted(&view.set, MAX_REPLICAS).filter(|max| *max > 0);
    let before = i64::from(before.unwrap_or_else(|| deployment.status.replicas.max(1)));
    let scaled = i64::from(view.wanted()) * i64::from(bounds.total_max(deployment));
    let rounded = (2 * scaled + before) / (2 * before);
    let fraction = i32::try_from(rounded).unwrap_or(i32::MAX) - view.wanted();
    if left >= 0 {
        fraction.clamp(0, left)
    } else {
        fraction.clamp(left, 0)
    }
}
