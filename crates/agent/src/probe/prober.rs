//! One loop that asks all probes of the node when they are due, and tells each pod what has changed.

use std::{collections::HashMap, sync::Arc};

use skep_api::{Probe, Time};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::schedule::{ProbeKind, Schedule};
use crate::{
    check::{self, Target},
    clock,
    pod::{Note, Probed},
    runtime::ContainerId,
};

/// Questions that are out at the same time.
const ASKED_MAX: usize = 64;

/// How long the same failure is not told of again.
const TOLD_EVERY_SECS: u64 = 60;

/// Whom the answers about a pod's container concern.
pub(crate) trait Listener: Send + Sync {
    /// What is known of a container has changed.
    fn probed(&self, id: &str, probed: &Probed);

    /// Something is worth an event.
    fn note(&self, note: Note);
}

/// A container to ask from now on.
pub(crate) struct Watch {
    /// The container.
    pub(crate) target: Target,
    /// Since when it runs.
    pub(crate) started_at: Time,
    /// What was found out about this run before.
    pub(crate) known: Probed,
    /// Who is told.
    pub(crate) listener: Arc<dyn Listener>,
}

enum Command {
    Watch(Box<Watch>),
    Forget(ContainerId),
}

/// The loop's handle.
#[derive(Clone)]
pub(crate) struct Prober {
    commands: mpsc::Sender<Command>,
}

impl Prober {
    /// The handle, and the loop to run.
    pub(crate) fn new() -> (Self, impl Future<Output = ()> + Send) {
        let (commands, receiver) = mpsc::channel(256);
        (Self { commands }, Loop::default().run(receiver))
    }

    /// Asks a container's probes from now on.
    pub(crate) async fn watch(&self, watch: Watch) {
        // The loop ends only with the agent.
        let _ = self.commands.send(Command::Watch(Box::new(watch))).await;
    }

    /// Asks nothing more.
    pub(crate) async fn forget(&self, id: ContainerId) {
        let _ = self.commands.send(Command::Forget(id)).await;
    }
}

struct Watched {
    watch: Watch,
    schedule: Schedule,
    told: HashMap<&'static str, (String, Time)>,
    stop: CancellationToken,
}

struct Answer {
    id: ContainerId,
    kind: ProbeKind,
    asked_at: Time,
    result: Result<(), String>,
}

#[derive(Default)]
struct Loop {
    watched: HashMap<ContainerId, Watched>,
    asked: JoinSet<Option<Answer>>,
}

impl Loop {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let permits = Arc::new(Semaphore::new(ASKED_MAX));
        loop {
            let due = self.ask_due(&permits);
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => return,
                },
                Some(answer) = self.asked.join_next() => {
                    if let Ok(Some(answer)) = answer {
                        self.answer(&answer);
                    }
                }
                () = clock::sleep_until(due) => {}
            }
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Watch(watch) => {
                let container = Arc::clone(&watch.target.container);
                let schedule = Schedule::new(
                    &container,
                    clock::steady_at(watch.started_at),
                    watch.known.clone(),
                    clock::steady(),
                );
                watch.listener.probed(&watch.target.id, schedule.probed());
                let watched = Watched {
                    watch: *watch,
                    schedule,
                    told: HashMap::new(),
                    stop: CancellationToken::new(),
                };
                self.watched.insert(watched.watch.target.id.clone(), watched);
            }
            Command::Forget(id) => {
                if let Some(watched) = self.watched.remove(&id) {
                    watched.stop.cancel();
                }
            }
        }
    }

    /// Asks what is due; when the next is.
    fn ask_due(&mut self, permits: &Arc<Semaphore>) -> Option<Time> {
        let now = clock::steady();
        for watched in self.watched.values_mut() {
            for (kind, probe) in watched.schedule.take_due(now) {
                let (target, permits) = (watched.watch.target.clone(), Arc::clone(permits));
                let stop = watched.stop.clone();
                self.asked.spawn(async move {
                    stop.run_until_cancelled_owned(ask(target, kind, probe, permits))
                        .await
                });
            }
        }
        self.watched
            .values()
            .filter_map(|watched| watched.schedule.next_due())
            .min()
    }

    fn answer(&mut self, answer: &Answer) {
        let Some(watched) = self.watched.get_mut(&answer.id) else {
            return;
        };
        if let Err(message) = &answer.result {
            watched.tell(answer.kind, message);
        }
        let (kind, success) = (answer.kind, answer.result.is_ok());
        if watched
            .schedule
            .answer(kind, success, answer.asked_at, clock::steady())
        {
            watched
                .watch
                .listener
                .probed(&answer.id, watched.schedule.probed());
        }
    }
}

impl Watched {
    fn tell(&mut self, kind: ProbeKind, message: &str) {
        let now = clock::steady();
        let is_told = self
            .told
            .get(kind.as_str())
            .is_some_and(|(text, at)| text == message && now.since(*at).as_secs() < TOLD_EVERY_SECS);
        if is_told {
            return;
        }
        self.told.insert(kind.as_str(), (message.to_owned(), now));
        self.watch.listener.note(Note {
            container: self.watch.target.container.name.clone(),
            warning: true,
            reason: "Unhealthy",
            message: format!("{} probe failed: {message}", kind.title()),
        });
    }
}

async fn ask(target: Target, kind: ProbeKind, probe: Probe, permits: Arc<Semaphore>) -> Answer {
    let _permit = permits.acquire_owned().await;
    let asked_at = clock::steady();
    let result = check::probe(&target, &probe).await;
    Answer {
        id: target.id,
        kind,
        asked_at,
        result,
    }
}
