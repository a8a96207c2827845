//! Which values share a bucket: those with the same length in binary and the same two bits after the first.

/// Bits after the first that tell buckets apart: four buckets for each power of two.
const BITS: u32 = 2;
const PER_POWER: u64 = 1 << BITS;

/// The bucket of a value. Values below 8 have a bucket each.
pub(crate) const fn index(value: u64) -> usize {
    if value < PER_POWER {
        return value as usize;
    }
    let dropped = value.ilog2() - BITS;
    let first_of_power = (dropped as u64 + 1) * PER_POWER;
    (first_of_power + (value >> dropped) % PER_POWER) as usize
}

/// The smallest value of a bucket.
pub(crate) const fn lowest(index: usize) -> u64 {
    let index = index as u64;
    if index < PER_POWER {
        return index;
    }
    (PER_POWER + index % PER_POWER) << dropped_bits(index)
}

/// How many values share a bucket.
pub(crate) const fn width(index: usize) -> u64 {
    1 << dropped_bits(index as u64)
}

/// The bits that a bucket does not tell apart.
const fn dropped_bits(index: u64) -> u64 {
    (index / PER_POWER).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COUNT: usize = index(u64::MAX) + 1;

    #[test]
    fn there_are_252_buckets() {
        assert_eq!(COUNT, 252);
    }

    #[test]
    fn small_values_have_a_bucket_each() {
        for value in 0..8 {
            assert_eq!((lowest(index(value)), width(index(value))), (value, 1));
        }
    }

    #[test]
    fn buckets_follow_each_other_without_gap_up_to_the_last_value() {
        let mut next = 0_u128;
        for bucket in 0..COUNT {
            assert_eq!(u128::from(lowest(bucket)), next, "bucket {bucket}");
            next += u128::from(width(bucket));
        }
        assert_eq!(next, u128::from(u64::MAX) + 1);
    }

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket(value: u64, shift in 0_u32..64) {
            let value = value >> shift;
            let bucket = index(value);
            prop_assert!(bucket < COUNT);
            prop_assert!(lowest(bucket) <= value);
            prop_assert!(value - lowest(bucket) < width(bucket));
        }
    }
}
