//! Three servers of either kind, and connections to them.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::ClientConfig;
use skep_tests::{ControlPlane, Loopback, eventually};
use skep_trust::{Bundle, Credentials, KeyPairFile, Tls};
use tokio::runtime::Runtime;

use super::{
    client::{Client, Dialect, Standing},
    etcd::Etcd,
};

pub(crate) const SERVERS: usize = 3;

const SOON: Duration = Duration::from_secs(60);

/// Three servers.
pub(crate) struct Cluster {
    dialect: Dialect,
    addresses: Vec<String>,
    tls: Arc<ClientConfig>,
    servers: Servers,
}

enum Servers {
    Skep(Box<ControlPlane>),
    Etcd(Etcd),
}

impl Cluster {
    pub(crate) fn skep() -> Self {
        let servers = ControlPlane::on_loopback(SERVERS);
        Self {
            dialect: Dialect::Skep,
            addresses: servers.addresses.clone(),
            tls: admin(&servers).client_config(),
            servers: Servers::Skep(Box::new(servers)),
        }
    }

    pub(crate) fn etcd() -> Self {
        let servers = Etcd::start();
        Self {
            dialect: Dialect::Etcd,
            addresses: servers.addresses.clone(),
            tls: servers.client_config(),
            servers: Servers::Etcd(servers),
        }
    }

    /// A new connection to a server.
    pub(crate) fn client(&self, server: usize) -> Client {
        Client::new(self.dialect, &self.addresses[server], self.tls.clone())
    }

    /// The same for writes and reads alone, which take little of this machine.
    pub(crate) async fn lean_client(&self, server: usize) -> Client {
        Client::lean(self.dialect, &self.addresses[server], self.tls.clone()).await
    }

    pub(crate) fn pid(&self, server: usize) -> u32 {
        match &self.servers {
            Servers::Skep(servers) => servers.servers[server].pid(),
            Servers::Etcd(servers) => servers.pid(server),
        }
    }

    pub(crate) fn kill(&mut self, server: usize) {
        match &mut self.servers {
            Servers::Skep(servers) => servers.servers[server].kill(),
            Servers::Etcd(servers) => servers.kill(server),
        }
    }

    pub(crate) fn start(&mut self, server: usize) {
        match &mut self.servers {
            Servers::Skep(servers) => servers.start_server(server, &Loopback),
            Servers::Etcd(servers) => servers.start_member(server),
        }
    }

    /// Waits until all servers agree on a leader; its index, and what each says of itself.
    pub(crate) fn leader(&self, runtime: &Runtime) -> (usize, Vec<Standing>) {
        eventually("all servers know the leader", SOON, || {
            let standings: Result<Vec<Standing>, _> = (0..SERVERS)
                .map(|server| runtime.block_on(async { self.client(server).standing().await }))
                .collect();
            let standings = standings.ok()?;
            let leader = standings[0].leader;
            let agreed = leader != 0 && standings.iter().all(|standing| standing.leader == leader);
            let index = standings.iter().position(|standing| standing.server == leader)?;
            agreed.then_some((index, standings))
        })
    }
}

/// The administrator's credentials, out of the client's config.
pub(crate) fn admin(servers: &ControlPlane) -> Tls {
    let config = std::fs::read_to_string(servers.config()).expect("the first server writes a config");
    let part = |name: &str| {
        let line = config.lines().find_map(|line| line.trim().strip_prefix(name));
        let text = line.expect("the config has credentials").trim().trim_matches('"');
        let pem = STANDARD.decode(text).expect("base64");
        String::from_utf8(pem).expect("PEM is text")
    };
    let bundle = Bundle::from_pem(&part("certificate-authority-data:")).expect("a CA");
    let key = KeyPairFile::from_pem(&part("client-key-data:")).expect("a key");
    let credentials = Credentials::new(key, &part("client-certificate-data:"), bundle).expect("credentials");
    Tls::new(credentials).expect("credentials for TLS")
}
