//! What is drawn at random; follows from the seed, as all randomness in the process does.

use rand::{
    RngExt,
    distr::uniform::{SampleRange, SampleUniform},
    seq::IndexedRandom,
};

/// A number of a range.
pub(crate) fn range<T: SampleUniform>(range: impl SampleRange<T>) -> T {
    rand::rng().random_range(range)
}

/// True so many times of a thousand.
pub(crate) fn permille(times: u32) -> bool {
    range(0..1000) < times
}

/// One of them; `None` where there is none.
pub(crate) fn choose<T: Clone>(from: &[T]) -> Option<T> {
    from.choose(&mut rand::rng()).cloned()
}
