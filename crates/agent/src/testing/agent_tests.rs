//! The whole agent against an engine and a server in memory.

use std::sync::Arc;

use skep_api::{
    ConditionStatus, ConfigMap, NodeConditionType, Object, PodPhase, PodStatus, Probe,
    proto::{
        ExecStart, LogsRequest, OpenTunnel, TunnelDown, open_tunnel::Purpose, tunnel_down::Message as Down,
        tunnel_up::Message as Up,
    },
};

use super::{
    FakeRuntime, FakeServer,
    scene::{Agent, is_ready, node, pod, scene, socket, uid, until},
};
use crate::{
    runtime::{Container, RunState},
    spec::label,
};

#[tokio::test]
async fn fifty_pods_run_with_few_words_and_no_inspection() {
    let pods: Vec<Object> = (0..50).map(|n| pod(&format!("web-{n}")).into()).collect();
    let scene = scene(&pods).await;
    let told = scene
        .server
        .until("all are ready", |told| {
            told.pods.len() == 50
                && told
                    .pods
                    .values()
                    .all(|report| is_ready(&super::server::status(report)))
        })
        .await;
    let mut addresses: Vec<String> = told
        .pods
        .values()
        .map(|report| super::server::status(report).pod_ip)
        .collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 50, "every pod has its own address");
    assert_eq!(scene.runtime.calls(), (50, 0));
    assert!(
        told.pod_messages <= 100,
        "reports are coalesced: {}",
        told.pod_messages
    );
    assert!(
        told.events
            .iter()
            .any(|event| event.reason == "Started" && event.field_path == "spec.containers{main}")
    );
}

#[tokio::test]
async fn a_deleted_pod_is_told_gone_and_nothing_is_left() {
    let scene = scene(&[pod("web").into()]).await;
    scene.server.status(&uid("web"), "it runs", is_ready).await;
    let mut deleted = pod("web");
    deleted.metadata.deletion_timestamp = Some(crate::clock::now());
    deleted.metadata.deletion_grace_period_seconds = Some(1);
    scene.server.upsert(&[deleted.clone().into()]).await;
    let told = scene
        .server
        .until("it is gone", |told| told.pods[&uid("web")].gone)
        .await;
    assert_eq!(
        super::server::status(&told.pods[&uid("web")]).phase,
        PodPhase::Failed,
        "it ended with 143"
    );
    assert!(scene.runtime.all().is_empty());
    assert!(!scene.dir.path().join("data/pods").join(uid("web")).exists());
    scene.server.remove(&deleted).await;
}

#[tokio::test]
async fn an_agents_restart_neither_restarts_nor_doubles_and_removes_orphans() {
    let scene = scene(&[pod("web").into(), pod("old").into()]).await;
    let web = scene.server.status(&uid("web"), "web runs", is_ready).await;
    scene.server.status(&uid("old"), "old runs", is_ready).await;
    scene.agent.stop().await;
    assert_eq!(scene.runtime.running().len(), 2, "containers outlive the agent");

    let agent = Agent::start(&scene.dir, &scene.runtime);
    scene
        .server
        .until("a second session stands", |told| told.sessions == 2)
        .await;
    assert_eq!(
        scene.runtime.running().len(),
        2,
        "nobody is an orphan before the first snapshot"
    );
    let mut pod = pod("web");
    pod.status = web.clone();
    scene.server.snapshot(&[node(), pod.into()]).await;
    until("the orphan is gone", || scene.runtime.all().len() == 1).await;
    assert_eq!(scene.runtime.calls().0, 2, "nothing was made anew");
    let after = scene.server.status(&uid("web"), "web still runs", is_ready).await;
    assert_eq!(after, web);
    agent.stop().await;
}

