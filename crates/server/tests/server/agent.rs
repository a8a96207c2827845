//! An agent that runs nothing: it reports what it is assigned as running and ready, and what is deleted as gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use skep_api::{
    convert,
    proto::{
        self, AgentMessage, Heartbeat, Hello, PodReport, PodReports, TunnelUp, agent_message::Message as Up,
        node_client::NodeClient, open_tunnel::Purpose, server_message::Message as Down, tunnel_down,
        tunnel_up,
    },
};
use tokio::{sync::mpsc, sync::watch, task::JoinHandle};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Channel};

use crate::harness::within;

/// A session with a server, and what it has brought so far.
pub(crate) struct Agent {
    up: mpsc::Sender<AgentMessage>,
    pub seen: watch::Receiver<Seen>,
    task: JoinHandle<Result<(), Status>>,
}

/// What an agent has been told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Assigned documents by `Kind/namespace/name`.
    pub assigned: BTreeMap<String, Value>,
    pub acked: u64,
    pub snapshots: usize,
    /// How often it was asked how all its pods are.
    pub asked_again: usize,
}

/// How the agent answers assignments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Pods run and are ready at once.
    Runs,
    /// Pods are taken note of, and nothing is reported.
    Watches,
}

impl Agent {
    /// A node of 4 cpus that runs what it is assigned.
    pub(crate) async fn connect(channel: &Channel, node: &str) -> Self {
        Self::connect_as(channel, node_document(node, "4"), Behaviour::Runs)
            .await
            .unwrap()
    }

    pub(crate) async fn connect_as(
        channel: &Channel,
        node: Value,
        behaviour: Behaviour,
    ) -> Result<Self, Status> {
        let (up, messages) = mpsc::channel(64);
        let hello = Hello {
            node_name: node["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            version: "test".to_owned(),
            node: convert::struct_from_value(node),
        };
        up.send(AgentMessage {
            message: Some(Up::Hello(hello)),
        })
        .await
        .unwrap();
        let mut client = NodeClient::new(channel.clone()).max_decoding_message_size(usize::MAX);
        let down = within(client.session(ReceiverStream::new(messages)))
            .await?
            .into_inner();
        let (told, seen) = watch::channel(Seen::default());
        let task = tokio::spawn(listen(down, up.downgrade(), told, client, behaviour));
        Ok(Self { up, seen, task })
    }

    pub(crate) async fn heartbeat(&self) {
        self.send(Up::Heartbeat(Heartbeat {})).await;
    }

    pub(crate) async fn send(&self, message: Up) {
        self.up
            .send(AgentMessage {
                message: Some(message),
            })
            .await
            .unwrap();
    }

    pub(crate) async fn report(&self, pod: &Value, status: Value) {
        self.send(Up::Pods(PodReports {
            pods: vec![pod_report(pod, Some(status))],
        }))
        .await;
    }

    /// Waits until the agent has been told what is wanted.
    pub(crate) async fn until(&mut self, wanted: impl FnMut(&Seen) -> bool) -> Seen {
        within(self.seen.wait_for(wanted))
            .await
            .expect("the session goes on")
            .clone()
    }

    /// Ends the session, and waits until the server has seen that.
    pub(crate) async fn leave(self) {
        let Self { up, seen, task } = self;
        drop((up, seen));
        within(task).await.unwrap().unwrap();
    }

    /// How the session ended.
    pub(crate) async fn ended(self) -> Result<(), Status> {
        within(self.task).await.unwrap()
    }
}

pub(crate) fn node_document(name: &str, cpu: &str) -> Value {
    let amounts = json!({ "cpu": cpu, "memory": "8Gi", "pods": "110" });
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": { "name": name, "labels": { "kubernetes.io/hostname": name } },
        "status": {
            "capacity": amounts, "allocatable": amounts,
            "conditions": [{ "type": "Ready", "status": "True", "reason": "AgentReady" }],
        },
    })
}

async fn listen(
    mut down: Streaming<proto::ServerMessage>,
    up: mpsc::WeakSender<AgentMessage>,
    told: watch::Sender<Seen>,
    client: NodeClient<Channel>,
    behaviour: Behaviour,
) -> Result<(), Status> {
    let reported = Arc::new(Mutex::new(BTreeSet::new()));
    while let Some(message) = down.message().await? {
        match message.message {
            Some(Down::Assignments(assignments)) => {
                let reports = take(&told, assignments, &mut reported.lock().unwrap());
                if behaviour == Behaviour::Runs
                    && !reports.is_empty()
                    && let Some(up) = up.upgrade()
                {
                    let message = Up::Pods(PodReports { pods: reports });
                    drop(
                        up.send(AgentMessage {
                            message: Some(message),
                        })
                        .await,
                    );
                }
            }
            Some(Down::TellAgain(_)) => told.send_modify(|seen| seen.asked_again += 1),
            Some(Down::Ack(ack)) => told.send_modify(|seen| seen.acked = ack.messages),
            Some(Down::OpenTunnel(ask)) => {
                tokio::spawn(answer(client.clone(), ask));
            }
            Some(Down::Welcome(_)) | None => {}
        }
    }
    Ok(())
}

