//! Counts per bucket, and the percentiles they give.

use std::marker::PhantomData;

use crate::{PercentileStats, bucket};

/// How often values were seen, in at most 2 KiB. Counts stop at `u64::MAX`.
///
/// `T` is there because users name it; nothing of that type is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram<T = ()> {
    /// One count a bucket, up to the highest bucket in use.
    counts: Vec<u64>,
    unused: PhantomData<T>,
}

impl<T> Default for Histogram<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Histogram<T> {
    /// A histogram that has seen nothing. It allocates with the first value.
    pub const fn new() -> Self {
        Self {
            counts: Vec::new(),
            unused: PhantomData,
        }
    }

    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Counts a value `count` times.
    pub fn record_n(&mut self, value: u64, count: u64) {
        if count == 0 {
            return;
        }
        let index = bucket::index(value);
        if self.counts.len() <= index {
            self.counts.reserve_exact(index + 1 - self.counts.len());
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] = self.counts[index].saturating_add(count);
    }

    /// The percentiles of what was recorded so far.
    pub fn percentile_stats(&self) -> PercentileStats {
        let total: u128 = self.filled().map(|(_, count)| u128::from(count)).sum();
        let at = |permille: u128| self.at_rank((total * permille).div_ceil(1000));
        PercentileStats {
            samples: u64::try_from(total).unwrap_or(u64::MAX),
            p0_1: at(1),
            p1: at(10),
            p5: at(50),
            p10: at(100),
            p50: at(500),
            p90: at(900),
            p99: at(990),
            p99_9: at(999),
        }
    }

    /// Bucket and count, for buckets that hold something, from the lowest.
    pub(crate) fn filled(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let all = self.counts.iter().copied().enumerate();
        all.filter(|(_, count)| *count > 0)
    }

    /// The `rank`th smallest value, counted from 1, as nearly as buckets tell; 0 where there is none.
    fn at_rank(&self, rank: u128) -> u64 {
        let mut below = 0;
        for (index, count) in self.filled() {
            let count = u128::from(count);
            if below + count >= rank {
                return within(index, rank - below, count);
            }
            below += count;
        }
        0
    }
}

/// Where the `rank`th of `count` values stands in its bucket, taking them to be spread evenly. Ranks start at 1.
fn within(index: usize, rank: u128, count: u128) -> u64 {
    let offset = u128::from(bucket::width(index)) * (2 * rank - 1) / (2 * count);
    let offset = u64::try_from(offset).expect("rank <= count, so it is below the bucket's width");
    bucket::lowest(index) + offset
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        for value in values {
            histogram.record(*value);
        }
        histogram
    }

    fn fields(stats: &PercentileStats) -> [(u64, u64); 8] {
        [
            (1, stats.p0_1),
            (10, stats.p1),
            (50, stats.p5),
            (100, stats.p10),
            (500, stats.p50),
            (900, stats.p90),
            (990, stats.p99),
            (999, stats.p99_9),
        ]
    }

    /// What sorting all samples gives.
    fn exact(sorted: &[u64], permille: u64) -> u64 {
        let rank = (sorted.len() as u64 * permille).div_ceil(1000);
        sorted[usize::try_from(rank).unwrap() - 1]
    }

    #[test]
    fn a_histogram_that_has_seen_nothing_reports_zeros_and_holds_no_memory() {
        let empty: Histogram = Histogram::default();
        let stats = empty.percentile_stats();
        assert_eq!(stats.samples, 0);
        assert!(fields(&stats).iter().all(|(_, value)| *value == 0));
        assert_eq!(empty.counts.capacity(), 0);
    }

    #[test]
    fn small_values_are_reported_as_they_are() {
        let stats = of(&[1, 2, 3, 4, 5, 6, 7, 7, 7, 7]).percentile_stats();
        assert_eq!((stats.p10, stats.p50, stats.p90), (1, 5, 7));
    }

    #[test]
    fn a_run_of_numbers_is_reported_almost_exactly() {
        let stats = of(&(1..=10_000).collect::<Vec<_>>()).percentile_stats();
        for (permille, value) in fields(&stats) {
            assert!(
                value.abs_diff(permille * 10) <= permille / 4,
                "{permille}: {value}"
            );
        }
    }

    #[test]
    fn a_value_recorded_no_times_leaves_no_trace() {
        let mut histogram: Histogram = Histogram::new();
        histogram.record_n(77, 0);
        assert_eq!(histogram, Histogram::new());
    }

    #[test]
    fn the_number_of_samples_stops_at_the_largest_and_percentiles_stay_right() {
        let mut histogram: Histogram = Histogram::new();
        histogram.record_n(3, u64::MAX);
        histogram.record_n(u64::MAX, u64::MAX);
        let stats = histogram.percentile_stats();
        assert_eq!((stats.samples, stats.p50), (u64::MAX, 3));
        assert!(stats.p90 > u64::MAX / 8 * 7);
    }

    #[test]
    fn the_memory_of_a_full_histogram_is_bounded() {
        let histogram = of(&[1, u64::MAX, 40, u64::MAX]);
        assert_eq!(histogram.counts.capacity(), bucket::index(u64::MAX) + 1);
    }

    proptest! {
        #[test]
        fn percentiles_are_within_a_quarter_of_what_sorting_gives(
            mut values in vec((any::<u64>(), 0_u32..64).prop_map(|(value, shift)| value >> shift), 1..400),
        ) {
            let stats = of(&values).percentile_stats();
            values.sort_unstable();
            prop_assert_eq!(stats.samples, values.len() as u64);
            for (permille, value) in fields(&stats) {
                let exact = exact(&values, permille);
                prop_assert!(value.abs_diff(exact) <= exact / 4, "{}: {} for {}", permille, value, exact);
            }
        }

        #[test]
        fn percentiles_never_fall(values in vec(any::<u64>(), 0..60)) {
            let stats = of(&values).percentile_stats();
            prop_assert!(fields(&stats).is_sorted_by_key(|(_, value)| *value));
        }

        #[test]
        fn recording_often_equals_recording_one_by_one(value: u64, count in 0_u64..50) {
            let mut at_once: Histogram = Histogram::new();
            at_once.record_n(value, count);
            let one_by_one = of(&vec![value; usize::try_from(count).unwrap()]);
            prop_assert_eq!(at_once, one_by_one);
        }
    }
}
