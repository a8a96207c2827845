//! What agents are told of the cluster itself: the servers to dial, and the CAs to trust.

use std::{sync::Arc, time::Duration};

use skep_api::{Kind, proto::Welcome};
use skep_controllers::heartbeat;
use tokio::sync::watch;

use crate::core::Core;

/// How often the CAs are looked at, which change once in years, and the number of nodes.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The welcome of the moment; the same for every agent.
#[derive(Debug, Default)]
pub(crate) struct Greeting(watch::Sender<Arc<Welcome>>);

impl Greeting {
    /// Follows the welcome: where it changes, agents are told again.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Welcome>> {
        self.0.subscribe()
    }

    /// Brings the welcome up to date.
    pub(crate) fn refresh(&self, core: &Core) {
        let welcome = welcome(core);
        self.0.send_if_modified(|told| {
            let changed = **told != welcome;
            if changed {
                *told = Arc::new(welcome);
            }
            changed
        });
    }
}

/// Keeps the welcome up to date until the server ends.
pub(crate) async fn keep_greeting(core: Arc<Core>) {
    let mut peers = core.store.peers();
    loop {
        peers.borrow_and_update();
        core.greeting.refresh(&core);
        tokio::select! {
            Ok(()) = peers.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = core.shutdown.cancelled() => return,
        }
    }
}

fn welcome(core: &Core) -> Welcome {
    let servers = core
        .store
        .peers()
        .borrow()
        .iter()
        .map(|member| member.address.clone())
        .collect();
    let bundle = core.home.as_ref().and_then(|home| {
        home.tls
            .with_credentials(|credentials| credentials.bundle().to_pem())
    });
    let nodes = core.view().count(Kind::Node);
    Welcome {
        heartbeat_seconds: u32::try_from(heartbeat(nodes).as_secs()).unwrap_or(u32::MAX),
        cluster_id: core.store.cluster_id().to_owned(),
        servers: if core.home.is_some() { servers } else { Vec::new() },
        ca_bundle_pem: bundle.unwrap_or_default(),
    }
}
