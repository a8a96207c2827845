//! Servers are killed in any order and at any moment, while clients write through all of them.

use skep_tests::{ControlPlane, Dice, Load, Loopback};

const KILLS: usize = 9;

#[test]
fn servers_killed_again_and_again_lose_nothing_that_was_acknowledged() {
    let mut dice = Dice::new("killed again and again", 20_261);
    let mut cluster = ControlPlane::on_loopback(3);
    let load = Load::start(&cluster, 2);
    load.wait_for(50);
    for _ in 0..KILLS {
        let first = dice.index(3);
        // Now and then the majority goes.
        let second = dice.one_in(4).then(|| (first + 1 + dice.index(2)) % 3);
        for victim in [Some(first), second].into_iter().flatten() {
            assert!(
                cluster.servers[victim].is_running(),
                "a server that was started ended by itself: {}",
                cluster.servers[victim].log()
            );
            cluster.servers[victim].kill();
        }
        if second.is_none() {
            load.wait_for(dice.between(1, 60));
        }
        for victim in [Some(first), second].into_iter().flatten() {
            cluster.start_server(victim, &Loopback);
        }
        // Now and then the next one is killed while this one is still starting.
        if !dice.one_in(3) {
            load.wait_for(dice.between(20, 120));
            cluster.wait_for_voters(3);
        }
    }
    cluster.wait_for_voters(3);
    load.wait_for(20);
    load.finish().check();
}
