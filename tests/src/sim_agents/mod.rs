//! Agents without an engine: real sessions over mutual TLS, each with a certificate of its own, that say of every pod they are
//! given that it runs. One process holds thousands.

mod agent;
mod options;
mod pods;
mod stats;

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use skep_trust::{EnrollError, KeyPairFile, Tls, Token, TrustError, Wire};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

pub use options::SimOptions;
pub use stats::SimStats;

use agent::SimAgent;
use stats::Counters;

/// Simulated agents, each with a session. Dropping them ends the sessions without a goodbye.
///
/// They run on the tokio runtime that [`SimAgents::start`] was called on.
#[derive(Debug)]
pub struct SimAgents {
    names: Vec<String>,
    counters: Arc<Counters>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// Why there are no simulated agents.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The token is not one.
    #[error("the join token cannot be used")]
    Token(#[source] TrustError),
    /// A machine was not let in.
    #[error("{0} was not let in")]
    Join(String, #[source] EnrollError),
    /// What it was given cannot be used.
    #[error("the certificate of {0} cannot be used")]
    Certificate(String, #[source] TrustError),
    /// Sessions do not stand in time.
    #[error("{stood} of {count} sessions stand after {} s; the last one that failed: {last}", .within.as_secs())]
    Sessions {
        /// Those that stand.
        stood: usize,
        /// Those there should be.
        count: usize,
        /// How long was waited.
        within: Duration,
        /// Why one of the others does not.
        last: String,
    },
}

impl SimAgents {
    /// Joins this many machines by the token and begins a session for each; returns once every session stands and has its
    /// first assignments.
    ///
    /// `servers` are `host:port`; each agent begins with another one of them, and dials the next where one fails.
    ///
    /// # Errors
    /// See [`SimError`].
    pub async fn start(
        servers: &[String],
        token: &str,
        count: usize,
        options: SimOptions,
    ) -> Result<Self, SimError> {
        skep_trust::install_crypto();
        let token: Token = token.parse().map_err(SimError::Token)?;
        let names: Vec<String> = (0..count)
            .map(|number| format!("{}-{number}", options.prefix))
            .collect();
        let joins = names.iter().enumerate().map(|(number, name)| {
            let (servers, token) = (turned(servers, number), &token);
            async move { join(&servers, token, name).await.map(|tls| (number, tls)) }
        });
        let machines: Vec<(usize, Tls)> = stream::iter(joins)
            .buffer_unordered(options.at_once)
            .try_collect()
            .await?;
        let mut agents = Self {
            names,
            counters: Arc::default(),
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
        };
        agents.begin(servers, machines, options);
        agents.wait_for_sessions().await?;
        Ok(agents)
    }

    /// The names of the nodes.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What has happened so far.
    pub fn stats(&self) -> SimStats {
        self.counters.stats()
    }

    /// Waits until `fits`; false where it does not `within` this time.
    pub async fn wait_until(&self, within: Duration, mut fits: impl FnMut(&SimStats) -> bool) -> bool {
        let mut changes: watch::Receiver<()> = self.counters.changes();
        let waited = tokio::time::timeout(within, async {
            loop {
                changes.borrow_and_update();
                if fits(&self.counters.stats()) {
                    return;
                }
                // The sender lives as long as `self`.
                if changes.changed().await.is_err() {
                    return;
                }
            }
        });
        waited.await.is_ok()
    }

    /// Ends all sessions, and waits until they have ended.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    fn begin(&mut self, servers: &[String], machines: Vec<(usize, Tls)>, options: SimOptions) {
        let beginning = Arc::new(Semaphore::new(options.at_once));
        let options = Arc::new(options);
        for (number, tls) in machines {
            let agent = SimAgent {
                name: self.names[number].clone(),
                number,
                servers: turned(servers, number),
                tls,
                options: options.clone(),
                counters: self.counters.clone(),
                beginning: beginning.clone(),
            };
            let stop = self.stop.clone();
            self.tasks.spawn(async move {
                tokio::select! {
                    () = agent.run() => {}
                    () = stop.cancelled() => {}
                }
            });
        }
    }

    async fn wait_for_sessions(&self) -> Result<(), SimError> {
        let count = self.names.len();
        let within =
            Duration::from_secs(60) + Duration::from_millis(50) * u32::try_from(count).unwrap_or(u32::MAX);
        if self.wait_until(within, |stats| stats.sessions >= count).await {
            return Ok(());
        }
        Err(SimError::Sessions {
            stood: self.stats().sessions,
            count,
            within,
            last: self.counters.last_failure(),
        })
    }
}

/// The way of every agent into a cluster: a key made here, and a certificate for the token.
async fn join(servers: &[String], token: &Token, name: &str) -> Result<Tls, SimError> {
    let joined = skep_trust::join(
        &Wire::default(),
        servers,
        token,
        &KeyPairFile::generate(),
        name,
        "",
    )
    .await;
    let joined = joined.map_err(|error| SimError::Join(name.to_owned(), error))?;
    Tls::new(joined.credentials).map_err(|error| SimError::Certificate(name.to_owned(), error))
}

/// The servers, another one first for each agent.
fn turned(servers: &[String], number: usize) -> Vec<String> {
    let mut turned = servers.to_vec();
    if !turned.is_empty() {
        turned.rotate_left(number % servers.len());
    }
    turned
}
