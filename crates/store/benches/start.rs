//! What it costs a server to start: a folder is filled with objects, left as if the power had gone, and opened again.
//!
//! `cargo bench -p skep-store --bench start [-- OBJECTS]`; `-- open FOLDER` opens a folder that was kept with
//! `-- keep FOLDER [OBJECTS]`, for profilers.

use std::{error::Error, fs, path::Path, process::Command, sync::Arc, time::Instant};

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use skep_api::{Kind, Object};
use skep_state::{Change, Entry};
use skep_store::{Store, StoreConfig, Vault, VaultError};
use skep_testkit::{namespace, start};
use skep_trust::Sealer;

#[path = "../../../tests/src/bin/bench/scale/objects.rs"]
#[expect(dead_code, reason = "the benchmark of whole servers uses more of it")]
mod objects;

const OBJECTS: usize = 100_000;
const AT_ONCE: usize = 256;

/// As in the program.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["sizes"] => {
            use skep_api::*;
            println!(
                "Object {} Pod {} PodSpec {} PodStatus {} Meta {} Container {} ContainerStatus {} EnvVar {} Cond {} Rs {} Node {} CM {} Secret {} Dep {} Quota {} Time {} Vol {} Probe {} EnvSrc {}",
                size_of::<Object>(),
                size_of::<Pod>(),
                size_of::<PodSpec>(),
                size_of::<PodStatus>(),
                size_of::<ObjectMeta>(),
                size_of::<Container>(),
                size_of::<ContainerStatus>(),
                size_of::<EnvVar>(),
                size_of::<Condition>(),
                size_of::<ReplicaSet>(),
                size_of::<Node>(),
                size_of::<ConfigMap>(),
                size_of::<Secret>(),
                size_of::<Deployment>(),
                size_of::<ResourceQuota>(),
                size_of::<Time>(),
                size_of::<Volume>(),
                size_of::<Probe>(),
                size_of::<EnvVarSource>()
            );
            Ok(())
        }
        ["open", folder] => open(Path::new(folder)).await,
        ["keep", folder] => fill(Path::new(folder), OBJECTS).await,
        ["keep", folder, count] => fill(Path::new(folder), count.parse()?).await,
        [] => measure(OBJECTS),
        [count] => measure(count.parse()?),
        _ => Err("usage: start [OBJECTS] | keep FOLDER [OBJECTS] | open FOLDER".into()),
    }
}

/// Each step in a process of its own: one is killed by its end, and the other one starts with nothing in memory.
fn measure(count: usize) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().to_str().ok_or("the folder's path is no text")?;
    for args in [vec!["keep", path, &count.to_string()], vec!["open", path]] {
        let status = Command::new(std::env::current_exe()?).args(args).status()?;
        assert!(status.success(), "a step failed");
    }
    Ok(())
}

fn config(folder: &Path) -> StoreConfig {
    StoreConfig::new(folder).vault(Arc::new(Keyed(Sealer::new(&[7; 32]))))
}

async fn fill(folder: &Path, count: usize) -> Outcome<()> {
    let store = Store::open(config(folder)).await?;
    write(&store, Change::create(namespace("default").object())).await;
    let pods = count / 10 * 4;
    let writes = (0..count).map(|number| write(&store, Change::create(object(number, None))));
    stream::iter(writes).buffer_unordered(AT_ONCE).count().await;
    let numbers = (0..count).filter(|number| number % 10 < 4).take(pods);
    let reports = numbers.map(|number| {
        let key = object(number, None).key();
        let found = store.state().object(Kind::Pod, &key).cloned();
        let uid = found.expect("it was made").meta().uid.clone();
        write(
            &store,
            Change::update_status(object(number, Some((uid, status(number))))),
        )
    });
    stream::iter(reports).buffer_unordered(AT_ONCE).count().await;
    println!("filled:  {count} objects, {:.0} MiB at work", resident_mib());
    println!(
        "on disk: {:.1} MiB of log, {:.1} MiB of snapshots",
        mib_below(&folder.join("log")),
        mib_below(&folder.join("snapshots"))
    );
    // As a kill would.
    std::process::exit(0)
}

async fn open(folder: &Path) -> Outcome<()> {
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let store = Store::open(config(folder)).await?;
    println!(
        "opened:  {} objects after {:.2} s, {:.2} s of processor time, {:.0} MiB",
        store.state().len(),
        begun.elapsed().as_secs_f64(),
        cpu_seconds() - cpu,
        resident_mib()
    );
    std::process::exit(0)
}

async fn write(store: &Store, change: Change) {
    let entry = Entry {
        request_id: String::new(),
        sent: None,
        now: start(),
        changes: vec![change],
    };
    let outcomes = store.propose(entry).await.expect("it is written");
    outcomes[0].as_ref().expect("it is accepted");
}

fn object(number: usize, report: Option<(String, Value)>) -> Object {
    let mut document = objects::object(number);
    let (uid, status) =
        report.unwrap_or_else(|| (format!("00000000-0000-4000-8000-{number:012}"), Value::Null));
    document["metadata"]["uid"] = json!(uid);
    document["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    document["status"] = status;
    if let Some(data) = document
        .as_object_mut()
        .and_then(|fields| fields.remove("stringData"))
    {
        document["data"] = data;
    }
    Object::from_value(document).expect("it is a document")
}

/// As an agent reports it.
fn status(number: usize) -> Value {
    let time = "2026-01-01T00:00:05Z";
    let condition = |name| json!({ "type": name, "status": "True", "lastTransitionTime": time });
    let container = |name: &str| {
        json!({
            "name": name, "ready": true, "started": true, "restartCount": 0, "state": { "running": { "startedAt": time } },
            "image": format!("registry.example/team-{}/{name}:1.{}.0", number % 40, number % 30),
            "imageID": format!("sha256:{number:064x}"), "containerID": format!("docker://{:064x}", number * 7),
        })
    };
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
    let containers = ["main", "proxy"].map(container);
    json!({
        "phase": "Running", "podIP": "10.1.2.3", "hostIP": "10.0.0.1", "startTime": time,
        "conditions": conditions, "containerStatuses": containers,
    })
}

fn resident_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

fn cpu_seconds() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF);
    let usage = usage.expect("a process may ask for its own usage");
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

fn mib_below(folder: &Path) -> f64 {
    let files = fs::read_dir(folder).map_or_else(|_| Vec::new(), |entries| entries.flatten().collect());
    let bytes: u64 = files
        .iter()
        .filter_map(|file| Some(file.metadata().ok()?.len()))
        .sum();
    bytes as f64 / 1024.0 / 1024.0
}

struct Keyed(Sealer);

impl Vault for Keyed {
    fn label(&self) -> String {
        self.0.key_id()
    }

    fn seal(&self, place: &[u8], plain: &[u8]) -> Vec<u8> {
        self.0.seal(place, plain)
    }

    fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        let opened = self.0.open(place, sealed);
        opened.map_err(|error| VaultError::Changed(error.to_string()))
    }
}
