//! Starts the parts of a server, watches over them and ends them together.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use skep_api::proto::{FILE_DESCRIPTOR_SET, cluster_server::ClusterServer, node_server::NodeServer};
use skep_controllers::Settings;
use skep_store::{OpenError, Store, StoreConfig};
use tokio::{net::TcpListener, sync::oneshot, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::{
    ServerConfig,
    bootstrap::bootstrap,
    core::Core,
    doors::{self, Socket, SocketError, Token},
    leader::lead,
    read::Pages,
    services::{ClusterService, NodeService},
    sessions::{Leases, ReportQueue, Reports, Sessions, batch_reports},
    tunnels::Tunnels,
};

/// The largest message taken in: above the largest object, so that an object that is too large is told so by name.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long calls in progress may take to end.
const DRAIN: Duration = Duration::from_secs(5);

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

/// Why a server ended or did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A setting is not possible.
    #[error("{0}")]
    Config(String),
    /// Another server answers on the socket.
    #[error("a server is already running on {}", .0.display())]
    AlreadyRunning(PathBuf),
    /// The socket cannot be listened on.
    #[error("cannot listen on {}: {why}", path.display())]
    Socket {
        /// Its path.
        path: PathBuf,
        /// What stands against it, and what to do.
        why: String,
    },
    /// The TCP address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The data folder cannot be made.
    #[error("cannot make the folder {}", path.display())]
    Folder {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The first writes to the store failed.
    #[error("cannot prepare the cluster: {0}")]
    Bootstrap(String),
    /// The store stopped because its disk failed.
    #[error("the store has stopped because its disk failed ({0}): see to the disk and start again")]
    Store(String),
    /// A part of the server ended unexpectedly.
    #[error("{part} ended unexpectedly: {why}")]
    Part {
        /// Which part.
        part: &'static str,
        /// Why, in words.
        why: String,
    },
}

/// Runs a server until `shutdown` is cancelled; tells `ready` once it answers calls.
///
/// # Errors
/// Where a setting is impossible, the data folder cannot be used, an address is taken, or a part of the server fails.
pub async fn run(
    config: ServerConfig,
    ready: oneshot::Sender<Ready>,
    shutdown: CancellationToken,
) -> Result<(), ServerError> {
    let started = Instant::now();
    let settings = settings(&config)?;
    make_folder(&config)?;
    let doors = Doors::open(&config).await?;
    let store = Store::open(StoreConfig::new(&config.data_dir)).await?;
    let shutdown = shutdown.child_token();
    let (reports, queue) = Reports::new();
    let core = Arc::new(Core {
        store: store.clone(),
        settings,
        leases: Leases::default(),
        sessions: Sessions::default(),
        reports,
        tunnels: Tunnels::default(),
        pages: Pages::default(),
        addresses: doors.addresses(&config),
        started,
        shutdown: shutdown.clone(),
    });
    let ended = match bootstrap(&core).await {
        Ok(()) => serve(&core, &config, doors, queue, ready).await,
        Err(failure) => Err(ServerError::Bootstrap(
            tonic::Status::from(failure).message().to_owned(),
        )),
    };
    shutdown.cancel();
    drop(core);
    store.shutdown().await;
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
    let cluster_cidr = config
        .pod_cidr
        .parse()
        .map_err(|error| ServerError::Config(format!("pod CIDR: {error}")))?;
    Ok(Settings {
        cluster_cidr,
        ..Settings::default()
    })
}

fn make_folder(config: &ServerConfig) -> Result<(), ServerError> {
    let folder = |path: PathBuf| {
        std::fs::create_dir_all(&path).map_err(|source| ServerError::Folder {
            path: path.clone(),
            source,
        })
    };
    folder(config.data_dir.clone())?;
    match config.socket.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => folder(parent.to_owned()),
        _ => Ok(()),
    }
}

/// What is listened on.
struct Doors {
    socket: Socket,
    loopback: Option<TcpListener>,
}

