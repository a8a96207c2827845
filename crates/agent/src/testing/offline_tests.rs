//! Offline is normal: what a node does without any server in reach, and when there is one again.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use futures::StreamExt;
use hyper_util::rt::TokioIo;
use skep_api::{
    ConfigMap, Object, Pod, PodPhase, PodStatus, convert,
    proto::{LocalPodsRequest, LocalPodsResponse, LogsRequest, local_client::LocalClient},
};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};

use super::{
    FakeRuntime, FakeServer,
    scene::{self, Agent, is_ready, node, pod, scene, socket, uid, until},
};
use crate::{AgentConfig, AgentError, local_socket};

/// A node whose agent has ended and whose servers are out of reach.
struct CutOff {
    dir: TempDir,
    runtime: Arc<FakeRuntime>,
}

impl CutOff {
    /// Runs these objects first.
    async fn after(objects: &[Object], pods: &[&str]) -> Self {
        let scene = scene(objects).await;
        for name in pods {
            scene.server.status(&uid(name), "it runs", is_ready).await;
        }
        scene.agent.stop().await;
        drop(scene.server);
        std::fs::remove_file(socket(&scene.dir)).unwrap();
        Self {
            dir: scene.dir,
            runtime: scene.runtime,
        }
    }

    fn start(&self) -> Agent {
        let config = AgentConfig {
            offline_after: Duration::from_millis(50),
            ..scene::config(&self.dir)
        };
        Agent::start_with(config, &self.runtime)
    }

    async fn reconnect(&self, objects: &[Object]) -> FakeServer {
        let server = FakeServer::listen(&socket(&self.dir));
        server.until("a session stands", |told| told.sessions == 1).await;
        server.snapshot(&[&[node()], objects].concat()).await;
        server
    }

    async fn local(&self) -> LocalClient<Channel> {
        let path = local_socket(&self.dir.path().join("data"));
        until("the door is open", || path.exists()).await;
        let connector = tower::service_fn(move |_: Uri| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_static("http://localhost");
        LocalClient::new(endpoint.connect_with_connector(connector).await.unwrap())
    }
}

fn settings(text: &str) -> Object {
    let mut settings = ConfigMap::default();
    settings.metadata.name = "settings".to_owned();
    settings.metadata.namespace = "default".to_owned();
    settings.metadata.uid = "uid-settings".to_owned();
    settings.metadata.resource_version = format!("{}", text.len());
    settings.data = BTreeMap::from([("text".to_owned(), text.to_owned())]);
    settings.into()
}

fn secret() -> Object {
    serde_json::from_value(serde_json::json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "word", "namespace": "default", "uid": "uid-word" },
        "data": { "WORD": "b3BlbiBzZXNhbWU=" },
    }))
    .unwrap()
}

/// A pod with a config map as a volume and a secret as variables.
fn furnished(name: &str) -> Pod {
    let mut pod = pod(name);
    let volumes = r#"[{"name": "settings", "configMap": {"name": "settings"}}]"#;
    pod.spec.volumes = serde_json::from_str(volumes).unwrap();
    let env = r#"[{"secretRef": {"name": "word"}}]"#;
    pod.spec.containers[0].env_from = serde_json::from_str(env).unwrap();
    pod
}

fn settings_file(dir: &Path, pod: &str) -> String {
    let file = dir.join("data/pods").join(uid(pod)).join("volumes/settings/text");
    std::fs::read_to_string(file).unwrap_or_default()
}

fn status_of(pods: &LocalPodsResponse, name: &str) -> PodStatus {
    let documents = pods.pods.iter().cloned();
    let mut statuses = documents.filter_map(|document| match convert::from_struct(document).unwrap() {
        Object::Pod(pod) if pod.metadata.name == name => Some(pod.status),
        _ => None,
    });
    statuses.next().unwrap()
}

#[tokio::test]
async fn after_a_reboot_without_a_server_pods_start_with_their_config_and_secrets() {
    let objects = [settings("hello"), secret(), furnished("web").into()];
    let node = CutOff::after(&objects, &["web"]).await;
    node.runtime.reboot();
    std::fs::remove_dir_all(node.dir.path().join("data/pods")).unwrap();
    let agent = node.start();
    let name = "skep_main_web_default_uidweb_1";
    until("it runs again", || node.runtime.running() == [name]).await;
    assert!(
        node.runtime
            .environment(name)
            .contains(&"WORD=open sesame".to_owned())
    );
    assert_eq!(settings_file(node.dir.path(), "web"), "hello");
    agent.stop().await;
}

