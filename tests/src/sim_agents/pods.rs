//! The pods of one simulated agent: what it was given, and what it has to say of them when.

use std::{
    collections::{BTreeMap, VecDeque, btree_map::Entry},
    sync::{Arc, atomic::Ordering},
};

use serde_json::Value;
use skep_api::{
    Condition, ConditionStatus, ContainerState, ContainerStateRunning, ContainerStatus, PodIp, PodPhase,
    PodStatus, Struct, Time,
    proto::{Assignments, PodReport},
};
use tokio::time::Instant;

use super::{
    options::{SimOptions, host_ip},
    stats::Counters,
};

/// Reports in one message, as of real agents.
const BATCH_MAX: usize = 256;

/// The pods of one agent, and the reports that are due.
pub(super) struct Pods {
    number: usize,
    options: Arc<SimOptions>,
    counters: Arc<Counters>,
    by_uid: BTreeMap<String, Held>,
    /// Uids, in the order in which they are due.
    starts: VecDeque<(Instant, String)>,
    stops: VecDeque<(Instant, String)>,
}

struct Held {
    pod: Assigned,
    /// As it was reported.
    running: Option<PodReport>,
    ending: bool,
}

impl Pods {
    pub(super) fn new(number: usize, options: Arc<SimOptions>, counters: Arc<Counters>) -> Self {
        Self {
            number,
            options,
            counters,
            by_uid: BTreeMap::new(),
            starts: VecDeque::new(),
            stops: VecDeque::new(),
        }
    }

    /// Takes in what the server wants.
    pub(super) fn assign(&mut self, news: Assignments, at: Instant) {
        let pods: Vec<Assigned> = news.upserts.into_iter().filter_map(Assigned::read).collect();
        if news.snapshot {
            let gone: Vec<String> = self
                .by_uid
                .keys()
                .filter(|uid| !pods.iter().any(|pod| pod.uid == **uid))
                .cloned()
                .collect();
            gone.iter().for_each(|uid| self.forget(uid));
        }
        for removal in news.removals.iter().filter(|removal| removal.kind == "Pod") {
            self.forget(&removal.uid);
        }
        for pod in pods {
            self.take(pod, at);
        }
        self.counters.tell();
    }

    /// A new session has begun: all that runs is told again.
    pub(super) fn all(&self) -> Vec<PodReport> {
        self.by_uid
            .values()
            .filter_map(|held| held.running.clone())
            .collect()
    }

