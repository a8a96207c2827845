//! The simulator as CI runs it: a few seeds of each layer, and the proof that a seed says it all.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use std::{
    fs,
    num::NonZero,
    path::Path,
    process::{Command, Output},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

fn sim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sim"))
        .args(args)
        .output()
        .unwrap()
}

fn trace(layer: &str, seed: &str, to: &Path, lag: &[&str]) -> String {
    let args = ["--layer", layer, "--seed", seed, "--trace", to.to_str().unwrap()];
    let output = sim(&[&args[..], lag].concat());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    fs::read_to_string(to).unwrap()
}

/// Says that something is done, also where it panics.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Keeps all processors busy while something is done.
fn on_a_busy_machine<T>(work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _done = Done(&done);
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        work()
    })
}

/// Once as fast as it goes, and once where the processors are busy and all threads but the simulation's own are slow.
fn every_run_of_a_seed_is_the_same(layer: &str) {
    let folder = tempfile::tempdir().unwrap();
    let first = trace(layer, "5", &folder.path().join("first"), &[]);
    let second = on_a_busy_machine(|| trace(layer, "5", &folder.path().join("second"), &["--lag"]));
    assert!(first.lines().count() > 1000, "too little happened");
    let differs = first
        .lines()
        .zip(second.lines())
        .find(|(one, other)| one != other);
    assert_eq!(differs, None, "the same seed, and yet something else happened");
    assert_eq!(first.len(), second.len());
}

fn the_invariants_hold(layer: &str, seeds: &str) {
    let output = sim(&["--layer", layer, "--seeds", seeds]);
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}");
    assert!(output.status.success(), "{told}");
}

#[test]
fn every_run_of_a_seed_of_the_store_is_the_same() {
    every_run_of_a_seed_is_the_same("store");
}

#[test]
fn another_seed_is_another_story() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["5", "6"].map(|seed| trace("store", seed, &folder.path().join(seed), &[]));
    assert_ne!(first, second);
}

#[test]
fn whatever_happens_to_stores_the_invariants_hold() {
    the_invariants_hold("store", "4");
}

#[test]
fn every_run_of_a_seed_of_the_cluster_is_the_same() {
    every_run_of_a_seed_is_the_same("cluster");
}

#[test]
fn whatever_happens_to_a_cluster_the_invariants_hold() {
    the_invariants_hold("cluster", "3");
}

/// Of a few seeds with a fault put in, at least one has to fail, and to say this.
fn a_fault_is_noticed(fault: &str, words: &str) {
    let output = sim(&["--layer", "store", "--seeds", "3", "--mutate", fault]);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "nobody noticed: {told}");
    assert!(told.contains(words), "it failed for another reason: {told}");
}

#[test]
fn writes_acknowledged_before_a_majority_has_them_are_noticed() {
    a_fault_is_noticed("early-answers", "has lost");
}

#[test]
fn stale_reads_are_noticed() {
    a_fault_is_noticed("stale-reads", "explains register");
}

#[test]
fn lost_events_are_noticed() {
    a_fault_is_noticed("lost-events", "a change was skipped or told twice");
}
