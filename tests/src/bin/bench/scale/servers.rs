//! Three servers of skep, and a call to each.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::ClientConfig;
use skep_api::proto::{InfoRequest, InfoResponse, cluster_client::ClusterClient};
use skep_tests::{ControlPlane, Loopback, eventually};
use skep_trust::Connector;
use tokio::runtime::Runtime;
use tonic::transport::Channel;

use crate::store::{SERVERS, admin};

pub(crate) type Cluster = ClusterClient<Channel>;

/// Room for the blocks of 65,536 nodes.
pub(crate) const POD_CIDR: &str = "10.0.0.0/8";

const SOON: Duration = Duration::from_secs(120);

/// Three servers, all of them voters.
pub(crate) struct Servers {
    pub(crate) plane: ControlPlane,
    pub(crate) clients: Vec<Cluster>,
    tls: Arc<ClientConfig>,
}

impl Servers {
    pub(crate) fn start(runtime: &Runtime) -> Self {
        let mut plane = ControlPlane::new();
        plane.set_pod_cidr(POD_CIDR);
        for server in 0..SERVERS {
            plane.add_server(&Loopback, &[]);
            plane.wait_for_voters(server + 1);
        }
        let tls = admin(&plane).client_config();
        let _inside = runtime.enter();
        let clients = plane
            .addresses
            .iter()
            .map(|address| client(address, &tls))
            .collect();
        Self { plane, clients, tls }
    }

    /// Another connection to a server.
    pub(crate) fn client(&self, server: usize) -> Cluster {
        client(&self.plane.addresses[server], &self.tls)
    }

    pub(crate) fn pids(&self) -> [u32; SERVERS] {
        [0, 1, 2].map(|server| self.plane.servers[server].pid())
    }

    pub(crate) fn ports(&self) -> [u16; SERVERS] {
        [0, 1, 2].map(|server: usize| {
            let port = self.plane.addresses[server].rsplit(':').next();
            port.and_then(|port| port.parse().ok())
                .expect("an address has a port")
        })
    }

    pub(crate) fn info(&self, runtime: &Runtime, server: usize) -> Option<InfoResponse> {
        let mut client = self.clients[server].clone();
        let info = runtime.block_on(async move { client.info(InfoRequest {}).await });
        info.ok().map(tonic::Response::into_inner)
    }

    pub(crate) fn leader(&self, runtime: &Runtime) -> usize {
        eventually("a server leads", SOON, || {
            (0..SERVERS).find(|server| {
                let info = self.info(runtime, *server);
                info.is_some_and(|info| info.leader_id != 0 && info.leader_id == info.server_id)
            })
        })
    }

    /// Kills a server and starts it again: seconds until it says that it is `revision` or later.
    pub(crate) fn restart(&mut self, runtime: &Runtime, server: usize, revision: u64) -> f64 {
        self.plane.servers[server].kill();
        let start = Instant::now();
        self.plane.start_server(server, &Loopback);
        // A fresh connection: the old one would first have to notice, and pause.
        loop {
            let ask = async {
                let mut client = self.client(server);
                client.info(InfoRequest {}).await
            };
            let answer = runtime.block_on(ask);
            if answer.is_ok_and(|info| info.into_inner().revision >= revision) {
                return start.elapsed().as_secs_f64();
            }
            assert!(start.elapsed() < SOON, "server {server} does not come back");
            runtime.block_on(async { tokio::time::sleep(Duration::from_millis(10)).await });
        }
    }

    /// Bytes of the logs of all servers.
    pub(crate) fn log_bytes(&self) -> u64 {
        self.bytes_in("server/log")
    }

    /// Bytes of the snapshots of all servers.
    pub(crate) fn snapshot_bytes(&self) -> u64 {
        self.bytes_in("server/snapshots")
    }

    fn bytes_in(&self, folder: &str) -> u64 {
        let folders = self
            .plane
            .servers
            .iter()
            .map(|server| server.data_dir().join(folder));
        folders.map(|folder| bytes_below(&folder)).sum()
    }
}

/// Bytes of all files in a folder.
pub(crate) fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => bytes_below(&entry.path()),
            Ok(data) => data.len(),
            // It was removed meanwhile.
            Err(_) => 0,
        })
        .sum()
}

/// A connection of its own to a server.
pub(crate) fn client(address: &str, tls: &Arc<ClientConfig>) -> Cluster {
    let endpoint = skep_trust::endpoint(address).expect("an address");
    let line = endpoint.connect_with_connector_lazy(Connector::new(tls.clone()));
    Cluster::new(line).max_decoding_message_size(usize::MAX)
}
