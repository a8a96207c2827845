//! Whether a pod may be placed on a node, and what stands against it: the one feasibility check for all who ask.

use skep_api::TaintEffect;

use crate::{
    load::HostPort,
    resource::{PODS, ResourceId},
    rules::Rules,
    tables::Tables,
    template::Template,
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
    /// The pod's required node affinity does not select the node.
    NodeAffinity {
        /// What it asks for, as `disk in (nvme,ssd) and gen>6`.
        wanted: String,
    },
    /// No pod is near that the pod's required affinity selects.
    PodAffinity {
        /// Selector and topology, as `app=web by kubernetes.io/hostname`.
        term: String,
    },
    /// A pod is near that the pod's required anti-affinity selects.
    PodAntiAffinity {
        /// Selector and topology.
        term: String,
    },
    /// A pod is near whose required anti-affinity selects the pod.
    KeptAway {
        /// Selector and topology.
        term: String,
    },
    /// With the pod there, its topology spread would be more uneven than `maxSkew`.
    Spread {
        /// The topology key.
        topology: String,
        /// The largest skew that is allowed.
        max_skew: i64,
        /// How many places there are and how many there should be (`minDomains`), where they are too few.
        too_few: Option<(u32, u32)>,
    },
    /// The node lacks the label over whose values the pod is to be spread.
    SpreadLabel {
        /// The topology key.
        topology: String,
    },
}

