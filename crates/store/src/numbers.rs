//! The numbers that servers have had. None is ever used twice, and servers that were given theirs at the same time may
//! enter in any order.

use std::collections::BTreeSet;

/// So many numbers that were passed over are remembered; smaller ones count as used.
const PASSED_OVER_MAX: usize = 64;

/// Which numbers servers have had. It follows from the memberships on the log alone, so that all servers agree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// The greatest number that any server has had.
    greatest: u64,
    /// Smaller ones that none has had yet.
    passed_over: BTreeSet<u64>,
}

impl Numbers {
    /// All up to `greatest` were used, but for those that were passed over.
    pub(crate) fn new(greatest: u64, passed_over: impl IntoIterator<Item = u64>) -> Self {
        let passed_over = passed_over.into_iter().filter(|id| *id < greatest).collect();
        let mut numbers = Self {
            greatest,
            passed_over,
        };
        numbers.forget_small_ones();
        numbers
    }

    /// The greatest number that any server has had.
    pub(crate) fn greatest(&self) -> u64 {
        self.greatest
    }

    /// Smaller numbers that no server has had, ascending.
    pub(crate) fn passed_over(&self) -> Vec<u64> {
        self.passed_over.iter().copied().collect()
    }

    /// True where no server has ever had this number.
    pub(crate) fn is_unused(&self, id: u64) -> bool {
        id > self.greatest || self.passed_over.contains(&id)
    }

    /// Servers have these numbers.
    pub(crate) fn note(&mut self, ids: impl IntoIterator<Item = u64>) {
        let ids: BTreeSet<u64> = ids.into_iter().collect();
        for id in ids {
            let first = (self.greatest + 1).max(id.saturating_sub(PASSED_OVER_MAX as u64));
            self.passed_over.extend(first..id);
            self.passed_over.remove(&id);
            self.greatest = self.greatest.max(id);
        }
        self.forget_small_ones();
    }

    /// All that one or the other counts as used is used.
    pub(crate) fn merge(&mut self, other: &Self) {
        let (mine, theirs) = (self.clone(), other);
        self.greatest = mine.greatest.max(theirs.greatest);
        let both = |id: &u64| mine.is_unused(*id) && theirs.is_unused(*id);
        self.passed_over = mine.passed_over.union(&theirs.passed_over).copied().collect();
        self.passed_over.retain(both);
        self.forget_small_ones();
    }

    fn forget_small_ones(&mut self) {
        while self.passed_over.len() > PASSED_OVER_MAX {
            self.passed_over.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_was_passed_over_is_free_until_a_server_has_it() {
        let mut numbers = Numbers::default();
        numbers.note([1]);
        numbers.note([1, 4]);
        assert_eq!(numbers.passed_over(), [2, 3]);
        numbers.note([1, 2, 4]);
        assert!(!numbers.is_unused(2) && numbers.is_unused(3) && numbers.is_unused(5));
        numbers.note([1]);
        assert!(
            [1, 2, 4].into_iter().all(|id| !numbers.is_unused(id)),
            "even of those that went"
        );
        assert_eq!(numbers.greatest(), 4);
    }

    #[test]
    fn only_so_many_are_remembered_and_the_others_count_as_used() {
        let mut numbers = Numbers::new(5, [2]);
        numbers.note([u64::MAX]);
        assert_eq!(numbers.passed_over().len(), PASSED_OVER_MAX);
        assert!(!numbers.is_unused(2) && numbers.is_unused(u64::MAX - 1));
    }

    #[test]
    fn what_either_of_two_counts_as_used_is_used() {
        let mut one = Numbers::new(5, [2, 3]);
        one.merge(&Numbers::new(8, [3, 4, 6]));
        assert_eq!(one, Numbers::new(8, [3, 6]));
    }
}
