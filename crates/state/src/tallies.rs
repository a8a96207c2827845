//! How many pods each owner manages and how they do: counted as they come and go, so that thousands are counted at a glance.

use std::{
    collections::BTreeMap,
    ops::{AddAssign, SubAssign},
    sync::Arc,
};

use imbl::OrdMap;
use skep_api::{Object, Pod, Time, well_known};

/// By the owner's uid. Follows from the pods.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tallies(OrdMap<Arc<str>, Vec<PodGroup>>);

/// Pods of one owner that have the same labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodGroup {
    /// Their labels.
    pub labels: Arc<BTreeMap<String, String>>,
    /// How many of them do how.
    pub counts: PodCounts,
    /// None of those that are ready has become it later than this.
    pub ready_by: Time,
}

/// How many pods do how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodCounts {
    /// All there are.
    pub all: usize,
    /// Those whose containers have ended for good.
    pub ended: usize,
    /// Those that have not ended and are not going away.
    pub active: usize,
    /// Active ones that are ready.
    pub ready: usize,
    /// Active ones that are marked as being replaced.
    pub replaced: usize,
}

/// What a pod adds to the tally of its owner.
#[derive(PartialEq)]
struct Share<'a> {
    owner: &'a str,
    labels: &'a BTreeMap<String, String>,
    counts: PodCounts,
    ready_at: Option<Time>,
}

impl Tallies {
    pub(crate) fn of(&self, owner: &str) -> &[PodGroup] {
        self.0.get(owner).map_or(&[], Vec::as_slice)
    }

    /// Follows an object from one version to the next; `None` where it was not there or is no more.
    pub(crate) fn follow(&mut self, before: Option<&Object>, after: Option<&Object>) {
        let (old, new) = (before.and_then(share), after.and_then(share));
        if old == new {
            return;
        }
        if let Some(new) = new {
            self.add(&new);
        }
        if let Some(old) = old {
            self.remove(&old);
        }
    }

    fn add(&mut self, share: &Share<'_>) {
        if !self.0.contains_key(share.owner) {
            self.0.insert(share.owner.into(), Vec::new());
        }
        let Some(groups) = self.0.get_mut(share.owner) else {
            return;
        };
        let ready_by = share.ready_at.unwrap_or_default();
        match groups.iter_mut().find(|group| *group.labels == *share.labels) {
            Some(group) => {
                group.counts += share.counts;
                group.ready_by = group.ready_by.max(ready_by);
            }
            None => groups.push(PodGroup {
                labels: Arc::new(share.labels.clone()),
                counts: share.counts,
                ready_by,
            }),
        }
    }

    fn remove(&mut self, share: &Share<'_>) {
        let Some(groups) = self.0.get_mut(share.owner) else {
            return;
        };
        if let Some(group) = groups.iter_mut().find(|group| *group.labels == *share.labels) {
            group.counts -= share.counts;
        }
        groups.retain(|group| group.counts.all > 0);
        if groups.is_empty() {
            self.0.remove(share.owner);
        }
    }
}

fn share(object: &Object) -> Option<Share<'_>> {
    let Object::Pod(pod) = object else {
        return None;
    };
    let ready_at = pod.available_at(0).filter(|_| is_active(pod));
    Some(Share {
        owner: &pod.metadata.controller()?.uid,
        labels: &pod.metadata.labels,
        counts: PodCounts {
            all: 1,
            ended: usize::from(pod.is_terminal()),
            active: usize::from(is_active(pod)),
            ready: usize::from(ready_at.is_some()),
            replaced: usize::from(is_active(pod) && is_marked(pod)),
        },
        ready_at,
    })
}

fn is_active(pod: &Pod) -> bool {
    !pod.is_terminal() && !pod.metadata.is_deleting()
}

fn is_marked(pod: &Pod) -> bool {
    pod.metadata.annotations.contains_key(well_known::REPLACED_UNTIL)
}

impl AddAssign for PodCounts {
    fn add_assign(&mut self, more: Self) {
        self.all += more.all;
        self.ended += more.ended;
        self.active += more.active;
        self.ready += more.ready;
        self.replaced += more.replaced;
    }
}

impl SubAssign for PodCounts {
    fn sub_assign(&mut self, less: Self) {
        self.all -= less.all;
        self.ended -= less.ended;
        self.active -= less.active;
        self.ready -= less.ready;
        self.replaced -= less.replaced;
    }
}
