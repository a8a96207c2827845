//! Machines with an engine each, on one network whose wires can be cut.

use std::{
    path::Path,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{Engine, Host, engine::run};

/// A switch in a network namespace of its own, which is where clients are as well.
pub struct Lan {
    hub: String,
}

/// A machine on the network: a network namespace with an engine.
pub struct Machine {
    /// Its engine.
    pub engine: Engine,
    hub: String,
    wire: String,
    address: String,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Lan {
    /// A network without machines.
    pub fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let hub = format!("skep-hub{number}-{}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &hub]));
        let lan = Self { hub };
        lan.ip(&["link", "set", "lo", "up"]);
        lan.ip(&["link", "add", "switch", "type", "bridge"]);
        lan.ip(&["addr", "add", "10.99.0.254/24", "dev", "switch"]);
        lan.ip(&["link", "set", "switch", "up"]);
        lan
    }

    /// One more machine, `index` (below 100) being its place.
    pub fn machine(&self, index: u8) -> Machine {
        let engine = Engine::own(&format!("m{index}"), 40 + index);
        let namespace = engine.namespace().expect("an engine of our own").to_owned();
        let (wire, address) = (format!("wire{index}"), format!("10.99.0.{}", index + 1));
        self.ip(&[
            "link", "add", &wire, "type", "veth", "peer", "name", "eth0", "netns", &namespace,
        ]);
        self.ip(&["link", "set", &wire, "master", "switch"]);
        self.ip(&["link", "set", &wire, "up"]);
        let inside = |args: &[&str]| run(Command::new("ip").args(["-n", &namespace]).args(args));
        inside(&["addr", "add", &format!("{address}/24"), "dev", "eth0"]);
        inside(&["link", "set", "eth0", "up"]);
        inside(&["route", "add", "default", "via", "10.99.0.254"]);
        Machine {
            engine,
            hub: self.hub.clone(),
            wire,
            address,
        }
    }

    /// What goes before a command that is to run at the switch.
    pub fn enter(&self) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--net=/run/netns/{}", self.hub)]
    }

    fn ip(&self, args: &[&str]) {
        run(Command::new("ip").args(["-n", &self.hub]).args(args));
    }
}

impl Default for Lan {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        run(Command::new("ip").args(["netns", "delete", &self.hub]));
    }
}

impl Machine {
    /// Cuts its wire: nothing goes in or out, and nobody is told.
    pub fn cut(&self) {
        self.set_wire("down");
    }

    /// Mends its wire.
    pub fn mend(&self) {
        self.set_wire("up");
    }

    fn set_wire(&self, state: &str) {
        run(Command::new("ip").args(["-n", &self.hub, "link", "set", &self.wire, state]));
    }
}

impl Host for Machine {
    fn command(&self, program: &Path) -> Command {
        self.engine.command(program)
    }

    fn address(&self) -> String {
        self.address.clone()
    }
}
