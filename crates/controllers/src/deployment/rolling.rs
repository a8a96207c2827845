//! Rolling update: new pods start while old ones stop, within bounds.

use skep_api::Deployment;

use super::{
    bounds::Bounds,
    scaling,
    sets::{SetView, Sets},
};

/// One step: as many new pods as fit on top, then as many old ones away as can be missed.
pub(super) fn step(deployment: &Deployment, sets: &mut Sets<'_>) {
    grow_new(deployment, sets);
    shrink_old(deployment, sets);
}

/// Brings the new set towards the deployment's size, as far as the bound on all pods allows. Pods that are still to go count.
pub(super) fn grow_new(deployment: &Deployment, sets: &mut Sets<'_>) {
    let bounds = Bounds::of(deployment);
    let total: i32 = sets.iter().map(SetView::most).sum();
    let room = (bounds.total_max(deployment) - total).max(0);
    let Some(new) = &mut sets.new else { return };
    let missing = deployment.spec.replicas - new.wanted();
    if missing != 0 {
        new.resize(new.wanted() + missing.min(room));
        scaling::note_size(deployment, &bounds, &mut new.set);
    }
}

/// Old pods go: those that are not available first, as they serve nobody, then available ones that can be missed.
fn shrink_old(deployment: &Deployment, sets: &mut Sets<'_>) {
    let bounds = Bounds::of(deployment);
    let available_min = bounds.available_min(deployment);
    let unavailable_new = sets.new.as_ref().map_or(0, |new| new.wanted() - new.available());
    let spare = sets.wanted() - available_min - unavailable_new;
    if spare <= 0 {
        return;
    }
    shrink(&mut sets.old, spare, deployment, |view| {
        view.wanted() - view.available()
    });
    let available: i32 = sets.iter().map(SetView::available).sum();
    shrink(&mut sets.old, available - available_min, deployment, |view| {
        view.wanted()
    });
}

/// Takes up to `most` pods away from the sets, the oldest set first, and from each no more than `least` says.
fn shrink(
    sets: &mut [SetView<'_>],
    mut most: i32,
    deployment: &Deployment,
    least: impl Fn(&SetView<'_>) -> i32,
) {
    let bounds = Bounds::of(deployment);
    for view in sets {
        let count = least(view).min(most);
        if count > 0 {
            view.resize(view.wanted() - count);
            scaling::note_size(deployment, &bounds, &mut view.set);
            most -= count;
        }
    }
}
