//! An agent with its engine and its server, as the stories begin.

use std::{path::PathBuf, sync::Arc, time::Duration};

use skep_api::{ConditionStatus, Object, Pod, PodPhase, PodStatus};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{FakeRuntime, FakeServer};
use crate::{AgentConfig, AgentError, ServerAddress};

/// An agent with its engine and its server.
pub(super) struct Scene {
    pub(super) dir: TempDir,
    pub(super) runtime: Arc<FakeRuntime>,
    pub(super) server: FakeServer,
    pub(super) agent: Agent,
}

/// An agent that runs.
pub(super) struct Agent {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), AgentError>>,
}

impl Agent {
    /// One that waits long for its server, as agents do that restart under one that is there.
    pub(super) fn start(dir: &TempDir, runtime: &Arc<FakeRuntime>) -> Self {
        Self::start_with(config(dir), runtime)
    }

    pub(super) fn start_with(config: AgentConfig, runtime: &Arc<FakeRuntime>) -> Self {
        let shutdown = CancellationToken::new();
        let runtime = Arc::clone(runtime) as Arc<dyn crate::runtime::Runtime>;
        let task = tokio::spawn(crate::agent::run(config, runtime, shutdown.clone()));
        Self { shutdown, task }
    }

    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// Why it ended by itself.
    pub(super) async fn error(self) -> AgentError {
        let ended = tokio::time::timeout(super::server::PATIENCE, self.task).await;
        ended.expect("the agent ends").unwrap().unwrap_err()
    }
}

/// Of an agent with the folder's socket as its server.
pub(super) fn config(dir: &TempDir) -> AgentConfig {
    AgentConfig {
        node_name: "n1".to_owned(),
        data_dir: dir.path().join("data"),
        server: ServerAddress::Unix(socket(dir)),
        offline_after: Duration::from_secs(30),
        ..AgentConfig::default()
    }
}

pub(super) fn socket(dir: &TempDir) -> PathBuf {
    dir.path().join("server.sock")
}

pub(super) fn node() -> Object {
    skep_testkit::node("n1").pod_cidr("10.9.0.0/24").build().into()
}

pub(super) fn pod(name: &str) -> Pod {
    let mut pod = skep_testkit::pod(name)
        .uid(&format!("uid-{name}"))
        .image("web:v1")
        .node("n1")
        .build();
    pod.spec.termination_grace_period_seconds = 1;
    pod
}

pub(super) fn uid(name: &str) -> String {
    format!("uid-{name}")
}

pub(super) fn is_ready(status: &PodStatus) -> bool {
    status.phase == PodPhase::Running
        && status
            .conditions
            .iter()
            .any(|c| c.r#type == "Ready" && c.status == ConditionStatus::True)
}

pub(super) async fn scene(objects: &[Object]) -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Arc::new(FakeRuntime::new(&["web:v1", "web:v2"]));
    let server = FakeServer::listen(&socket(&dir));
    let agent = Agent::start(&dir, &runtime);
    server.until("a session stands", |told| told.sessions == 1).await;
    server.snapshot(&[&[node()], objects].concat()).await;
    Scene {
        dir,
        runtime,
        server,
        agent,
    }
}

pub(super) async fn until(what: &str, holds: impl Fn() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(super::server::PATIENCE, waited)
        .await
        .unwrap_or_else(|_| panic!("it never came that {what}"));
}
