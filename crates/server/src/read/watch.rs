//! Changes of one kind as they happen: pulled from the bounded history at the pace of the reader.

use std::{sync::Arc, time::Duration};

use skep_api::{
    Object,
    proto::{WatchEvent, WatchRequest, watch_event::Type},
};
use skep_state::{State, StateEvent};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{documents::Documents, filter::Filter, list::row};
use crate::{clock::now, core::Core, failure::Failure, render};

const BOOKMARK_INTERVAL: Duration = Duration::from_secs(60);

/// Events that may wait for a slow reader; the rest stays in the history until it is compacted.
const WAITING_MAX: usize = 32;

/// Events taken from the history at once.
const ROUND_MAX: usize = 256;

type Sent = Result<WatchEvent, Status>;

/// Changes of one kind from a revision on.
pub(crate) async fn watch(core: Arc<Core>, request: WatchRequest) -> Result<ReceiverStream<Sent>, Failure> {
    let filter = Filter::parse(
        &request.kind,
        &request.namespace,
        &request.label_selector,
        &request.field_selector,
    )?;
    let state = core.read(false).await?;
    let from = starting_point(&request.resource_version, &state)?;
    let (out, events) = mpsc::channel(WAITING_MAX);
    let watcher = Watcher {
        filter,
        table: request.table,
        columns_due: request.table,
        bookmarks: request.bookmarks,
        seen: from.unwrap_or(state.revision()),
        documents: core.documents.clone(),
        out,
    };
    tokio::spawn(watcher.run(core, from.is_none().then_some(state)));
    Ok(ReceiverStream::new(events))
}

/// The revision after which changes are wanted; `None` where all there is comes first.
fn starting_point(version: &str, state: &State) -> Result<Option<u64>, Failure> {
    if version.is_empty() || version == "0" {
        return Ok(None);
    }
    let revision: u64 = version
        .parse()
        .map_err(|_| Failure::BadRequest(format!("resourceVersion: `{version}` is not a number")))?;
    if revision > state.revision() {
        let present = state.revision();
        return Err(Failure::Expired(format!(
            "revision {revision} lies in the future, the present one is {present}: list again and watch from there"
        )));
    }
    match state.changes_since(revision) {
        Ok(_) => Ok(Some(revision)),
        Err(compacted) => Err(Failure::Expired(compacted.to_string())),
    }
}

struct Watcher {
    filter: Filter,
    table: bool,
    /// True until the columns were sent.
    columns_due: bool,
    bookmarks: bool,
    /// Everything up to this revision was sent.
    seen: u64,
    documents: Arc<Documents>,
    out: mpsc::Sender<Sent>,
}

/// The reader is gone: there is nobody to tell.
struct ReaderGone;

impl Watcher {
    async fn run(mut self, core: Arc<Core>, initial: Option<State>) {
        if let Some(state) = initial
            && self.send_all(&state).await.is_err()
        {
            return;
        }
        if let Ok(end) = self.follow(&core).await {
            // A reader that left needs no farewell.
            drop(self.out.send(Err(end)).await);
        }
    }

    async fn send_all(&mut self, state: &State) -> Result<(), ReaderGone> {
        let filter = self.filter.clone();
        for object in filter.select(state, None) {
            let event = self.event(Type::Added, object, object.meta().revision());
            self.send(event).await?;
        }
        self.bookmark().await
    }

    /// Sends changes until the server ends or the history no longer reaches back; says why.
    async fn follow(&mut self, core: &Core) -> Result<Status, ReaderGone> {
        let mut revisions = core.revisions();
        let mut bookmark_at = Instant::now() + BOOKMARK_INTERVAL;
        loop {
            revisions.borrow_and_update();
            if let Err(end) = self.send_changes(core).await? {
                return Ok(end.into());
            }
            tokio::select! {
                changed = revisions.changed() => {
                    if changed.is_err() {
                        return Ok(ending());
                    }
                }
                () = tokio::time::sleep_until(bookmark_at), if self.bookmarks => {
                    self.bookmark().await?;
                    bookmark_at = Instant::now() + BOOKMARK_INTERVAL;
                }
                () = core.shutdown.cancelled() => return Ok(ending()),
                () = self.out.closed() => return Err(ReaderGone),
            }
        }
    }

    async fn send_changes(&mut self, core: &Core) -> Result<Result<(), Failure>, ReaderGone> {
        loop {
            let state = core.view();
            let round = match self.round(&state) {
                Ok(round) => round,
                Err(expired) => return Ok(Err(expired)),
            };
            let full = round.len() == ROUND_MAX;
            for event in &round {
                if let Some(told) = self.tell(event) {
                    self.send(told).await?;
                }
                self.seen = event.revision;
            }
            if !full {
                self.seen = self.seen.max(state.revision());
                return Ok(Ok(()));
            }
        }
    }

    /// The next events of the kind.
    fn round(&self, state: &State) -> Result<Vec<Arc<StateEvent>>, Failure> {
        let events = state
            .changes_since(self.seen)
            .map_err(|compacted| Failure::Expired(compacted.to_string()))?;
        let of_kind = events.filter(|event| event.kind == self.filter.kind);
        Ok(of_kind.take(ROUND_MAX).cloned().collect())
    }

    /// What an event means to somebody who sees only what the filter lets through.
    fn tell(&mut self, event: &StateEvent) -> Option<WatchEvent> {
        let seen = |object: &Option<Arc<Object>>| object.clone().filter(|object| self.filter.matches(object));
        match (seen(&event.before), seen(&event.after)) {
            (None, None) => None,
            (None, Some(after)) => Some(self.event(Type::Added, &after, event.revision)),
            (Some(_), Some(after)) => Some(self.event(Type::Modified, &after, event.revision)),
            (Some(before), None) => {
                let mut last = (*before).clone();
                last.meta_mut().resource_version = event.revision.to_string();
                Some(self.event(Type::Deleted, &Arc::new(last), event.revision))
            }
        }
    }

    fn event(&mut self, r#type: Type, object: &Arc<Object>, revision: u64) -> WatchEvent {
        let mut event = WatchEvent {
            r#type: r#type.into(),
            resource_version: revision.to_string(),
            ..WatchEvent::default()
        };
        if !self.table {
            event.object = Some(self.documents.of(object));
            return event;
        }
        event.row = Some(row(object, now()));
        if std::mem::take(&mut self.columns_due) {
            event.columns = render::columns(self.filter.kind);
        }
        event
    }

    async fn bookmark(&mut self) -> Result<(), ReaderGone> {
        if !self.bookmarks {
            return Ok(());
        }
        let event = WatchEvent {
            r#type: Type::Bookmark.into(),
            resource_version: self.seen.to_string(),
            ..WatchEvent::default()
        };
        self.send(event).await
    }

    async fn send(&mut self, event: WatchEvent) -> Result<(), ReaderGone> {
        self.out.send(Ok(event)).await.map_err(|_| ReaderGone)
    }
}

fn ending() -> Status {
    Failure::Unavailable("the server is shutting down: watch again".to_owned()).into()
}
