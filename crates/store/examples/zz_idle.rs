//! scratch
use skep_state::{Change, Entry};
use skep_store::{Store, StoreConfig};
use skep_testkit::{config_map, namespace, start};
use std::time::{Duration, Instant};
fn stat() -> String {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.split_whitespace().collect();
    let st = std::fs::read_to_string("/proc/self/status").unwrap();
    let rss = st.lines().find(|l| l.starts_with("VmRSS")).unwrap().to_owned();
    format!(
        "utime+stime {} ticks, {rss}",
        f[13].parse::<u64>().unwrap() + f[14].parse::<u64>().unwrap()
    )
}
#[tokio::main]
async fn main() {
    let dir = tempfile::tempdir().unwrap();
    let t = Instant::now();
    let store = Store::open(StoreConfig::new(dir.path())).await.unwrap();
    println!("open empty: {:?}", t.elapsed());
    println!("{}", stat());
    tokio::time::sleep(Duration::from_secs(20)).await;
    println!("after 20 s idle {}", stat());
    let e = |c| Entry {
        request_id: String::new(),
        now: start(),
        changes: vec![c],
    };
    store
        .propose(e(Change::create(namespace("default"))))
        .await
        .unwrap();
    let t = Instant::now();
    for n in 0..500 {
        store
            .propose(e(Change::create(
                config_map(&format!("s{n}")).data("t", &"x".repeat(120)),
            )))
            .await
            .unwrap();
    }
    println!("serial: {:?} each", t.elapsed() / 500);
    let t = Instant::now();
    let js: Vec<_> = (0..64)
        .map(|w| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..200 {
                    store
                        .propose(e(Change::create(
                            config_map(&format!("p{w}-{n}")).data("t", &"x".repeat(120)),
                        )))
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    for j in js {
        j.await.unwrap();
    }
    println!(
        "64 at once: {:.0}/s  {}",
        12800.0 / t.elapsed().as_secs_f64(),
        stat()
    );
    store.shutdown().await;
    let t = Instant::now();
    let store = Store::open(StoreConfig::new(dir.path())).await.unwrap();
    println!(
        "reopen 13300 entries: {:?} rev {} {}",
        t.elapsed(),
        store.state().revision(),
        stat()
    );
    let t = Instant::now();
    store.snapshot().await.unwrap();
    println!("snapshot: {:?}", t.elapsed());
    store.shutdown().await;
    let t = Instant::now();
    let store = Store::open(StoreConfig::new(dir.path())).await.unwrap();
    println!("reopen from snapshot: {:?} {}", t.elapsed(), stat());
    let t = Instant::now();
    for _ in 0..1000 {
        store.read().await.unwrap();
    }
    println!("read: {:?}", t.elapsed() / 1000);
}
