//! Recreate: all old pods stop before the first new one starts.

use skep_api::Deployment;

use super::{bounds::Bounds, revision, rolling, scaling, sets::Sets};
use crate::Context;

/// One step: the old sets to nothing, and once nothing of their pods runs, the new set to its size.
pub(super) fn step<'a>(ctx: &Context<'a>, deployment: &mut Deployment, sets: &mut Sets<'a>) {
    revision::follow(deployment, sets);
    let bounds = Bounds::of(deployment);
    let mut runs = false;
    for view in &mut sets.old {
        runs |= view.wanted() > 0 || {
            let pods = view.pods_all();
            pods.all > pods.ended
        };
        if view.wanted() > 0 {
            view.resize(0);
            scaling::note_size(deployment, &bounds, &mut view.set);
        }
    }
    if !runs {
        revision::follow_or_create(ctx, deployment, sets);
        rolling::grow_new(deployment, sets);
    }
}
