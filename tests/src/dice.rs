//! Chance that can be had again: the same seed gives the same throws.

/// A source of numbers that looks like chance.
pub struct Dice(u64);

impl Dice {
    /// From the seed in `SKEP_SEED`, else this one; says which, so that a failure can be had again.
    pub fn new(what: &str, seed: u64) -> Self {
        let given = std::env::var("SKEP_SEED").ok();
        let seed = given.map_or(seed, |text| text.parse().expect("SKEP_SEED is a number"));
        eprintln!("{what}: SKEP_SEED={seed}");
        Self(seed)
    }

    /// A number from `low` up to, not including, `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }

    /// An index of a list of so many.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.next() % len as u64).expect("below a length")
    }

    /// True in one of so many throws.
    pub fn one_in(&mut self, many: u64) -> bool {
        self.next().is_multiple_of(many)
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
