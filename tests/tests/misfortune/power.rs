//! The power goes in the middle of the load: what a disk had not yet been made to keep is gone, what was acknowledged is not.

use skep_tests::{ControlPlane, Dice, Disk, Load, Loopback};

const CUTS: usize = 5;
const DISK_MIB: u64 = 256;

/// A server whose power is cut, again and again, at any moment.
fn cut_again_and_again(cluster: &mut ControlPlane, disk: &Disk, mut dice: Dice) {
    let victim = 0;
    let load = Load::start(cluster, 3);
    for _ in 0..CUTS {
        load.wait_for(dice.between(10, 150));
        disk.cut();
        // A process outlives its disk by a moment, and may not acknowledge anything in it.
        if dice.one_in(2) {
            for _ in 0..dice.between(1, 20) {
                cluster.member("s0");
            }
        }
        cluster.servers[victim].kill();
        disk.restart();
        cluster.start_server(victim, &Loopback);
    }
    load.wait_for(50);
    cluster.wait_for_voters(cluster.servers.len());
    load.finish().check();
}

#[test]
fn a_lone_server_without_power_loses_nothing_that_was_acknowledged() {
    let mut cluster = ControlPlane::new();
    let disk = Disk::new(&cluster.path("s0/data"), DISK_MIB);
    cluster.add_server(&Loopback, &[]);
    cluster.wait_for_voters(1);
    cut_again_and_again(&mut cluster, &disk, Dice::new("one without power", 20_262));
}

#[test]
fn one_of_three_servers_without_power_loses_nothing_that_was_acknowledged() {
    let mut cluster = ControlPlane::new();
    let disk = Disk::new(&cluster.path("s0/data"), DISK_MIB);
    for _ in 0..3 {
        cluster.add_server(&Loopback, &[]);
    }
    cluster.wait_for_voters(3);
    cut_again_and_again(
        &mut cluster,
        &disk,
        Dice::new("one of three without power", 20_263),
    );
}
