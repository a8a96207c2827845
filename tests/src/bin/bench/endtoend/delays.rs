//! When a client's watch shows that a pod is there, has a node, and runs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;
use skep_api::{
    convert,
    proto::{WatchEvent, WatchRequest},
};
use tokio::{runtime::Runtime, task::JoinHandle};
use tonic::{Code, Status};

use crate::scale::Cluster;

/// The label of pods that are watched.
pub(crate) const WATCHED: &str = "example.org/watched";

/// The watch may be so far behind when all is done.
const BEHIND_MAX: Duration = Duration::from_secs(60);

/// Delays in seconds, the shortest first.
pub(crate) struct Delays {
    /// From created to bound.
    pub(crate) bound: Vec<f64>,
    /// From created to running and ready.
    pub(crate) running: Vec<f64>,
    /// From bound to running and ready.
    pub(crate) started: Vec<f64>,
}

/// A watch at work.
pub(crate) struct Watch {
    pods: Arc<Mutex<HashMap<String, Times>>>,
    task: JoinHandle<Status>,
}

#[derive(Clone, Copy)]
struct Times {
    created: Instant,
    bound: Option<Instant>,
    running: Option<Instant>,
}

impl Delays {
    pub(crate) fn watch(runtime: &Runtime, client: Cluster) -> Watch {
        let pods = Arc::default();
        let task = runtime.spawn(follow(client, Arc::clone(&pods)));
        Watch { pods, task }
    }
}

impl Watch {
    /// Waits until the watch has shown so many pods running.
    pub(crate) fn finish(self, runtime: &Runtime, pods: usize) -> Delays {
        let until = Instant::now() + BEHIND_MAX;
        loop {
            let all: Vec<Times> = self.lock().values().copied().collect();
            let running = all.iter().filter(|times| times.running.is_some()).count();
            if running >= pods {
                self.task.abort();
                return delays(&all);
            }
            assert!(
                Instant::now() < until,
                "the watch shows {running} of {pods} pods running"
            );
            assert!(!self.task.is_finished(), "the watch has ended");
            runtime.block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Times>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches; all over again where it fell behind the history that the server keeps.
async fn follow(mut client: Cluster, pods: Arc<Mutex<HashMap<String, Times>>>) -> Status {
    loop {
        let request = WatchRequest {
            kind: "pods".to_owned(),
            label_selector: format!("{WATCHED}=true"),
            ..WatchRequest::default()
        };
        let mut stream = match client.watch(request).await {
            Ok(stream) => stream.into_inner(),
            Err(status) => return status,
        };
        let end = loop {
            match stream.message().await {
                Ok(Some(event)) => note(&mut pods.lock().unwrap_or_else(PoisonError::into_inner), event),
                Ok(None) => break Status::aborted("the server ended the watch"),
                Err(status) => break status,
            }
        };
        if end.code() != Code::OutOfRange {
            return end;
        }
        eprintln!("endtoend: the watch fell behind, and begins again");
    }
}

fn note(pods: &mut HashMap<String, Times>, event: WatchEvent) {
    let now = Instant::now();
    let Some(object) = event.object else { return };
    let pod = convert::value_from_struct(object);
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let times = pods.entry(name.to_owned()).or_insert(Times {
        created: now,
        bound: None,
        running: None,
    });
    if pod["spec"]["nodeName"].is_string() {
        times.bound.get_or_insert(now);
    }
    if is_ready(&pod) {
        times.running.get_or_insert(now);
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let mut ready = conditions.filter(|condition| condition["type"] == "Ready");
    ready.any(|condition| condition["status"] == "True")
}

fn delays(pods: &[Times]) -> Delays {
    let sorted = |delay: &dyn Fn(&Times) -> Option<Duration>| {
        let mut all: Vec<f64> = pods
            .iter()
            .filter_map(delay)
            .map(|delay| delay.as_secs_f64())
            .collect();
        all.sort_by(f64::total_cmp);
        all
    };
    Delays {
        bound: sorted(&|times| Some(times.bound? - times.created)),
        running: sorted(&|times| Some(times.running? - times.created)),
        started: sorted(&|times| Some(times.running? - times.bound?)),
    }
}

/// The value that so large a share lies below.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "an index among few values"
)]
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted
        .get((last as f64 * share).round() as usize)
        .copied()
        .unwrap_or(f64::NAN)
}
