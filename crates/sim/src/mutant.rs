//! Faults that are put in on purpose. Each makes an invariant fail: one that cannot fail would prove nothing.

use std::sync::OnceLock;

use clap::ValueEnum;

/// A fault of what is simulated, or of those who look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mutant {
    /// Writes are acknowledged before a majority has them
    EarlyAnswers,
    /// Reads are answered from the state of the server that was asked, whatever the others know
    StaleReads,
    /// Watchers miss a change now and then
    LostEvents,
}

static CHOSEN: OnceLock<Mutant> = OnceLock::new();

impl Mutant {
    /// The fault of this process.
    pub(crate) fn choose(self) {
        CHOSEN.set(self).expect("a process has one fault");
    }

    /// Whether it is the fault of this process.
    pub(crate) fn is_here(self) -> bool {
        CHOSEN.get() == Some(&self)
    }

    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}
