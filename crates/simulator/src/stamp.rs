//! What new objects lack, from a seed: uids, generated names and times.

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use skep_api::{ObjectMeta, Time};
use skep_state::{Change, Verb};

/// Letters and digits as generated names have them.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Fills in what new objects lack.
pub(crate) struct Stamp {
    chance: StdRng,
}

impl Stamp {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            chance: StdRng::seed_from_u64(seed),
        }
    }

    /// Fills in what the new objects among the changes lack.
    pub(crate) fn changes(&mut self, changes: &mut [Change], now: Time) {
        for change in changes {
            if let Verb::Create(object) = &mut change.verb {
                self.meta(object.meta_mut(), now);
            }
        }
    }

    fn meta(&mut self, meta: &mut ObjectMeta, now: Time) {
        if meta.uid.is_empty() {
            let (high, low) = (self.chance.next_u64(), self.chance.next_u64());
            meta.uid = format!(
                "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
                high >> 32,
                (high >> 16) & 0xffff,
                high & 0xfff,
                0x8000 | (low >> 50),
                low & 0xffff_ffff_ffff
            );
        }
        if meta.name.is_empty() {
            let suffix = (0..5).map(|_| char::from(ALPHABET[self.chance.random_range(0..ALPHABET.len())]));
            meta.name = meta.generate_name.chars().take(58).chain(suffix).collect();
        }
        if meta.creation_timestamp.is_none() {
            meta.creation_timestamp = Some(now.whole_secs());
        }
    }
}
