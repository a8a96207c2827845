//! The whole agent, and what it gives by the piece.

use std::fs;

use serde_json::json;
use skep_api::{Pod, PodPhase, PodStatus};
use tempfile::TempDir;

use super::{
    FakeRuntime, FakeServer,
    scene::{Agent, config, is_ready, node, pod, socket, uid, until},
};
use crate::{AgentConfig, CpuManager, Declared, DeviceDeclaration};

const DEVICE: &str = "example.com/slot";

/// A pod whose container has these limits.
fn asks(name: &str, limits: &serde_json::Value) -> Pod {
    let mut pod = pod(name);
    pod.spec.containers[0].resources = serde_json::from_value(json!({ "limits": limits })).unwrap();
    pod
}

fn slots(name: &str, count: u32) -> Pod {
    asks(name, &json!({ DEVICE: count.to_string() }))
}

/// An agent with two slots on a machine of four CPUs, of which the first is the system's.
fn with_slots(dir: &TempDir) -> AgentConfig {
    let system = dir.path().join("system");
    let cpus = system.join("sys/devices/system/cpu");
    fs::create_dir_all(&cpus).unwrap();
    fs::write(cpus.join("online"), "0-3\n").unwrap();
    AgentConfig {
        devices: vec![DeviceDeclaration {
            resource: DEVICE.to_owned(),
            devices: Declared::Count(2),
        }],
        cpu_manager: CpuManager::Static,
        reserved_cpus: Some([0].into()),
        system_root: system,
        ..config(dir)
    }
}

fn ids(status: &PodStatus) -> Vec<(String, Vec<String>)> {
    let of = &status.container_statuses[0].allocated_resources_status;
    let one = of.iter().map(|resource| {
        let ids = resource.resources.iter().map(|one| one.resource_id.clone());
        (resource.name.clone(), ids.collect())
    });
    one.collect()
}

#[tokio::test]
async fn a_pod_waits_for_the_devices_of_one_that_ends_and_an_agents_restart_gives_none_to_two() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = std::sync::Arc::new(FakeRuntime::new(&["web:v1"]));
    let server = FakeServer::listen(&socket(&dir));
    let agent = Agent::start_with(with_slots(&dir), &runtime);
    server.until("a session stands", |told| told.sessions == 1).await;
    server
        .snapshot(&[node(), slots("a", 1).into(), slots("b", 1).into()])
        .await;
    let a = server.status(&uid("a"), "a runs", is_ready).await;
    let b = server.status(&uid("b"), "b runs", is_ready).await;
    let mut given = [ids(&a), ids(&b)].concat();
    given.sort();
    assert_eq!(
        given,
        [
            (DEVICE.to_owned(), vec!["0".to_owned()]),
            (DEVICE.to_owned(), vec!["1".to_owned()])
        ]
    );

    agent.stop().await;
    let agent = Agent::start_with(with_slots(&dir), &runtime);
    server
        .until("a second session stands", |told| told.sessions == 2)
        .await;
    let mut known = [slots("a", 1), slots("b", 1)];
    known[0].status = a.clone();
    known[1].status = b.clone();
    let [first, second] = known;
    let all = [node(), first.into(), second.into(), slots("late", 1).into()];
    server.snapshot(&all).await;
    server
        .until("the late one is told why it waits", |told| {
            told.events
                .iter()
                .any(|event| event.reason == "FailedAllocateDevices")
        })
        .await;
    assert_eq!(
        runtime.running().len(),
        2,
        "nothing was restarted, nothing was given twice"
    );

    let mut gone = slots("a", 1);
    gone.metadata.deletion_timestamp = Some(crate::clock::now());
    gone.metadata.deletion_grace_period_seconds = Some(1);
    server.upsert(&[gone.into()]).await;
    let late = server.status(&uid("late"), "it runs", is_ready).await;
    assert_eq!(ids(&late), ids(&a), "what the one that ended had");
    agent.stop().await;
}

#[tokio::test]
async fn a_pod_that_asks_for_more_than_the_node_has_fails_and_the_node_says_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = std::sync::Arc::new(FakeRuntime::new(&["web:v1"]));
    let server = FakeServer::listen(&socket(&dir));
    let agent = Agent::start_with(with_slots(&dir), &runtime);
    let told = server
        .until("the node is told", |told| {
            told.node
                .as_ref()
                .is_some_and(|node| node.status.capacity.contains_key(DEVICE))
        })
        .await;
    assert_eq!(told.node.unwrap().status.allocatable[DEVICE].units(), 2);
    server.snapshot(&[node(), slots("greedy", 3).into()]).await;
    let failed = |status: &PodStatus| status.phase == PodPhase::Failed;
    let status = server.status(&uid("greedy"), "it fails", failed).await;
    assert_eq!(status.reason, "UnexpectedAdmissionError");
    assert!(
        status.message.contains("Requested: 3, Available: 2"),
        "{}",
        status.message
    );
    assert!(runtime.all().is_empty());
    agent.stop().await;
}

#[tokio::test]
async fn others_leave_the_cpus_that_a_container_has_to_itself_and_come_back_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = std::sync::Arc::new(FakeRuntime::new(&["web:v1"]));
    let server = FakeServer::listen(&socket(&dir));
    let agent = Agent::start_with(with_slots(&dir), &runtime);
    server.until("a session stands", |told| told.sessions == 1).await;
    server.snapshot(&[node(), pod("shared").into()]).await;
    server.status(&uid("shared"), "it runs", is_ready).await;
    let cpus = |pod: &str| {
        let found = runtime
            .all()
            .into_iter()
            .find(|container| container.name.contains(&format!("_{pod}_")));
        runtime.cpus(&found.unwrap().name).unwrap()
    };
    assert_eq!(cpus("shared"), "0-3");
    let own = asks("own", &json!({ "cpu": "2", "memory": "64Mi" }));
    server.upsert(&[own.clone().into()]).await;
    let status = server.status(&uid("own"), "it runs", is_ready).await;
    assert_eq!(ids(&status), [("cpu".to_owned(), vec!["1-2".to_owned()])]);
    assert_eq!(cpus("own"), "1-2");
    until("the other one has left them", || cpus("shared") == "0,3").await;

    agent.stop().await;
    let agent = Agent::start_with(with_slots(&dir), &runtime);
    server
        .until("a second session stands", |told| told.sessions == 2)
        .await;
    let mut known = own.clone();
    known.status = status;
    server
        .snapshot(&[node(), pod("shared").into(), known.into()])
        .await;
    server.upsert(&[pod("third").into()]).await;
    server.status(&uid("third"), "it runs", is_ready).await;
    assert_eq!((cpus("third").as_str(), cpus("own").as_str()), ("0,3", "1-2"));

    let mut gone = own;
    gone.metadata.deletion_timestamp = Some(crate::clock::now());
    gone.metadata.deletion_grace_period_seconds = Some(1);
    server.upsert(&[gone.into()]).await;
    until("all run everywhere again", || {
        cpus("shared") == "0-3" && cpus("third") == "0-3"
    })
    .await;
    agent.stop().await;
}

#[tokio::test]
async fn cpus_cannot_be_given_away_without_one_for_the_system() {
    for (reserved, part) in [
        (Some([].into()), "--reserved-cpus"),
        (None, "--reserved-cpus"),
        (Some([9].into()), "CPU 9"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let runtime = std::sync::Arc::new(FakeRuntime::new(&[]));
        let config = AgentConfig {
            reserved_cpus: reserved,
            ..with_slots(&dir)
        };
        let error = Agent::start_with(config, &runtime).error().await.to_string();
        assert!(error.contains(part), "{error}");
    }
}
