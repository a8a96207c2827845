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
        node_server::{Node, NodeServer},
        server_message::Message as Down,
    },
};
use tokio::{
    net::UnixListener,
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::{Request, Response, Status, Streaming};

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What the agent has told so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) sessions: u32,
    pub(crate) node: Option<skep_api::Node>,
    pub(crate) pods: BTreeMap<String, PodReport>,
    pub(crate) events: Vec<EventReport>,
    pub(crate) pod_messages: u32,
    pub(crate) heartbeats: u32,
}

/// A server on a Unix socket. Dropping it ends it.
pub(crate) struct FakeServer {
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
}

impl FakeServer {
    /// A server that listens there.
    pub(crate) fn listen(socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let (tunnels, opened) = mpsc::channel(8);
        let door = Door {
            down: Arc::default(),
            told: watch::channel(Told::default()).0,
            tunnels,
            opened: Arc::new(tokio::sync::Mutex::new(opened)),
        };
        let service = NodeServer::new(door.clone());
        let task = tokio::spawn(async move {
            let incoming = UnixListenerStream::new(listener);
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
        Self { door, task }
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

fn node(document: prost_types::Struct) -> skep_api::Node {
    match convert::from_struct(document).unwrap() {
        Object::Node(node) => node,
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
        let mut up = request.into_inner();
        let (down, messages) = mpsc::channel(16);
        let welcome = Welcome {
            heartbeat_seconds: 1,
            cluster_id: "test-cluster".to_owned(),
            ..Welcome::default()
        };
        let welcome = ServerMessage {
            message: Some(Down::Welcome(welcome)),
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
