//! How long nothing can be written when a leader is lost, and when it hands over.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Runtime,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    report::{Report, Row},
    store::{Client, Cluster, SERVERS, median, runtime},
};

const ROUNDS: usize = 20;

/// Writes are begun at this pace, whatever became of those before.
const PACE: Duration = Duration::from_millis(5);

/// No write waits longer for its answer.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// How long writes go on before and after.
const AROUND: Duration = Duration::from_millis(500);
const AFTER: Duration = Duration::from_secs(1);

const OBJECT: u32 = 0;

/// The bounds: median and worst after a loss, and after a hand-over.
const LOST_MEDIAN_MS: f64 = 1000.0;
const LOST_WORST_MS: f64 = 3000.0;
const HANDED_OVER_MS: f64 = 200.0;

pub(crate) fn run(report: &mut Report, rounds: Option<usize>) {
    let rounds = rounds.unwrap_or(ROUNDS).max(1);
    let runtime = runtime();
    let _entered = runtime.enter();
    let mut clusters = [Cluster::skep(), Cluster::etcd()];
    eprintln!(
        "failover: three servers each, as in `store`; a write is begun every {} ms at servers that live on, and the longest \
         time without an acknowledged one counts; {rounds} times each, in turn",
        PACE.as_millis()
    );
    for cluster in &clusters {
        let (leader, _) = cluster.leader(&runtime);
        let created = runtime.block_on(cluster.client(leader).create(OBJECT));
        created.expect("an object to write to");
    }
    let (mut lost, mut handed) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for _ in 0..rounds {
        for (index, cluster) in clusters.iter_mut().enumerate() {
            handed[index].push(hand_over(cluster, &runtime));
            lost[index].push(lose(cluster, &runtime));
        }
    }
    tell(
        report,
        "leader killed -9",
        &mut lost,
        [LOST_MEDIAN_MS, LOST_WORST_MS],
    );
    tell(report, "leader hands over", &mut handed, [HANDED_OVER_MS; 2]);
}

fn tell(report: &mut Report, what: &str, times: &mut [Vec<f64>; 2], bounds: [f64; 2]) {
    let middle = [median(&mut times[0]), median(&mut times[1])];
    let worst = [0, 1].map(|index| times[index].last().copied().unwrap_or(0.0));
    for (which, [ours, peer], bound) in [("median", middle, bounds[0]), ("worst", worst, bounds[1])] {
        let mut add = |against: &str, peer| {
            report.add(Row {
                bench: "failover",
                row: format!("{what} until the next write, {which}, against {against}"),
                ours,
                peer,
                unit: "ms",
                aim: 1.0,
            });
        };
        add("the bound", bound);
        add("etcd", peer);
    }
}

/// Milliseconds without a write after the leader is killed; it is back afterwards.
fn lose(cluster: &mut Cluster, runtime: &Runtime) -> f64 {
    let (leader, _) = cluster.leader(runtime);
    let survivors: Vec<Client> = (0..SERVERS)
        .filter(|server| *server != leader)
        .map(|server| cluster.client(server))
        .collect();
    let mut writes = Writes::begin(runtime, survivors);
    runtime.block_on(sleep(AROUND));
    cluster.kill(leader);
    let gap = writes.longest_gap(runtime);
    cluster.start(leader);
    cluster.leader(runtime);
    gap
}

/// Milliseconds without a write while the leader hands over.
fn hand_over(cluster: &Cluster, runtime: &Runtime) -> f64 {
    let (leader, standings) = cluster.leader(runtime);
    let client = cluster.client(leader);
    let others = (0..SERVERS).filter(|server| *server != leader);
    let mut writes = Writes::begin(runtime, others.map(|server| cluster.client(server)).collect());
    runtime.block_on(sleep(AROUND));
    let target = standings[(leader + 1) % SERVERS].server;
    let transfer = runtime.block_on(client.transfer(target));
    transfer.expect("the leader hands over");
    writes.longest_gap(runtime)
}

/// Writes that are begun at a steady pace.
struct Writes {
    begun: Instant,
    acknowledged: std::sync::Arc<Mutex<Vec<Instant>>>,
    running: JoinSet<()>,
}

impl Writes {
    fn begin(runtime: &Runtime, clients: Vec<Client>) -> Self {
        let acknowledged = std::sync::Arc::<Mutex<Vec<Instant>>>::default();
        let (times, mut running) = (acknowledged.clone(), JoinSet::new());
        let begin = async move {
            for client in &clients {
                client.put(OBJECT, next_version()).await.expect("a first write");
            }
            let mut tasks = JoinSet::new();
            for client in clients.iter().cycle() {
                let (client, times) = (client.clone(), times.clone());
                tasks.spawn(async move {
                    let written = timeout(WRITE_LIMIT, client.put(OBJECT, next_version())).await;
                    if matches!(written, Ok(Ok(()))) {
                        times.lock().expect("no holder panics").push(Instant::now());
                    }
                });
                while tasks.try_join_next().is_some() {}
                sleep(PACE).await;
            }
        };
        running.spawn_on(begin, runtime.handle());
        Self {
            begun: Instant::now(),
            acknowledged,
            running,
        }
    }

    /// Ends once writes have been acknowledged for a while; the longest time between two, in milliseconds.
    fn longest_gap(&mut self, runtime: &Runtime) -> f64 {
        let times = runtime.block_on(async {
            let asked = Instant::now();
            loop {
                sleep(PACE).await;
                let times = self.acknowledged.lock().expect("no holder panics").clone();
                let fresh = times.iter().filter(|time| **time > asked).min();
                if fresh.is_some_and(|first| first.elapsed() > AFTER) {
                    return times;
                }
                assert!(asked.elapsed() < WRITE_LIMIT * 3, "writes are acknowledged again");
            }
        });
        runtime.block_on(self.running.shutdown());
        let mut times = times;
        times.sort();
        let first = self.begun + AROUND / 2;
        let gaps = times
            .windows(2)
            .filter(|pair| pair[1] > first)
            .map(|pair| pair[1].saturating_duration_since(pair[0]));
        gaps.max().unwrap_or_default().as_secs_f64() * 1000.0
    }
}

fn next_version() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    static VERSION: AtomicU32 = AtomicU32::new(1);
    VERSION.fetch_add(1, Relaxed)
}
