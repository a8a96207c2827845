//! One term of leadership: look at what changed, decide, write, look again.

use std::{sync::Arc, time::Duration};

use skep_api::Node;
use skep_controllers::{Context, Controller, events};
use skep_state::{Refusal, State};
use skep_store::ProposeError;
use tokio::time::Instant;

use super::{
    entry::{Draft, Origin},
    placing::Placing,
    queue::{Queue, Work},
};
use crate::{clock::now, core::Core};

/// Keys reconciled against one state.
const KEYS_MAX: usize = 512;

/// The least time before a controller looks again of its own accord.
const AGAIN_IN_LEAST: Duration = Duration::from_millis(10);

/// The pause after the log could not be written.
const FAILURE_PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Term {
    core: Arc<Core>,
    controllers: Vec<Box<dyn Controller>>,
    queue: Queue,
    placing: Placing,
    /// Everything up to this revision has woken whom it concerns.
    seen: u64,
}

impl Term {
    pub(super) fn new(core: Arc<Core>) -> Self {
        let controllers = skep_controllers::all();
        Self {
            core,
            controllers,
            queue: Queue::default(),
            placing: Placing::default(),
            seen: 0,
        }
    }

    /// Leads until dropped.
    pub(super) async fn run(mut self) {
        let mut revisions = self.core.revisions();
        let state = self.core.state();
        let nodes = state.list::<Node>(None);
        self.core
            .leases
            .grant(nodes.map(|node| node.metadata.name.as_str()));
        self.begin(&state);
        loop {
            revisions.borrow_and_update();
            let state = self.core.state();
            self.follow(&state);
            let draft = self.decide(&state);
            if !draft.is_empty() {
                self.write(draft).await;
                continue;
            }
            if self.queue.is_ready() {
                continue;
            }
            let timer = self.next_timer();
            tokio::select! {
                changed = revisions.changed() => if changed.is_err() { return },
                () = sleep_until(timer) => {}
            }
        }
    }

    /// Nothing is known about the past: everything is looked at.
    fn begin(&mut self, state: &State) {
        for (controller, reconciler) in self.controllers.iter().enumerate() {
            for key in reconciler.all(state) {
                self.queue.wake(Work { controller, key });
            }
        }
        self.placing = Placing::of(state);
        self.seen = state.revision();
    }

    /// Wakes whom the changes since the last look concern.
    fn follow(&mut self, state: &State) {
        let Ok(events) = state.changes_since(self.seen) else {
            tracing::warn!("fell behind the history: looking at everything again");
            return self.begin(state);
        };
        let at = Instant::now();
        for event in events {
            for (controller, reconciler) in self.controllers.iter().enumerate() {
                for key in reconciler.wakes(state, event) {
                    self.queue.wake(Work { controller, key });
                }
            }
            self.placing.follow(event, at);
            if event.kind == skep_api::Kind::Node && event.after.is_none() {
                self.core.leases.forget(&event.key.name);
            }
        }
        self.seen = self.seen.max(state.revision());
    }

    fn decide(&mut self, state: &State) -> Draft {
        let (wall, at) = (now(), Instant::now());
        let mut draft = Draft::default();
        self.reconcile(state, wall, at, &mut draft);
        for placement in self.placing.place(state, wall, at) {
            draft.add_placement(placement);
        }
        let record = events::record(state, &draft.notes, "", wall);
        draft.add_record(record);
        draft.stamp(wall);
        draft
    }

    fn reconcile(&mut self, state: &State, wall: skep_api::Time, at: Instant, draft: &mut Draft) {
        let works = self.queue.take(at, KEYS_MAX);
        if works.is_empty() {
            return;
        }
        // A controller asks for the lease of the node that it is to look at, and for no other.
        let names = works.iter().map(|work| work.key.name.as_str());
        let leases = self.core.leases.of(names, wall);
        let context = Context {
            state,
            now: wall,
            leases: &leases,
            settings: &self.core.settings,
        };
        for work in works {
            let wanted = self.controllers[work.controller].reconcile(&context, &work.key);
            if let Some(again_in) = wanted.again_in {
                self.queue
                    .wake_at(work.clone(), at + again_in.max(AGAIN_IN_LEAST));
            }
            if wanted.changes.is_empty() {
                self.queue.succeeded(&work);
            }
            draft.add_work(&work, wanted.changes, wanted.events);
        }
    }

    async fn write(&mut self, draft: Draft) {
        let results = draft.propose(&self.core).await;
        let at = Instant::now();
        let mut failure = None;
        for (origin, result) in results {
            match (origin, result) {
                (Origin::Work(work), Ok(Ok(_))) => self.queue.succeeded(&work),
                (Origin::Work(work), Ok(Err(refusal))) => {
                    self.report(&work, &refusal);
                    self.queue.failed(work, at);
                }
                (Origin::Work(work), Err(error)) => {
                    failure = Some(error);
                    self.queue.failed(work, at);
                }
                (Origin::Placement(pod, uid), Ok(Err(_))) => self.placing.refused(pod, &uid),
                (Origin::Placement(pod, uid), Err(error)) => {
                    failure = Some(error);
                    self.placing.refused(pod, &uid);
                }
                (Origin::Placement(..) | Origin::Note, Ok(_)) => {}
                (Origin::Note, Err(error)) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            self.pause(&error).await;
        }
    }

    /// Races are part of ordinary work; anything else is worth a line.
    fn report(&self, work: &Work, refusal: &Refusal) {
        let controller = self.controllers[work.controller].name();
        match refusal {
            Refusal::Conflict { .. } | Refusal::NotFound { .. } | Refusal::AlreadyExists { .. } => {
                tracing::debug!(controller, key = %work.key, %refusal, "lost a race");
            }
            Refusal::Namespace { .. } | Refusal::Invalid(_) => {
                tracing::warn!(controller, key = %work.key, %refusal, "a change was refused");
            }
        }
    }

    async fn pause(&self, error: &ProposeError) {
        tracing::warn!(%error, "the log could not be written");
        tokio::time::sleep(FAILURE_PAUSE).await;
    }

    fn next_timer(&self) -> Option<Instant> {
        let placing = self.placing.next_at(Instant::now());
        [self.queue.next_timer(), placing].into_iter().flatten().min()
    }
}

async fn sleep_until(timer: Option<Instant>) {
    match timer {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
