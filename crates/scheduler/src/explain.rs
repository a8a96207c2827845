//! Why a pod fits on no node, in words.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    filter::{Obstacle, Rejection},
    preempt::Useless,
    resource::{PODS, Resources, written},
    rules::Rules,
    tables::Tables,
    template::Template,
};

/// How many different rejections are told in words.
const TOLD_MAX: usize = 10;

/// How many values of a label are named.
const VALUES_MAX: usize = 5;

/// Why a pod fits on no node. `Display` gives it in words:
/// `0/3 nodes fit: 2 have too little cpu (250m wanted, 100m free at most), 1 is cordoned; closest is a, which lacks 150m cpu`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// How many nodes there are.
    pub nodes: usize,
    /// What stands against how many of them, the most frequent first. A node that lacks several resources counts under each.
    pub rejections: Vec<(Rejection, usize)>,
    /// What holds the pod back whatever the nodes are like: its scheduling gates.
    pub gates: Vec<String>,
    /// The node with enough of everything but some resource, and least short of that.
    pub closest: Option<Closest>,
    /// For each resource in `rejections`: what is wanted and what the node with most has left.
    shortages: Vec<Shortage>,
    /// The resources of which the pod wants more than any node has, even empty: it can never fit.
    never: Vec<Shortage>,
    /// Labels that no node has, and what nodes have instead.
    unknown: Vec<Unknown>,
    /// Why sending pods of lower priority away does not help.
    useless: Option<Useless>,
}

/// A label that no node has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unknown {
    /// As `key=value`.
    wanted: String,
    key: String,
    /// The values that nodes have of it, the first of them.
    there: Vec<String>,
    /// How many more there are.
    more: usize,
}

/// A node on which a pod nearly fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closest {
    /// The node's name.
    pub node: String,
    /// What it lacks, by resource, as `150m`.
    pub lacks: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Shortage {
    resource: String,
    wanted: String,
    most: String,
}

/// What is found out while all nodes are looked at.
#[derive(Default)]
struct Findings<'a> {
    counts: BTreeMap<Obstacle<'a>, usize>,
    free_max: BTreeMap<usize, i64>,
    /// By the largest part of what is wanted that is lacking, in millionths.
    closest: Option<(i128, usize)>,
}

impl Explanation {
    /// True where the pod asks for more than any node of the cluster has, even empty.
    pub fn never_fits(&self) -> bool {
        !self.never.is_empty()
    }

    /// True where it is the pod's own scheduling gates that hold it back.
    pub fn is_gated(&self) -> bool {
        !self.gates.is_empty()
    }

    pub(crate) fn gated(tables: &Tables, template: &Template) -> Self {
        Self {
            nodes: tables.nodes.existing().count(),
            rejections: Vec::new(),
            gates: template.gates.clone(),
            closest: None,
            shortages: Vec::new(),
            never: Vec::new(),
            unknown: Vec::new(),
            useless: None,
        }
    }

    pub(crate) fn of(tables: &Tables, template: &Template, rules: &Rules, preempting: bool) -> Self {
        let nodes: Vec<usize> = tables.nodes.existing().map(|(node, _)| node).collect();
        let mut findings = Findings::default();
        for node in &nodes {
            findings.look(tables, template, rules, *node);
        }
        let unknown = findings.unknown(tables, &nodes);
        let resources = &tables.resources;
        let amounts = template.load.amounts.iter();
        let shortages = amounts.filter_map(|(id, wanted)| {
            let free = *findings.free_max.get(id)?;
            Some(shortage(resources, *id, *wanted, free))
        });
        Self {
            nodes: nodes.len(),
            shortages: shortages.collect(),
            closest: findings.closest(tables, template, nodes.len()),
            rejections: findings.rejections(tables, template),
            gates: Vec::new(),
            never: never(tables, template, &nodes),
            unknown,
            useless: if preempting {
                None
            } else {
                tables.useless(template)
            },
        }
    }
}

impl<'a> Findings<'a> {
    fn look(&mut self, tables: &'a Tables, template: &'a Template, rules: &Rules, node: usize) {
        let mut lacking = 0_i128;
        tables.obstacles(template, rules, node, &mut |obstacle| {
            *self.counts.entry(obstacle).or_insert(0) += 1;
            let Obstacle::Resource(id) = obstacle else { return };
            let free = tables.room(template, id, node);
            let most = self.free_max.entry(id).or_insert(0);
            *most = free.max(*most);
            let wanted = i128::from(wanted(template, id));
            lacking = lacking.max((wanted - i128::from(free)) * 1_000_000 / wanted.max(1));
        });
        // Nodes come in the order of names: the first of equals stays.
        if lacking > 0 && self.closest.is_none_or(|(least, _)| lacking < least) {
            self.closest = Some((lacking, node));
        }
    }