/// Takes note of assignments; what is to be reported about them.
fn take(
    told: &watch::Sender<Seen>,
    assignments: proto::Assignments,
    reported: &mut BTreeSet<String>,
) -> Vec<PodReport> {
    let mut reports = Vec::new();
    told.send_modify(|seen| {
        if assignments.snapshot {
            seen.assigned.clear();
            seen.snapshots += 1;
        }
        for gone in &assignments.removals {
            seen.assigned
                .remove(&format!("{}/{}/{}", gone.kind, gone.namespace, gone.name));
        }
        for document in assignments.upserts {
            let document = convert::value_from_struct(document);
            if document["kind"] == "Pod" {
                let uid = document["metadata"]["uid"].as_str().unwrap().to_owned();
                if !document["metadata"]["deletionTimestamp"].is_null() {
                    reports.push(pod_report(&document, None));
                } else if reported.insert(uid) {
                    reports.push(pod_report(&document, Some(ready_status(&document))));
                }
            }
            seen.assigned.insert(name_of(&document), document);
        }
    });
    reports
}

fn name_of(document: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let meta = &document["metadata"];
    format!(
        "{}/{}/{}",
        text(&document["kind"]),
        text(&meta["namespace"]),
        text(&meta["name"])
    )
}

/// A report on a pod: its status, or that nothing of it is left.
pub(crate) fn pod_report(pod: &Value, status: Option<Value>) -> PodReport {
    let text = |name: &str| pod["metadata"][name].as_str().unwrap_or_default().to_owned();
    PodReport {
        namespace: text("namespace"),
        name: text("name"),
        uid: text("uid"),
        gone: status.is_none(),
        status: status.and_then(convert::struct_from_value),
    }
}

pub(crate) fn ready_status(pod: &Value) -> Value {
    let since = "2026-01-01T00:00:00Z";
    let conditions: Vec<Value> = ["Initialized", "ContainersReady", "Ready"]
        .iter()
        .map(|name| json!({ "type": name, "status": "True", "lastTransitionTime": since }))
        .collect();
    let container = |container: &Value| {
        json!({
            "name": container["name"], "image": container["image"], "imageID": "sha256:0", "ready": true,
            "restartCount": 0, "state": { "running": { "startedAt": since } },
        })
    };
    let containers: Vec<Value> = pod["spec"]["containers"]
        .as_array()
        .unwrap()
        .iter()
        .map(container)
        .collect();
    json!({
        "phase": "Running", "podIP": "10.244.0.9", "conditions": conditions, "startTime": since,
        "containerStatuses": containers,
    })
}

/// Logs are three lines; a command gets its input back and ends with 3.
async fn answer(mut client: NodeClient<Channel>, ask: proto::OpenTunnel) {
    let (up, messages) = mpsc::channel(16);
    let say = |message| TunnelUp {
        message: Some(message),
    };
    up.send(say(tunnel_up::Message::Accept(ask.tunnel_id)))
        .await
        .unwrap();
    let Ok(response) = client.tunnel(ReceiverStream::new(messages)).await else {
        return;
    };
    let mut down = response.into_inner();
    match ask.purpose {
        Some(Purpose::Logs(logs)) => {
            for line in 1..=3 {
                let text = format!("{} line {line}\n", logs.container);
                drop(up.send(say(tunnel_up::Message::Stdout(text.into()))).await);
            }
        }
        Some(Purpose::Exec(start)) if start.command[0] == "echo" => {
            while let Ok(Some(message)) = down.message().await {
                match message.message {
                    Some(tunnel_down::Message::Stdin(data)) => {
                        drop(up.send(say(tunnel_up::Message::Stdout(data))).await);
                    }
                    Some(tunnel_down::Message::StdinClosed(_)) => break,
                    _ => {}
                }
            }
            drop(up.send(say(tunnel_up::Message::ExitCode(3))).await);
        }
        Some(Purpose::Exec(start)) => {
            let message = format!("exec: \"{}\": executable file not found", start.command[0]);
            let error = proto::TunnelError {
                reason: "BadRequest".to_owned(),
                message,
            };
            drop(up.send(say(tunnel_up::Message::Error(error))).await);
        }
        None => {}
    }
    drop(up);
    // A call that is dropped is cancelled, with all that was not sent yet.
    while let Ok(Some(_)) = down.message().await {}
}
