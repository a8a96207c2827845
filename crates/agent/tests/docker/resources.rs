//! Limits as the kernel has them.

use skep_agent::runtime::ContainerSpec;

use crate::engine::Engine;

const MIB: i64 = 1024 * 1024;
/// Prints the first of two files that is there: of the older and of the newer control groups.
const SHOW: &str = "show() { cat /sys/fs/cgroup/$1 2>/dev/null || cat /sys/fs/cgroup/$2; }; ";

#[tokio::test]
async fn limits_stand_in_the_control_group() {
    let engine = Engine::new().await;
    let script =
        format!("{SHOW} show memory/memory.limit_in_bytes memory.max; show cpu/cpu.cfs_quota_us cpu.max");
    let spec = ContainerSpec {
        memory_limit_bytes: 64 * MIB,
        cpu_limit_millis: 250,
        ..engine.script(&script)
    };
    let lines = engine.output_of(&spec).await;
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[0], "67108864");
    assert!(["25000", "25000 100000"].contains(&lines[1]), "{lines:?}");
}

#[tokio::test]
async fn weights_stand_in_the_control_group() {
    let engine = Engine::new().await;
    let script = format!("{SHOW} show cpu/cpu.shares cpu.weight");
    let spec = ContainerSpec {
        cpu_shares: 512,
        ..engine.script(&script)
    };
    let weight = engine.output_of(&spec).await;
    // The newer groups' weight for 512 shares depends on the engine's conversion.
    assert!(["512", "20", "59"].contains(&weight.trim()), "{weight}");
}

#[tokio::test]
async fn a_positive_oom_score_is_the_process_own() {
    let engine = Engine::new().await;
    let spec = ContainerSpec {
        oom_score_adj: 777,
        ..engine.script("cat /proc/self/oom_score_adj")
    };
    assert_eq!(engine.output_of(&spec).await, "777\n");
}

#[tokio::test]
async fn a_container_that_takes_too_much_memory_is_seen_to_have_done_so() {
    let engine = Engine::new().await;
    // `tail` keeps all of a file without line ends.
    let spec = ContainerSpec {
        entrypoint: ["/bin/busybox", "tail", "/dev/zero"].map(str::to_owned).to_vec(),
        command: Vec::new(),
        memory_limit_bytes: 16 * MIB,
        ..engine.script("")
    };
    let id = engine.run(&spec).await;
    assert_eq!(engine.ended(&id).await, (137, true));
}
