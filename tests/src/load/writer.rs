//! One that writes, and looks whether another server shows what was acknowledged.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde_json::Value;
use tonic::{Code, Status};

use super::Shared;
use crate::Client;

/// Between two tries of one write.
const RETRY: Duration = Duration::from_millis(20);

/// Between two writes: enough to be in the middle of one at any moment, and few enough to be looked at in the end.
const PAUSE: Duration = Duration::from_millis(10);

/// Every so many writes the ledger is rewritten: one object whose value takes several blocks of a disk.
const LEDGER_EVERY: u64 = 4;
const LEDGER_BYTES: usize = 24 * 1024;

/// What one writer had acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Name and revision of each write, in order.
    pub(crate) acknowledged: Vec<(String, u64)>,
    /// Its ledger, and the last number in it that was acknowledged.
    pub(crate) ledger: Option<(String, u64)>,
}

pub(crate) struct Writer {
    client: Client,
    shared: Arc<Shared>,
    number: usize,
    server: usize,
    written: Written,
}

impl Writer {
    pub(crate) fn new(client: Client, shared: Arc<Shared>, number: usize) -> Self {
        let server = number % client.servers();
        Self {
            client,
            shared,
            number,
            server,
            written: Written::default(),
        }
    }

    /// Writes until told to end.
    ///
    /// # Panics
    /// Where a revision does not grow, a retry is not taken for one, or an acknowledged write does not show.
    pub(crate) async fn run(mut self) -> Written {
        let mut last = 0;
        for step in 0.. {
            let Some((name, revision)) = self.write(step).await else {
                break;
            };
            assert!(
                revision > last,
                "{name} has revision {revision}, after {last} before it"
            );
            last = revision;
            self.written.acknowledged.push((name.clone(), revision));
            self.shared.acknowledged.fetch_add(1, Ordering::Relaxed);
            self.look_elsewhere(&name, revision).await;
            tokio::time::sleep(PAUSE).await;
        }
        self.written
    }

    /// Makes one write, with the same request id until it is acknowledged; `None` once told to end.
    async fn write(&mut self, step: u64) -> Option<(String, u64)> {
        let ledger = format!("ledger-{}", self.number);
        let fresh = format!("w{}-{step}", self.number);
        while !self.shared.writers_stop.load(Ordering::Relaxed) {
            let answer = if !step.is_multiple_of(LEDGER_EVERY) {
                self.client.create(self.server, &fresh, "a little").await
            } else if step == 0 {
                self.client.create(self.server, &ledger, &page(0)).await
            } else {
                let id = format!("{ledger}-{step}");
                self.client.update(self.server, &ledger, &page(step), &id).await
            };
            match answer {
                Ok(revision) if step.is_multiple_of(LEDGER_EVERY) => {
                    self.written.ledger = Some((ledger.clone(), step));
                    return Some((ledger, revision));
                }
                Ok(revision) => return Some((fresh, revision)),
                Err(status) => self.note(&fresh, &status),
            }
            self.server = (self.server + 1) % self.client.servers();
            tokio::time::sleep(RETRY).await;
        }
        None
    }

    fn note(&self, name: &str, status: &Status) {
        let wrong = [
            Code::AlreadyExists,
            Code::NotFound,
            Code::InvalidArgument,
            Code::Aborted,
        ];
        assert!(
            !wrong.contains(&status.code()),
            "{name}: a retry was not taken for one: {status}"
        );
        self.shared.refusals.note(status.message());
    }

    /// What was acknowledged shows at every server that answers.
    async fn look_elsewhere(&self, name: &str, revision: u64) {
        let other = (self.server + 1) % self.client.servers();
        match self.client.get(other, name).await {
            Ok(found) => assert_eq!(
                crate::client::revision(&found),
                revision,
                "{name} at server {other}"
            ),
            Err(status) => assert_ne!(
                status.code(),
                Code::NotFound,
                "{name} was acknowledged, and server {other} does not know it"
            ),
        }
    }
}

/// A value of several blocks, with its number first.
fn page(number: u64) -> String {
    format!("{number} {}", "x".repeat(LEDGER_BYTES))
}

/// The number in a ledger.
pub(crate) fn number_in(ledger: &Value) -> Option<u64> {
    ledger["data"]["text"].as_str()?.split(' ').next()?.parse().ok()
}
