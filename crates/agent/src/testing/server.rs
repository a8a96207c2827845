//! A server that scripts sessions: tests send assignments and read what the agent reports.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{StreamExt, stream::BoxStream};
use skep_api::{
    Object, Pod, PodStatus, convert,
    proto::{
        AgentMessage, Assignments, EventReport, OpenTunnel, PodReport, Removal, ServerMessage, TunnelDown,
        TunnelUp, Welcome,
        agent_message::Message as Up,
        join_server::JoinServer,
        node_server::{Node, NodeServer},
        server_message::Message as Down,
    },
};
use skep_trust::Identity;
use tokio::{
    net::{TcpListener, UnixListener},
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::{Request, Response, Status, Streaming, service::Routes};

use super::FakeCluster;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What the agent has told so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) sessions: u32,
    /// Who the last session's certificate speaks for.
    pub(crate) identity: Option<Identity>,
    pub(crate) node: Option<skep_api::Node>,
    pub(crate) pods: BTreeMap<String, PodReport>,
    pub(crate) events: Vec<EventReport>,
    pub(crate) pod_messages: u32,
    pub(crate) heartbeats: u32,
}

/// A server on a Unix socket, or on a port with TLS. Dropping it ends it and its connections.
pub(crate) struct FakeServer {
    /// `host:port`; empty on a socket.
    pub(crate) address: String,
    door: Door,
    task: JoinHandle<()>,
}

/// The two ends of a tunnel.
type Ends = (Streaming<TunnelUp>, mpsc::Sender<Result<TunnelDown, Status>>);

type Replies = mpsc::Sender<Result<ServerMessage, Status>>;

#[derive(Clone)]
struct Door {
    down: Arc<Mutex<Option<Replies>>>,
    told: watch::Sender<Told>,
    tunnels: mpsc::Sender<Ends>,
    opened: Arc<tokio::sync::Mutex<mpsc::Receiver<Ends>>>,
    /// There where sessions are by certificate.
    cluster: Option<Arc<FakeCluster>>,
}

impl FakeServer {
    /// A server that listens there.
    pub(crate) fn listen(socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let door = Door::new(None);
        let service = NodeServer::new(door.clone());
        let task = tokio::spawn(async move {
            let incoming = UnixListenerStream::new(listener);
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
        Self {
            address: String::new(),
            door,
            task,
        }
    }

    /// A server of the cluster, on a port of its own.
    pub(crate) async fn listen_tls(cluster: &Arc<FakeCluster>) -> Self {
        Self::listen_tls_at(cluster, "127.0.0.1:0").await
    }

    /// A server of the cluster, in the place of one that is gone.
    pub(crate) async fn listen_tls_at(cluster: &Arc<FakeCluster>, address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let door = Door::new(Some(Arc::clone(cluster)));
        let routes =
            Routes::new(NodeServer::new(door.clone())).add_service(JoinServer::from_arc(Arc::clone(cluster)));
        let task = tokio::spawn(super::cluster::serve(listener, cluster.server_tls(), routes));
        Self { address, door, task }
    }

    /// Ends it and its connections; its port is free then.
    pub(crate) async fn end(mut self) {
        self.task.abort();
        // It was told to.
        drop((&mut self.task).await);
    }

    /// Says hello once more: the servers or the CAs have changed.
    pub(crate) async fn welcome_again(&self) {
        self.send(Down::Welcome(self.door.welcome())).await;
    }

    /// Waits until what was told is as wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Told) -> bool) -> Told {
        let mut told = self.door.told.subscribe();
        let found = tokio::time::timeout(PATIENCE, told.wait_for(|told| wanted(told))).await;
        match found {
            Ok(found) => found.unwrap().clone(),
            Err(_) => panic!("it never came that {what}: {:#?}", self.door.told.borrow()),
        }
    }

    /// Waits until a pod's status is as wanted.
    pub(crate) async fn status(
        &self,
        uid: &str,
        what: &str,
        wanted: impl Fn(&PodStatus) -> bool,
    ) -> PodStatus {
        let told = self
            .until(what, |told| {
                told.pods.get(uid).is_some_and(|report| wanted(&status(report)))
            })
            .await;
        status(&told.pods[uid])
    }

    /// Sends all that the node is to run.
    pub(crate) async fn snapshot(&self, objects: &[Object]) {
        self.assign(true, objects, Vec::new()).await;
    }

    /// Sends what has changed.
    pub(crate) async fn upsert(&self, objects: &[Object]) {
        self.assign(false, objects, Vec::new()).await;
    }

    /// Takes a pod away.
    pub(crate) async fn remove(&self, pod: &Pod) {
        let meta = &pod.metadata;
        let removal = Removal {
            kind: "Pod".to_owned(),
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            uid: meta.uid.clone(),
        };
        self.assign(false, &[], vec![removal]).await;
    }

    /// Asks for a stream, and gives its two ends once the agent has opened it.
    pub(crate) async fn tunnel(&self, open: OpenTunnel) -> Ends {
        self.send(Down::OpenTunnel(open)).await;
        let mut opened = self.door.opened.lock().await;
        tokio::time::timeout(PATIENCE, opened.recv())
            .await
            .expect("a tunnel")
            .unwrap()
    }

    async fn assign(&self, snapshot: bool, objects: &[Object], removals: Vec<Removal>) {
        let upserts = objects.iter().map(convert::to_struct).collect();
        self.send(Down::Assignments(Assignments {
            snapshot,
            upserts,
            removals,
            revision: 1,
            ..Assignments::default()
        }))
        .await;
    }

    async fn send(&self, message: Down) {
        let down = self.door.down.lock().unwrap().clone().expect("a session");
        down.send(Ok(ServerMessage {
            message: Some(message),
        }))
        .await
        .unwrap();
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
        self.door.down.lock().unwrap().take();
    }
}

/// The status in a report.
pub(crate) fn status(report: &PodReport) -> PodStatus {
    let document = report.status.clone().unwrap_or_default();
    serde_json::from_value(convert::value_from_struct(document)).unwrap()
}

impl Door {
    fn new(cluster: Option<Arc<FakeCluster>>) -> Self {
        let (tunnels, opened) = mpsc::channel(8);
        Self {
            down: Arc::default(),
            told: watch::channel(Told::default()).0,
            tunnels,
            opened: Arc::new(tokio::sync::Mutex::new(opened)),
            cluster,
        }
    }

