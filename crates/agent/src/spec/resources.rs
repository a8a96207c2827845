//! Requests and limits in the kernel's terms, by Kubernetes' rules.

use skep_api::{Container, Pod, QosClass, Quantity, ResourceRequirements};

/// The least weight the kernel takes.
const CPU_SHARES_MIN: i64 = 2;
/// The least CPU the engine takes as a bound, in thousandths.
const CPU_LIMIT_MIN_MILLIS: i64 = 10;

const GUARANTEED_OOM_SCORE_ADJ: i64 = -997;
const BEST_EFFORT_OOM_SCORE_ADJ: i64 = 1000;

/// The pod's class of service, by Kubernetes' rules.
pub fn qos_class(pod: &Pod) -> QosClass {
    pod.spec.qos_class()
}

/// What a container needs and may use: what is stated for the pod as a whole holds for its only container, and a limit of the
/// pod holds for each container that has none of its own.
pub(super) fn effective(pod: &Pod, container: &Container) -> ResourceRequirements {
    let mut resources = container.resources.clone();
    let whole = &pod.spec.resources;
    if pod.spec.lasting_containers().count() == 1 {
        for (name, request) in &whole.requests {
            resources.requests.entry(name.clone()).or_insert(*request);
        }
    }
    for (name, limit) in &whole.limits {
        resources.limits.entry(name.clone()).or_insert(*limit);
    }
    resources
}

/// Who is killed first when the node's memory runs out, -1000 to 1000: the more memory a burstable container asks for,
/// the later it goes.
pub fn oom_score_adj(pod: &Pod, container: &Container, node_memory_bytes: i64) -> i64 {
    match qos_class(pod) {
        QosClass::Guaranteed => GUARANTEED_OOM_SCORE_ADJ,
        QosClass::BestEffort => BEST_EFFORT_OOM_SCORE_ADJ,
        QosClass::Burstable => {
            let asked = request(&effective(pod, container), "memory").map_or(0, |quantity| quantity.units());
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