#[tokio::test]
async fn without_a_server_what_runs_is_kept_and_back_with_one_nothing_is_restarted() {
    let objects = [settings("hello"), secret(), furnished("web").into()];
    let node = CutOff::after(&objects, &["web"]).await;
    let agent = node.start();
    node.runtime.exit("c1", 3);
    let name = "skep_main_web_default_uidweb_1";
    until("it is supervised", || node.runtime.running() == [name]).await;
    let server = node
        .reconnect(&[&objects[..], &[pod("later").into()]].concat())
        .await;
    let status = server.status(&uid("web"), "the restart is told", is_ready).await;
    assert_eq!(status.container_statuses[0].restart_count, 1);
    server.status(&uid("later"), "what is new runs", is_ready).await;
    assert_eq!(node.runtime.calls().0, 3, "web, its restart, and later");
    assert!(node.runtime.running().contains(&name.to_owned()));
    agent.stop().await;
}

#[tokio::test]
async fn what_has_moved_meanwhile_is_stopped_once_a_server_says_so() {
    let node = CutOff::after(&[pod("web").into(), pod("moved").into()], &["web", "moved"]).await;
    let agent = node.start();
    let mut local = node.local().await;
    let both = |pods: &LocalPodsResponse| pods.pods.len() == 2 && pods.from_checkpoint;
    while !both(local.pods(LocalPodsRequest {}).await.unwrap().get_ref()) {
        tokio::task::yield_now().await;
    }
    assert_eq!(node.runtime.running().len(), 2);
    let server = node.reconnect(&[pod("web").into()]).await;
    until("what has moved is gone", || node.runtime.all().len() == 1).await;
    server.status(&uid("web"), "the other runs on", is_ready).await;
    assert_eq!(node.runtime.calls().0, 2);
    agent.stop().await;
}

#[tokio::test]
async fn what_the_checkpoint_does_not_name_is_left_alone_until_a_server_has_spoken() {
    let node = CutOff::after(&[pod("web").into(), pod("unknown").into()], &["web", "unknown"]).await;
    forget(&node, "unknown").await;
    let agent = node.start();
    let web = node
        .runtime
        .all()
        .into_iter()
        .find(|container| container.name.contains("web"))
        .unwrap();
    node.runtime.exit(&web.id, 1);
    until("what is known is supervised", || node.runtime.calls().0 == 3).await;
    let unknown = "skep_main_unknown_default_uidunkno_0".to_owned();
    assert!(node.runtime.running().contains(&unknown));
    let server = node.reconnect(&[pod("web").into(), pod("unknown").into()]).await;
    server.status(&uid("unknown"), "it is adopted", is_ready).await;
    assert!(node.runtime.running().contains(&unknown));
    assert_eq!(node.runtime.calls().0, 3, "nothing was made anew");
    agent.stop().await;
}

/// Takes a pod out of the checkpoint, as if it had been assigned just before a power cut.
async fn forget(node: &CutOff, pod: &str) {
    use crate::checkpoint::{Checkpoint, Disk};
    let (mut disk, saved) = Disk::open_once_closed(&node.dir.path().join("data")).unwrap();
    let checkpoint = Checkpoint::default();
    checkpoint.begin(&saved);
    checkpoint.remove_pod(&uid(pod));
    disk.write(&checkpoint.take()).unwrap();
}

