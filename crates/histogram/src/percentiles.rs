//! The percentiles that a histogram reports.

use std::fmt;

/// Percentiles of the values a histogram has seen; all zero where it has seen none.
///
/// Each is off by less than a quarter of the value that sorting all samples would give, and exact below 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PercentileStats {
    /// How many values were recorded.
    pub samples: u64,
    /// One value in a thousand is at most this.
    pub p0_1: u64,
    /// One value in a hundred is at most this.
    pub p1: u64,
    /// Five values in a hundred are at most this.
    pub p5: u64,
    /// One value in ten is at most this.
    pub p10: u64,
    /// The median: half of the values are at most this.
    pub p50: u64,
    /// Nine values in ten are at most this.
    pub p90: u64,
    /// 99 values in a hundred are at most this.
    pub p99: u64,
    /// 999 values in a thousand are at most this.
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} samples, p0.1 {}, p1 {}, ",
            self.samples, self.p0_1, self.p1
        )?;
        write!(f, "p5 {}, p10 {}, p50 {}, ", self.p5, self.p10, self.p50)?;
        write!(f, "p90 {}, p99 {}, p99.9 {}", self.p90, self.p99, self.p99_9)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::Histogram;

    #[test]
    fn percentiles_are_shown_on_one_line() {
        let mut histogram: Histogram = Histogram::new();
        histogram.record_n(4, 98);
        histogram.record_n(6, 2);
        expect!["100 samples, p0.1 4, p1 4, p5 4, p10 4, p50 4, p90 4, p99 6, p99.9 6"]
            .assert_eq(&histogram.percentile_stats().to_string());
    }
}