/// A check that failed. Cheap: words are found only where somebody asks for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Obstacle<'a> {
    OtherNode,
    Cordoned,
    NotReady,
    Label(&'a str, &'a str),
    NodeAffinity,
    Taint(&'a str, &'a str, &'static str),
    Resource(ResourceId),
    HostPort(&'a HostPort),
    /// A term.
    NotNear(usize),
    /// A term.
    NotApart(usize),
    /// A term.
    KeptAway(usize),
    /// A term.
    NoPlace(usize),
    /// A term, the largest skew, and how many places there should be.
    Uneven(usize, i64, u32),
}

impl Tables {
    /// True where the pod may be placed on the node.
    pub(crate) fn fits(&self, template: &Template, rules: &Rules, node: usize) -> bool {
        let mut free = true;
        self.obstacles(template, rules, node, &mut |_| free = false);
        free
    }

    /// The first check's obstacles, cheapest and most telling check first; nothing where the pod fits. A node is told under
    /// the first check that fails, except that every resource that is too little is told.
    pub(crate) fn obstacles<'a>(
        &'a self,
        template: &'a Template,
        rules: &Rules,
        node: usize,
        found: &mut dyn FnMut(Obstacle<'a>),
    ) {
        if let Some(obstacle) = self.standing_obstacle(template, node) {
            return found(obstacle);
        }
        let mut room = true;
        for (id, wanted) in &template.load.amounts {
            if *wanted > self.room(template, *id, node) {
                room = false;
                found(Obstacle::Resource(*id));
            }
        }
        if !room {
            return;
        }
        if let Some(port) = self.taken_port(template, node) {
            return found(Obstacle::HostPort(port));
        }
        let mut places = rules
            .hard
            .iter()
            .map(|rule| (rule, self.topologies.place(rule.topology, node)));
        if let Some(obstacle) = places.find_map(|(rule, place)| self.broken(template, rule, place)) {
            found(obstacle);
        }
    }

    /// What the node says of itself that stands against the pod.
    fn standing_obstacle<'a>(&'a self, template: &'a Template, node: usize) -> Option<Obstacle<'a>> {
        let row = &self.nodes.rows[node];
        if let Some(names) = &template.pinned
            && !names.iter().any(|name| **name == *row.name)
        {
            return Some(if template.named {
                Obstacle::OtherNode
            } else {
                Obstacle::NodeAffinity
            });
        }
        let standing = &self.standings.rows[template.standing];
        match &standing.good {
            Some(good) if good.get(node) => None,
            _ => standing.demands.obstacle(row),
        }
    }

    /// True where nothing about the node itself stands against the pod.
    pub(crate) fn stands(&self, template: &Template, node: usize) -> bool {
        self.nodes.rows[node].exists && self.standing_obstacle(template, node).is_none()
    }

    /// What is left of a resource for this pod: room that is kept for others, no less important, is not.
    pub(crate) fn room(&self, template: &Template, id: ResourceId, node: usize) -> i64 {
        let free = self.nodes.free(id, node);
        if !self.nodes.reserved.get(node) {
            return free;
        }
        let kept = self.nodes.rows[node]
            .nominated
            .iter()
            .filter(|one| one.priority >= template.priority);
        let amounts = kept
            .flat_map(|one| &one.load.amounts)
            .filter(|(other, _)| *other == id);
        amounts.fold(free, |left, (_, amount)| left.saturating_sub(*amount))
    }

    /// The first port the pod wants that is taken, or kept for another.
    pub(crate) fn taken_port<'a>(&self, template: &'a Template, node: usize) -> Option<&'a HostPort> {
        let wanted = &template.load.ports;
        if wanted.is_empty() {
            return None;
        }
        let row = &self.nodes.rows[node];
        let kept = row
            .nominated
            .iter()
            .filter(|one| one.priority >= template.priority);
        let kept: Vec<&HostPort> = kept.flat_map(|one| &one.load.ports).collect();
        row.taken(wanted).or_else(|| {
            wanted
                .iter()
                .find(|port| kept.iter().any(|taken| taken.conflicts(port)))
        })
    }

    /// The obstacle in words of its own.
    pub(crate) fn rejection(&self, template: &Template, obstacle: Obstacle<'_>) -> Rejection {
        let own = &self.looks.rows[template.look].namespace;
        let term = |term: usize| self.terms.rows[term].words(&self.topologies, own, &self.namespaces);
        let topology = |term: usize| self.topologies.get(self.terms.rows[term].topology).key.clone();
        match obstacle {
            Obstacle::OtherNode => Rejection::OtherNode {
                wanted: template
                    .pinned
                    .iter()
                    .flatten()
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(" or "),
            },
            Obstacle::Cordoned => Rejection::Cordoned,
            Obstacle::NotReady => Rejection::NotReady,
            Obstacle::Label(key, value) => Rejection::Label {
                wanted: format!("{key}={value}"),
            },
            Obstacle::NodeAffinity => Rejection::NodeAffinity {
                wanted: self.standings.rows[template.standing].demands.affinity_words(),
            },
            Obstacle::Taint(key, value, effect) => Rejection::Taint {
                taint: taint_text(key, value, effect),
            },
            Obstacle::Resource(PODS) => Rejection::Pods,
            Obstacle::Resource(id) => Rejection::Resource {
                resource: self.resources.name(id).to_owned(),
            },
            Obstacle::HostPort(port) => Rejection::HostPort {
                port: port.to_string(),
            },
            Obstacle::NotNear(index) => Rejection::PodAffinity { term: term(index) },
            Obstacle::NotApart(index) => Rejection::PodAntiAffinity { term: term(index) },
            Obstacle::KeptAway(index) => Rejection::KeptAway { term: term(index) },
            Obstacle::NoPlace(index) => Rejection::SpreadLabel {
                topology: topology(index),
            },
            Obstacle::Uneven(index, max_skew, min_places) => Rejection::Spread {
                topology: topology(index),
                max_skew,
                too_few: Some((self.terms.rows[index].places(), min_places))
                    .filter(|(there, wanted)| there < wanted),
            },
        }
    }
}

fn taint_text(key: &str, value: &str, effect: &str) -> String {
    let equals = if value.is_empty() { "" } else { "=" };
    format!("{key}{equals}{value}:{effect}")
}

/// An effect as people write it.
pub(crate) fn effect_text(effect: TaintEffect) -> &'static str {
    match effect {
        TaintEffect::NoSchedule => "NoSchedule",
        TaintEffect::PreferNoSchedule => "PreferNoSchedule",
        TaintEffect::NoExecute => "NoExecute",
    }
}
