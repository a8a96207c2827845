//! Puts the parts together and runs them; one that ends unexpectedly ends the agent.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    AgentConfig, AgentError, clock,
    engine::{self, EngineState},
    gc,
    manager::Manager,
    node::{self, MachineFacts, allocatable},
    probe::Prober,
    runtime::Runtime,
    session::Session,
    shared::{Bridge, Machine, Shared},
    spec::{Dns, node_labels},
};

/// How long the engine may take for its first answer.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// How long clearing up may take at the end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Runs an agent on an engine until `shutdown` is cancelled.
pub(crate) async fn run(
    config: AgentConfig,
    runtime: Arc<dyn Runtime>,
    shutdown: CancellationToken,
) -> Result<(), AgentError> {
    let facts = MachineFacts::read(&config);
    let (prober, probes) = Prober::new();
    let first = first_look(runtime.as_ref()).await;
    let (hello, node) = watch::channel(node::hello(&config, &facts, &first));
    let (engine_state, engine) = watch::channel(first);
    let machine = machine(&config, &facts).await;
    let shared = Arc::new(Shared::new(config, runtime, machine, prober));
    let (images_in_use, in_use) = watch::channel(BTreeSet::new());
    let (cluster_known, cluster) = watch::channel(false);
    let (assign, assignments) = mpsc::channel(16);
    let (news, engine_news) = mpsc::channel(256);

    let session = Session::new(Arc::clone(&shared), assign, node, cluster_known)?;
    let manager = Manager::new(Arc::clone(&shared), images_in_use);
    let mut parts = JoinSet::new();
    parts.spawn(named("prober", probes));
    parts.spawn(named("session", session.run()));
    parts.spawn(named("manager", manager.run(assignments, engine_news)));
    parts.spawn(named(
        "engine watch",
        follow(Arc::clone(&shared), cluster, news, engine_state),
    ));
    parts.spawn(named(
        "node report",
        node::report(Arc::clone(&shared), facts, engine.clone(), hello),
    ));
    parts.spawn(named(
        "image collector",
        gc::collect(Arc::clone(&shared), engine, in_use),
    ));
    tokio::select! {
        () = shutdown.cancelled() => {
            parts.shutdown().await;
            remove_unused_bridge(&shared).await;
            Ok(())
        }
        Some(ended) = parts.join_next() => match ended {
            Ok(part) => Err(AgentError::PartEnded(part)),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        },
    }
}

async fn named(name: &'static str, part: impl Future<Output = ()> + Send) -> &'static str {
    part.await;
    name
}

/// Follows the engine once the cluster, and with it the labels of this node's containers, is known.
async fn follow(
    shared: Arc<Shared>,
    mut cluster: watch::Receiver<bool>,
    news: mpsc::Sender<engine::EngineNews>,
    state: watch::Sender<EngineState>,
) {
    if cluster.wait_for(|known| *known).await.is_ok() {
        engine::follow(shared, news, state).await;
    }
}

/// Leaves nothing behind in the engine where no pod is left. With pods, their bridge stays for them.
async fn remove_unused_bridge(shared: &Shared) {
    if shared.bridge() != Bridge::Ready {
        return;
    }
    let labels = node_labels(shared.cluster(), &shared.config.node_name);
    let remove = async {
        match shared.runtime.containers(&labels).await {
            Ok(containers) if containers.is_empty() => shared.runtime.remove_network(&shared.network()).await,
            other => other.map(drop),
        }
    };
    if let Ok(Err(error)) = tokio::time::timeout(LAST_WORDS, remove).await {
        tracing::warn!(%error, "cannot remove the pods' bridge, which no pod uses");
    }
}

/// Whether the engine is there, before anything else is known.
async fn first_look(runtime: &dyn Runtime) -> EngineState {
    match tokio::time::timeout(FIRST_LOOK, runtime.info()).await {
        Ok(Ok(info)) => EngineState {
            info: Some(info),
            away: None,
        },
        Ok(Err(error)) => EngineState {
            info: None,
            away: Some((clock::now(), error.to_string())),
        },
        Err(_) => EngineState {
            info: None,
            away: Some((clock::now(), "it is slow to answer".to_owned())),
        },
    }
}

async fn machine(config: &AgentConfig, facts: &MachineFacts) -> Machine {
    let resolv_conf = tokio::fs::read_to_string("/etc/resolv.conf")
        .await
        .unwrap_or_default();
    Machine {
        host_ip: facts.address.clone(),
        allocatable: allocatable(&facts.capacity, &config.system_reserved),
        memory_bytes: facts.memory_bytes,
        dns: Dns::parse(&resolv_conf),
    }
}
