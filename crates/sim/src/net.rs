//! The network between the stores: it delays, loses, doubles and reorders messages, and is cut.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use skep_store::{Lane, Member, Store, Transport, TransportError};
use tokio::time::{sleep, timeout};

use crate::{luck, trace::note};

/// What happens to messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weather {
    /// How many of a thousand requests, and of a thousand answers, are lost.
    pub(crate) lost: u32,
    /// How many of a thousand requests arrive twice.
    pub(crate) doubled: u32,
    /// How long a request, and an answer, is on its way, in microseconds. Those that are on their way together overtake
    /// one another.
    pub(crate) delay: Range<u64>,
}

/// True for as long as a server has not crashed. Nothing that it says later is heard.
#[derive(Clone, Debug)]
pub(crate) struct Alive(Arc<AtomicBool>);

impl Default for Alive {
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl Alive {
    pub(crate) fn end(&self) {
        self.0.store(false, Relaxed);
    }

    pub(crate) fn is(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// Clones are the same network.
#[derive(Clone, Default)]
pub(crate) struct Net {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    doors: BTreeMap<String, Door>,
    /// Pairs of servers that do not reach each other, the smaller number first.
    cut: BTreeSet<(u64, u64)>,
    weather: Weather,
    messages: u64,
}

#[derive(Clone)]
struct Door {
    id: u64,
    store: Store,
    alive: Alive,
}

/// One server's end of the network.
struct Wire {
    net: Net,
    from: u64,
    alive: Alive,
}

impl Net {
    pub(crate) fn wire(&self, from: u64, alive: Alive) -> Arc<dyn Transport> {
        let net = self.clone();
        Arc::new(Wire { net, from, alive })
    }

    /// A server can be reached from now on, until it crashes.
    pub(crate) fn listen(&self, address: &str, store: &Store, alive: Alive) {
        let door = Door {
            id: store.server_id(),
            store: store.clone(),
            alive,
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

    pub(crate) fn heal(&self) {
        self.with(|shared| shared.cut.clear());
    }

    /// How many messages there were.
    pub(crate) fn messages(&self) -> u64 {
        self.with(|shared| shared.messages)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Shared) -> T) -> T {
        work(&mut self.shared.lock().unwrap())
    }

    /// One way of one message: an error where it does not arrive.
    async fn travel(&self, number: u64, from: u64, to: u64, what: &Bytes) -> Result<(), TransportError> {
        let Weather { delay, lost, .. } = self.with(|shared| shared.weather.clone());
        let delay = if delay.is_empty() { 0 } else { luck::range(delay) };
        let lost = luck::permille(lost);
        let sum = crc32fast::hash(what);
        note!(
            "{number} {from}->{to} {} bytes {sum:08x} in {delay} us{}",
            what.len(),
            if lost { ", lost" } else { "" }
        );
        if delay > 0 {
            sleep(Duration::from_micros(delay)).await;
        }
        if self.with(|shared| shared.cut.contains(&(from.min(to), from.max(to)))) {
            // A cut wire says nothing.
            note!("{number} {from}->{to} cut");
            pending::<()>().await;
        }
        if lost {
            return Err(TransportError::Lost("the connection broke".to_owned()));
        }
        Ok(())
    }

    async fn carry(&self, from: u64, address: &str, request: Bytes) -> Result<Bytes, TransportError> {
        let number = self.with(|shared| {
            shared.messages += 1;
            shared.messages
        });
        let door = self.with(|shared| shared.doors.get(address).cloned());
        let door = door.ok_or_else(|| TransportError::Unreachable(format!("nobody listens at {address}")))?;
        self.travel(number, from, door.id, &request).await?;
        if !door.alive.is() {
            return Err(TransportError::Unreachable("nobody listens any more".to_owned()));
        }
        let doubled = self.with(|shared| shared.weather.doubled);
        if luck::permille(doubled) {
            let (net, door, request) = (self.clone(), door.clone(), request.clone());
            tokio::spawn(async move {
                if net.travel(number, from, door.id, &request).await.is_ok() && door.alive.is() {
                    door.store.serve(from, request).await;
                }
            });
        }
        let served = door.clone();
        // It goes on where the one that asked has lost patience.
        let answer = tokio::spawn(async move { served.store.serve(from, request).await });
        let answer = answer
            .await
            .map_err(|error| TransportError::Lost(error.to_string()))?;
        if !door.alive.is() {
            return Err(TransportError::Lost("the server went down".to_owned()));
        }
        self.travel(number, door.id, from, &answer).await?;
        Ok(answer)
    }
}

impl Transport for Wire {
    fn call(
        &self,
        to: &Member,
        _: Lane,
        request: Bytes,
        limit: Duration,
    ) -> BoxFuture<'static, Result<Bytes, TransportError>> {
        let (net, from, address, alive) = (
            self.net.clone(),
            self.from,
            to.address.clone(),
            self.alive.clone(),
        );
        async move {
            if !alive.is() {
                return Err(TransportError::Unreachable("this server has crashed".to_owned()));
            }
            let carried = timeout(limit, net.carry(from, &address, request)).await;
            if !alive.is() {
                return Err(TransportError::Lost("this server has crashed".to_owned()));
            }
            carried.unwrap_or(Err(TransportError::TimedOut))
        }
        .boxed()
    }
}
