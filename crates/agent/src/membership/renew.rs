//! A new certificate in time: somewhere between half and four fifths of the life of the present one, and when the CAs change.

use std::time::Duration;

use rand::RngExt;
use skep_api::Time;
use skep_trust::{Bundle, Credentials, EnrollError, KeyPairFile, TrustError};

use super::Membership;
use crate::{AgentError, clock};

const BACKOFF_MIN: Duration = Duration::from_secs(2);
const BACKOFF_MAX: Duration = Duration::from_secs(300);

/// Nodes do not ask all at once for certificates of a new CA.
const NEW_CA_WITHIN: Duration = Duration::from_secs(10);

/// The clock is looked at again after this long: it may be set, and machines sleep.
const LOOK_EVERY: Duration = Duration::from_secs(600);

impl Membership {
    /// Renews the certificate whenever it is time; runs for ever.
    pub(crate) async fn keep(&self) {
        loop {
            self.due().await;
            let mut wait = BACKOFF_MIN;
            while let Err(error) = self.renew().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "no new certificate yet");
                let jitter: f64 = rand::rng().random_range(0.5..1.0);
                tokio::time::sleep(wait.mul_f64(jitter)).await;
                wait = (wait * 2).min(BACKOFF_MAX);
            }
        }
    }

    /// These are the CAs to trust from now on. Where they have changed, a new certificate is asked for.
    ///
    /// # Errors
    /// Where they cannot be read or kept.
    pub(crate) fn trust(&self, bundle_pem: &str) -> Result<(), TrustError> {
        let bundle = Bundle::from_pem(bundle_pem)?;
        let changed = self.tls.with_credentials(|present| {
            (*present.bundle() != bundle).then(|| {
                let key = KeyPairFile::from_pem(&present.key().pem())?;
                Credentials::new(key, &present.certificate_pem(), bundle)
            })
        });
        if let Some(credentials) = changed.flatten() {
            self.take(credentials?)?;
            tracing::info!("the cluster's CAs have changed");
            self.renew.notify_one();
        }
        Ok(())
    }

    /// Waits until a new certificate is due.
    async fn due(&self) {
        let validity = self
            .tls
            .with_credentials(|present| present.certificate().validity);
        let Some(validity) = validity else {
            // Without a certificate the agent has not come this far.
            return std::future::pending().await;
        };
        let at = skep_trust::renew_at(validity, rand::random());
        tokio::select! {
            () = sleep_until(at) => {}
            () = self.renew.notified() => {
                let part: f64 = rand::random();
                tokio::time::sleep(NEW_CA_WITHIN.mul_f64(part)).await;
            }
        }
    }

    async fn renew(&self) -> Result<(), AgentError> {
        let servers = self.servers.all();
        match skep_trust::renew(&self.wire, &servers, &self.tls, "", clock::now()).await {
            Ok(renewed) => {
                self.check(&renewed.credentials)?;
                self.take(renewed.credentials)?;
                self.servers.learn(&renewed.servers);
                tracing::info!("the certificate is renewed");
                Ok(())
            }
            // A token that is still at hand lets the node in once more.
            Err(EnrollError::Refused(why)) if self.is_expired() => match self.join_again().await {
                Ok(true) => Ok(()),
                _ => Err(AgentError::Join(EnrollError::Refused(why))),
            },
            Err(error) => Err(error.into()),
        }
    }

    fn is_expired(&self) -> bool {
        let now = clock::now();
        self.tls
            .with_credentials(|present| now > present.certificate().validity.not_after)
            .unwrap_or(false)
    }
}

async fn sleep_until(at: Time) {
    loop {
        let left = at.since(clock::now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LOOK_EVERY)).await;
    }
}
