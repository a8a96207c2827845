//! A block of pod addresses that no other test on this machine uses.

use std::{
    collections::HashSet,
    env,
    fs::{self, File},
    process::{Command, Stdio},
};

/// A `/16` for the pods of one cluster, its own until dropped: tests of several processes run side by side on one engine.
pub(crate) struct Block {
    cidr: String,
    /// Locked while this lives; the system unlocks it however the process ends.
    _reserved: File,
}

impl Block {
    /// A block that no test holds and no network of the machine's engine is in. A killed agent's last request may make a
    /// network after its test has cleaned up, so what the engine has counts as well.
    ///
    /// # Panics
    /// Where every block is taken.
    pub(crate) fn reserve() -> Self {
        let folder = env::temp_dir().join("skep-test-blocks");
        fs::create_dir_all(&folder).expect("a folder for the reservations");
        let used = second_octets_in_use();
        let free = (100_u8..=239)
            .filter(|octet| !used.contains(octet))
            .find_map(|octet| {
                let file = File::create(folder.join(octet.to_string())).expect("a reservation");
                file.try_lock().is_ok().then_some((octet, file))
            });
        let (octet, file) = free.expect("a free block: remove stale networks with `docker network prune`");
        Self {
            cidr: format!("10.{octet}.0.0/16"),
            _reserved: file,
        }
    }

    /// Such as `10.100.0.0/16`.
    pub(crate) fn cidr(&self) -> &str {
        &self.cidr
    }
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
