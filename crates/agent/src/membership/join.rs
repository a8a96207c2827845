//! Joining a cluster with a token.

use std::time::Duration;

use rand::RngExt;
use skep_trust::{Credentials, EnrollError, Token};

use super::Membership;
use crate::AgentError;

const BACKOFF_MIN: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(15);

impl Membership {
    /// Gets a certificate where the node has none yet; waits for a server to answer.
    ///
    /// # Errors
    /// Where there is no token to show, or a server refuses it.
    pub(crate) async fn join(&self) -> Result<(), AgentError> {
        if self.has_joined() {
            return Ok(());
        }
        let Some(token) = &self.join_token else {
            return Err(AgentError::Config(format!(
                "this machine is in no cluster yet ({} has no certificate): give a join token",
                self.files.dir.display()
            )));
        };
        let mut wait = BACKOFF_MIN;
        loop {
            match self.join_once(token).await {
                Ok(()) => return Ok(()),
                Err(AgentError::Join(EnrollError::Unreachable(why))) => {
                    tracing::warn!(why, "cannot join yet");
                }
                Err(error) => return Err(error),
            }
            let jitter: f64 = rand::rng().random_range(0.5..1.0);
            tokio::time::sleep(wait.mul_f64(jitter)).await;
            wait = (wait * 2).min(BACKOFF_MAX);
        }
    }

    /// Shows the token, in place of a certificate that cannot be renewed any more.
    pub(super) async fn join_again(&self) -> Result<bool, AgentError> {
        match &self.join_token {
            Some(token) => self.join_once(token).await.map(|()| true),
            None => Ok(false),
        }
    }

    fn has_joined(&self) -> bool {
        self.tls.with_credentials(|_| ()).is_some()
    }

    async fn join_once(&self, token: &Token) -> Result<(), AgentError> {
        let servers = self.servers.all();
        let key = Credentials::key_to_join(&self.files.dir)?;
        let joined = skep_trust::join(&self.wire, &servers, token, &key, &self.node_name, "").await?;
        self.check(&joined.credentials)?;
        self.take(joined.credentials)?;
        self.servers.learn(&joined.servers);
        tracing::info!(cluster = joined.cluster_id, "this machine has joined the cluster");
        Ok(())
    }
}
