//! One that watches, and resumes at the next server where its own fails.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use skep_api::{
    convert,
    proto::{WatchEvent, watch_event::Type},
};
use tonic::{Code, Status};

use super::Shared;
use crate::{Client, client::revision};

const RETRY: Duration = Duration::from_millis(50);

/// How long a watch may be silent before another server is asked. Servers tell of their progress more often.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// What one watcher saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Name and revision of each change, in order.
    pub(crate) changes: Vec<(String, u64)>,
    /// What it was told that it has missed: after the first revision, up to and with the second.
    pub(crate) gaps: Vec<(u64, u64)>,
    /// How often it resumed.
    pub(crate) resumed: usize,
}

pub(crate) struct Watcher {
    client: Client,
    shared: Arc<Shared>,
    server: usize,
    /// The revision that it has come to.
    at: u64,
    seen: Seen,
}

impl Watcher {
    pub(crate) fn new(client: Client, shared: Arc<Shared>, server: usize) -> Self {
        Self {
            client,
            shared,
            server,
            // A watch after revision 0 begins with all there is.
            at: 1,
            seen: Seen::default(),
        }
    }

    /// Watches until everything that was acknowledged has come by.
    ///
    /// # Panics
    /// Where a change comes twice, or out of order.
    pub(crate) async fn run(mut self) -> Seen {
        while !self.is_done() {
            if let Err(status) = self.follow().await {
                self.recover(&status).await;
            }
            self.seen.resumed += 1;
            self.server = (self.server + 1) % self.client.servers();
            tokio::time::sleep(RETRY).await;
        }
        self.seen
    }

    fn is_done(&self) -> bool {
        let end = self.shared.end.load(Ordering::Relaxed);
        end > 0 && self.at >= end
    }

    async fn follow(&mut self) -> Result<(), Status> {
        let mut stream = self.client.watch(self.server, self.at).await?;
        while !self.is_done() {
            let next = tokio::time::timeout(SILENCE_MAX, stream.message()).await;
            match next {
                Ok(Ok(Some(event))) => self.take(event),
                Ok(Err(status)) => return Err(status),
                Ok(Ok(None)) | Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    fn take(&mut self, event: WatchEvent) {
        let bookmark = event.r#type() == Type::Bookmark;
        let told: u64 = event.resource_version.parse().expect("a revision");
        if let Some(object) = event.object.filter(|_| !bookmark) {
            let document = convert::value_from_struct(object);
            let (name, revision) = (&document["metadata"]["name"], revision(&document));
            let name = name.as_str().expect("a name").to_owned();
            assert_eq!(revision, told, "{name}");
            assert!(
                revision > self.at,
                "{name}: revision {revision} came after {}",
                self.at
            );
            self.seen.changes.push((name, revision));
        }
        assert!(told >= self.at, "from {} back to {told}", self.at);
        self.at = told;
    }

    /// Where changes are no longer kept, it is told so, and goes on from all there is.
    async fn recover(&mut self, status: &Status) {
        if status.code() != Code::OutOfRange {
            return;
        }
        if let Ok((_, revision)) = self.client.list(self.server, false).await {
            self.seen.gaps.push((self.at, revision));
            self.at = revision;
        }
    }
}
