//! Old revisions are kept for undo, up to a limit.

use skep_api::Deployment;

use super::{
    revision::number,
    sets::{SetView, Sets},
};

/// Drops the oldest revisions beyond `revisionHistoryLimit`; sets with pods stay.
pub(super) fn trim(deployment: &Deployment, sets: &mut Sets<'_>) {
    let limit = usize::try_from(deployment.spec.revision_history_limit).unwrap_or(0);
    let mut old: Vec<&mut SetView<'_>> = sets
        .old
        .iter_mut()
        .filter(|view| !view.set.metadata.is_deleting())
        .collect();
    let surplus = old.len().saturating_sub(limit);
    old.sort_by_key(|view| number(&view.set));
    for view in old.into_iter().take(surplus) {
        let status = &view.set.status;
        let empty = view.wanted() == 0 && view.counts.active == 0 && status.replicas == 0;
        view.dropped = empty && status.observed_generation >= view.set.metadata.generation;
    }
}
