//! Starts the parts of a server, watches over them and ends them together.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    pin::{Pin, pin},
    sync::Arc,
    time::{Duration, Instant},
};

use skep_api::proto::seal_server::SealServer;
use skep_controllers::{Ipv4Block, Settings};
use skep_store::{BackupConfig, Store, StoreConfig};
use skep_trust::Keys;
use tokio::{
    sync::oneshot,
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::{
    ServerConfig, ServerError,
    bootstrap::bootstrap,
    core::Core,
    doors::{self, Listeners, Local, Token},
    failure::Failure,
    home::Home,
    join,
    leader::lead,
    members::Departure,
    peers::{Channels, Heard, PeerTransport, keep_in_touch, knock},
    read::Pages,
    routes,
    seal::{self, SealService},
    sessions::{
        Greeting, Leases, ReportQueue, Reports, Sessions, Wakes, batch_reports, keep_greeting, wake_sessions,
    },
    tunnels::Tunnels,
};

/// How long calls in progress may take to end.
const DRAIN: Duration = Duration::from_secs(5);

/// How long a leader that ends may take to hand over.
const HAND_OVER_WITHIN: Duration = Duration::from_secs(1);

/// Where a server that answers calls can be reached.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Its Unix socket.
    pub socket: PathBuf,
    /// Its TCP address, where it was told to listen on one.
    pub address: Option<SocketAddr>,
    /// The cluster's id, the same for all of its servers and for ever.
    pub cluster_id: String,
}

/// A server that runs, behind a pointer: so all of it is compiled here, and not where it is waited for.
pub type Running = Pin<Box<dyn Future<Output = Result<(), ServerError>> + Send>>;

type Parts = JoinSet<(&'static str, io::Result<()>)>;

/// Runs a server until `shutdown` is cancelled; tells `ready` once it answers calls, and is a server of its cluster.
///
/// # Errors
/// Where a setting is impossible, the data folder cannot be used, an address is taken, the cluster does not take the
/// server (any more), or a part of it fails.
pub fn run(config: ServerConfig, ready: oneshot::Sender<Ready>, shutdown: CancellationToken) -> Running {
    Box::pin(serve(config, ready, shutdown))
}

async fn serve(
    config: ServerConfig,
    ready: oneshot::Sender<Ready>,
    shutdown: CancellationToken,
) -> Result<(), ServerError> {
    let started = Instant::now();
    let settings = settings(&config)?;
    make_folders(&config)?;
    let mut local = Local::open(&config).await?;
    let Some(mut keys) = seal::unlocked(&config, &mut local, &shutdown).await? else {
        return Ok(());
    };
    let listeners = Listeners::open(local, &config).await?;
    let home = tokio::select! {
        home = open_home(&config, &listeners, &keys) => home?.map(Arc::new),
        () = shutdown.cancelled() => return Ok(()),
    };
    let peers = home
        .as_ref()
        .map(|home| Arc::new(Channels::new(home.tls.clone(), config.wire.clone())));
    let vault = seal::vault(&keys);
    let store = store_config(&config, home.as_deref(), peers.as_ref()).vault(vault.clone());
    let store = Store::open(store).await?;
    // All there is has been sealed with the newest key as the store was opened.
    keys.forget_old().map_err(|error| seal::failed(&error))?;
    let shutdown = shutdown.child_token();
    let (reports, queue) = Reports::new();
    let advertised = home.as_ref().map(|home| home.member().address);
    let core = Arc::new(Core {
        store: store.clone(),
        settings,
        leases: Leases::default(),
        heard: Heard::default(),
        sessions: Sessions::default(),
        wakes: Wakes::default(),
        greeting: Greeting::default(),
        reports,
        tunnels: Tunnels::default(),
        pages: Pages::default(),
        documents: Arc::default(),
        addresses: listeners.addresses(&config, advertised.as_deref()),
        home: home.clone(),
        peers,
        departure: Departure::default(),
        started,
        shutdown: shutdown.clone(),
    });
    let parts = Server {
        core: &core,
        config: &config,
        home: home.as_deref(),
        seal: SealService::new(&core, &vault, &config.data_dir, &keys),
    };
    let ended = parts.serve(listeners, queue, ready).await;
    drop(parts);
    shutdown.cancel();
    drop(core);
    store.shutdown().await;
    if let (Err(ServerError::Left), Some(home)) = (&ended, &home) {
        home.leave(&config.data_dir)?;
    }
    ended
}

fn settings(config: &ServerConfig) -> Result<Settings, ServerError> {
    if let Some(address) = config.listen {
        if !address.ip().is_loopback() {
            return Err(ServerError::Config(format!(
                "{address} is not a loopback address: without TLS, a server listens on 127.0.0.1 or [::1] only"
            )));
        }
        if config.token.is_empty() {
            let message = "a server that listens on TCP needs a token that its clients must carry";
            return Err(ServerError::Config(message.to_owned()));
        }
    }
    let cluster_cidr: Ipv4Block = config
        .pod_cidr
        .parse()
        .map_err(|error| ServerError::Config(format!("pod CIDR: {error}")))?;
    let settings = Settings {
        cluster_cidr,
        default_toleration: config.eviction,
        scoring: config.scoring,
        rebalancing: config.rebalancing,
        ..Settings::default()
    };
    if cluster_cidr.blocks(settings.node_cidr_prefix) == 0 {
        return Err(ServerError::Config(format!(
            "pod CIDR: `{}` is too small: each node takes a /{} of it; a /16 is enough for 256 nodes",
            config.pod_cidr, settings.node_cidr_prefix
        )));
    }
    Ok(settings)
}

fn make_folders(config: &ServerConfig) -> Result<(), ServerError> {
    let folder = |path: PathBuf| {
        std::fs::create_dir_all(&path).map_err(|source| ServerError::Folder {
            path: path.clone(),
            source,
        })
    };
    folder(config.data_dir.clone())?;
    if let Some(cluster) = &config.cluster {
        folder(cluster.home.clone())?;
    }
    match config.socket.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => folder(parent.to_owned()),
        _ => Ok(()),
    }
}

