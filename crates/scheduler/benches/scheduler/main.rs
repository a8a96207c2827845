//! How long placing takes, beside what others need for the same: `cargo bench -p skep-scheduler --bench scheduler`.
//!
//! `--json` prints one JSON object a row; `--curve` prints the time of each workload for 1,000 to 10,000 nodes instead;
//! `--only WORDS` runs the rows whose name has these words in it.

mod measure;
mod workload;

use measure::{Measured, measure, peak_memory};
use workload::Workload;

/// A workload, and what the same takes elsewhere.
struct Row {
    name: String,
    nodes: usize,
    pods: usize,
    workload: Workload,
    /// Seconds, and whose they are.
    peer: Option<(f64, &'static str)>,
    /// `ours / peer` should be at most this.
    aim: f64,
}

/// swarmkit's own benchmark of its scheduler, seconds for so many tasks on 1,000 nodes.
const SWARMKIT: [(usize, f64); 3] = [(1_000, 0.10), (10_000, 1.25), (100_000, 16.6)];

/// What Kubernetes asks of its own scheduler on 5,000 nodes, in pods a second.
const KUBERNETES: [(Workload, f64); 7] = [
    (Workload::Plain, 680.0),
    (Workload::NodeAffinity, 220.0),
    (Workload::AntiAffinity, 60.0),
    (Workload::PreferredAffinity, 90.0),
    (Workload::TopologySpread, 460.0),
    (Workload::Preemption, 570.0),
    (Workload::Unschedulable, 590.0),
];

/// The most that a million pods on 10,000 nodes may take.
const MILLION_SECS: f64 = 10.0;
const MILLION_MIB: f64 = 2048.0;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let json = args.iter().any(|arg| arg == "--json");
    let only = args
        .iter()
        .position(|arg| arg == "--only")
        .and_then(|at| args.get(at + 1));
    if args.iter().any(|arg| arg == "--curve") {
        return curve();
    }
    if !json {
        println!(
            "{:58} {:>9} {:>9} {:>11} {:>9}  {:13} {:>7}",
            "row", "seconds", "elapsed", "pods/s", "peer s", "peer", "ratio"
        );
    }
    let wanted = |name: &str| only.is_none_or(|words| name.contains(words.as_str()));
    // First, while nothing else has been in memory.
    if wanted("a million pods") {
        million(json);
    }
    for row in rows().into_iter().filter(|row| wanted(&row.name)) {
        let measured = best(row.workload, row.nodes, row.pods);
        print(&row, &measured, json);
    }
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for workload in [Workload::Plain, Workload::NodeAffinity] {
        for (pods, secs) in SWARMKIT {
            let mut row = row(workload, 1_000, pods, Some((secs, "swarmkit")));
            // Fewer pods, fewer to share the first touch of the tables.
            row.aim = if pods < 100_000 { 0.02 } else { 0.01 };
            rows.push(row);
        }
    }
    for (workload, per_second) in KUBERNETES {
        let secs = 10_000.0 / per_second;
        rows.push(row(workload, 5_000, 10_000, Some((secs, "Kubernetes"))));
    }
    let ours = [
        Workload::Deployments,
        Workload::Strangers,
        Workload::OneByOne,
        Workload::PreemptionNear,
    ];
    for workload in ours {
        rows.push(row(workload, 5_000, 10_000, None));
    }
    rows
}

fn row(workload: Workload, nodes: usize, pods: usize, peer: Option<(f64, &'static str)>) -> Row {
    Row {
        name: format!(
            "{}: {} pods, {} nodes",
            workload.words(),
            thousands(pods),
            thousands(nodes)
        ),
        nodes,
        pods,
        workload,
        peer,
        aim: 0.01,
    }
}

/// The best of three: others use the machine as well.
fn best(workload: Workload, nodes: usize, pods: usize) -> Measured {
    let rounds = (0..3).map(|_| measure(workload, nodes, pods, pods));
    rounds
        .min_by(|a, b| a.secs.total_cmp(&b.secs))
        .expect("there are three")
}

fn million(json: bool) {
    let measured = measure(Workload::Plain, 10_000, 1_000_000, 10_000);
    let name = "plain: a million pods, 10,000 nodes".to_owned();
    let bound = Row {
        name,
        nodes: 10_000,
        pods: 1_000_000,
        workload: Workload::Plain,
        peer: Some((MILLION_SECS, "bound")),
        aim: 1.0,
    };
    print(&bound, &measured, json);
    let mib = peak_memory();
    if json {
        let row = "memory for a million pods on 10,000 nodes, against its bound";
        println!(
            "{}",
            serde_json::json!({ "row": row, "ours": mib, "peer": MILLION_MIB, "unit": "MiB", "aim": 1.0 })
        );
    } else {
        println!("  memory at most {mib:.0} MiB of {MILLION_MIB:.0} MiB");
    }
}

fn print(row: &Row, measured: &Measured, json: bool) {
    let secs = measured.secs;
    let per_second = row.pods as f64 / secs;
    if json {
        let Some((peer, whose)) = row.peer else { return };
        let name = format!("{}, against {whose}", row.name);
        println!(
            "{}",
            serde_json::json!({ "row": name, "ours": secs, "peer": peer, "unit": "s", "aim": row.aim })
        );
        return;
    }
    let (peer, whose, ratio) = match row.peer {
        Some((peer, whose)) => (format!("{peer:.2}"), whose, format!("{:.4}", secs / peer)),
        None => (String::new(), "", String::new()),
    };
    println!(
        "{:58} {secs:>9.4} {:>9.4} {per_second:>11.0} {peer:>9}  {whose:13} {ratio:>7}",
        row.name, measured.elapsed
    );
}

/// Seconds for 10,000 pods, by workload and number of nodes.
fn curve() {
    const NODES: [usize; 4] = [1_000, 2_000, 5_000, 10_000];
    print!("{:58}", "seconds for 10,000 pods, by nodes");
    NODES.iter().for_each(|nodes| print!(" {:>9}", thousands(*nodes)));
    println!();
    let measured = KUBERNETES.iter().map(|(workload, _)| *workload);
    for workload in measured.chain([Workload::PreemptionNear, Workload::Deployments]) {
        print!("{:58}", workload.words());
        for nodes in NODES {
            print!(" {:>9.4}", best(workload, nodes, 10_000).secs);
        }
        println!();
    }
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| String::from_utf8_lossy(group).into_owned());
    groups.collect::<Vec<_>>().join(",")
}
