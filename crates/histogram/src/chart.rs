//! Histograms drawn below each other, one line a bucket.

use std::fmt;

use crate::{Histogram, bucket};

const BAR: usize = 40;

/// Named histograms as text: for each the buckets that hold something, with bars that grow with the count.
#[derive(Debug, Clone)]
pub struct AsciiChart<T = ()> {
    series: Vec<(String, Histogram<T>)>,
}

impl<T> Default for AsciiChart<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> AsciiChart<T> {
    /// A chart of nothing.
    pub const fn new() -> Self {
        Self { series: Vec::new() }
    }

    /// The chart with one more histogram at its end.
    #[must_use]
    pub fn add(mut self, name: &str, histogram: Histogram<T>) -> Self {
        self.series.push((name.to_owned(), histogram));
        self
    }

    /// The chart with all its lines, to be displayed.
    pub fn detailed(&self) -> &Self {
        self
    }
}

impl<T> fmt::Display for AsciiChart<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, histogram) in &self.series {
            writeln!(f, "{name}")?;
            draw(histogram, f)?;
        }
        Ok(())
    }
}

fn draw<T>(histogram: &Histogram<T>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(most) = histogram.filled().map(|(_, count)| count).max() else {
        return writeln!(f, "  nothing recorded");
    };
    for (index, count) in histogram.filled() {
        let lowest = bucket::lowest(index);
        let highest = lowest + (bucket::width(index) - 1);
        let bar = "#".repeat(length(count, most));
        writeln!(f, "  {lowest:>20} to {highest:<20} {bar:<BAR$} {count}")?;
    }
    Ok(())
}

/// A bar's length: the full one for the largest count, and at least one sign for any.
fn length(count: u64, most: u64) -> usize {
    let share = u128::from(count) * BAR as u128 / u128::from(most);
    usize::try_from(share).unwrap_or(BAR).max(1)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_chart_shows_each_histogram_below_its_name() {
        let mut waits: Histogram = Histogram::new();
        waits.record_n(5, 3);
        waits.record_n(1000, 40);
        waits.record(u64::MAX);
        let chart = AsciiChart::new()
            .add("waits", waits)
            .add("writes", Histogram::new());
        expect![[r#"
            waits
                                 5 to 5                    ###                                      3
                               896 to 1023                 ######################################## 40
              16140901064495857664 to 18446744073709551615 #                                        1
            writes
              nothing recorded
        "#]]
        .assert_eq(&chart.detailed().to_string());
    }
}
