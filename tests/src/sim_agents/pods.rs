//! The pods of one simulated agent: what it was given, and what it has to say of them when.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, atomic::Ordering},
};

use skep_api::{
    Condition, ConditionStatus, ContainerState, ContainerStateRunning, ContainerStatus, Object, Pod, PodIp,
    PodPhase, PodStatus, Time, convert,
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
    pod: Pod,
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
        let objects = news
            .upserts
            .into_iter()
            .filter_map(|document| convert::from_struct(document).ok());
        let pods: Vec<Pod> = objects
            .filter_map(|object| match object {
                Object::Pod(pod) => Some(*pod),
                _ => None,
            })
            .collect();
        if news.snapshot {
            let gone: Vec<String> = self
                .by_uid
                .keys()
                .filter(|uid| !pods.iter().any(|pod| pod.metadata.uid == **uid))
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

    fn take(&mut self, pod: Pod, at: Instant) {
        let uid = pod.metadata.uid.clone();
        let deleting = pod.metadata.is_deleting();
        let held = self.by_uid.entry(uid.clone()).or_insert_with(|| {
            self.starts
                .push_back((at + self.options.start_takes, uid.clone()));
            Held {
                pod: pod.clone(),
                running: None,
                ending: false,
            }
        });
        held.pod = pod;
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
        let status = running(&held.pod, &host_ip);
        let status = serde_json::to_value(&status)
            .ok()
            .and_then(convert::struct_from_value);
        let report = PodReport {
            status,
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

fn about(pod: &Pod) -> PodReport {
    PodReport {
        namespace: pod.metadata.namespace.clone(),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        ..PodReport::default()
    }
}

/// What an agent says of a pod whose containers all run and are ready.
fn running(pod: &Pod, host_ip: &str) -> PodStatus {
    let now = clock();
    let holds = |aspect: &str| Condition {
        r#type: aspect.to_owned(),
        status: ConditionStatus::True,
        last_transition_time: Some(now),
        ..Condition::default()
    };
    let pod_ip = pod_ip(&pod.metadata.uid);
    let containers = pod.spec.containers.iter().map(|container| ContainerStatus {
        name: container.name.clone(),
        state: ContainerState {
            running: Some(ContainerStateRunning {
                started_at: Some(now),
            }),
            ..ContainerState::default()
        },
        ready: true,
        image: container.image.clone(),
        image_id: format!("sha256:{:064x}", 7),
        container_id: format!("docker://{:0>64}", pod.metadata.uid.replace('-', "")),
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
