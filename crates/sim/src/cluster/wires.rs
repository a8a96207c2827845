//! The network between machines: streams of bytes that are slow, stand still while a wire is cut, and break when a machine
//! goes down.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    io,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use skep_trust::{Connecting, Io, Network};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split},
    sync::{mpsc, watch},
    time::sleep,
};

use crate::{luck, trace::note};

/// Bytes that are on their way at most.
const WINDOW_BYTES: usize = 256 * 1024;

/// Streams that wait to be accepted.
const BACKLOG: usize = 128;

/// Clones are the same network.
#[derive(Clone, Default)]
pub(super) struct Wires {
    shared: Arc<Mutex<Shared>>,
    /// Rings when wires are cut or mended, and when machines go down or come up.
    changes: Arc<watch::Sender<u64>>,
}

struct Shared {
    /// By address: who listens.
    doors: BTreeMap<String, Door>,
    /// Machines that do not reach each other, in alphabetical order.
    cut: BTreeSet<(String, String)>,
    lives: BTreeMap<String, Life>,
    /// How long bytes are on their way, in microseconds.
    delay: Range<u64>,
    streams: u64,
    bytes: u64,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            doors: BTreeMap::new(),
            cut: BTreeSet::new(),
            lives: BTreeMap::new(),
            delay: 100..500,
            streams: 0,
            bytes: 0,
        }
    }
}

struct Door {
    host: String,
    streams: mpsc::Sender<Box<dyn Io>>,
}

/// One life of a machine's program; it ends with a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Life {
    number: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    /// The program is gone, and the machine says so.
    Ended,
    /// The machine is gone, and nobody says anything.
    Silent,
}

/// One end of a stream: a machine in one of its lives.
type End = (String, u32);

/// What a piece of a stream meets on its way.
enum Fate {
    Arrives,
    Waits,
    /// The stream is no more, and the other end hears so.
    Breaks,
    /// Nobody hears anything.
    Vanishes,
}

impl Wires {
    /// The network as seen from a machine that begins a new life: what it said in the one before is void.
    pub(super) fn begin(&self, host: &str) -> Arc<dyn Network> {
        let number = self.with(|shared| {
            let life = shared.lives.entry(host.to_owned()).or_insert(Life {
                number: 0,
                state: State::Up,
            });
            life.number += 1;
            life.state = State::Up;
            life.number
        });
        self.ring();
        let wires = self.clone();
        let me = (host.to_owned(), number);
        Arc::new(Seat { wires, me })
    }

    /// Ends a machine's present life: its program is killed, or its power is lost.
    pub(super) fn end(&self, host: &str, silently: bool) {
        self.with(|shared| {
            if let Some(life) = shared.lives.get_mut(host) {
                life.state = if silently { State::Silent } else { State::Ended };
            }
            shared.doors.retain(|_, door| door.host != host);
        });
        self.ring();
    }

    /// Cuts two machines off from each other.
    pub(super) fn cut(&self, one: &str, other: &str) {
        self.with(|shared| shared.cut.insert(pair(one, other)));
        self.ring();
    }

    pub(super) fn heal(&self) {
        self.with(|shared| shared.cut.clear());
        self.ring();
    }

    /// How long bytes are on their way, in microseconds.
    pub(super) fn set_delay(&self, delay: Range<u64>) {
        self.with(|shared| shared.delay = delay);
    }

    /// Streams and bytes so far.
    pub(super) fn told(&self) -> String {
        self.with(|shared| format!("{} streams, {} kB", shared.streams, shared.bytes / 1000))
    }

    /// A stream to an address, from a machine in one of its lives.
    pub(super) async fn connect(&self, me: End, address: String) -> io::Result<DuplexStream> {
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            self.travel().await;
            let door = self.with(|shared| {
                let door = shared.doors.get(&address);
                door.map(|door| (door.host.clone(), door.streams.clone()))
            });
            let host = door
                .as_ref()
                .map_or_else(|| host_of(&address), |(host, _)| host.clone());
            match (self.fate(&me, &(host.clone(), self.life(&host))), door) {
                (Fate::Arrives, Some((host, streams))) => return self.open(me, &host, &streams),
                (Fate::Arrives | Fate::Breaks, _) => return Err(io::ErrorKind::ConnectionRefused.into()),
                (Fate::Waits | Fate::Vanishes, _) => {
                    // Nobody answers, until something changes.
                    changes.changed().await.ok();
                }
            }
        }
    }

    fn open(&self, me: End, host: &str, streams: &mpsc::Sender<Box<dyn Io>>) -> io::Result<DuplexStream> {
        let there = (host.to_owned(), self.life(host));
        let number = self.with(|shared| {
            shared.streams += 1;
            shared.streams
        });
        note!("stream {number} {}>{host}", me.0);
        let (mine, my_end) = duplex(WINDOW_BYTES);
        let (theirs, their_end) = duplex(WINDOW_BYTES);
        streams
            .try_send(Box::new(theirs))
            .map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        let (my_read, my_write) = split(my_end);
        let (their_read, their_write) = split(their_end);
        let up = Pump {
            wires: self.clone(),
            number,
            from: me.clone(),
            to: there.clone(),
        };
        let down = Pump {
            wires: self.clone(),
            number,
            from: there,
            to: me,
        };
        let broken = Arc::new(watch::Sender::new(false));
        tokio::spawn(up.run(my_read, their_write, broken.clone()));
        tokio::spawn(down.run(their_read, my_write, broken));
        Ok(mine)
    }

    async fn travel(&self) {
        let delay = self.with(|shared| shared.delay.clone());
        sleep(Duration::from_micros(luck::range(delay))).await;
    }

    fn life(&self, host: &str) -> u32 {
        self.with(|shared| shared.lives.get(host).map_or(0, |life| life.number))
    }

    /// What becomes of something that was sent from one end to the other.
    fn fate(&self, from: &End, to: &End) -> Fate {
        self.with(|shared| {
            let state = |end: &End| match shared.lives.get(&end.0) {
                // It lives another life by now, and says that it knows nothing of this.
                Some(life) if life.number != end.1 => State::Ended,
                Some(life) => life.state,
                None => State::Silent,
            };
            let is_cut = shared.cut.contains(&pair(&from.0, &to.0));
            match (state(from), state(to)) {
                (State::Silent, _) | (_, State::Silent) => Fate::Vanishes,
                _ if is_cut => Fate::Waits,
                (State::Up, State::Up) => Fate::Arrives,
                _ => Fate::Breaks,
            }
        })
    }

    fn ring(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn with<T>(&self, work: impl FnOnce(&mut Shared) -> T) -> T {
        work(&mut self.shared.lock().unwrap())
    }
}

