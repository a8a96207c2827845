//! What agents report, of all sessions together, written in as few entries as the log's pace asks for.

use std::{collections::BTreeMap, time::Duration};

use skep_controllers::{EventNote, events};
use skep_state::{Change, Refusal};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{clock::now, core::Core, failure::Failure, stamp::stamp_new};

/// How long a report may wait for others to share its entry.
const LINGER: Duration = Duration::from_millis(2);

/// Changes and events in one entry.
const BATCH_MAX: usize = 1024;

/// Reports that may wait; beyond that, sessions stop reading.
const WAITING_MAX: usize = 2048;

/// Takes reports for the log.
#[derive(Clone)]
pub(crate) struct Reports(mpsc::Sender<Report>);

/// What one message of an agent asks to be written.
struct Report {
    /// The node of the agent.
    host: String,
    changes: Vec<Change>,
    notes: Vec<EventNote>,
    done: oneshot::Sender<Result<(), Failure>>,
}

/// The other end of [`Reports`].
pub(crate) struct ReportQueue(mpsc::Receiver<Report>);

impl Reports {
    /// A queue of reports and its end.
    pub(crate) fn new() -> (Self, ReportQueue) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        (Self(sender), ReportQueue(receiver))
    }

    /// Hands in a report. What it returns resolves once everything in it is on the log; changes that were refused
    /// are not an error: the state has moved on.
    pub(crate) async fn hand_in(
        &self,
        host: &str,
        changes: Vec<Change>,
        notes: Vec<EventNote>,
    ) -> oneshot::Receiver<Result<(), Failure>> {
        let (done, written) = oneshot::channel();
        if changes.is_empty() && notes.is_empty() {
            // Nobody waits where the receiver was dropped meanwhile.
            drop(done.send(Ok(())));
            return written;
        }
        // A closed queue drops `done`, which tells the caller that the server ends.
        drop(
            self.0
                .send(Report {
                    host: host.to_owned(),
                    changes,
                    notes,
                    done,
                })
                .await,
        );
        written
    }
}

/// Writes reports until the server ends.
pub(crate) async fn batch_reports(core: &Core, mut queue: ReportQueue) {
    loop {
        let first = tokio::select! {
            first = queue.0.recv() => first,
            () = core.shutdown.cancelled() => return,
        };
        let Some(first) = first else { return };
        let batch = collect(&mut queue.0, first).await;
        write(core, batch).await;
    }
}

async fn collect(queue: &mut mpsc::Receiver<Report>, first: Report) -> Vec<Report> {
    let deadline = Instant::now() + LINGER;
    let mut size = first.size();
    let mut batch = vec![first];
    while size < BATCH_MAX {
        // Those that wait already come along, however late it is.
        let next = match queue.try_recv() {
            Ok(report) => Some(report),
            Err(_) => tokio::time::timeout_at(deadline, queue.recv())
                .await
                .unwrap_or(None),
        };
        let Some(report) = next else { break };
        size += report.size();
        batch.push(report);
    }
    batch
}

async fn write(core: &Core, batch: Vec<Report>) {
    let (mut changes, mut waiting) = (Vec::new(), Vec::new());
    let mut notes: BTreeMap<String, Vec<EventNote>> = BTreeMap::new();
    for report in batch {
        changes.extend(report.changes);
        notes.entry(report.host).or_default().extend(report.notes);
        waiting.push(report.done);
    }
    let state = core.view();
    for (host, notes) in &notes {
        changes.extend(events::record(&state, notes, host, now()));
    }
    drop(state);
    stamp_new(&mut changes, now());
    let written = if changes.is_empty() {
        Ok(Vec::new())
    } else {
        core.propose("", changes).await
    };
    let written = written.map(|outcomes| {
        for refusal in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            match refusal {
                Refusal::Invalid(_) => tracing::warn!(%refusal, "a report was refused"),
                _ => tracing::debug!(%refusal, "a report came too late"),
            }
        }
    });
    for done in waiting {
        // A session that ended meanwhile needs no answer.
        drop(done.send(written.clone()));
    }
}

impl Report {
    fn size(&self) -> usize {
        self.changes.len() + self.notes.len()
    }
}
