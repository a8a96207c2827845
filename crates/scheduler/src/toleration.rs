//! Which taints a pod puts up with.

use skep_api::{Taint, TaintEffect, Toleration, TolerationOperator};

/// The first toleration that covers the taint.
///
/// As in Kubernetes: an empty key with `Exists` covers every key, and no effect covers every effect.
pub fn toleration_of<'a>(tolerations: &'a [Toleration], taint: &Taint) -> Option<&'a Toleration> {
    tolerations
        .iter()
        .find(|toleration| covers(toleration, &taint.key, &taint.value, taint.effect))
}

/// True where any of the tolerations covers the taint.
pub fn tolerated(tolerations: &[Toleration], taint: &Taint) -> bool {
    toleration_of(tolerations, taint).is_some()
}

pub(crate) fn covers(toleration: &Toleration, key: &str, value: &str, effect: TaintEffect) -> bool {
    let key_matches = match toleration.operator {
        TolerationOperator::Exists => toleration.key.is_empty() || toleration.key == key,
        TolerationOperator::Equal => toleration.key == key && toleration.value == value,
    };
    key_matches && toleration.effect.is_none_or(|wanted| wanted == effect)
}
