//! What is kept once and shared: the numbers of resources, and equal loads.

use std::{collections::BTreeSet, sync::Arc};

use skep_api::Pod;

use crate::{load::Load, resource::Resources};

/// What is kept once and shared.
#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    pub(crate) resources: Resources,
    loads: BTreeSet<Arc<Load>>,
}

impl Catalog {
    pub(crate) fn new() -> Self {
        Self {
            resources: Resources::new(),
            loads: BTreeSet::new(),
        }
    }

    /// What the pod takes up, shared with all pods that take up the same.
    pub(crate) fn load_of(&mut self, pod: &Pod) -> Arc<Load> {
        let load = Load::of(pod, &mut self.resources);
        if let Some(shared) = self.loads.get(&load) {
            return Arc::clone(shared);
        }
        let shared = Arc::new(load);
        self.loads.insert(Arc::clone(&shared));
        shared
    }

    /// Gives a load back, and forgets it where nobody else has it.
    pub(crate) fn release(&mut self, load: Arc<Load>) {
        // The catalog's own reference, and this one.
        if Arc::strong_count(&load) == 2 {
            self.loads.remove(&load);
        }
        drop(load);
    }

    #[cfg(test)]
    pub(crate) fn loads(&self) -> usize {
        self.loads.len()
    }
}