impl Doors {
    async fn open(config: &ServerConfig) -> Result<Self, ServerError> {
        let path = &config.socket;
        let socket = Socket::bind(path).await.map_err(|error| match error {
            SocketError::Taken => ServerError::AlreadyRunning(path.clone()),
            other => ServerError::Socket {
                path: path.clone(),
                why: other.to_string(),
            },
        })?;
        let loopback = match config.listen {
            None => None,
            Some(address) => {
                let listener = TcpListener::bind(address).await;
                Some(listener.map_err(|source| ServerError::Listen { address, source })?)
            }
        };
        Ok(Self { socket, loopback })
    }

    fn address(&self) -> Option<SocketAddr> {
        self.loopback
            .as_ref()
            .and_then(|listener| listener.local_addr().ok())
    }

    fn addresses(&self, config: &ServerConfig) -> Vec<String> {
        let socket = format!("unix://{}", config.socket.display());
        let loopback = self.address().map(|address| format!("http://{address}"));
        std::iter::once(socket).chain(loopback).collect()
    }
}

/// Runs the parts until the server is told to end or one of them fails.
async fn serve(
    core: &Arc<Core>,
    config: &ServerConfig,
    doors: Doors,
    queue: ReportQueue,
    ready: oneshot::Sender<Ready>,
) -> Result<(), ServerError> {
    let where_to_find = Ready {
        socket: config.socket.clone(),
        address: doors.address(),
        cluster_id: core.store.cluster_id().to_owned(),
    };
    let shutdown = core.shutdown.clone();
    let mut parts: JoinSet<(&'static str, io::Result<()>)> = JoinSet::new();
    let routes = routes(core).await;
    if let Some(listener) = doors.loopback {
        let served = doors::serve_loopback(
            listener,
            Token::new(&config.token),
            routes.clone(),
            shutdown.clone(),
        );
        parts.spawn(async { ("the TCP door", served.await) });
    }
    let served = doors::serve_socket(doors.socket, routes, shutdown.clone());
    parts.spawn(async { ("the Unix socket", served.await) });
    let leader = lead(core.clone());
    parts.spawn(async {
        leader.await;
        ("the leader's loop", Ok(()))
    });
    let batcher = core.clone();
    parts.spawn(async move {
        batch_reports(&batcher, queue).await;
        ("the writer of reports", Ok(()))
    });
    // Nobody may want to know.
    drop(ready.send(where_to_find));
    let ended = tokio::select! {
        // Told to end, every part ends: that is no failure.
        biased;
        () = shutdown.cancelled() => Ok(()),
        why = core.store.failed() => Err(ServerError::Store(why)),
        Some(part) = parts.join_next() => Err(unexpected(part)),
    };
    shutdown.cancel();
    let drained = async { while parts.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        tracing::warn!("calls in progress were cut off");
    }
    parts.shutdown().await;
    ended
}

fn unexpected(part: Result<(&'static str, io::Result<()>), tokio::task::JoinError>) -> ServerError {
    match part {
        Ok((part, Ok(()))) => ServerError::Part {
            part,
            why: "nobody told it to".to_owned(),
        },
        Ok((part, Err(error))) => ServerError::Part {
            part,
            why: error.to_string(),
        },
        Err(error) => ServerError::Part {
            part: "a part of the server",
            why: error.to_string(),
        },
    }
}

/// Every service that is offered, the same through each door.
async fn routes(core: &Arc<Core>) -> Routes {
    let cluster =
        ClusterServer::new(ClusterService(core.clone())).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let node = NodeServer::new(NodeService(core.clone())).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<ClusterServer<ClusterService>>().await;
    reporter.set_serving::<NodeServer<NodeService>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .expect("the descriptors are those that were compiled in");
    Routes::new(cluster)
        .add_service(node)
        .add_service(health)
        .add_service(reflection)
}