#[tokio::test]
async fn a_pod_that_has_done_its_work_is_not_run_again() {
    let mut job = pod("job");
    job.spec.restart_policy = skep_api::RestartPolicy::Never;
    let scene = scene(&[job.into(), pod("web").into()]).await;
    scene.server.status(&uid("job"), "it runs", is_ready).await;
    let main = scene
        .runtime
        .all()
        .into_iter()
        .find(|container| container.name.contains("job"))
        .unwrap();
    scene.runtime.exit(&main.id, 0);
    let done = |status: &PodStatus| status.phase == PodPhase::Succeeded;
    scene.server.status(&uid("job"), "it is done", done).await;
    scene.server.status(&uid("web"), "web runs", is_ready).await;
    scene.agent.stop().await;
    drop(scene.server);
    std::fs::remove_file(socket(&scene.dir)).unwrap();
    let node = CutOff {
        dir: scene.dir,
        runtime: scene.runtime,
    };
    let created = node.runtime.calls().0;
    node.runtime.reboot();
    let agent = node.start();
    until("web runs again", || !node.runtime.running().is_empty()).await;
    let mut local = node.local().await;
    let pods = local.pods(LocalPodsRequest {}).await.unwrap().into_inner();
    assert_eq!(status_of(&pods, "job").phase, PodPhase::Succeeded);
    assert_eq!(node.runtime.calls().0, created + 1, "web alone was started");
    agent.stop().await;
}

#[tokio::test]
async fn who_is_on_the_machine_sees_its_pods_and_their_logs_while_it_is_cut_off() {
    let node = CutOff::after(&[pod("web").into()], &["web"]).await;
    let agent = node.start();
    let mut local = node.local().await;
    let mode = std::fs::metadata(local_socket(&node.dir.path().join("data"))).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    let pods = loop {
        let pods = local.pods(LocalPodsRequest {}).await.unwrap().into_inner();
        if !pods.pods.is_empty() {
            break pods;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(
        (pods.node_name.as_str(), pods.cluster_id.as_str()),
        ("n1", "test-cluster")
    );
    assert!(pods.server.is_empty() && pods.cut_off_since_millis > 0 && pods.from_checkpoint);
    assert!(is_ready(&status_of(&pods, "web")), "as it was told last");
    let request = |pod: &str| LogsRequest {
        pod: pod.to_owned(),
        ..LogsRequest::default()
    };
    let log = local.logs(request("web")).await.unwrap().into_inner();
    let chunks: Vec<u8> = log.map(|chunk| chunk.unwrap().data).concat().await;
    assert_eq!(
        String::from_utf8(chunks).unwrap(),
        "this is skep_main_web_default_uidweb_0\n"
    );
    let refused = local.logs(request("other")).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::NotFound);
    assert_eq!(refused.message(), "pod default/other is not on this node");
    agent.stop().await;
}

#[tokio::test]
async fn what_has_changed_in_a_config_map_meanwhile_reaches_a_pod_that_has_not() {
    let objects = [settings("hello"), secret(), furnished("web").into()];
    let scene = scene(&objects).await;
    scene.server.status(&uid("web"), "it runs", is_ready).await;
    drop(scene.server);
    std::fs::remove_file(socket(&scene.dir)).unwrap();
    let server = FakeServer::listen(&socket(&scene.dir));
    server.until("a session stands", |told| told.sessions == 1).await;
    server
        .snapshot(&[
            node(),
            settings("good morning"),
            secret(),
            furnished("web").into(),
        ])
        .await;
    until("the new text is there", || {
        settings_file(scene.dir.path(), "web") == "good morning"
    })
    .await;
    assert_eq!(scene.runtime.calls().0, 1);
    scene.agent.stop().await;
}

#[tokio::test]
async fn a_folder_is_one_agents_at_a_time() {
    let scene = scene(&[]).await;
    let second = Agent::start(&scene.dir, &scene.runtime).error().await;
    assert!(matches!(second, AgentError::Taken(_)), "{second}");
    scene.agent.stop().await;
}

#[tokio::test]
async fn another_nodes_checkpoint_is_not_followed() {
    let node = CutOff::after(&[pod("web").into()], &["web"]).await;
    node.runtime.reboot();
    let config = AgentConfig {
        node_name: "n2".to_owned(),
        offline_after: Duration::ZERO,
        ..scene::config(&node.dir)
    };
    let agent = Agent::start_with(config, &node.runtime);
    let mut local = node.local().await;
    let pods = local.pods(LocalPodsRequest {}).await.unwrap().into_inner();
    assert!(pods.pods.is_empty() && pods.cluster_id.is_empty(), "{pods:?}");
    assert!(node.runtime.running().is_empty());
    agent.stop().await;
}
