//! The same facts give the same decisions in every run and on every machine: what became of a number of made-up clusters was
//! written down once.

use expect_test::expect;
use skep_api::{Node, Pod};
use skep_scheduler::Scheduler;

use crate::{choices::Choices, cluster::told};

/// Knuth's generator of made-up numbers (MMIX): no library, nothing of the machine.
struct Numbers(u64);

impl Iterator for Numbers {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Some((self.0 >> 56) as u8)
    }
}

/// FNV-1a of 64 bits.
fn hash(text: &str) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

/// What was decided, a line each; why a pod waits is left out.
fn decided(scheduler: &mut Scheduler, pending: &[Pod]) -> String {
    let told = told(&scheduler.schedule(&pending.iter().collect::<Vec<_>>()));
    let decision = |line: &str| line.split(": ").next().unwrap_or_default().to_owned() + "\n";
    told.lines().map(decision).collect()
}

/// Many small clusters with every constraint there is.
fn small(seed: u64) -> String {
    let mut choices = Choices::from(Numbers(seed).take(1200).collect::<Vec<_>>());
    let (world, pending) = (choices.world(), choices.pods("new", 14));
    let mut scheduler = Scheduler::new();
    for (name, labels) in &world.namespaces {
        scheduler.namespace(name, labels);
    }
    world.nodes.iter().for_each(|node| scheduler.node(node));
    world.placed.iter().for_each(|pod| scheduler.pod(pod));
    world.budgets.iter().for_each(|budget| scheduler.budget(budget));
    decided(&mut scheduler, &pending)
}

/// One with 200 nodes and 2,000 pods, many of them copies.
fn large() -> String {
    let mut choices = Choices::from(Numbers(4).take(100_000).collect::<Vec<_>>());
    let nodes: Vec<Node> = (0..200).map(|index| choices.node(index)).collect();
    let mut scheduler = Scheduler::new();
    nodes.iter().for_each(|node| scheduler.node(node));
    let batches = (0..40).map(|batch| {
        let pods = choices.pods(&format!("new{batch}-"), 100);
        decided(&mut scheduler, &pods)
    });
    batches.collect()
}

#[test]
fn what_was_decided_once_is_decided_again() {
    let small: String = (0..200).map(small).collect();
    let large = large();
    let bound = |text: &str| text.lines().filter(|line| !line.contains("pending")).count();
    let shown = format!(
        "small: {} of {} pods, {}\nlarge: {} of {} pods, {}",
        bound(&small),
        small.lines().count(),
        hash(&small),
        bound(&large),
        large.lines().count(),
        hash(&large)
    );
    expect![[r#"
        small: 409 of 1386 pods, cffa478f33f444e6
        large: 954 of 1712 pods, 424df0e1116b26cc"#]]
    .assert_eq(&shown);
}