    /// When the next report is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let first = |due: &VecDeque<(Instant, String)>| due.front().map(|(at, _)| *at);
        [first(&self.starts), first(&self.stops)]
            .into_iter()
            .flatten()
            .min()
    }

    /// The reports that are due; as many as go into one message.
    pub(super) fn due(&mut self, at: Instant) -> Vec<PodReport> {
        let mut reports = Vec::new();
        while reports.len() < BATCH_MAX
            && let Some(uid) = pop_due(&mut self.starts, at)
        {
            reports.extend(self.start(&uid));
        }
        while reports.len() < BATCH_MAX
            && let Some(uid) = pop_due(&mut self.stops, at)
        {
            reports.extend(self.stop(&uid));
        }
        if !reports.is_empty() {
            self.counters.tell();
        }
        reports
    }

    fn take(&mut self, pod: Assigned, at: Instant) {
        let (uid, deleting) = (pod.uid.clone(), pod.deleting);
        let held = match self.by_uid.entry(uid.clone()) {
            Entry::Occupied(known) => {
                let held = known.into_mut();
                held.pod = pod;
                held
            }
            Entry::Vacant(new) => {
                self.starts
                    .push_back((at + self.options.start_takes, uid.clone()));
                new.insert(Held {
                    pod,
                    running: None,
                    ending: false,
                })
            }
        };
        if deleting && !held.ending {
            held.ending = true;
            self.stops.push_back((at + self.options.stop_takes, uid));
        }
    }

    fn forget(&mut self, uid: &str) {
        if self.by_uid.remove(uid).is_some_and(|held| held.running.is_some()) {
            self.counters.pods_running.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn start(&mut self, uid: &str) -> Option<PodReport> {
        let host_ip = host_ip(self.number);
        let held = self.by_uid.get_mut(uid).filter(|held| !held.ending)?;
        let report = PodReport {
            status: Struct::of(&running(&held.pod, &host_ip)).ok(),
            ..about(&held.pod)
        };
        held.running = Some(report.clone());
        self.counters.pods_running.fetch_add(1, Ordering::Relaxed);
        self.counters.pods_started.fetch_add(1, Ordering::Relaxed);
        Some(report)
    }

    fn stop(&mut self, uid: &str) -> Option<PodReport> {
        let report = PodReport {
            gone: true,
            ..about(&self.by_uid.get(uid)?.pod)
        };
        self.counters.pods_gone.fetch_add(1, Ordering::Relaxed);
        Some(report)
    }
}

fn pop_due(due: &mut VecDeque<(Instant, String)>, now: Instant) -> Option<String> {
    let is_due = due.front().is_some_and(|(at, _)| *at <= now);
    is_due.then(|| due.pop_front().map(|(_, uid)| uid)).flatten()
}

/// What an agent without an engine has to know of a pod; the rest is not even read.
struct Assigned {
    namespace: String,
    name: String,
    uid: String,
    deleting: bool,
    /// Name and image of each.
    containers: Vec<(String, String)>,
}

impl Assigned {
    /// `None` for what is no pod.
    fn read(document: Struct) -> Option<Self> {
        let document = document.into_fields();
        if document.get("kind")? != "Pod" {
            return None;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let meta = document.get("metadata")?;
        let containers = document.get("spec")?["containers"].as_array()?.iter();
        Some(Self {
            namespace: text(&meta["namespace"]),
            name: text(&meta["name"]),
            uid: text(&meta["uid"]),
            deleting: !meta["deletionTimestamp"].is_null(),
            containers: containers
                .map(|container| (text(&container["name"]), text(&container["image"])))
                .collect(),
        })
    }
}

fn about(pod: &Assigned) -> PodReport {
    PodReport {
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        uid: pod.uid.clone(),
        ..PodReport::default()
    }
}

/// What an agent says of a pod whose containers all run and are ready.
fn running(pod: &Assigned, host_ip: &str) -> PodStatus {
    let now = clock();
    let holds = |aspect: &str| Condition {
        r#type: aspect.to_owned(),
        status: ConditionStatus::True,
        last_transition_time: Some(now),
        ..Condition::default()
    };
    let pod_ip = pod_ip(&pod.uid);
    let containers = pod.containers.iter().map(|(name, image)| ContainerStatus {
        name: name.clone(),
        state: ContainerState {
            running: Some(ContainerStateRunning {
                started_at: Some(now),
            }),
            ..ContainerState::default()
        },
        ready: true,
        image: image.clone(),
        image_id: format!("sha256:{:064x}", 7),
        container_id: format!("docker://{:0>64}", pod.uid.replace('-', "")),
        started: Some(true),
        ..ContainerStatus::default()
    });
    PodStatus {
        phase: PodPhase::Running,
        conditions: ["Initialized", "ContainersReady", "Ready"].map(holds).to_vec(),
        host_ip: host_ip.to_owned(),
        pod_ips: vec![PodIp { ip: pod_ip.clone() }],
        pod_ip,
        start_time: Some(now),
        container_statuses: containers.collect(),
        ..PodStatus::default()
    }
}

/// An address that is most likely no other pod's.
fn pod_ip(uid: &str) -> String {
    let hash = uid.bytes().fold(0_u32, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    let [_, a, b, c] = hash.to_be_bytes();
    format!("10.{a}.{b}.{c}")
}

/// The time, in whole seconds as of real agents.
pub(super) fn clock() -> Time {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Time::from_secs(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