#[tokio::test]
async fn a_container_that_dies_is_restarted_with_its_last_state() {
    let scene = scene(&[pod("web").into()]).await;
    scene.server.status(&uid("web"), "it runs", is_ready).await;
    scene.runtime.exit("c1", 7);
    let status = scene
        .server
        .status(&uid("web"), "it runs again", |status| {
            is_ready(status) && status.container_statuses[0].restart_count == 1
        })
        .await;
    let last = status.container_statuses[0]
        .last_state
        .terminated
        .clone()
        .unwrap();
    assert_eq!((last.exit_code, last.reason.as_str()), (7, "Error"));
    scene.runtime.exit("c2", 7);
    let looping = |status: &PodStatus| {
        let waiting = status.container_statuses[0].state.waiting.as_ref();
        waiting.is_some_and(|waiting| waiting.reason == "CrashLoopBackOff")
    };
    scene.server.status(&uid("web"), "it backs off", looping).await;
    scene
        .server
        .until("it is told", |told| {
            told.events.iter().any(|event| event.reason == "BackOff")
        })
        .await;
}

#[tokio::test]
async fn an_engine_that_stops_and_comes_back_finds_its_pods_as_they_were() {
    let scene = scene(&[pod("web").into(), pod("worker").into()]).await;
    let web = scene.server.status(&uid("web"), "web runs", is_ready).await;
    scene.server.status(&uid("worker"), "worker runs", is_ready).await;
    scene.runtime.set_away(true);
    let ready = |status: ConditionStatus, reason: &'static str| {
        move |told: &super::server::Told| {
            let conditions = told.node.iter().flat_map(|node| &node.status.conditions);
            conditions
                .into_iter()
                .any(|c| c.r#type == NodeConditionType::Ready && c.status == status && c.reason == reason)
        }
    };
    scene
        .server
        .until(
            "the node is not ready",
            ready(ConditionStatus::False, "EngineUnavailable"),
        )
        .await;
    let worker = scene
        .runtime
        .all()
        .into_iter()
        .find(|c| c.name.contains("worker"))
        .unwrap();
    scene.runtime.exit(&worker.id, 1);
    scene.runtime.set_away(false);
    scene
        .server
        .until("the node is ready", ready(ConditionStatus::True, "AgentReady"))
        .await;
    scene
        .server
        .status(&uid("worker"), "what died meanwhile is restarted", |status| {
            is_ready(status) && status.container_statuses[0].restart_count == 1
        })
        .await;
    let told = scene.server.until("web is as it was", |_| true).await;
    assert_eq!(super::server::status(&told.pods[&uid("web")]), web);
}

#[tokio::test]
async fn pods_go_on_without_a_server_and_all_is_told_when_it_is_back() {
    let scene = scene(&[pod("web").into()]).await;
    scene.server.status(&uid("web"), "it runs", is_ready).await;
    drop(scene.server);
    std::fs::remove_file(socket(&scene.dir)).unwrap();
    scene.runtime.exit("c1", 1);
    until("it is restarted", || {
        scene.runtime.running() == ["skep_main_web_default_uidweb_1"]
    })
    .await;
    let server = FakeServer::listen(&socket(&scene.dir));
    let status = server.status(&uid("web"), "the restart is told", is_ready).await;
    assert_eq!(status.container_statuses[0].restart_count, 1);
    server.until("a session stands", |told| told.sessions == 1).await;
    server.until("heartbeats come", |told| told.heartbeats > 0).await;
}

#[tokio::test]
async fn a_missing_config_map_holds_the_pod_up_until_it_comes() {
    let mut pod = pod("web");
    let env = r#"[{"configMapRef": {"name": "settings"}}]"#;
    pod.spec.containers[0].env_from = serde_json::from_str(env).unwrap();
    let scene = scene(&[pod.into()]).await;
    let status = scene
        .server
        .status(&uid("web"), "it waits", |status| {
            let waiting = status.container_statuses[0].state.waiting.as_ref();
            waiting.is_some_and(|waiting| waiting.reason == "CreateContainerConfigError")
        })
        .await;
    let waiting = status.container_statuses[0].state.waiting.clone().unwrap();
    assert_eq!(waiting.message, "configmap \"settings\" not found");
    let mut settings = ConfigMap::default();
    settings.metadata.name = "settings".to_owned();
    settings.metadata.namespace = "default".to_owned();
    scene.server.upsert(&[settings.into()]).await;
    scene.server.status(&uid("web"), "it runs", is_ready).await;
}

