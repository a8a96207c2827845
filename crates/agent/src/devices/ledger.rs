//! Who has which device: given pod by pod, all that it asks for or nothing, and never to two.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Wants,
    ids::{Ids, PodDevices},
    pool::Pool,
};

/// Who has which device.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    pools: BTreeMap<String, Pool>,
    /// By the pod's uid.
    held: BTreeMap<String, PodDevices>,
}

/// Why a pod does not get its devices.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "requested number of devices unavailable for {resource}. Requested: {requested}, Available: {available}"
)]
pub(crate) struct Shortage {
    /// The resource that is short.
    pub(crate) resource: String,
    /// How many the pod asks for.
    pub(crate) requested: u64,
    /// How many nobody has.
    pub(crate) available: usize,
    /// The node will never have enough, whoever ends.
    pub(crate) lasting: bool,
}

impl Ledger {
    /// The node has these; who has what stays as it is.
    pub(super) fn set_pool(&mut self, resource: &str, pool: Pool) {
        self.pools.insert(resource.to_owned(), pool);
    }

    pub(super) fn pools(&self) -> impl Iterator<Item = (&str, &Pool)> {
        self.pools.iter().map(|(name, pool)| (name.as_str(), pool))
    }

    pub(super) fn pool_mut(&mut self, resource: &str) -> Option<&mut Pool> {
        self.pools.get_mut(resource)
    }

    /// What a pod has.
    pub(super) fn held(&self, uid: &str) -> Option<&PodDevices> {
        self.held.get(uid)
    }

    /// All the ids of a resource that somebody has.
    pub(super) fn used(&self, resource: &str) -> BTreeSet<&str> {
        self.held
            .values()
            .flat_map(|devices| devices.all(resource))
            .collect()
    }

    /// Gives a pod what it asks for; what it has already, it keeps.
    ///
    /// # Errors
    /// The first resource that is short. The pod has what it had before then.
    pub(super) fn take(&mut self, uid: &str, wants: &Wants) -> Result<PodDevices, Shortage> {
        if let Some(held) = self.held.get(uid).filter(|held| covers(held, wants)) {
            return Ok(held.clone());
        }
        let mut given = PodDevices::default();
        for (resource, total) in wants.totals() {
            let ids = self.pick(uid, resource, total)?;
            deal(&mut given, wants, resource, &ids);
        }
        self.held.insert(uid.to_owned(), given.clone());
        Ok(given)
    }

    /// What a pod has from before the agent's start; false where another pod has some of it.
    pub(super) fn restore(&mut self, uid: &str, devices: PodDevices) -> bool {
        let others = self.held.iter().filter(|(other, _)| *other != uid);
        let mut taken = others.map(|(_, held)| held);
        let clashes = taken.any(|held| {
            let resources = devices.resources();
            resources
                .into_iter()
                .any(|name| !held.all(name).is_disjoint(&devices.all(name)))
        });
        if !clashes {
            self.held.insert(uid.to_owned(), devices);
        }
        !clashes
    }

    /// Takes back what a pod has; false where that is nothing.
    pub(super) fn free(&mut self, uid: &str) -> bool {
        self.held.remove(uid).is_some()
    }

    fn pick(&self, uid: &str, resource: &str, total: u64) -> Result<Vec<String>, Shortage> {
        let own: Vec<String> = self
            .held
            .get(uid)
            .map(|held| held.all(resource).into_iter().map(str::to_owned).collect())
            .unwrap_or_default();
        let used = self.used(resource);
        let pool = self.pools.get(resource);
        let short = || {
            let (_, there) = pool.map_or((0, 0), Pool::sizes);
            Shortage {
                resource: resource.to_owned(),
                requested: total,
                available: pool.map_or(0, |pool| pool.free(&used)),
                lasting: u64::try_from(there).unwrap_or(u64::MAX) < total,
            }
        };
        let total = usize::try_from(total).map_err(|_| short())?;
        if total <= own.len() {
            return Ok(own.into_iter().take(total).collect());
        }
        let more = pool.and_then(|pool| {
            let missing = total - own.len();
            (missing <= pool.free(&used))
                .then(|| pool.pick(&used, missing))
                .flatten()
        });
        let mut ids = own;
        ids.extend(more.ok_or_else(short)?);
        Ok(ids)
    }
}

/// Each container gets its own; those that run before the others get some of what those after them will have.
fn deal(given: &mut PodDevices, wants: &Wants, resource: &str, ids: &[String]) {
    let mut next = 0;
    for want in wants.containers() {
        let Some(count) = want
            .counts
            .get(resource)
            .and_then(|count| usize::try_from(*count).ok())
        else {
            continue;
        };
        let from = next;
        if !want.init {
            next += count;
        }
        let own: Ids = BTreeMap::from([(resource.to_owned(), ids[from..from + count].to_vec())]);
        given
            .containers
            .entry(want.container.clone())
            .or_default()
            .extend(own);
    }
}

/// True where each container has what it asks for, and nothing else.
fn covers(held: &PodDevices, wants: &Wants) -> bool {
    let counted = |ids: &Ids| -> BTreeMap<String, u64> {
        let counts = ids.iter().map(|(name, ids)| (name.clone(), ids.len() as u64));
        counts.collect()
    };
    held.containers.len() == wants.containers().len()
        && wants.containers().iter().all(|want| {
            held.of(&want.container)
                .is_some_and(|ids| counted(ids) == want.counts)
        })
}
