//! Spread over places, priority, and gates.

use std::collections::BTreeSet;

use crate::{
    PodSpec, TopologySpreadConstraint, UnsatisfiableConstraintAction, errors::Errors, names, path::Path,
};

use super::{
    affinity::{label_keys, topology_key},
    selector,
};

/// Checks what says when and where a pod is placed, beside its affinity.
pub(super) fn check(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let list = path.field("topologySpreadConstraints");
    let mut seen = BTreeSet::new();
    for (index, constraint) in spec.topology_spread_constraints.iter().enumerate() {
        let path = list.index(index);
        spread(constraint, &path, errors);
        let otherwise = format!("{:?}", constraint.when_unsatisfiable);
        if !seen.insert((&constraint.topology_key, otherwise.clone())) {
            errors.duplicate(&path, &format!("{} {otherwise}", constraint.topology_key));
        }
    }
    if !spec.priority_class_name.is_empty() {
        let name = &spec.priority_class_name;
        errors.about(&path.field("priorityClassName"), name, names::dns_subdomain(name));
    }
    gates(spec, &path.field("schedulingGates"), errors);
}

fn spread(constraint: &TopologySpreadConstraint, path: &Path<'_>, errors: &mut Errors) {
    if constraint.max_skew < 1 {
        errors.invalid(
            &path.field("maxSkew"),
            format!("{} is below 1", constraint.max_skew),
        );
    }
    topology_key(&constraint.topology_key, &path.field("topologyKey"), errors);
    if let Some(counted) = &constraint.label_selector {
        selector::check(counted, &path.field("labelSelector"), errors);
    }
    if let Some(domains) = constraint.min_domains {
        let path = path.field("minDomains");
        if domains < 1 {
            errors.invalid(&path, format!("{domains} is below 1"));
        }
        if constraint.when_unsatisfiable == UnsatisfiableConstraintAction::ScheduleAnyway {
            errors.forbidden(
                &path,
                "must be left out where whenUnsatisfiable is ScheduleAnyway",
            );
        }
    }
    let no_selector = constraint.label_selector.is_none();
    label_keys(
        &constraint.match_label_keys,
        no_selector,
        &path.field("matchLabelKeys"),
        errors,
    );
}

fn gates(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, gate) in spec.scheduling_gates.iter().enumerate() {
        let path = path.index(index);
        errors.about(&path.field("name"), &gate.name, names::qualified_name(&gate.name));
        if !seen.insert(&gate.name) {
            errors.duplicate(&path.field("name"), &gate.name);
        }
    }
    if !spec.scheduling_gates.is_empty() && !spec.node_name.is_empty() {
        errors.forbidden(
            path,
            "must be left out where nodeName is set: the pod is placed already",
        );
    }
}
