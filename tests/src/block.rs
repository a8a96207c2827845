//! Blocks of pod addresses that no other test on this machine uses.

use std::{
    collections::HashSet,
    env,
    fs::{self, File},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

/// Second octets of the blocks: `10.100.0.0/16` and so on.
const FIRST: u8 = 100;
const BLOCKS: u8 = 140;

/// Locked while this process lives; the system unlocks them however it ends.
static RESERVED: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A `/16` such as `10.100.0.0/16` for the pods of one cluster, its own until this process ends: tests of several processes run side by
/// side on one engine.
///
/// No process holds it and no network of the machine's engine is in it. A block is not given to two clusters of a process, even one after
/// the other, and each process begins elsewhere: a killed agent's last request may make a network after its test has cleaned up, and after
/// the next one has looked what the engine has.
///
/// # Panics
/// Where every block is taken.
pub(crate) fn reserve() -> String {
    let folder = env::temp_dir().join("skep-test-blocks");
    fs::create_dir_all(&folder).expect("a folder for the reservations");
    let used = second_octets_in_use();
    let begin = std::process::id() % u32::from(BLOCKS);
    let free = (begin..begin + u32::from(BLOCKS))
        .map(|block| FIRST + u8::try_from(block % u32::from(BLOCKS)).expect("less than the number of blocks"))
        .filter(|octet| !used.contains(octet))
        .find_map(|octet| {
            let file = File::create(folder.join(octet.to_string())).expect("a reservation");
            file.try_lock().is_ok().then_some((octet, file))
        });
    let (octet, file) = free.expect("a free block: remove stale networks with `docker network prune`");
    RESERVED.lock().unwrap_or_else(PoisonError::into_inner).push(file);
    format!("10.{octet}.0.0/16")
}

/// `x` of every network `10.x.…` of the machine's engine; none where it does not answer.
fn second_octets_in_use() -> HashSet<u8> {
    let docker = |args: &[&str]| {
        let output = Command::new("docker").args(args).stdin(Stdio::null()).output();
        output
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default()
    };
    let ids = docker(&["network", "ls", "-q"]);
    let format = "{{range .IPAM.Config}}{{println .Subnet}}{{end}}";
    // Networks that end between the two commands are left out of the answer, which is what is wanted.
    let inspect: Vec<&str> = ["network", "inspect", "--format", format]
        .into_iter()
        .chain(ids.lines())
        .collect();
    docker(&inspect)
        .lines()
        .filter_map(|subnet| subnet.strip_prefix("10.")?.split('.').next()?.parse().ok())
        .collect()
}
