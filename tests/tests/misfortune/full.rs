//! The disk of one of three servers is full: the cluster goes on, the server says so, and comes back once there is space.

use std::{fs, io, path::PathBuf, time::Duration};

use skep_tests::{ControlPlane, Disk, Load, Loopback, eventually};

const SOON: Duration = Duration::from_secs(60);
const MIB: u64 = 1024 * 1024;

/// Somebody else's file on a disk.
struct Other(PathBuf);

impl Other {
    /// Takes all of the disk but so many MiB.
    fn take_all_but(&self, mib: u64) {
        let file = self.0.parent().expect("it is on a disk");
        let free = nix::sys::statvfs::statvfs(file).expect("the disk is mounted");
        let free = free.blocks_available() * free.fragment_size();
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.0)
            .expect("a file");
        let bytes = io::Read::take(io::repeat(1), free.saturating_sub(mib * MIB));
        // The last blocks may be the server's.
        io::copy(&mut { bytes }, &mut file).ok();
    }

    fn give_back(&self) {
        fs::remove_file(&self.0).expect("it was there");
    }
}

#[test]
fn a_full_disk_of_one_server_does_not_stop_the_others() {
    let mut cluster = ControlPlane::new();
    let disk = Disk::new(&cluster.path("s0/data"), 160);
    for _ in 0..3 {
        cluster.add_server(&Loopback, &[]);
    }
    cluster.wait_for_voters(3);
    assert_eq!(cluster.leader(), 0, "the one whose disk will be full");
    let other = Other(disk.path().join("other"));
    let load = Load::start(&cluster, 2);
    load.wait_for(20);

    // Less than it keeps in reserve: it takes no writes, and so it does not lead.
    other.take_all_but(20);
    load.wait_for(20);
    assert_ne!(cluster.leader(), 0);
    let log = cluster.servers[0].log();
    assert!(log.contains("free some space"), "{log}");

    other.take_all_but(0);
    eventually("the server whose disk is full ends", SOON, || {
        other.take_all_but(0);
        (!cluster.servers[0].is_running()).then_some(())
    });
    let log = cluster.servers[0].log();
    assert!(
        log.contains("No space left") && log.contains("see to the disk"),
        "{log}"
    );
    load.wait_for(50);

    other.give_back();
    cluster.start_server(0, &Loopback);
    cluster.wait_for_voters(3);
    load.wait_for(20);
    load.finish().check();
}