fn pair(one: &str, other: &str) -> (String, String) {
    let (one, other) = if one < other { (one, other) } else { (other, one) };
    (one.to_owned(), other.to_owned())
}

/// Addresses are `10.0.M.N:7443` of the servers `sN`; of those that are down as well.
fn host_of(address: &str) -> String {
    let number = address.rsplit_once(':').and_then(|(ip, _)| ip.rsplit('.').next());
    format!("s{}", number.unwrap_or("?"))
}

/// The network as a machine sees it.
struct Seat {
    wires: Wires,
    me: End,
}

impl Network for Seat {
    fn connect(&self, address: &str) -> Connecting {
        let (wires, me, address) = (self.wires.clone(), self.me.clone(), address.to_owned());
        Box::pin(async move {
            let stream = wires.connect(me, address).await?;
            Ok(Box::new(stream) as Box<dyn Io>)
        })
    }

    fn listen(&self, address: &str) -> io::Result<mpsc::Receiver<Box<dyn Io>>> {
        let (streams, incoming) = mpsc::channel(BACKLOG);
        let host = self.me.0.clone();
        self.wires.with(|shared| {
            if shared
                .doors
                .get(address)
                .is_some_and(|door| !door.streams.is_closed())
            {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            shared.doors.insert(address.to_owned(), Door { host, streams });
            Ok(incoming)
        })
    }
}

/// One direction of a stream.
struct Pump {
    wires: Wires,
    number: u64,
    from: End,
    to: End,
}

impl Pump {
    /// Carries bytes until one end closes, or the stream breaks; then both ends see it closed.
    async fn run(
        self,
        mut read: ReadHalf<DuplexStream>,
        mut write: WriteHalf<DuplexStream>,
        broken: Arc<watch::Sender<bool>>,
    ) {
        let mut breaks = broken.subscribe();
        tokio::select! {
            biased;
            _ = breaks.wait_for(|broken| *broken) => return,
            () = self.carry(&mut read, &mut write) => {}
        }
        write.shutdown().await.ok();
        if matches!(self.wires.fate(&self.from, &self.to), Fate::Breaks) {
            broken.send_replace(true);
        }
    }

    async fn carry(&self, read: &mut ReadHalf<DuplexStream>, write: &mut WriteHalf<DuplexStream>) {
        let mut bytes = vec![0; 64 * 1024];
        let mut changes = self.wires.changes.subscribe();
        loop {
            let count = tokio::select! {
                biased;
                count = read.read(&mut bytes) => count.unwrap_or(0),
                () = self.breaks(&mut changes) => 0,
            };
            self.wires.travel().await;
            if !self.may_pass().await {
                return;
            }
            if count == 0 {
                note!("stream {} {}>{} ends", self.number, self.from.0, self.to.0);
                return;
            }
            let bytes = &bytes[..count];
            note!(
                "stream {} {}>{} {count} bytes {:08x}",
                self.number,
                self.from.0,
                self.to.0,
                crc32fast::hash(bytes)
            );
            self.wires.with(|shared| shared.bytes += count as u64);
            if write.write_all(bytes).await.is_err() {
                return;
            }
        }
    }

    /// Waits while the wire is cut; false where the stream is no more, never where nobody hears of that.
    async fn may_pass(&self) -> bool {
        let mut changes = self.wires.changes.subscribe();
        loop {
            changes.borrow_and_update();
            match self.wires.fate(&self.from, &self.to) {
                Fate::Arrives => return true,
                Fate::Breaks => return false,
                Fate::Waits | Fate::Vanishes => {
                    if changes.changed().await.is_err() {
                        pending::<()>().await;
                    }
                }
            }
        }
    }

    /// Waits until one end is no more, and the other can hear of it.
    async fn breaks(&self, changes: &mut watch::Receiver<u64>) {
        loop {
            changes.borrow_and_update();
            if matches!(self.wires.fate(&self.from, &self.to), Fate::Breaks) {
                return;
            }
            if changes.changed().await.is_err() {
                pending::<()>().await;
            }
        }
    }
}
