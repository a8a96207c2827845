//! The network between the servers.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use skep_store::{Lane, Member, Store, Transport, TransportError};
use tokio::{runtime::Handle, time::sleep};

/// What happens to messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weather {
    /// How many of a thousand requests, and of a thousand answers, are lost.
    pub(crate) lost: u32,
    /// How many of a thousand requests arrive twice.
    pub(crate) doubled: u32,
    /// How long a request, and an answer, is on its way, in milliseconds. Those that are on their way together overtake
    /// one another.
    pub(crate) delay: Range<u64>,
}

/// Clones are the same network.
#[derive(Clone, Default)]
pub(crate) struct Net {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    doors: BTreeMap<String, Door>,
    /// Pairs of servers that do not reach each other, the smaller number first.
    cut: BTreeSet<(u64, u64)>,
    /// Servers that get nothing of the log, though they hear that there is a leader.
    behind: BTreeSet<u64>,
    weather: Weather,
    luck: StdRng,
}

#[derive(Clone)]
struct Door {
    id: u64,
    store: Store,
    handle: Handle,
}

/// One server's end of the network.
struct Wire {
    net: Net,
    from: u64,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            doors: BTreeMap::new(),
            cut: BTreeSet::new(),
            behind: BTreeSet::new(),
            weather: Weather::default(),
            luck: StdRng::seed_from_u64(0),
        }
    }
}

impl Net {
    /// A network whose misfortunes follow from a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let net = Self::default();
        net.with(|shared| shared.luck = StdRng::seed_from_u64(seed));
        net
    }

    pub(crate) fn wire(&self, from: u64) -> Arc<dyn Transport> {
        Arc::new(Wire {
            net: self.clone(),
            from,
        })
    }

    /// A server can be reached from now on; what it answers is worked out on its own runtime.
    pub(crate) fn listen(&self, address: &str, store: &Store, handle: Handle) {
        let door = Door {
            id: store.server_id(),
            store: store.clone(),
            handle,
        };
        self.with(|shared| shared.doors.insert(address.to_owned(), door));
    }

    pub(crate) fn hang_up(&self, address: &str) {
        self.with(|shared| shared.doors.remove(address));
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        self.with(|shared| shared.weather = weather);
    }

    /// Cuts the servers of one group off from those of the other.
    pub(crate) fn cut(&self, one: &[u64], other: &[u64]) {
        let pairs = one
            .iter()
            .flat_map(|a| other.iter().map(move |b| (*a.min(b), *a.max(b))));
        self.with(|shared| shared.cut.extend(pairs));
    }

    /// Lets a server fall behind: the log does not reach it, all else does.
    pub(crate) fn hold_back(&self, id: u64) {
        self.with(|shared| shared.behind.insert(id));
    }

    pub(crate) fn heal(&self) {
        self.with(|shared| {
            shared.cut.clear();
            shared.behind.clear();
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut Shared) -> T) -> T {
        work(&mut self.shared.lock().unwrap())
    }

    /// One way of one message: an error where it does not arrive.
    async fn travel(&self, from: u64, to: u64) -> Result<(), TransportError> {
        let (delay, lost) = self.with(|shared| {
            let Weather { delay, lost, .. } = shared.weather.clone();
            let delay = if delay.is_empty() {
                0
            } else {
                shared.luck.random_range(delay)
            };
            (delay, shared.luck.random_range(0..1000) < lost)
        });
        if delay > 0 {
            sleep(Duration::from_millis(delay)).await;
        }
        let cut = self.with(|shared| shared.cut.contains(&(from.min(to), from.max(to))));
        if cut {
            // A cut wire says nothing.
            std::future::pending::<()>().await;
        }
        if lost {
            return Err(TransportError::Lost("the connection broke".to_owned()));
        }
        Ok(())
    }

    async fn carry(
        &self,
        from: u64,
        address: &str,
        lane: Lane,
        request: Bytes,
    ) -> Result<Bytes, TransportError> {
        let door = self.with(|shared| shared.doors.get(address).cloned());
        let door = door.ok_or_else(|| TransportError::Unreachable(format!("nobody listens at {address}")))?;
        if lane == Lane::Log && self.with(|shared| shared.behind.contains(&door.id)) {
            return Err(TransportError::Lost("the log is held back".to_owned()));
        }
        self.travel(from, door.id).await?;
        if self.with(|shared| shared.luck.random_range(0..1000) < shared.weather.doubled) {
            let (store, request) = (door.store.clone(), request.clone());
            door.handle.spawn(async move { store.serve(from, request).await });
        }
        let store = door.store.clone();
        drop(door.store);
        let answer = door.handle.spawn(async move { store.serve(from, request).await });
        let answer = answer
            .await
            .map_err(|_| TransportError::Lost("the server went down".to_owned()))?;
        self.travel(door.id, from).await?;
        Ok(answer)
    }
}

impl Transport for Wire {
    fn call(
        &self,
        to: &Member,
        lane: Lane,
        request: Bytes,
        limit: Duration,
    ) -> BoxFuture<'static, Result<Bytes, TransportError>> {
        let (net, from, address) = (self.net.clone(), self.from, to.address.clone());
        async move {
            let carried = tokio::time::timeout(limit, net.carry(from, &address, lane, request)).await;
            carried.unwrap_or(Err(TransportError::TimedOut))
        }
        .boxed()
    }
}
