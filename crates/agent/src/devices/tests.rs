//! Devices are given once, all or nothing, and come back.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;
use skep_api::Pod;

use super::{
    CpuPolicy, DeviceDeclaration, Devices, GpuConfig, Wants,
    ledger::Ledger,
    pool::{Cpu, Device, Pool, cpu_list, whole},
};

fn pod(containers: &serde_json::Value, inits: &serde_json::Value) -> Pod {
    let document =
        json!({ "metadata": { "name": "a" }, "spec": { "containers": containers, "initContainers": inits } });
    serde_json::from_value(document).unwrap()
}

/// A pod of containers `c0`, `c1`, … that ask for so many of `x.io/d`.
fn asks(counts: &[u64], inits: &[u64]) -> Wants {
    let containers = |counts: &[u64], prefix: &str| {
        let all = counts.iter().enumerate();
        let one = all.map(|(n, count)| {
            json!({ "name": format!("{prefix}{n}"), "resources": { "limits": { "x.io/d": count.to_string() } } })
        });
        json!(one.collect::<Vec<_>>())
    };
    Wants::of(&pod(&containers(counts, "c"), &containers(inits, "i")), false)
}

fn ledger(ids: &[&str]) -> Ledger {
    let device = |id: &&str| Device {
        id: (*id).to_owned(),
        ..Device::default()
    };
    let mut ledger = Ledger::default();
    ledger.set_pool("x.io/d", Pool::Devices(ids.iter().map(device).collect()));
    ledger
}

fn ids(ledger: &Ledger, uid: &str, container: &str) -> Vec<String> {
    let held = ledger.held(uid).and_then(|held| held.of(container));
    held.and_then(|ids| ids.get("x.io/d"))
        .cloned()
        .unwrap_or_default()
}

#[test]
fn each_container_has_its_own_and_what_runs_before_has_some_of_the_same() {
    let mut ledger = ledger(&["a", "b", "c", "d"]);
    ledger.take("p", &asks(&[1, 2], &[2])).unwrap();
    assert_eq!(ids(&ledger, "p", "c0"), ["a"]);
    assert_eq!(ids(&ledger, "p", "c1"), ["b", "c"]);
    assert_eq!(ids(&ledger, "p", "i0"), ["a", "b"]);
    ledger.take("q", &asks(&[1], &[])).unwrap();
    assert_eq!(ids(&ledger, "q", "c0"), ["d"]);
}

#[test]
fn a_pod_gets_all_or_nothing_and_hears_how_many_are_left() {
    let mut ledger = ledger(&["a", "b"]);
    ledger.take("p", &asks(&[1], &[])).unwrap();
    let short = ledger.take("q", &asks(&[1, 1], &[])).unwrap_err();
    assert_eq!(
        short.to_string(),
        "requested number of devices unavailable for x.io/d. Requested: 2, Available: 1"
    );
    assert!(!short.lasting && ledger.held("q").is_none());
    assert!(ledger.take("q", &asks(&[3], &[])).unwrap_err().lasting);
    assert!(ledger.free("p") && !ledger.free("p"));
    ledger.take("q", &asks(&[1, 1], &[])).unwrap();
}