#[tokio::test]
async fn a_missing_image_is_told_in_the_engines_words() {
    let mut pod = pod("web");
    pod.spec.containers[0].image = "nowhere:v1".to_owned();
    let scene = scene(&[pod.into()]).await;
    let status = scene
        .server
        .status(&uid("web"), "it fails", |status| {
            status.container_statuses[0]
                .state
                .waiting
                .as_ref()
                .is_some_and(|w| w.reason == "ErrImagePull")
        })
        .await;
    let waiting = status.container_statuses[0].state.waiting.clone().unwrap();
    assert_eq!(waiting.message, "pull access denied for nowhere:v1");
    let failed = |told: &super::server::Told| told.events.iter().any(|event| event.reason == "Failed");
    scene.server.until("it is told", failed).await;
}

#[tokio::test]
async fn an_exec_probe_decides_what_is_ready() {
    let probe = |command: &str| Probe {
        exec: Some(skep_api::ExecAction {
            command: vec![command.to_owned()],
        }),
        period_seconds: 1,
        failure_threshold: 1,
        ..Probe::default()
    };
    let (mut good, mut bad) = (pod("good"), pod("bad"));
    good.spec.containers[0].readiness_probe = Some(Box::new(probe("true")));
    bad.spec.containers[0].liveness_probe = Some(Box::new(probe("false")));
    let scene = scene(&[good.into(), bad.into()]).await;
    scene.server.status(&uid("good"), "good is ready", is_ready).await;
    scene
        .server
        .status(&uid("bad"), "bad is restarted", |status| {
            status.container_statuses[0].restart_count > 0
        })
        .await;
    scene
        .server
        .until("it is told", |told| {
            let said = |reason: &str| told.events.iter().any(|event| event.reason == reason);
            said("Unhealthy") && said("Killing")
        })
        .await;
}

#[tokio::test]
async fn logs_of_this_run_and_the_one_before_come_through_a_tunnel() {
    let scene = scene(&[pod("web").into()]).await;
    scene.server.status(&uid("web"), "it runs", is_ready).await;
    scene.runtime.exit("c1", 1);
    scene
        .server
        .status(&uid("web"), "it runs again", |s| {
            is_ready(s) && s.container_statuses[0].restart_count == 1
        })
        .await;
    let ask = |previous| OpenTunnel {
        tunnel_id: "t1".to_owned(),
        pod_uid: uid("web"),
        purpose: Some(Purpose::Logs(LogsRequest {
            previous,
            ..LogsRequest::default()
        })),
    };
    for (previous, attempt) in [(false, 1), (true, 0)] {
        let (mut up, _down) = scene.server.tunnel(ask(previous)).await;
        let mut said = Vec::new();
        while let Some(message) = up.message().await.unwrap() {
            said.push(message.message.unwrap());
        }
        let line = format!("this is skep_main_web_default_uidweb_{attempt}\n");
        assert_eq!(
            said,
            [
                Up::Accept("t1".to_owned()),
                Up::Stdout(line.into_bytes()),
                Up::ExitCode(0)
            ]
        );
    }
}

