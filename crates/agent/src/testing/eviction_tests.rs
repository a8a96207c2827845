//! The whole agent on a machine that is short of something.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use skep_api::{ConditionStatus, Node, NodeCondition, NodeConditionType, Pod, PodPhase, PodStatus};

use super::{
    FakeRuntime, FakeServer,
    scene::{Agent, config, is_ready, node, pod, socket, uid, until},
};
use crate::{AgentConfig, Amount, EvictionConfig, Signal, runtime::Usage};

fn asks(name: &str, memory: &str, priority: i32) -> Pod {
    let mut pod = pod(name);
    pod.spec.priority = Some(priority);
    pod.spec.containers[0].resources =
        serde_json::from_value(json!({ "requests": { "memory": memory } })).unwrap();
    pod
}

fn using(mib: u64) -> Usage {
    Usage {
        memory_bytes: mib << 20,
        pids: 1,
        disk_bytes: mib << 20,
    }
}

/// No machine has all of its memory free.
fn always_short(dir: &tempfile::TempDir, signal: Signal) -> AgentConfig {
    AgentConfig {
        eviction: EvictionConfig {
            hard: [(signal, Amount::Share(10_000))].into(),
            every: Duration::from_millis(20),
            ..EvictionConfig::default()
        },
        ..config(dir)
    }
}

fn condition(node: &Node, r#type: NodeConditionType) -> Option<&NodeCondition> {
    NodeCondition::find(&node.status.conditions, r#type)
}

fn is_evicted(status: &PodStatus) -> bool {
    status.phase == PodPhase::Failed && status.reason == "Evicted"
}

#[tokio::test]
async fn pods_go_one_at_a_time_those_first_that_use_more_than_they_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Arc::new(FakeRuntime::new(&["web:v1"]));
    let server = FakeServer::listen(&socket(&dir));
    // First they run, then the machine is short.
    let agent = Agent::start_with(config(&dir), &runtime);
    server.until("a session stands", |told| told.sessions == 1).await;
    let pods = [
        asks("hog", "16Mi", 100),
        asks("modest", "64Mi", 0),
        asks("system", "1Mi", 2_000_000_000),
    ];
    let objects = |pods: &[Pod]| -> Vec<skep_api::Object> {
        std::iter::once(node())
            .chain(pods.iter().cloned().map(Into::into))
            .collect()
    };
    server.snapshot(&objects(&pods)).await;
    let mut known = pods.clone();
    for pod in &mut known {
        pod.status = server.status(&pod.metadata.uid, "it runs", is_ready).await;
    }
    agent.stop().await;
    for (name, mib) in [("hog", 300), ("modest", 32), ("system", 900)] {
        runtime.set_usage(&format!("_{name}_"), using(mib));
    }

    let agent = Agent::start_with(always_short(&dir, Signal::MemoryAvailable), &runtime);
    let told = server
        .until("a second session stands", |told| told.sessions == 2)
        .await;
    let pressure = condition(told.node.as_ref().unwrap(), NodeConditionType::MemoryPressure).unwrap();
    assert_eq!(
        pressure.status,
        ConditionStatus::True,
        "the node's first word is true"
    );
    assert!(
        pressure.message.contains("memory.available fell to"),
        "{}",
        pressure.message
    );
    server.snapshot(&objects(&known)).await;
    let hog = server.status(&uid("hog"), "it is evicted", is_evicted).await;
    assert!(
        hog.message.contains("The node was low on resource: memory.")
            && hog
                .message
                .contains("Container main was using 300Mi, request is 16Mi"),
        "{}",
        hog.message
    );
    server
        .status(&uid("modest"), "it goes next, since it is not enough", is_evicted)
        .await;
    until("their containers have ended", || runtime.running().len() == 1).await;
    let told = server
        .until("it is told", |told| {
            told.events
                .iter()
                .any(|event| event.reason == "EvictionThresholdMet" && event.kind == "Node")
                && told
                    .events
                    .iter()
                    .filter(|event| event.reason == "Evicted")
                    .count()
                    == 2
        })
        .await;
    let evicted = told.events.iter().filter(|event| event.reason == "Evicted");
    let order: Vec<&str> = evicted.map(|event| event.name.as_str()).collect();
    assert_eq!(order, ["hog", "modest"]);
    assert!(
        runtime.running()[0].contains("_system_"),
        "what the system needs stays"
    );
    agent.stop().await;
}

#[tokio::test]
async fn a_disk_that_is_full_costs_unused_images_before_pods() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Arc::new(FakeRuntime::new(&["web:v1", "old:v1"]));
    let server = FakeServer::listen(&socket(&dir));
    let agent = Agent::start_with(always_short(&dir, Signal::NodefsAvailable), &runtime);
    server.until("a session stands", |told| told.sessions == 1).await;
    server.snapshot(&[node(), pod("web").into()]).await;
    server.status(&uid("web"), "it runs", is_ready).await;
    until("the image that nobody uses is gone", || {
        runtime.image_names() == ["web:v1"]
    })
    .await;
    runtime.set_usage("_web_", using(5));
    let web = server.status(&uid("web"), "it is evicted", is_evicted).await;
    assert!(web.message.contains("ephemeral-storage"), "{}", web.message);
    assert_eq!(
        runtime.image_names(),
        ["web:v1"],
        "the image of a pod of this node stays"
    );
    agent.stop().await;
}
