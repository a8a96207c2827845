//! Requests and limits.

use serde_json::{Value, json};
use skep_api::QosClass::{BestEffort, Burstable, Guaranteed};

use super::{first, pod, pod_of};
use crate::spec::{oom_score_adj, qos_class};

const GIB: i64 = 1 << 30;

#[test]
fn cpu_becomes_weight_and_bound() {
    let cpu = |resources: Value| {
        let spec = first(&pod_of(json!({ "resources": resources }))).expect("a spec");
        (spec.cpu_shares, spec.cpu_limit_millis)
    };
    assert_eq!(cpu(json!({})), (2, 0));
    assert_eq!(cpu(json!({ "requests": { "cpu": "250m" } })), (256, 0));
    assert_eq!(
        cpu(json!({ "requests": { "cpu": "1m" } })),
        (2, 0),
        "the kernel's least weight"
    );
    assert_eq!(
        cpu(json!({ "limits": { "cpu": "1500m" } })),
        (1536, 1500),
        "requests are the limits where not stated"
    );
    assert_eq!(
        cpu(json!({ "requests": { "cpu": "1" }, "limits": { "cpu": "2" } })),
        (1024, 2000)
    );
    assert_eq!(
        cpu(json!({ "limits": { "cpu": "1m" } })),
        (2, 10),
        "the engine's least bound"
    );
}

#[test]
fn memory_becomes_a_bound() {
    let memory = |resources: Value| {
        first(&pod_of(json!({ "resources": resources })))
            .expect("a spec")
            .memory_limit_bytes
    };
    assert_eq!(memory(json!({ "requests": { "memory": "1Gi" } })), 0);
    assert_eq!(memory(json!({ "limits": { "memory": "1Gi" } })), GIB);
}

#[test]
fn what_is_stated_for_the_pod_holds_for_its_container() {
    let mut pod = pod_of(json!({ "resources": { "requests": { "cpu": "250m" } } }));
    pod.spec.resources = serde_json::from_value(json!({
        "requests": { "cpu": "1" }, "limits": { "cpu": "2", "memory": "1Gi" },
    }))
    .expect("resources");
    let spec = first(&pod).expect("a spec");
    assert_eq!(
        (spec.cpu_shares, spec.cpu_limit_millis, spec.memory_limit_bytes),
        (256, 2000, GIB)
    );
}

#[test]
fn service_is_as_good_as_what_is_asked_for() {
    let class = |resources: Value| qos_class(&pod_of(json!({ "resources": resources })));
    assert_eq!(class(json!({})), BestEffort);
    assert_eq!(class(json!({ "requests": { "cpu": "0" } })), BestEffort);
    assert_eq!(
        class(json!({ "requests": { "ephemeral-storage": "1Gi" } })),
        BestEffort
    );
    assert_eq!(class(json!({ "requests": { "cpu": "1" } })), Burstable);
    assert_eq!(class(json!({ "limits": { "cpu": "1" } })), Burstable);
    assert_eq!(
        class(json!({ "limits": { "cpu": "1", "memory": "1Gi" } })),
        Guaranteed
    );
    let other_requests =
        json!({ "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "memory": "1Mi" } });
    assert_eq!(class(other_requests), Burstable);
    let mixed = pod(json!({ "containers": [
        { "name": "a", "image": "a", "resources": { "limits": { "cpu": "1", "memory": "1Gi" } } },
        { "name": "b", "image": "b" },
    ] }));
    assert_eq!(qos_class(&mixed), Burstable);
}

#[test]
fn who_asks_for_more_memory_is_killed_later() {
    let score = |resources: Value| {
        let pod = pod_of(json!({ "resources": resources }));
        oom_score_adj(&pod, &pod.spec.containers[0], 8 * GIB)
    };
    assert_eq!(score(json!({})), 1000);
    assert_eq!(score(json!({ "limits": { "cpu": "1", "memory": "1Gi" } })), -997);
    assert_eq!(score(json!({ "requests": { "memory": "2Gi" } })), 750);
    assert_eq!(
        score(json!({ "requests": { "memory": "8Gi" } })),
        3,
        "but never as late as a guaranteed one"
    );
    assert_eq!(
        score(json!({ "requests": { "cpu": "1" } })),
        999,
        "and sooner than one that asks for nothing"
    );
}
