//! Waiting for something to become true.

use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(50);

/// Asks again and again until there is an answer.
///
/// # Panics
/// Where there is none within `limit`; `what` says what was waited for.
pub fn eventually<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        pause();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the pause between two looks at a condition"
)]
fn pause() {
    std::thread::sleep(POLL);
}