    fn closest(&self, tables: &Tables, template: &Template, nodes: usize) -> Option<Closest> {
        let (_, node) = self.closest.filter(|_| nodes > 1)?;
        let lack = |(id, wanted): &(usize, i64)| {
            let lack = i128::from(*wanted) - i128::from(tables.room(template, *id, node));
            let lack = i64::try_from(lack).unwrap_or(i64::MAX);
            (lack > 0).then(|| (tables.resources.name(*id).to_owned(), written(*id, lack)))
        };
        Some(Closest {
            node: tables.nodes.rows[node].name.to_string(),
            lacks: template.load.amounts.iter().filter_map(lack).collect(),
        })
    }

    fn unknown(&self, tables: &Tables, nodes: &[usize]) -> Vec<Unknown> {
        let labels = self.counts.keys().filter_map(|obstacle| match obstacle {
            Obstacle::Label(key, value) => Some((*key, *value)),
            _ => None,
        });
        let unknown = labels.filter_map(|(key, value)| {
            let values = nodes
                .iter()
                .filter_map(|node| tables.nodes.rows[*node].labels.get(key));
            let values: BTreeSet<&String> = values.collect();
            (!values.contains(&value.to_owned())).then(|| Unknown {
                wanted: format!("{key}={value}"),
                key: key.to_owned(),
                there: values
                    .iter()
                    .take(VALUES_MAX)
                    .map(|value| (*value).clone())
                    .collect(),
                more: values.len().saturating_sub(VALUES_MAX),
            })
        });
        unknown.collect()
    }

    fn rejections(self, tables: &Tables, template: &Template) -> Vec<(Rejection, usize)> {
        let mut counts: BTreeMap<Rejection, usize> = BTreeMap::new();
        for (obstacle, count) in self.counts {
            *counts.entry(tables.rejection(template, obstacle)).or_insert(0) += count;
        }
        let mut rejections: Vec<_> = counts.into_iter().collect();
        rejections.sort_by_key(|(_, count)| Reverse(*count));
        rejections
    }
}

fn wanted(template: &Template, id: usize) -> i64 {
    let mut amounts = template.load.amounts.iter();
    amounts
        .find(|(other, _)| *other == id)
        .map_or(0, |(_, wanted)| *wanted)
}

fn never(tables: &Tables, template: &Template, nodes: &[usize]) -> Vec<Shortage> {
    let largest = |id| nodes.iter().map(|node| tables.nodes.allocatable(id, *node)).max();
    let amounts = template.load.amounts.iter().filter(|(id, _)| *id != PODS);
    amounts
        .filter_map(|(id, wanted)| {
            let largest = largest(*id).filter(|largest| wanted > largest)?;
            Some(shortage(&tables.resources, *id, *wanted, largest))
        })
        .collect()
}

fn shortage(resources: &Resources, id: usize, wanted: i64, most: i64) -> Shortage {
    Shortage {
        resource: resources.name(id).to_owned(),
        wanted: written(id, wanted),
        most: written(id, most),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_gated() {
            let (gates, hold) = if self.gates.len() == 1 {
                ("gate", "holds")
            } else {
                ("gates", "hold")
            };
            return write!(
                f,
                "not placed yet: the scheduling {gates} {} {hold} it back",
                self.gates.join(", ")
            );
        }
        write!(f, "0/{} nodes fit", self.nodes)?;
        if self.nodes == 0 {
            return f.write_str(": the cluster has no nodes yet");
        }
        for (index, (rejection, count)) in self.rejections.iter().take(TOLD_MAX).enumerate() {
            f.write_str(if index == 0 { ": " } else { ", " })?;
            self.write_rejection(f, rejection, *count)?;
        }
        let untold: usize = self
            .rejections
            .iter()
            .skip(TOLD_MAX)
            .map(|(_, count)| count)
            .sum();
        if untold > 0 {
            write!(f, ", {untold} for other reasons")?;
        }
        for (index, short) in self.never.iter().enumerate() {
            f.write_str(if index == 0 { "; it can never fit: " } else { ", " })?;
            write!(
                f,
                "{} {} wanted, the largest node has {}",
                short.wanted, short.resource, short.most
            )?;
        }
        self.unknown.iter().try_for_each(|unknown| unknown.write(f))?;
        if let Some(closest) = self.closest.as_ref().filter(|_| !self.never_fits()) {
            let lacks: Vec<String> = closest
                .lacks
                .iter()
                .map(|(resource, lack)| format!("{lack} {resource}"))
                .collect();
            write!(
                f,
                "; closest is {}, which lacks {}",
                closest.node,
                lacks.join(" and ")
            )?;
        }
        self.write_useless(f)
    }
}

