//! Nodes.

use std::collections::BTreeSet;

use crate::{Node, Taint, errors::Errors, names, path::Path};

use super::{meta, resources};

/// Checks a node.
pub(super) fn check(node: &Node, path: &Path<'_>, errors: &mut Errors) {
    let spec = path.field("spec");
    taints(&node.spec.taints, &spec.field("taints"), errors);
    cidrs(node, &spec, errors);
    let status = path.field("status");
    resources::amounts(&node.status.capacity, &status.field("capacity"), errors);
    resources::amounts(&node.status.allocatable, &status.field("allocatable"), errors);
}

/// Checks taints.
pub(super) fn taints(taints: &[Taint], path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, taint) in taints.iter().enumerate() {
        let path = path.index(index);
        if taint.key.is_empty() {
            meta::required(&taint.key, &path.field("key"), errors);
        } else {
            errors.about(&path.field("key"), &taint.key, names::qualified_name(&taint.key));
        }
        errors.about(
            &path.field("value"),
            &taint.value,
            names::label_value(&taint.value),
        );
        let effect = format!("{:?}", taint.effect);
        if !seen.insert((&taint.key, effect.clone())) {
            errors.duplicate(&path, &format!("{}:{effect}", taint.key));
        }
    }
}

fn cidrs(node: &Node, path: &Path<'_>, errors: &mut Errors) {
    let spec = &node.spec;
    if !spec.pod_cidr.is_empty() {
        errors.about(&path.field("podCIDR"), &spec.pod_cidr, cidr(&spec.pod_cidr));
    }
    let list = path.field("podCIDRs");
    for (index, range) in spec.pod_cidrs.iter().enumerate() {
        errors.about(&list.index(index), range, cidr(range));
    }
    if spec
        .pod_cidrs
        .first()
        .is_some_and(|first| *first != spec.pod_cidr)
    {
        errors.invalid(
            &list.index(0),
            format!("must be podCIDR, which is `{}`", spec.pod_cidr),
        );
    }
}

fn cidr(text: &str) -> Option<String> {
    let fits = text.split_once('/').is_some_and(|(address, prefix)| {
        let max = if address.contains(':') { 128 } else { 32 };
        names::ip(address).is_none() && prefix.parse::<u8>().is_ok_and(|prefix| prefix <= max)
    });
    (!fits).then(|| "is not a range of addresses such as 10.64.3.0/24".to_owned())
}
