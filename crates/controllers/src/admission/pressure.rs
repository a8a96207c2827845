//! Nodes that are short of memory take no more pods that ask for nothing; others may come.

use skep_api::{Pod, QosClass, TaintEffect, Toleration, TolerationOperator};

const MEMORY_PRESSURE: &str = "node.kubernetes.io/memory-pressure";

/// Gives a pod that has memory or CPU set aside the toleration of such nodes, as Kubernetes does.
pub(super) fn tolerate(pod: &mut Pod) {
    if pod.spec.qos_class() == QosClass::BestEffort {
        return;
    }
    let wanted = Toleration {
        key: MEMORY_PRESSURE.to_owned(),
        operator: TolerationOperator::Exists,
        effect: Some(TaintEffect::NoSchedule),
        ..Toleration::default()
    };
    if !pod.spec.tolerations.contains(&wanted) {
        pod.spec.tolerations.push(wanted);
    }
}

#[cfg(test)]
mod tests {
    use skep_api::Taint;
    use skep_testkit::pod;

    use super::*;

    #[test]
    fn pods_that_ask_for_something_tolerate_that_memory_is_short_and_others_do_not() {
        let taint = Taint {
            key: MEMORY_PRESSURE.to_owned(),
            effect: TaintEffect::NoSchedule,
            ..Taint::default()
        };
        let tolerates = |mut pod: Pod| {
            tolerate(&mut pod);
            tolerate(&mut pod);
            assert!(pod.spec.tolerations.len() <= 1);
            pod.spec.tolerations.iter().any(|one| one.tolerates(&taint))
        };
        assert!(tolerates(pod("burstable").cpu("100m").build()));
        assert!(!tolerates(pod("best-effort").build()));
    }
}