#[test]
fn an_agents_restart_gives_back_what_pods_had_and_nothing_to_two() {
    let mut before = ledger(&["a", "b"]);
    let wants = asks(&[1], &[]);
    let first = before.take("p", &wants).unwrap();
    let label = first.to_label();
    assert_eq!(label, r#"{"c0":{"x.io/d":["a"]}}"#);
    let mut after = ledger(&["a", "b"]);
    let read = super::PodDevices::parse(&label).unwrap();
    assert!(after.restore("p", read.clone()));
    assert!(!after.restore("ended", read), "another pod's by now");
    assert_eq!(after.take("p", &wants).unwrap(), first, "what it has, it keeps");
    after.take("q", &wants).unwrap();
    assert_eq!(ids(&after, "q", "c0"), ["b"]);
    for empty in ["", "{}", "[]", "{\"c0\":1}"] {
        assert_eq!(super::PodDevices::parse(empty), None, "{empty}");
    }
}

#[test]
fn shares_go_to_the_gpu_that_is_shared_the_least() {
    let mut ledger = ledger(&["g1::0", "g1::1", "g2::0", "g2::1"]);
    let one = asks(&[1], &[]);
    for (uid, device) in [("p", "g1"), ("q", "g2"), ("r", "g1"), ("s", "g2")] {
        ledger.take(uid, &one).unwrap();
        assert_eq!(whole(&ids(&ledger, uid, "c0")[0]), device, "{uid}");
    }
    assert!(ledger.take("t", &one).is_err());
}

/// Two sockets of two cores of two CPUs each, numbered as Linux does: 0-3 are the first CPUs of the cores, 4-7 the second.
fn machine() -> Vec<Cpu> {
    let cpu = |id: u32| Cpu {
        package: (id % 4) / 2,
        core: id % 2,
        id,
    };
    let mut cpus: Vec<Cpu> = (0..8).map(cpu).collect();
    cpus.sort_unstable();
    cpus
}

#[test]
fn cpus_of_one_container_lie_together() {
    let pool = Pool::Cpus(machine(), BTreeSet::new());
    let pick = |used: &[&str], count| {
        let picked = pool.pick(&used.iter().copied().collect(), count);
        picked.map(|ids| cpu_list(&ids))
    };
    assert_eq!(pick(&[], 4).as_deref(), Some("0-1,4-5"), "a whole socket");
    assert_eq!(
        pick(&["0"], 4).as_deref(),
        Some("2-3,6-7"),
        "the socket that is free"
    );
    assert_eq!(pick(&["0"], 2).as_deref(), Some("1,5"), "a whole core");
    assert_eq!(pick(&["0"], 1).as_deref(), Some("4"), "the rest of a core in use");
    assert_eq!(pick(&["0"], 8), None);
}

#[test]
fn whole_cpus_of_guaranteed_pods_are_their_own_and_others_share_the_rest() {
    let whole = |cpu: &str, memory: &str| {
        let amounts = json!({ "cpu": cpu, "memory": memory });
        pod(
            &json!([{ "name": "c0", "resources": { "limits": amounts, "requests": amounts } }]),
            &json!([]),
        )
    };
    let devices = Devices::new(&[], GpuConfig::default(), CpuPolicy::whole(machine(), [0].into()));
    assert_eq!(devices.shared_cpus(), "0-7");
    assert!(devices.wants(&whole("1500m", "1Gi")).is_empty(), "no whole CPUs");
    assert!(
        devices
            .wants(&pod(&json!([{ "name": "c0" }]), &json!([])))
            .is_empty(),
        "best effort"
    );
    let wants = devices.wants(&whole("2", "1Gi"));
    devices.take("p", &wants).unwrap();
    assert_eq!(devices.shared_cpus(), "0,2-4,6-7");
    let grant = devices.grant("p", "c0");
    assert_eq!((grant.cpus.as_str(), grant.own_cpus), ("1,5", true));
    let other = devices.grant("q", "c0");
    assert_eq!((other.cpus.as_str(), other.own_cpus), ("0,2-4,6-7", false));
    let short = devices.take("r", &devices.wants(&whole("6", "1Gi"))).unwrap_err();
    assert_eq!((short.available, short.lasting), (5, false));
    devices.free("p");
    assert_eq!(devices.shared_cpus(), "0-7");
    let nobody = Devices::new(&[], GpuConfig::default(), CpuPolicy::none(machine()));
    assert!(nobody.wants(&whole("2", "1Gi")).is_empty());
    assert_eq!(
        (nobody.shared_cpus().as_str(), nobody.all_cpus().as_str()),
        ("", "0-7")
    );
}

#[test]
fn a_container_hears_what_it_has_and_gets_each_device_once() {
    let declared: DeviceDeclaration = "example.com/null=/dev/null*2,/dev/zero".parse().unwrap();
    let gpus = GpuConfig {
        declared: Some(vec!["GPU-a".to_owned(), "GPU-b".to_owned()]),
        shares: 2,
    };
    let devices = Devices::new(&[declared], gpus, CpuPolicy::default());
    let (all, _) = devices.amounts();
    let count = |name: &str| all[name].units();
    assert_eq!((count("example.com/null"), count("nvidia.com/gpu")), (3, 4));
    let limits = json!({ "example.com/null": "3", "nvidia.com/gpu": "3" });
    let pod = pod(
        &json!([{ "name": "c0", "resources": { "limits": limits } }]),
        &json!([]),
    );
    devices.take("p", &devices.wants(&pod)).unwrap();
    let grant = devices.grant("p", "c0");
    assert_eq!(grant.paths, ["/dev/null", "/dev/zero"]);
    assert_eq!(grant.gpus, ["GPU-a", "GPU-b"]);
    let env: BTreeMap<_, _> = grant.env.into_iter().collect();
    assert_eq!(env["SKEP_DEVICE_NVIDIA_COM_GPU"], "GPU-a,GPU-b");
    assert_eq!(env["SKEP_DEVICE_EXAMPLE_COM_NULL"], "/dev/null,/dev/zero");
    assert!(devices.grant("other", "c0").paths.is_empty());
}

#[test]
fn a_device_that_is_not_there_is_counted_but_nobodys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("device");
    let text = format!("example.com/d=/dev/null,{}", path.display());
    let devices = Devices::new(
        &[text.parse().unwrap()],
        GpuConfig::default(),
        CpuPolicy::default(),
    );
    let sizes = || {
        let (all, there) = devices.amounts();
        (all["example.com/d"].units(), there["example.com/d"].units())
    };
    assert_eq!(sizes(), (2, 1));
    assert_eq!(devices.missing(), [path.display().to_string()]);
    assert!(devices.look().is_empty(), "it is known");
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    assert_eq!(devices.look(), [(path.display().to_string(), false)]);
    assert_eq!(sizes(), (2, 2));
}

