//! Who runs here: turns assignments and the engine's news into tasks of pods, and finds those that nobody wants any more.

mod adopt;
mod assign;
mod network;
mod restore;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use skep_api::{Pod, proto::Assignments};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use self::network::Retry;
use crate::{
    checkpoint::Saved, engine::EngineNews, eviction::Eviction, runtime::Container, shared::Shared,
    worker::Inbox,
};

/// Turns assignments and the engine's news into tasks of pods.
pub(crate) struct Manager {
    shared: Arc<Shared>,
    pods: BTreeMap<String, Assigned>,
    workers: BTreeMap<String, Arc<Inbox>>,
    tasks: JoinSet<String>,
    /// Containers of the engine's last list that are no known pod's; `None` before its first one. They are nobody's only once a
    /// server has said what is to run.
    listed: Option<Vec<Container>>,
    word: Word,
    /// What was to run when the agent ended, until a server says what is.
    saved: Option<Saved>,
    engine_away: bool,
    /// Images of assigned pods, which are never removed.
    images_in_use: watch::Sender<BTreeSet<String>>,
    network: NetworkState,
    network_retry: Retry,
}

struct Assigned {
    pod: Arc<Pod>,
    /// Nothing of it is left here; the server knows or will.
    gone: bool,
}

/// On whose word pods run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    /// Nobody has said yet what is to run.
    Nobodys,
    /// The checkpoint's: what it does not name may be wanted all the same.
    Checkpoints,
    /// A server's: what it does not name goes.
    Servers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NetworkState {
    Unknown,
    Wanted,
    Ready,
}

impl Manager {
    /// Runs `saved` where no server says in time what is to run.
    pub(crate) fn new(
        shared: Arc<Shared>,
        saved: Saved,
        images_in_use: watch::Sender<BTreeSet<String>>,
    ) -> Self {
        Self {
            shared,
            pods: BTreeMap::new(),
            workers: BTreeMap::new(),
            tasks: JoinSet::new(),
            listed: None,
            word: Word::Nobodys,
            saved: Some(saved),
            engine_away: false,
            images_in_use,
            network: NetworkState::Unknown,
            network_retry: Retry::now(),
        }
    }

    /// Runs until one of the sources of news ends.
    pub(crate) async fn run(
        mut self,
        mut assignments: mpsc::Receiver<Assignments>,
        mut engine: mpsc::Receiver<EngineNews>,
        mut evictions: mpsc::Receiver<Eviction>,
    ) {
        let patience = tokio::time::sleep(self.shared.config.offline_after);
        tokio::pin!(patience);
        loop {
            let wants_network = self.wants_network();
            let network_again = self.network_retry.at;
            tokio::select! {
                news = assignments.recv() => match news {
                    Some(news) => self.assign(news).await,
                    None => return,
                },
                news = engine.recv() => match news {
                    Some(news) => self.engine(news),
                    None => return,
                },
                Some(eviction) = evictions.recv() => self.evict(eviction),
                Some(done) = self.tasks.join_next() => self.finish(done),
                () = tokio::time::sleep_until(network_again), if wants_network => self.set_up_network().await,
                () = self.shared.devices.freed() => self.workers.values().for_each(|inbox| inbox.retry()),
                () = &mut patience, if self.saved.is_some() => self.restore().await,
            }
        }
    }

    fn evict(&self, eviction: Eviction) {
        if let Some(inbox) = self.workers.get(&eviction.uid) {
            inbox.evict(eviction.why);
        }
    }

    fn finish(&mut self, done: Result<String, tokio::task::JoinError>) {
        let uid = match done {
            Ok(uid) => uid,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        self.workers.remove(&uid);
        match self.pods.get_mut(&uid) {
            Some(assigned) => assigned.gone = true,
            None => self.shared.outbox.forget(&uid),
        }
        self.note_pods();
    }

    /// Tells the collector of images and who asks on the machine what runs here.
    fn note_pods(&self) {
        let pods = self.pods.values().map(|assigned| Arc::clone(&assigned.pod));
        self.shared.roster.set(pods, self.word == Word::Checkpoints);
        self.note_images();
    }

    fn note_images(&self) {
        let containers = |pod: &Pod| {
            let spec = &pod.spec;
            spec.init_containers
                .iter()
                .chain(&spec.containers)
                .map(|c| c.image.clone())
                .collect::<Vec<_>>()
        };
        let images = self
            .pods
            .values()
            .flat_map(|assigned| containers(&assigned.pod))
            .collect();
        self.images_in_use.send_if_modified(|known| {
            let is_new = *known != images;
            *known = images;
            is_new
        });
    }
}