async fn open_home(
    config: &ServerConfig,
    listeners: &Listeners,
    keys: &Keys,
) -> Result<Option<Home>, ServerError> {
    match (&config.cluster, listeners.address()) {
        (Some(cluster), Some(bound)) => {
            let sealer = keys.sealer();
            Home::open(cluster, &config.data_dir, bound, &config.wire, sealer)
                .await
                .map(Some)
        }
        _ => Ok(None),
    }
}

fn store_config(config: &ServerConfig, home: Option<&Home>, peers: Option<&Arc<Channels>>) -> StoreConfig {
    let mut store = StoreConfig::new(&config.data_dir);
    if let (Some(home), Some(peers), Some(cluster)) = (home, peers, &config.cluster) {
        store.member = home.member();
        store.start = home.start();
        store.transport = Some(Arc::new(PeerTransport::new(store.member.id, peers.clone())));
        store.backups = cluster.backup_interval.map(|interval| BackupConfig {
            interval,
            keep: cluster.backups_kept,
        });
    }
    store
}

/// A server that has opened all it needs.
struct Server<'a> {
    core: &'a Arc<Core>,
    config: &'a ServerConfig,
    home: Option<&'a Home>,
    seal: SealService,
}

impl Server<'_> {
    /// Runs the parts until the server is told to end or one of them fails.
    async fn serve(
        &self,
        listeners: Listeners,
        queue: ReportQueue,
        ready: oneshot::Sender<Ready>,
    ) -> Result<(), ServerError> {
        if self.home.is_none() {
            prepare(self.core).await?;
        }
        let (core, shutdown) = (self.core, self.core.shutdown.clone());
        let address = listeners.address();
        let mut parts = self.parts(listeners, queue).await;
        let mut settling = pin!(self.settle());
        let mut ready = Some(ready);
        let ended = loop {
            tokio::select! {
                // Told to end, every part ends: that is no failure.
                biased;
                () = shutdown.cancelled() => break Ok(()),
                () = core.departure.departed() => break Err(ServerError::Left),
                why = core.store.failed() => break Err(ServerError::Store(why)),
                Some(part) = parts.join_next() => break Err(unexpected(part)),
                settled = &mut settling, if ready.is_some() => {
                    if let Err(error) = settled {
                        break Err(error);
                    }
                    let where_to_find = Ready {
                        socket: self.config.socket.clone(),
                        address,
                        cluster_id: core.store.cluster_id().to_owned(),
                    };
                    // Nobody may want to know.
                    drop(ready.take().map(|ready| ready.send(where_to_find)));
                }
            }
        };
        hand_over(core).await;
        shutdown.cancel();
        let drained = async { while parts.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!("calls in progress were cut off");
        }
        parts.shutdown().await;
        ended
    }

    async fn parts(&self, listeners: Listeners, queue: ReportQueue) -> Parts {
        let (core, shutdown) = (self.core, &self.core.shutdown);
        let mut parts = Parts::new();
        let services = routes::for_clients(core).await;
        if let Some(listener) = listeners.loopback {
            let token = Token::new(&self.config.token);
            let served = doors::serve_loopback(listener, token, services.clone(), shutdown.clone());
            parts.spawn(async { ("the TCP door", served.await) });
        }
        let services = services.add_service(SealServer::new(self.seal.clone()));
        let served = doors::serve_local(listeners.local, services, shutdown.clone());
        parts.spawn(async { ("the Unix socket", served.await) });
        if let (Some(listener), Some(home)) = (listeners.tls, self.home) {
            let services = routes::for_all(core).await;
            let served = doors::serve_tls(listener, home.tls.clone(), services, shutdown.clone());
            parts.spawn(async { ("the TLS door", served.await) });
            parts.spawn(part("the word to agents", keep_greeting(core.clone())));
            parts.spawn(part("the talk with the leader", keep_in_touch(core.clone())));
            let trusted = join::keep_credentials(core.clone());
            parts.spawn(part("the care for certificates", trusted));
        }
        parts.spawn(part("the waking of sessions", wake_sessions(core.clone())));
        parts.spawn(part("the leader's loop", lead(core.clone())));
        let batcher = core.clone();
        parts.spawn(part("the writer of reports", async move {
            batch_reports(&batcher, queue).await;
        }));
        parts
    }

    /// What has to be done before the server counts as started: it becomes a server of its cluster, and the cluster gets
    /// its CA.
    async fn settle(&self) -> Result<(), ServerError> {
        let (Some(home), Some(peers)) = (self.home, &self.core.peers) else {
            return Ok(());
        };
        if !home.gates().is_empty() {
            let learner = self
                .config
                .cluster
                .as_ref()
                .is_some_and(|cluster| cluster.learner);
            let voter = knock(peers, home.gates(), &home.member(), learner).await;
            let voter = voter.map_err(ServerError::Join)?;
            self.core.store.joined().await;
            home.entered()?;
            tracing::info!(voter, "is a server of the cluster");
        }
        if let Some(ca) = home.new_ca()? {
            prepare(self.core).await?;
            join::found(self.core, &ca).await.map_err(bootstrap_failed)?;
            home.forget_new_ca()?;
        }
        Ok(())
    }
}

