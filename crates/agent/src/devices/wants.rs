//! What a pod's containers ask for by the piece.

use std::collections::BTreeMap;

use skep_api::{Container, Pod, QosClass};

use super::pool::CPU;
use crate::spec::qos_class;

/// What a pod's containers ask for by the piece, in the order in which they run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wants {
    containers: Vec<Want>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Want {
    pub(super) container: String,
    /// Runs before the others, and may have what they will have.
    pub(super) init: bool,
    pub(super) counts: BTreeMap<String, u64>,
}

impl Wants {
    /// What the pod asks for. With `own_cpus`, containers of a Guaranteed pod that ask for whole CPUs get them for themselves.
    pub(crate) fn of(pod: &Pod, own_cpus: bool) -> Self {
        let own_cpus = own_cpus && qos_class(pod) == QosClass::Guaranteed;
        let spec = &pod.spec;
        let inits = spec
            .init_containers
            .iter()
            .map(|container| (container, !container.is_sidecar()));
        let apps = spec.containers.iter().map(|container| (container, false));
        let containers = inits.chain(apps).map(|(container, init)| Want {
            container: container.name.clone(),
            init,
            counts: counts(container, own_cpus),
        });
        Self {
            containers: containers.filter(|want| !want.counts.is_empty()).collect(),
        }
    }

    /// True where nothing is asked for by the piece.
    pub(crate) fn is_empty(&self) -> bool {
        self.containers.is_empty()
    }

    pub(super) fn containers(&self) -> &[Want] {
        &self.containers
    }

    /// Pieces of each resource for the whole pod: the sum over the containers, or an init container's, with those of the
    /// sidecars before it, where that is more.
    pub(super) fn totals(&self) -> BTreeMap<&str, u64> {
        let (mut apps, mut inits) = (BTreeMap::<&str, u64>::new(), BTreeMap::<&str, u64>::new());
        for want in &self.containers {
            for (name, count) in &want.counts {
                if want.init {
                    let before = apps.get(name.as_str()).copied().unwrap_or(0);
                    let most = inits.entry(name).or_default();
                    *most = (*most).max(count.saturating_add(before));
                } else {
                    let sum = apps.entry(name).or_default();
                    *sum = sum.saturating_add(*count);
                }
            }
        }
        for (name, count) in inits {
            let total = apps.entry(name).or_default();
            *total = (*total).max(count);
        }
        apps
    }
}

fn counts(container: &Container, own_cpus: bool) -> BTreeMap<String, u64> {
    let resources = &container.resources;
    let asked = resources.limits.iter().chain(&resources.requests);
    let by_piece = asked.filter(|(name, amount)| match name.as_str() {
        CPU => own_cpus && amount.millis() % 1000 == 0,
        name => name.contains('/'),
    });
    by_piece
        .filter_map(|(name, amount)| Some((name.clone(), u64::try_from(amount.units()).ok()?)))
        .filter(|(_, count)| *count > 0)
        .collect()
}
