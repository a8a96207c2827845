//! What a pending pod asks of a node. Pods with equal wishes are decided as a group.

use std::{collections::BTreeMap, sync::Arc};

use skep_api::{Container, Pod, Taint, TaintEffect, Toleration};

use crate::{catalog::Catalog, load::Load};

/// What a pending pod asks of a node.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) load: Arc<Load>,
    /// The only node that will do; empty for any.
    pub(crate) node_name: String,
    pub(crate) node_selector: BTreeMap<String, String>,
    tolerations: Vec<Toleration>,
    /// Whether a node will do that is cordoned, not ready, or not heard of.
    pub(crate) unschedulable_will_do: bool,
    pub(crate) not_ready_will_do: bool,
    pub(crate) unreachable_will_do: bool,
}

impl Wish {
    pub(crate) fn of(pod: &Pod, catalog: &mut Catalog) -> Self {
        let tolerations = &pod.spec.tolerations;
        let will_do = |condition: &str| {
            let key = format!("node.kubernetes.io/{condition}");
            let taint = Taint {
                key,
                effect: TaintEffect::NoSchedule,
                ..Taint::default()
            };
            tolerations.iter().any(|toleration| toleration.tolerates(&taint))
        };
        Self {
            load: catalog.load_of(pod),
            node_name: pod.spec.node_name.clone(),
            node_selector: pod.spec.node_selector.clone(),
            unschedulable_will_do: will_do("unschedulable"),
            not_ready_will_do: will_do("not-ready"),
            unreachable_will_do: will_do("unreachable"),
            tolerations: tolerations.clone(),
        }
    }

    pub(crate) fn tolerates(&self, taint: &Taint) -> bool {
        self.tolerations
            .iter()
            .any(|toleration| toleration.tolerates(taint))
    }

    /// What tells this wish from others, in one text that sorts.
    pub(crate) fn identity(&self) -> String {
        let Self {
            load,
            node_name,
            node_selector,
            tolerations,
            ..
        } = self;
        format!("{load:?} {node_name:?} {node_selector:?} {tolerations:?}")
    }
}

/// True where two pods surely ask for the same: what a glance at their specs tells, without computing anything.
pub(crate) fn alike(one: &Pod, other: &Pod) -> bool {
    let (a, b) = (&one.spec, &other.spec);
    let containers = |a: &[Container], b: &[Container]| {
        a.len() == b.len()
            && a.iter()
                .zip(b)
                .all(|(a, b)| a.resources == b.resources && a.ports == b.ports)
    };
    fn owner(pod: &Pod) -> Option<&str> {
        pod.metadata.controller().map(|owner| owner.uid.as_str())
    }
    a.node_name == b.node_name
        && a.host_network == b.host_network
        && a.node_selector == b.node_selector
        && a.tolerations == b.tolerations
        && containers(&a.containers, &b.containers)
        && containers(&a.init_containers, &b.init_containers)
        && one.metadata.is_deleting() == other.metadata.is_deleting()
        && owner(one) == owner(other)
}