async fn prepare(core: &Core) -> Result<(), ServerError> {
    bootstrap(core).await.map_err(bootstrap_failed)
}

fn bootstrap_failed(failure: Failure) -> ServerError {
    ServerError::Bootstrap(tonic::Status::from(failure).message().to_owned())
}

/// A leader that ends hands over while it can still be heard.
async fn hand_over(core: &Core) {
    let alone = core.store.peers().borrow().len() <= 1;
    if core.peers.is_none() || alone || !core.leads() {
        return;
    }
    match tokio::time::timeout(HAND_OVER_WITHIN, core.store.transfer_leader(None)).await {
        Ok(Ok(())) => tracing::info!("handed over the lead"),
        Ok(Err(error)) => tracing::info!("{error}"),
        Err(_) => tracing::info!("nobody took the lead in time"),
    }
}

async fn part(name: &'static str, runs: impl Future<Output = ()>) -> (&'static str, io::Result<()>) {
    runs.await;
    (name, Ok(()))
}

fn unexpected(part: Result<(&'static str, io::Result<()>), JoinError>) -> ServerError {
    let (part, why) = match part {
        Ok((part, Ok(()))) => (part, "nobody told it to".to_owned()),
        Ok((part, Err(error))) => (part, error.to_string()),
        Err(error) => ("a part of the server", error.to_string()),
    };
    ServerError::Part { part, why }
}
