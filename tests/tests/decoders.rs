//! What comes from outside may be anything: the targets of the fuzzers, over their seeds and what becomes of them.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use skep_tests::Dice;

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "a crate of its own to the fuzzers")]
mod targets;

/// Changed copies of all seeds of a target.
const MUTATIONS: usize = 1200;

/// Nothing of a few KiB takes longer on a slow machine.
const EACH_WITHIN: Duration = Duration::from_secs(5);

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/seeds")
        .join(target);
    let entries = fs::read_dir(&folder).expect("every target has seeds");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a seed").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

/// Bytes changed, left out, doubled, or taken from elsewhere.
fn mutated(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[dice.index(seeds.len())].clone();
    for _ in 0..dice.between(1, 6) {
        let at = dice.index(bytes.len() + 1);
        let len = dice.index(16).min(bytes.len() - at);
        match dice.between(0, 5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.between(0, 8),
            1 => drop(bytes.drain(at..at + len)),
            2 => {
                let part = bytes[at..at + len].to_vec();
                bytes.splice(at..at, part.repeat(dice.index(8)));
            }
            3 => {
                let other = &seeds[dice.index(seeds.len())];
                let from = dice.index(other.len() + 1);
                let to = (from + dice.index(32)).min(other.len());
                bytes.splice(at..at + len, other[from..to].iter().copied());
            }
            _ => {
                let token: &[u8] = [
                    &b"\0"[..],
                    b"\"",
                    b"{",
                    b"]",
                    b"-1",
                    b"1e999",
                    b"null",
                    b"\xff",
                    b"&a",
                    b"*a",
                ][dice.index(10)];
                bytes.splice(at..at, token.iter().copied());
            }
        }
    }
    bytes
}

#[test]
fn whatever_comes_is_taken_or_refused() {
    for (name, target) in targets::TARGETS {
        let mut dice = Dice::new(name, 20_264);
        let seeds = seeds(name);
        let mutations: Vec<_> = (0..MUTATIONS).map(|_| mutated(&mut dice, &seeds)).collect();
        for bytes in seeds.iter().chain(&mutations) {
            let begin = Instant::now();
            let ended = std::panic::catch_unwind(|| target(bytes));
            let shown = String::from_utf8_lossy(bytes);
            assert!(ended.is_ok(), "{name} panicked over {shown:?}");
            assert!(
                begin.elapsed() < EACH_WITHIN,
                "{name} took {:?} over {shown:?}",
                begin.elapsed()
            );
        }
    }
}
