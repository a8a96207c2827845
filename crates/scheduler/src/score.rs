//! How well a node suits a pod that fits on it, in whole numbers: larger is better.
//!
//! | part | marks |
//! |---|---|
//! | CPU and memory left over (`Spread`), or in use (`Pack`, four times) | 0 to 1000 |
//! | CPU and memory used evenly | 0 to 1000 |
//! | copies of the same owner on the node, n of them (`Spread` only) | 4000 / (1 + n) |
//! | preferred node affinity | 20 for each unit of weight that holds |
//! | preferred pod affinity | 20 for each unit of weight whose pods are near |
//! | preferred pod anti-affinity | -20 for each unit of weight and each of its pods |
//! | the same of the pods that are there, towards this one | the same; what they like counts 100 units of weight at most |
//! | soft topology spread | -1000 for each `maxSkew` pods of the place; far behind where the label is missing |
//! | images that are there already | 0 to 1000 |
//! | soft taints | far behind all nodes with fewer of them |
//!
//! No part compares nodes with each other, so placing a pod changes the scores of the places it is counted in and no other.

/// Full marks in one respect.
pub(crate) const FULL: i64 = 1000;

/// Marks for one unit of weight: preferences run from 1 to 100.
const WEIGHT: i64 = 20;

/// More than all other marks together.
const SOFT_TAINT: i64 = 1 << 44;

/// Behind all nodes with the label, and before soft taints.
const UNPLACED: i64 = 1 << 38;

/// The most that pods' liking for one another counts, in units of weight.
const DRAWN_MAX: i64 = 100;

/// What one unit of a resource is worth: a whole division turned into a multiplication.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scale(u64);

const SCALE_SHIFT: u32 = 54;

impl Scale {
    pub(crate) fn of(total: i64) -> Self {
        let total = u128::from(total.max(1).unsigned_abs());
        let whole = u128::from(FULL.unsigned_abs()) << SCALE_SHIFT;
        Self(u64::try_from(whole.div_ceil(total)).unwrap_or(u64::MAX))
    }

    /// The part of the total, in thousandths, held within the whole.
    pub(crate) fn fraction(self, amount: i64) -> i64 {
        let part = (u128::from(amount.max(0).unsigned_abs()) * u128::from(self.0)) >> SCALE_SHIFT;
        i64::try_from(part.min(u128::from(FULL.unsigned_abs()))).unwrap_or(FULL)
    }
}

/// For spreading: room left over, and evenly used.
pub(crate) fn spread(cpu: i64, memory: i64) -> i64 {
    2 * FULL - (cpu + memory) / 2 - (cpu - memory).abs() / 2
}

/// For packing: room in use, and evenly used.
pub(crate) fn pack(cpu: i64, memory: i64) -> i64 {
    FULL + 4 * (cpu + memory) / 2 - (cpu - memory).abs() / 2
}

/// For a node with so many copies of the same owner: the first copies weigh most.
pub(crate) fn copies(count: u32) -> i64 {
    4 * FULL / (1 + i64::from(count))
}

/// For preferences that hold, of this weight together.
pub(crate) fn preferred(weight: i64) -> i64 {
    WEIGHT * weight
}

/// To be subtracted for taints that put the pod off.
pub(crate) fn soft_taints(count: usize) -> i64 {
    SOFT_TAINT * i64::try_from(count.min(255)).unwrap_or(255)
}

/// For a preference about pods of which there are so many near: it is enough that one is, and each one is too many.
pub(crate) fn near(weight: i64, pods: i64) -> i64 {
    if weight >= 0 {
        WEIGHT * weight * pods.min(1)
    } else {
        WEIGHT * weight * pods.min(1 << 20)
    }
}

/// For what the pods near think of this one.
pub(crate) fn drawn(weight: i64) -> i64 {
    WEIGHT * weight.clamp(-(1 << 24), DRAWN_MAX)
}

/// For a place with so many pods of a soft spread; `None` for no place.
pub(crate) fn evenness(pods: Option<i64>, max_skew: i64) -> i64 {
    pods.map_or(-UNPLACED, |pods| -FULL * pods.min(1 << 24) / max_skew.max(1))
}

/// Below this, what is there already is not worth a mark.
const IMAGE_BYTES_MIN: i64 = 23 << 20;
/// For each container, more than this is worth no more.
const IMAGE_BYTES_MAX: i64 = 1000 << 20;

/// For images of so many bytes, of a pod with so many containers.
pub(crate) fn images(bytes: i64, containers: usize) -> i64 {
    let max = IMAGE_BYTES_MAX * i64::try_from(containers.clamp(1, 1000)).unwrap_or(1);
    let bytes = bytes.clamp(IMAGE_BYTES_MIN, max);
    FULL * (bytes - IMAGE_BYTES_MIN) / (max - IMAGE_BYTES_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fraction_of_a_total_is_what_division_gives() {
        for total in [1, 3, 7, 1000, 3000, 4096, 17 << 30, 1 << 46] {
            let scale = Scale::of(total);
            for part in 0..=16 {
                let amount = i64::try_from(i128::from(total) * part / 16).unwrap();
                let exact = i128::from(amount) * 1000 / i128::from(total);
                let got = i128::from(scale.fraction(amount));
                assert!(
                    (got - exact).abs() <= 1,
                    "{amount} of {total}: {got}, not {exact}"
                );
            }
        }
        assert_eq!(Scale::of(1000).fraction(500), 500);
        assert_eq!(Scale::of(3000).fraction(1500), 500);
        assert_eq!(Scale::of(0).fraction(i64::MAX), 1000);
    }
}
