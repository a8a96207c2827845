//! Puts the parts together and runs them; one that ends unexpectedly ends the agent.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    AgentConfig, AgentError,
    blocking::{blocking, caught},
    checkpoint::{self, Disk, Saved},
    clock, cpus,
    devices::{self, CpuPolicy, Devices, find_gpus},
    engine::{self, EngineState},
    eviction::Evictor,
    gc, local,
    lock::Lock,
    manager::Manager,
    membership::Membership,
    node::{self, MachineFacts, allocatable},
    probe::Prober,
    runtime::Runtime,
    session::Session,
    shared::{Bridge, Machine, Shared},
    spec::{Dns, node_labels},
};

/// How long the engine may take for its first answer.
const FIRST_LOOK: Duration = Duration::from_secs(2);

/// How long the parts may take to end; containers do not depend on it.
const END_WITHIN: Duration = Duration::from_secs(5);

/// How long clearing up may take at the end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Runs an agent on an engine until `shutdown` is cancelled.
pub(crate) async fn run(
    config: AgentConfig,
    runtime: Arc<dyn Runtime>,
    shutdown: CancellationToken,
) -> Result<(), AgentError> {
    let _lock = Lock::take(&config.data_dir)?;
    let membership = Membership::open(&config)?;
    if let Some(membership) = &membership {
        tokio::select! {
            joined = membership.join() => joined?,
            () = shutdown.cancelled() => return Ok(()),
        }
    }
    let (disk, saved) = open_checkpoint(config.data_dir.clone()).await;
    let stop_writing = CancellationToken::new();
    let mut parts = JoinSet::new();
    let shared = start(&mut parts, config, runtime, membership, saved).await?;
    let writer = tokio::spawn(checkpoint::write(
        Arc::clone(&shared.checkpoint),
        disk,
        shared.config.data_dir.clone(),
        stop_writing.clone(),
    ));
    let ended = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        Some(ended) = parts.join_next() => Err(ended),
    };
    parts.abort_all();
    stop_writing.cancel();
    let ends = async {
        // The last statuses are kept before the folder is another agent's.
        drop(writer.await);
        while parts.join_next().await.is_some() {}
    };
    if tokio::time::timeout(END_WITHIN, ends).await.is_err() {
        tracing::warn!("the agent's parts take long to end");
    }
    match ended {
        Ok(()) => {
            remove_unused_bridge(&shared).await;
            Ok(())
        }
        Err(Ok(part)) => Err(AgentError::PartEnded(part)),
        Err(Err(error)) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Starts the parts.
async fn start(
    parts: &mut JoinSet<&'static str>,
    config: AgentConfig,
    runtime: Arc<dyn Runtime>,
    membership: Option<Arc<Membership>>,
    saved: Saved,
) -> Result<Arc<Shared>, AgentError> {
    let facts = MachineFacts::read(&config);
    let (prober, probes) = Prober::new();
    let first = first_look(runtime.as_ref()).await;
    let machine = machine(&config, &facts).await;
    let devices = Devices::new(
        &config.devices,
        config.gpus.clone(),
        CpuPolicy::of(&config).map_err(AgentError::Config)?,
    );
    let shared = Arc::new(Shared::new(config, runtime, machine, prober, devices));
    if let Some(info) = &first.info {
        find_gpus(&shared, info).await;
    }
    let (engine_state, engine) = watch::channel(first.clone());
    let mut evictor = Evictor::new(Arc::clone(&shared), engine.clone());
    // So that the first word of the node is true.
    evictor.look();
    let (hello, node) = watch::channel(node::hello(&shared, &facts, &first));
    shared.checkpoint.begin(&saved);
    let (images_in_use, in_use) = watch::channel(BTreeSet::new());
    let (assign, assignments) = mpsc::channel(16);
    let (news, engine_news) = mpsc::channel(256);
    let (evict, evictions) = mpsc::channel(1);
    let (reclaim, reclaims) = mpsc::channel(1);
    let session = Session::new(Arc::clone(&shared), membership.clone(), assign, node)?;
    let manager = Manager::new(Arc::clone(&shared), saved, images_in_use);

    parts.spawn(named("prober", probes));
    parts.spawn(named("session", session.run()));
    parts.spawn(named("manager", manager.run(assignments, engine_news, evictions)));
    let followed = follow(Arc::clone(&shared), news, engine_state);
    parts.spawn(named("engine watch", followed));
    let told = node::report(Arc::clone(&shared), facts, engine.clone(), hello);
    parts.spawn(named("node report", told));
    parts.spawn(named(
        "device watch",
        devices::watch(Arc::clone(&shared), engine.clone()),
    ));
    parts.spawn(named("cpu keeper", cpus::keep(Arc::clone(&shared))));
    let collected = gc::collect(Arc::clone(&shared), engine, in_use, reclaims);
    parts.spawn(named("image collector", collected));
    parts.spawn(named("eviction", evictor.run(reclaim, evict)));
    parts.spawn(named("local door", local::serve(Arc::clone(&shared))));
    if let Some(membership) = membership {
        parts.spawn(named(
            "certificate renewal",
            async move { membership.keep().await },
        ));
    }
    Ok(shared)
}

/// The checkpoint, and what is in it. Where it cannot be opened now, the agent does without until it can.
async fn open_checkpoint(data_dir: PathBuf) -> (Option<Disk>, Saved) {
    match caught(move || Disk::open_once_closed(&data_dir)).await {
        Ok(Ok((disk, saved))) => (Some(disk), saved),
        Ok(Err(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "there is no checkpoint to start from");
            (None, Saved::default())
        }
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

async fn named(name: &'static str, part: impl Future<Output = ()> + Send) -> &'static str {
    part.await;
    name
}

/// Follows the engine once the cluster, and with it the labels of this node's containers, is known.
async fn follow(
    shared: Arc<Shared>,
    news: mpsc::Sender<engine::EngineNews>,
    state: watch::Sender<EngineState>,
) {
    shared.cluster_known().await;
    engine::follow(shared, news, state).await;
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
    let resolv_conf = blocking(|| std::fs::read_to_string("/etc/resolv.conf"))
        .await
        .unwrap_or_default();
    Machine {
        host_ip: facts.address.clone(),
        allocatable: allocatable(&facts.capacity, config),
        memory_bytes: facts.memory_bytes,
        dns: Dns::parse(&resolv_conf),
    }
}