#[tokio::test]
async fn a_command_gets_its_input_and_gives_output_and_exit_code() {
    let scene = scene(&[pod("web").into()]).await;
    scene.server.status(&uid("web"), "it runs", is_ready).await;
    let start = ExecStart {
        command: vec!["cat".to_owned()],
        stdin: true,
        ..ExecStart::default()
    };
    let open = OpenTunnel {
        tunnel_id: "t2".to_owned(),
        pod_uid: uid("web"),
        purpose: Some(Purpose::Exec(start)),
    };
    let (mut up, down) = scene.server.tunnel(open).await;
    for message in [Down::Stdin(b"hello".to_vec()), Down::StdinClosed(true)] {
        down.send(Ok(TunnelDown {
            message: Some(message),
        }))
        .await
        .unwrap();
    }
    let mut said = Vec::new();
    while let Some(message) = up.message().await.unwrap() {
        said.push(message.message.unwrap());
    }
    let expected = [
        Up::Accept("t2".to_owned()),
        Up::Stdout(b"cat\n".to_vec()),
        Up::Stderr(b"hello".to_vec()),
        Up::ExitCode(0),
    ];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn containers_of_other_clusters_and_nodes_are_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Arc::new(FakeRuntime::new(&["web:v1"]));
    let labels = [
        (label::CLUSTER, "another-cluster"),
        (label::NODE, "n1"),
        (label::POD_UID, "u9"),
        (label::POD_NAME, "theirs"),
        (label::CONTAINER_KIND, "app"),
    ];
    let labels = labels
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
    let state = RunState::Running {
        started: crate::clock::now(),
    };
    runtime.put(Container {
        id: "x".to_owned(),
        name: "theirs".to_owned(),
        labels,
        state,
        ..Container::default()
    });
    let server = FakeServer::listen(&socket(&dir));
    let agent = Agent::start(&dir, &runtime);
    server.until("a session stands", |told| told.sessions == 1).await;
    server.snapshot(&[node(), pod("web").into()]).await;
    server.status(&uid("web"), "ours runs", is_ready).await;
    assert_eq!(runtime.running(), ["skep_main_web_default_uidweb_0", "theirs"]);
    agent.stop().await;
}

#[tokio::test]
async fn a_bridge_that_cannot_be_had_shows_on_the_node_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Arc::new(FakeRuntime::new(&["web:v1"]));
    runtime.refuse_networks("the network other has 10.9.0.0/16");
    let server = FakeServer::listen(&socket(&dir));
    let agent = Agent::start(&dir, &runtime);
    server.until("a session stands", |told| told.sessions == 1).await;
    server.snapshot(&[node(), pod("web").into()]).await;
    let told = server
        .until("the node is not ready", |told| {
            condition(told.node.as_ref(), NodeConditionType::NetworkUnavailable)
                .is_some_and(|(status, _)| status == ConditionStatus::True)
        })
        .await;
    let (ready, why) = condition(told.node.as_ref(), NodeConditionType::Ready).unwrap();
    assert_eq!(ready, ConditionStatus::False);
    assert!(why.contains("the network other has 10.9.0.0/16"), "{why}");
    assert!(runtime.all().is_empty());
    agent.stop().await;
}

fn condition(node: Option<&skep_api::Node>, wanted: NodeConditionType) -> Option<(ConditionStatus, String)> {
    let mut all = node?.status.conditions.iter();
    let found = all.find(|condition| condition.r#type == wanted)?;
    Some((found.status, found.message.clone()))
}

#[tokio::test]
async fn an_end_leaves_the_bridge_to_pods_and_nothing_where_there_are_none() {
    let scene = scene(&[pod("web").into()]).await;
    scene.server.status(&uid("web"), "it runs", is_ready).await;
    scene.agent.stop().await;
    assert_eq!(scene.runtime.networks(), 1, "the pod's network stays");

    let agent = Agent::start(&scene.dir, &scene.runtime);
    scene
        .server
        .until("a second session stands", |told| told.sessions == 2)
        .await;
    scene.server.snapshot(&[node()]).await;
    until("the orphan is gone", || scene.runtime.all().is_empty()).await;
    agent.stop().await;
    assert_eq!(scene.runtime.networks(), 0);
}
