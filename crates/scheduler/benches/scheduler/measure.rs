//! Runs a workload: everything is built before the clock starts.

use std::time::{Duration, Instant};

use skep_api::Pod;
use skep_scheduler::{Outcome, Scheduler};

use crate::workload::Workload;

/// Some ticks of the kernel, in seconds.
const TICKS: f64 = 0.05;

/// What came of it.
pub(crate) struct Measured {
    /// Seconds of a processor's time spent in the scheduler, which is one thread that never waits: what it takes where nobody
    /// else uses the machine.
    pub(crate) secs: f64,
    /// Seconds by the clock.
    pub(crate) elapsed: f64,
}

/// Places so many pods in batches; the pods of a batch are made before it and dropped after it.
pub(crate) fn measure(workload: Workload, nodes: usize, pods: usize, batch: usize) -> Measured {
    let mut scheduler = Scheduler::new();
    workload.nodes(nodes).iter().for_each(|node| scheduler.node(node));
    workload.placed(nodes).iter().for_each(|pod| scheduler.pod(pod));
    let batch = if workload == Workload::OneByOne { 1 } else { batch };
    let (mut spent, mut on_cpu, mut as_wanted) = (Duration::ZERO, 0.0, 0);
    let mut made: Vec<Pod> = Vec::new();
    for first in (0..pods).step_by(batch) {
        let of_batch = first..(first + batch).min(pods);
        made.clear();
        made.extend(of_batch.map(|index| workload.pod(index)));
        let pending: Vec<&Pod> = made.iter().collect();
        let (cpu_before, before) = (cpu_secs(), Instant::now());
        let decisions = scheduler.schedule(&pending);
        spent += before.elapsed();
        on_cpu += cpu_secs() - cpu_before;
        as_wanted += decisions
            .iter()
            .filter(|decision| workload.expects(&decision.outcome))
            .count();
    }
    assert_eq!(
        as_wanted,
        pods,
        "{}: not all pods went as they should",
        workload.words()
    );
    let elapsed = spent.as_secs_f64();
    // The kernel counts in ticks: too coarse for what is over soon.
    let secs = if elapsed < TICKS {
        elapsed
    } else {
        on_cpu.min(elapsed)
    };
    Measured { secs, elapsed }
}

/// Seconds of a processor's time that this thread has had.
fn cpu_secs() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat
        .split_whitespace()
        .next()
        .and_then(|nanos| nanos.parse::<f64>().ok());
    nanos.unwrap_or(f64::NAN) / 1e9
}

/// The most memory that this process has had, in MiB.
pub(crate) fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}

impl Workload {
    /// Whether this is what the workload is about.
    fn expects(self, outcome: &Outcome) -> bool {
        match self {
            Self::Unschedulable => matches!(outcome, Outcome::Wait(_)),
            Self::Preemption | Self::PreemptionNear => matches!(outcome, Outcome::Preempt { .. }),
            _ => matches!(outcome, Outcome::Bind { .. }),
        }
    }
}