    fn welcome(&self) -> Welcome {
        let cluster = self.cluster.as_ref();
        Welcome {
            heartbeat_seconds: 1,
            cluster_id: "test-cluster".to_owned(),
            servers: cluster.map(|cluster| cluster.servers()).unwrap_or_default(),
            ca_bundle_pem: cluster.map(|cluster| cluster.bundle_pem()).unwrap_or_default(),
        }
    }

    fn take_in(&self, message: Up) {
        self.told.send_modify(|told| match message {
            Up::Hello(hello) => {
                told.sessions += 1;
                told.node = hello.node.map(node);
            }
            Up::Node(document) => told.node = Some(node(document)),
            Up::Pods(reports) => {
                told.pod_messages += 1;
                told.pods.extend(
                    reports
                        .pods
                        .into_iter()
                        .map(|report| (report.uid.clone(), report)),
                );
            }
            Up::Events(reports) => told.events.extend(reports.events),
            Up::Heartbeat(_) => told.heartbeats += 1,
        });
    }
}

fn node(document: skep_api::Struct) -> skep_api::Node {
    match convert::from_struct(document).unwrap() {
        Object::Node(node) => *node,
        other => panic!("not a node: {other:?}"),
    }
}

#[tonic::async_trait]
impl Node for Door {
    type SessionStream = ReceiverStream<Result<ServerMessage, Status>>;
    type TunnelStream = BoxStream<'static, Result<TunnelDown, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let identity = request.extensions().get::<Identity>().cloned();
        if self.cluster.is_some() && identity.is_none() {
            return Err(Status::unauthenticated("show a certificate"));
        }
        self.told.send_modify(|told| told.identity = identity);
        let mut up = request.into_inner();
        let (down, messages) = mpsc::channel(16);
        let welcome = ServerMessage {
            message: Some(Down::Welcome(self.welcome())),
        };
        down.send(Ok(welcome)).await.unwrap();
        *self.down.lock().unwrap() = Some(down);
        let door = self.clone();
        tokio::spawn(async move {
            while let Ok(Some(AgentMessage {
                message: Some(message),
            })) = up.message().await
            {
                door.take_in(message);
            }
        });
        Ok(Response::new(ReceiverStream::new(messages)))
    }

    async fn tunnel(
        &self,
        request: Request<Streaming<TunnelUp>>,
    ) -> Result<Response<Self::TunnelStream>, Status> {
        let (down, messages) = mpsc::channel(16);
        self.tunnels.send((request.into_inner(), down)).await.unwrap();
        Ok(Response::new(ReceiverStream::new(messages).boxed()))
    }
}
