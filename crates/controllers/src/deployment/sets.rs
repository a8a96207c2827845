//! A deployment's replica sets, as they are and as they should be.

use skep_api::{Deployment, Kind, Pod, ReplicaSet, Resource};
use skep_state::{Change, DeleteOptions};

use super::{NAME, revision};
use crate::{
    Context, EventNote, Reconciled,
    pods::{dependents, is_active, replicas},
};

/// The replica sets of a deployment.
#[derive(Debug)]
pub(super) struct Sets<'a> {
    /// The one of the present template.
    pub(super) new: Option<SetView<'a>>,
    /// All others, the oldest first.
    pub(super) old: Vec<SetView<'a>>,
}

/// A replica set as it should be, and what there is of it.
#[derive(Debug)]
pub(super) struct SetView<'a> {
    /// Changed step by step.
    pub(super) set: ReplicaSet,
    /// As it is; `None` where it is to be created.
    pub(super) before: Option<&'a ReplicaSet>,
    /// True where it is to be deleted.
    pub(super) dropped: bool,
    /// Its pods, ended and ending ones as well.
    pub(super) pods: Vec<&'a Pod>,
    /// Its pods that count.
    pub(super) counts: Counts,
}

/// Pods that have not ended and are not going away.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) active: i32,
    pub(super) ready: i32,
    pub(super) available: i32,
}

impl<'a> Sets<'a> {
    pub(super) fn of(ctx: &Context<'a>, deployment: &'a Deployment) -> Self {
        let mut sets: Vec<&ReplicaSet> = dependents(ctx.state, &deployment.metadata.uid).collect();
        sets.sort_by_key(|set| (set.metadata.creation_timestamp, &set.metadata.name));
        let new = sets
            .iter()
            .position(|set| revision::is_of_template(set, deployment));
        let new = new.map(|index| SetView::of(ctx, deployment, sets.remove(index)));
        Self {
            new,
            old: sets
                .into_iter()
                .map(|set| SetView::of(ctx, deployment, set))
                .collect(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &SetView<'a>> {
        self.old.iter().chain(&self.new)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut SetView<'a>> {
        self.old.iter_mut().chain(&mut self.new)
    }

    /// Pods that all sets should have, together.
    pub(super) fn wanted(&self) -> i32 {
        self.iter().map(SetView::wanted).sum()
    }

    /// Proposes what was changed, and tells of each change of size.
    pub(super) fn propose(&self, ctx: &Context<'_>, deployment: &Deployment, result: &mut Reconciled) {
        for view in self.iter() {
            if view.dropped {
                let object = ctx.state.object(Kind::ReplicaSet, &view.set.key());
                result
                    .changes
                    .extend(object.map(|set| Change::delete(set, DeleteOptions::default())));
                continue;
            }
            match view.before {
                None => result.changes.push(Change::create(view.set.clone())),
                Some(before) if *before != view.set => result.changes.push(Change::update(view.set.clone())),
                Some(_) => {}
            }
            let (from, to) = (
                view.before.map_or(0, |before| before.spec.replicas),
                view.wanted(),
            );
            if from != to {
                let direction = if to > from { "up" } else { "down" };
                let message = format!(
                    "Scaled {direction} replica set {} from {from} to {to}",
                    view.set.metadata.name
                );
                result
                    .events
                    .push(EventNote::normal(deployment, NAME, "ScalingReplicaSet", message));
            }
        }
    }
}

impl<'a> SetView<'a> {
    fn of(ctx: &Context<'a>, deployment: &Deployment, set: &'a ReplicaSet) -> Self {
        let pods: Vec<&Pod> = dependents(ctx.state, &set.metadata.uid).collect();
        let min_ready = deployment.spec.min_ready_seconds;
        let active: Vec<&Pod> = pods.iter().copied().filter(|pod| is_active(pod)).collect();
        let count = |holds: &dyn Fn(&Pod) -> bool| replicas(set, &active, ctx.now, holds);
        let counts = Counts {
            active: count(&|_| true),
            ready: count(&Pod::is_ready),
            available: count(&|pod| pod.is_available(min_ready, ctx.now)),
        };
        Self {
            set: set.clone(),
            before: Some(set),
            dropped: false,
            pods,
            counts,
        }
    }

    /// Pods it should have.
    pub(super) fn wanted(&self) -> i32 {
        self.set.spec.replicas
    }

    /// Pods it should have or, where some are still to go, has.
    pub(super) fn most(&self) -> i32 {
        self.wanted().max(self.counts.active)
    }

    /// Available pods that are left once it has the size it should have: those that go are not counted.
    pub(super) fn available(&self) -> i32 {
        self.wanted().min(self.counts.available)
    }

    /// Gives it another size.
    pub(super) fn resize(&mut self, replicas: i32) {
        self.set.spec.replicas = replicas.max(0);
    }
}
