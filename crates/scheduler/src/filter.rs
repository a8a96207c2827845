//! Whether a pod may be placed on a node, and what stands against it: the one feasibility check for all who ask.

use skep_api::{ConditionStatus, Taint};

use crate::{
    load::HostPort,
    node::NodeRow,
    resource::{PODS, ResourceId, Resources},
    wish::Wish,
};

/// What stands against placing a pod on a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejection {
    /// The pod names another node.
    OtherNode {
        /// The node it names.
        wanted: String,
    },
    /// The node is cordoned.
    Cordoned,
    /// The node is not ready, or nobody can tell.
    NotReady,
    /// The node lacks a label of the pod's `nodeSelector`.
    Label {
        /// The label as `key=value`.
        wanted: String,
    },
    /// The node has a taint that the pod does not tolerate.
    Taint {
        /// The taint as `key=value:effect`.
        taint: String,
    },
    /// The node is full: it takes no more pods.
    Pods,
    /// The node has too little left of a resource.
    Resource {
        /// The resource's name.
        resource: String,
    },
    /// A pod of the node has a port that the pod wants.
    HostPort {
        /// The port, such as `80/TCP`.
        port: String,
    },
}

/// A check that failed. Cheap: words are found only where somebody asks for them.
pub(crate) enum Obstacle<'a> {
    OtherNode,
    Cordoned,
    NotReady,
    Label(&'a str, &'a str),
    Taint(&'a Taint),
    Resource(ResourceId),
    HostPort(&'a HostPort),
}

/// What is checked, cheapest and most telling first. A node is counted under the first one that fails, except that every
/// resource that is too little is told.
type Check = for<'a> fn(&'a Wish, &'a NodeRow, &mut dyn FnMut(Obstacle<'a>));

const CHECKS: [Check; 7] = [node_name, cordoned, ready, labels, taints, resources, host_ports];

/// True where the pod may be placed on the node.
pub(crate) fn fits(wish: &Wish, node: &NodeRow) -> bool {
    node.exists
        && CHECKS.iter().all(|check| {
            let mut free = true;
            check(wish, node, &mut |_| free = false);
            free
        })
}

/// The first check's obstacles; nothing where the pod fits.
pub(crate) fn obstacles<'a>(wish: &'a Wish, node: &'a NodeRow) -> Vec<Obstacle<'a>> {
    let mut found = Vec::new();
    for check in CHECKS {
        check(wish, node, &mut |obstacle| found.push(obstacle));
        if !found.is_empty() {
            break;
        }
    }
    found
}

fn node_name<'a>(wish: &'a Wish, node: &'a NodeRow, found: &mut dyn FnMut(Obstacle<'a>)) {
    if !wish.node_name.is_empty() && wish.node_name != node.name {
        found(Obstacle::OtherNode);
    }
}

fn cordoned<'a>(wish: &'a Wish, node: &'a NodeRow, found: &mut dyn FnMut(Obstacle<'a>)) {
    if node.cordoned && !wish.unschedulable_will_do {
        found(Obstacle::Cordoned);
    }
}

fn ready<'a>(wish: &'a Wish, node: &'a NodeRow, found: &mut dyn FnMut(Obstacle<'a>)) {
    let will_do = match node.ready {
        ConditionStatus::True => true,
        ConditionStatus::False => wish.not_ready_will_do,
        ConditionStatus::Unknown => wish.unreachable_will_do,
    };
    if !will_do {
        found(Obstacle::NotReady);
    }
}

fn labels<'a>(wish: &'a Wish, node: &'a NodeRow, found: &mut dyn FnMut(Obstacle<'a>)) {
    let missing = wish
        .node_selector
        .iter()
        .find(|(key, value)| node.labels.get(*key) != Some(*value));
    if let Some((key, value)) = missing {
        found(Obstacle::Label(key, value));
    }
}

fn taints<'a>(wish: &'a Wish, node: &'a NodeRow, found: &mut dyn FnMut(Obstacle<'a>)) {
    let hurdle = node.taints.iter().find(|taint| !wish.tolerates(taint));
    if let Some(taint) = hurdle {
        found(Obstacle::Taint(taint));
    }
}

fn resources<'a>(wish: &'a Wish, node: &'a NodeRow, found: &mut dyn FnMut(Obstacle<'a>)) {
    for (id, wanted) in &wish.load.amounts {
        if *wanted > node.free(*id) {
            found(Obstacle::Resource(*id));
        }
    }
}

fn host_ports<'a>(wish: &'a Wish, node: &'a NodeRow, found: &mut dyn FnMut(Obstacle<'a>)) {
    if let Some(port) = node.taken(&wish.load.ports) {
        found(Obstacle::HostPort(port));
    }
}

impl Obstacle<'_> {
    /// The obstacle in words of its own.
    pub(crate) fn rejection(&self, wish: &Wish, resources: &Resources) -> Rejection {
        match self {
            Self::OtherNode => Rejection::OtherNode {
                wanted: wish.node_name.clone(),
            },
            Self::Cordoned => Rejection::Cordoned,
            Self::NotReady => Rejection::NotReady,
            Self::Label(key, value) => Rejection::Label {
                wanted: format!("{key}={value}"),
            },
            Self::Taint(taint) => Rejection::Taint {
                taint: taint_text(taint),
            },
            Self::Resource(PODS) => Rejection::Pods,
            Self::Resource(id) => Rejection::Resource {
                resource: resources.name(*id).to_owned(),
            },
            Self::HostPort(port) => Rejection::HostPort {
                port: port.to_string(),
            },
        }
    }
}

fn taint_text(taint: &Taint) -> String {
    let equals = if taint.value.is_empty() { "" } else { "=" };
    format!("{}{equals}{}:{:?}", taint.key, taint.value, taint.effect)
}