#[test]
fn a_gpu_that_is_gone_is_counted_but_nobodys() {
    let devices = Devices::new(&[], GpuConfig::default(), CpuPolicy::default());
    let gpu = |uuid: &str| super::Gpu {
        uuid: uuid.to_owned(),
        ..super::Gpu::default()
    };
    let sizes = || {
        let (all, there) = devices.amounts();
        (all["nvidia.com/gpu"].units(), there["nvidia.com/gpu"].units())
    };
    assert!(devices.set_found(&[gpu("a"), gpu("b")]) && !devices.set_found(&[gpu("a"), gpu("b")]));
    assert_eq!(sizes(), (2, 2));
    assert!(devices.set_found(&[gpu("b")]));
    assert_eq!(sizes(), (2, 1));
    assert!(devices.set_found(&[gpu("a"), gpu("b")]));
    assert_eq!(sizes(), (2, 2));
}

#[derive(Clone, Debug)]
enum Step {
    Take(u8, Vec<u64>, Vec<u64>),
    Free(u8),
    /// What pods have is rebuilt from their labels, in this order.
    Restart(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let counts = || proptest::collection::vec(1u64..4, 0..3);
    prop_oneof![
        4 => (0u8..6, counts(), counts()).prop_map(|(pod, apps, inits)| Step::Take(pod, apps, inits)),
        2 => (0u8..6).prop_map(Step::Free),
        1 => Just((0..6).collect::<Vec<u8>>()).prop_shuffle().prop_map(Step::Restart),
    ]
}

proptest! {
    #[test]
    fn no_device_is_ever_two_pods(
        steps in proptest::collection::vec(step(), 1..40),
        shares in 1usize..3,
    ) {
        let all: Vec<String> = (0..6).map(|n| if shares > 1 { format!("g{}::{}", n / shares, n % shares) } else { format!("g{n}") }).collect();
        let fresh = || ledger(&all.iter().map(String::as_str).collect::<Vec<_>>());
        let mut ledger = fresh();
        let mut asked: BTreeMap<u8, Wants> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Take(pod, apps, inits) => {
                    let wants = asked.entry(pod).or_insert_with(|| asks(&apps, &inits)).clone();
                    let free = all.len() - ledger.used("x.io/d").len();
                    let before = ledger.held(&pod.to_string()).cloned();
                    let need = wants.totals().get("x.io/d").copied().unwrap_or(0);
                    match ledger.take(&pod.to_string(), &wants) {
                        Ok(given) => {
                            prop_assert!(before.is_none_or(|before| before == given), "what it has, it keeps");
                            prop_assert_eq!(given.all("x.io/d").len() as u64, need);
                        }
                        Err(short) => {
                            prop_assert!(before.is_none() && need > free as u64);
                            prop_assert_eq!(short.available, free);
                            asked.remove(&pod);
                        }
                    }
                }
                Step::Free(pod) => {
                    ledger.free(&pod.to_string());
                    asked.remove(&pod);
                }
                Step::Restart(order) => {
                    let old = std::mem::replace(&mut ledger, fresh());
                    for pod in order {
                        let label = old.held(&pod.to_string()).map(super::PodDevices::to_label);
                        if let Some(devices) = label.and_then(|label| super::PodDevices::parse(&label)) {
                            prop_assert!(ledger.restore(&pod.to_string(), devices));
                        }
                    }
                }
            }
            let mut seen = BTreeSet::new();
            for pod in 0u8..6 {
                let uid = pod.to_string();
                let Some(held) = ledger.held(&uid) else { continue };
                for id in held.all("x.io/d") {
                    prop_assert!(seen.insert(id.to_owned()), "{} is two pods'", id);
                }
                let apps = (0..3).flat_map(|n| ids(&ledger, &uid, &format!("c{n}")));
                let apps: Vec<String> = apps.collect();
                let distinct: BTreeSet<&String> = apps.iter().collect();
                prop_assert_eq!(apps.len(), distinct.len(), "containers do not share");
            }
        }
    }
}