impl Unknown {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            wanted,
            key,
            there,
            more,
        } = self;
        if there.is_empty() {
            return write!(f, "; no node has a label {key}");
        }
        write!(f, "; no node has {wanted}, but some have {}", there.join(", "))?;
        match more {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl Explanation {
    fn write_useless(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(useless) = self.useless else {
            return Ok(());
        };
        if useless.forbidden {
            return f.write_str("; it may not preempt (preemptionPolicy: Never)");
        }
        f.write_str("; preemption would not help")?;
        let has = |count: usize| if count == 1 { "has" } else { "have" };
        let mut join = ": ";
        if useless.none_lower > 0 {
            let count = useless.none_lower;
            write!(f, "{join}{count} {} no pods of lower priority", has(count))?;
            join = ", ";
        }
        if useless.not_enough > 0 {
            write!(
                f,
                "{join}{} would not fit it even without them",
                useless.not_enough
            )?;
        }
        Ok(())
    }

    fn write_rejection(&self, f: &mut fmt::Formatter<'_>, why: &Rejection, count: usize) -> fmt::Result {
        write_words(f, why, &count, count == 1)?;
        let Rejection::Resource { resource } = why else {
            return Ok(());
        };
        match self.shortages.iter().find(|short| short.resource == *resource) {
            Some(short) => write!(f, " ({} wanted, {} free at most)", short.wanted, short.most),
            None => Ok(()),
        }
    }
}

impl Rejection {
    /// What stands against a pod on this node, in words: `n1 lacks the label disk=ssd`.
    pub fn of_node(&self, node: &str) -> String {
        struct Words<'a>(&'a Rejection, &'a str);
        impl fmt::Display for Words<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_words(f, self.0, &self.1, true)
            }
        }
        Words(self, node).to_string()
    }
}

/// What stands against a pod on the nodes that are the subject: a number of them, or one by name.
fn write_words(
    f: &mut fmt::Formatter<'_>,
    why: &Rejection,
    who: &dyn fmt::Display,
    one: bool,
) -> fmt::Result {
    let (is, has, lacks) = if one {
        ("is", "has", "lacks")
    } else {
        ("are", "have", "lack")
    };
    match why {
        Rejection::OtherNode { wanted } => write!(f, "{who} {is} not {wanted}, the node it names"),
        Rejection::Cordoned => write!(f, "{who} {is} cordoned"),
        Rejection::NotReady => write!(f, "{who} {is} not ready"),
        Rejection::Label { wanted } => write!(f, "{who} {lacks} the label {wanted}"),
        Rejection::Taint { taint } => {
            write!(f, "{who} {has} the taint {taint}, which it does not tolerate")
        }
        Rejection::NodeAffinity { wanted } => {
            let does = if one { "does" } else { "do" };
            write!(f, "{who} {does} not match its node affinity ({wanted})")
        }
        Rejection::PodAffinity { term } => {
            write!(f, "{who} {has} no pod near that it must be with ({term})")
        }
        Rejection::PodAntiAffinity { term } => {
            write!(f, "{who} {has} a pod near that it must keep away from ({term})")
        }
        Rejection::KeptAway { term } => write!(f, "{who} {has} a pod near that keeps it away ({term})"),
        Rejection::Spread {
            topology,
            max_skew,
            too_few,
        } => {
            write!(
                f,
                "{who} {has} too many of its like for an even spread over {topology} (maxSkew {max_skew}"
            )?;
            match too_few {
                Some((there, wanted)) => {
                    write!(f, "; {there} of the {wanted} places that minDomains asks for)")
                }
                None => f.write_str(")"),
            }
        }
        Rejection::SpreadLabel { topology } => {
            write!(f, "{who} {lacks} the label {topology}, over which it is spread")
        }
        Rejection::Pods => write!(f, "{who} {has} no room for more pods"),
        Rejection::HostPort { port } => write!(f, "{who} {has} the host port {port} taken"),
        Rejection::Resource { resource } => write!(f, "{who} {has} too little {resource}"),
    }
}
