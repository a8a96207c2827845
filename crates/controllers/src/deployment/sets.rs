//! A deployment's replica sets, as they are and as they should be.

use skep_api::{Deployment, Kind, Pod, ReplicaSet, Resource};
use skep_state::{Change, DeleteOptions, PodCounts, State};

use super::{NAME, revision};
use crate::{
    Context, EventNote, Reconciled,
    count::{Count, at_a_glance},
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
    /// Its pods that count.
    pub(super) counts: Count,
    /// True where some of its pods become available by the time alone.
    pub(super) ripens: bool,
    state: &'a State,
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
        let min_ready = deployment.spec.min_ready_seconds;
        let glance = at_a_glance(ctx.state, set, min_ready, ctx.now, |_| true);
        Self {
            set: set.clone(),
            before: Some(set),
            dropped: false,
            counts: glance.unwrap_or_else(|| counted(ctx, set, min_ready)),
            ripens: glance.is_none(),
            state: ctx.state,
        }
    }

    /// One that is to be created.
    pub(super) fn to_create(ctx: &Context<'a>, set: ReplicaSet) -> Self {
        Self {
            set,
            before: None,
            dropped: false,
            counts: Count::default(),
            ripens: false,
            state: ctx.state,
        }
    }

    /// Its pods, ended and ending ones as well: looks at each.
    pub(super) fn pods(&self) -> impl Iterator<Item = &'a Pod> + use<'a> {
        let (state, set) = (self.state, self.before);
        set.into_iter()
            .flat_map(move |set| dependents(state, &set.metadata.uid))
    }

    /// How many pods it has, ended and ending ones as well.
    pub(super) fn pods_all(&self) -> PodCounts {
        let mut all = PodCounts::default();
        if let Some(set) = self.before {
            let groups = self.state.pods_managed_by(&set.metadata.uid);
            groups.iter().for_each(|group| all += group.counts);
        }
        all
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

fn counted(ctx: &Context<'_>, set: &ReplicaSet, min_ready_seconds: i32) -> Count {
    let pods = dependents::<Pod>(ctx.state, &set.metadata.uid);
    let active: Vec<&Pod> = pods.filter(|pod| is_active(pod)).collect();
    let count = |holds: &dyn Fn(&Pod) -> bool| replicas(set, &active, ctx.now, holds);
    Count {
        active: count(&|_| true),
        labelled: count(&|_| true),
        ready: count(&Pod::is_ready),
        available: count(&|pod| pod.is_available(min_ready_seconds, ctx.now)),
    }
}
