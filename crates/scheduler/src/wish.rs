//! What a pending pod asks of a node. Pods with equal wishes are decided as a group.

use std::collections::BTreeMap;

use skep_api::{Pod, TaintEffect, Toleration};

use crate::{load::Load, resource::Resources, toleration::covers};

/// What a pending pod asks of a node.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) load: Load,
    /// The only node that will do; empty for any.
    pub(crate) node_name: String,
    pub(crate) node_selector: BTreeMap<String, String>,
    tolerations: Vec<Toleration>,
}

impl Wish {
    pub(crate) fn of(pod: &Pod, resources: &mut Resources) -> Self {
        Self {
            load: Load::of(pod, resources),
            node_name: pod.spec.node_name.clone(),
            node_selector: pod.spec.node_selector.clone(),
            tolerations: pod.spec.tolerations.clone(),
        }
    }

    pub(crate) fn tolerates(&self, key: &str, value: &str, effect: TaintEffect) -> bool {
        self.tolerations
            .iter()
            .any(|toleration| covers(toleration, key, value, effect))
    }

    /// What tells this wish from others, in one text that sorts and hashes.
    pub(crate) fn identity(&self) -> String {
        let Self {
            load,
            node_name,
            node_selector,
            tolerations,
        } = self;
        format!("{load:?} {node_name:?} {node_selector:?} {tolerations:?}")
    }
}

/// True where two pods surely ask for the same: what a glance at their specs tells, without computing anything.
pub(crate) fn alike(one: &Pod, other: &Pod) -> bool {
    let (a, b) = (&one.spec, &other.spec);
    let containers = |a: &[skep_api::Container], b: &[skep_api::Container]| {
        a.len() == b.len()
            && a.iter()
                .zip(b)
                .all(|(a, b)| a.resources == b.resources && a.ports == b.ports)
    };
    let owner = |pod: &Pod| pod.metadata.controller().map(|owner| owner.uid.clone());
    a.node_name == b.node_name
        && a.host_network == b.host_network
        && a.node_selector == b.node_selector
        && a.tolerations == b.tolerations
        && containers(&a.containers, &b.containers)
        && containers(&a.init_containers, &b.init_containers)
        && one.metadata.is_deleting() == other.metadata.is_deleting()
        && owner(one) == owner(other)
}
