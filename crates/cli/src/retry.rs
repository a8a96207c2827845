//! Waiting between tries.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
const TRIES_MAX: u32 = 12;

/// Waits that double from 100 ms to 5 s, twelve of them: three quarters of a minute in all.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// Waits before the next try; false at once where there is none left.
    pub(crate) async fn wait(&mut self) -> bool {
        if self.tries == TRIES_MAX {
            return false;
        }
        let wait = FIRST.saturating_mul(1 << self.tries.min(16)).min(LONGEST);
        self.tries += 1;
        tokio::time::sleep(wait).await;
        true
    }

    /// Begins anew after a success.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tries_end() {
        let mut backoff = Backoff::default();
        let start = tokio::time::Instant::now();
        let mut tries = 0;
        while backoff.wait().await {
            tries += 1;
        }
        assert_eq!(tries, TRIES_MAX);
        assert!(start.elapsed() < Duration::from_secs(60));
        backoff.reset();
        assert!(backoff.wait().await);
    }
}
