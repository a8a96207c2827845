//! What clients did, and what came of it.

use tokio::time::Instant;

/// One call of one client.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) what: What,
    pub(super) began: Instant,
    pub(super) ended: Instant,
    pub(super) came: Came,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Creates an object that nobody else creates.
    Create(String),
    /// Sets a register to a value that is set once alone.
    Set { register: usize, value: u64 },
    /// Reads a register; its value, where it succeeded.
    Get { register: usize, value: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// It happened between its beginning and its end.
    Done,
    /// It did not happen, and never will.
    Refused,
    /// Nobody knows: it may happen yet.
    Unknown,
}

/// All calls of all clients.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) calls: Vec<Call>,
}

impl History {
    pub(super) fn acknowledged(&self) -> usize {
        self.count(Came::Done)
    }

    /// In figures.
    pub(super) fn told(&self) -> String {
        format!(
            "{} calls: {} done, {} refused, {} unknown",
            self.calls.len(),
            self.count(Came::Done),
            self.count(Came::Refused),
            self.count(Came::Unknown)
        )
    }

    fn count(&self, came: Came) -> usize {
        self.calls.iter().filter(|call| call.came == came).count()
    }
}
