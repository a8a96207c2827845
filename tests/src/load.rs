//! Clients that write through every server and watch what they wrote, while a test does its worst.

mod record;
mod watcher;
mod writer;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Runtime, task::JoinHandle};

pub use record::Record;
use record::Refusals;
use watcher::{Seen, Watcher};
use writer::{Writer, Written};

use crate::{Client, ControlPlane, eventually};

const SOON: Duration = Duration::from_secs(90);

/// Writers and watchers at work. Each begins at a server of its own and goes on to the next one where that one fails.
pub struct Load {
    runtime: Runtime,
    client: Client,
    shared: Arc<Shared>,
    writers: Vec<JoinHandle<Written>>,
    watchers: Vec<JoinHandle<Seen>>,
}

/// What the tasks tell one another.
#[derive(Default)]
struct Shared {
    acknowledged: AtomicUsize,
    writers_stop: AtomicBool,
    /// The revision that watchers go on to; 0 while it is not known.
    end: AtomicU64,
    refusals: Refusals,
}

impl Load {
    /// Begins to write through every server, with so many writers each.
    pub fn start(cluster: &ControlPlane, writers: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let (client, shared) = {
            let _within = runtime.enter();
            let client = Client::new(&cluster.config(), &cluster.addresses);
            (client, Arc::<Shared>::default())
        };
        let servers = client.servers();
        let watcher = |server| Watcher::new(client.clone(), shared.clone(), server).run();
        let watchers = (0..servers)
            .map(|server| runtime.spawn(watcher(server)))
            .collect();
        let writer = |number| Writer::new(client.clone(), shared.clone(), number).run();
        let writers = (0..servers * writers)
            .map(|number| runtime.spawn(writer(number)))
            .collect();
        Self {
            runtime,
            client,
            shared,
            writers,
            watchers,
        }
    }

    /// How many writes have been acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until so many more writes have been acknowledged.
    pub fn wait_for(&self, more: u64) {
        let goal = self.acknowledged() + usize::try_from(more).expect("a count");
        eventually(&format!("{more} more writes are acknowledged"), SOON, || {
            self.tasks_are_well();
            (self.acknowledged() >= goal).then_some(())
        });
    }

    /// What servers have said when they did not take a write.
    pub fn refusals(&self) -> Vec<String> {
        self.shared.refusals.all()
    }

    /// Ends the writers, then the watchers once they have seen everything; what all of them saw.
    pub fn finish(mut self) -> Record {
        self.shared.writers_stop.store(true, Ordering::Relaxed);
        let writers = std::mem::take(&mut self.writers);
        let written: Vec<Written> = writers.into_iter().map(|writer| self.wait(writer)).collect();
        let revisions = written.iter().flat_map(|written| &written.acknowledged);
        let last = revisions.map(|(_, revision)| *revision).max();
        self.shared
            .end
            .store(last.expect("something was written"), Ordering::Relaxed);
        let watchers = std::mem::take(&mut self.watchers);
        let seen = watchers.into_iter().map(|watcher| self.wait(watcher)).collect();
        Record::new(self.runtime, self.client, written, seen)
    }

    fn wait<T>(&self, task: JoinHandle<T>) -> T {
        let ended = self
            .runtime
            .block_on(async { tokio::time::timeout(SOON, task).await });
        ended
            .expect("it ends when told to")
            .expect("it saw nothing wrong")
    }

    /// A task that ended by itself has found something wrong.
    fn tasks_are_well(&self) {
        let writers = self.writers.iter().any(JoinHandle::is_finished);
        let watchers = self.watchers.iter().any(JoinHandle::is_finished);
        assert!(!writers && !watchers, "a client found something wrong, see above");
    }
}
