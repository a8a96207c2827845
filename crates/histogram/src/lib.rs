//! A histogram of `u64` values in 252 buckets, for percentiles that are off by less than a quarter of the value.
//!
//! The Raft library and its log count batch sizes and latencies with a crate of this name, whose tables take 25 MiB. This one answers to
//! the same names as far as those two use them, and computes what the tables held.

mod bucket;
mod chart;
mod histogram;
mod percentiles;

pub use chart::AsciiChart;
pub use histogram::Histogram;
pub use percentiles::PercentileStats;
