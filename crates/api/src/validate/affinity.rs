//! Affinity to nodes and to pods.

use crate::{
    Affinity, LabelSelector, NodeAffinity, NodeSelectorOperator as Operator, NodeSelectorRequirement,
    NodeSelectorTerm, PodAffinityTerm, WeightedPodAffinityTerm, errors::Errors, names, path::Path,
};

use super::{meta, selector};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// The one field of a node that `matchFields` knows.
const NAME_FIELD: &str = "metadata.name";

/// Checks which nodes a pod is drawn to or kept from.
pub(super) fn check(affinity: &Affinity, path: &Path<'_>, errors: &mut Errors) {
    if let Some(nodes) = &affinity.node_affinity {
        node_affinity(nodes, &path.field("nodeAffinity"), errors);
    }
    if let Some(near) = &affinity.pod_affinity {
        let path = path.field("podAffinity");
        let preferred = &near.preferred_during_scheduling_ignored_during_execution;
        pod_terms(
            &near.required_during_scheduling_ignored_during_execution,
            preferred,
            &path,
            errors,
        );
    }
    if let Some(away) = &affinity.pod_anti_affinity {
        let path = path.field("podAntiAffinity");
        let preferred = &away.preferred_during_scheduling_ignored_during_execution;
        pod_terms(
            &away.required_during_scheduling_ignored_during_execution,
            preferred,
            &path,
            errors,
        );
    }
}

fn node_affinity(affinity: &NodeAffinity, path: &Path<'_>, errors: &mut Errors) {
    if let Some(required) = &affinity.required_during_scheduling_ignored_during_execution {
        let path = path.field(REQUIRED);
        let terms = path.field("nodeSelectorTerms");
        if required.node_selector_terms.is_empty() {
            errors.required(&terms, "is missing; without any term no node would do");
        }
        for (index, term) in required.node_selector_terms.iter().enumerate() {
            node_term(term, &terms.index(index), errors);
        }
    }
    let preferred = path.field(PREFERRED);
    for (index, term) in affinity
        .preferred_during_scheduling_ignored_during_execution
        .iter()
        .enumerate()
    {
        let path = preferred.index(index);
        weight(term.weight, &path, errors);
        node_term(&term.preference, &path.field("preference"), errors);
    }
}

fn weight(weight: i32, path: &Path<'_>, errors: &mut Errors) {
    meta::between(weight, 1, 100, &path.field("weight"), errors);
}

fn node_term(term: &NodeSelectorTerm, path: &Path<'_>, errors: &mut Errors) {
    let expressions = path.field("matchExpressions");
    for (index, requirement) in term.match_expressions.iter().enumerate() {
        let path = expressions.index(index);
        errors.about(
            &path.field("key"),
            &requirement.key,
            names::qualified_name(&requirement.key),
        );
        values(requirement, &path.field("values"), errors);
    }
    let fields = path.field("matchFields");
    for (index, requirement) in term.match_fields.iter().enumerate() {
        node_field(requirement, &fields.index(index), errors);
    }
}

fn values(requirement: &NodeSelectorRequirement, path: &Path<'_>, errors: &mut Errors) {
    let values = &requirement.values;
    match requirement.operator {
        Operator::In | Operator::NotIn if values.is_empty() => {
            errors.required(path, "is missing; In and NotIn need at least one value");
        }
        Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
            errors.forbidden(path, "must be left out for Exists and DoesNotExist");
        }
        Operator::Gt | Operator::Lt => match values.as_slice() {
            [number] if number.parse::<i64>().is_ok() => {}
            [text] => errors.invalid(
                path,
                format!("`{text}` is not a whole number, which Gt and Lt need"),
            ),
            _ => errors.invalid(path, format!("has {} entries; Gt and Lt need one", values.len())),
        },
        Operator::In | Operator::NotIn | Operator::Exists | Operator::DoesNotExist => {
            for (index, value) in values.iter().enumerate() {
                errors.about(&path.index(index), value, names::label_value(value));
            }
        }
    }
}

fn node_field(requirement: &NodeSelectorRequirement, path: &Path<'_>, errors: &mut Errors) {
    if requirement.key != NAME_FIELD {
        let message = format!(
            "`{}` is not a field to select by: {NAME_FIELD} is the only one",
            requirement.key
        );
        errors.invalid(&path.field("key"), message);
    }
    if !matches!(requirement.operator, Operator::In | Operator::NotIn) {
        errors.invalid(&path.field("operator"), "must be In or NotIn for a field");
    }
    let values = path.field("values");
    match requirement.values.as_slice() {
        [name] => errors.about(&values.index(0), name, names::dns_subdomain(name)),
        list => errors.invalid(&values, format!("has {} entries; a field needs one", list.len())),
    }
}

fn pod_terms(
    required: &[PodAffinityTerm],
    preferred: &[WeightedPodAffinityTerm],
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let list = path.field(REQUIRED);
    for (index, term) in required.iter().enumerate() {
        pod_term(term, &list.index(index), errors);
    }
    let list = path.field(PREFERRED);
    for (index, weighted) in preferred.iter().enumerate() {
        let path = list.index(index);
        weight(weighted.weight, &path, errors);
        pod_term(
            &weighted.pod_affinity_term,
            &path.field("podAffinityTerm"),
            errors,
        );
    }
}

fn pod_term(term: &PodAffinityTerm, path: &Path<'_>, errors: &mut Errors) {
    topology_key(&term.topology_key, &path.field("topologyKey"), errors);
    optional_selector(term.label_selector.as_ref(), &path.field("labelSelector"), errors);
    optional_selector(
        term.namespace_selector.as_ref(),
        &path.field("namespaceSelector"),
        errors,
    );
    let namespaces = path.field("namespaces");
    for (index, name) in term.namespaces.iter().enumerate() {
        errors.about(&namespaces.index(index), name, names::dns_label(name));
    }
    let no_selector = term.label_selector.is_none();
    label_keys(
        &term.match_label_keys,
        no_selector,
        &path.field("matchLabelKeys"),
        errors,
    );
    let mismatch = path.field("mismatchLabelKeys");
    label_keys(&term.mismatch_label_keys, no_selector, &mismatch, errors);
    for (index, key) in term.mismatch_label_keys.iter().enumerate() {
        if term.match_label_keys.contains(key) {
            let message = format!("`{key}` is in matchLabelKeys too: no pod can be equal and different");
            errors.invalid(&mismatch.index(index), message);
        }
    }
}

fn optional_selector(wanted: Option<&LabelSelector>, path: &Path<'_>, errors: &mut Errors) {
    if let Some(wanted) = wanted {
        selector::check(wanted, path, errors);
    }
}

/// A node's label that tells places apart.
pub(super) fn topology_key(key: &str, path: &Path<'_>, errors: &mut Errors) {
    if key.is_empty() {
        errors.required(path, "is missing; write for example kubernetes.io/hostname");
    } else {
        errors.about(path, key, names::qualified_name(key));
    }
}

/// Keys of labels whose values are taken from the pod itself: they narrow a selector, so there must be one.
pub(super) fn label_keys(keys: &[String], no_selector: bool, path: &Path<'_>, errors: &mut Errors) {
    if no_selector && !keys.is_empty() {
        errors.forbidden(
            path,
            "must be left out where labelSelector is: there is nothing to narrow",
        );
    }
    for (index, key) in keys.iter().enumerate() {
        errors.about(&path.index(index), key, names::qualified_name(key));
    }
}
