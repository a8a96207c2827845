//! Requests and limits in the kernel's terms, by Kubernetes' rules.

use skep_api::{Container, Pod, QosClass, Quantity, ResourceRequirements};

/// The least weight the kernel takes.
const CPU_SHARES_MIN: i64 = 2;
/// The least CPU the engine takes as a bound, in thousandths.
const CPU_LIMIT_MIN_MILLIS: i64 = 10;

const GUARANTEED_OOM_SCORE_ADJ: i64 = -997;
const BEST_EFFORT_OOM_SCORE_ADJ: i64 = 1000;

/// The pod's class of service: Guaranteed where each container has limits for cpu and memory that equal its requests,
/// BestEffort where nothing asks for or bounds either, Burstable between.
pub fn qos_class(pod: &Pod) -> QosClass {
    let mut all_guaranteed = true;
    let mut none_asked = true;
    for container in pod.spec.containers.iter().chain(&pod.spec.init_containers) {
        for resource in ["cpu", "memory"] {
            let limit = amount(&container.resources.limits, resource);
            let request = request(&container.resources, resource);
            none_asked &= limit.is_none() && request.is_none();
            all_guaranteed &= limit.is_some() && limit == request;
        }
    }
    match (none_asked, all_guaranteed) {
        (true, _) => QosClass::BestEffort,
        (_, true) => QosClass::Guaranteed,
        _ => QosClass::Burstable,
    }
}

/// Who is killed first when the node's memory runs out, -1000 to 1000: the more memory a burstable container asks for,
/// the later it goes.
pub fn oom_score_adj(pod: &Pod, container: &Container, node_memory_bytes: i64) -> i64 {
    match qos_class(pod) {
        QosClass::Guaranteed => GUARANTEED_OOM_SCORE_ADJ,
        QosClass::BestEffort => BEST_EFFORT_OOM_SCORE_ADJ,
        QosClass::Burstable => {
            let asked = request(&container.resources, "memory").map_or(0, |quantity| quantity.units());
            let share = i128::from(asked) * 1000 / i128::from(node_memory_bytes.max(1));
            let score = 1000 - i64::try_from(share).unwrap_or(1000);
            score.clamp(1000 + GUARANTEED_OOM_SCORE_ADJ, BEST_EFFORT_OOM_SCORE_ADJ - 1)
        }
    }
}

/// Relative weight, 1024 a CPU.
pub(super) fn cpu_shares(resources: &ResourceRequirements) -> i64 {
    let millis = request(resources, "cpu").map_or(0, |quantity| quantity.millis());
    (millis.saturating_mul(1024) / 1000).clamp(CPU_SHARES_MIN, 262_144)
}

/// Thousandths of a CPU at most; 0: no bound.
pub(super) fn cpu_limit_millis(resources: &ResourceRequirements) -> i64 {
    amount(&resources.limits, "cpu").map_or(0, |quantity| quantity.millis().max(CPU_LIMIT_MIN_MILLIS))
}

/// Bytes at most; 0: no bound.
pub(super) fn memory_limit_bytes(resources: &ResourceRequirements) -> i64 {
    amount(&resources.limits, "memory").map_or(0, |quantity| quantity.units())
}

fn request(resources: &ResourceRequirements, name: &str) -> Option<Quantity> {
    amount(&resources.requests, name).or_else(|| amount(&resources.limits, name))
}

/// Zero means that nothing is stated.
fn amount(list: &skep_api::ResourceList, name: &str) -> Option<Quantity> {
    list.get(name).filter(|quantity| !quantity.is_zero()).copied()
}
