//! What the proposer gives a new object: a uid, a name made from its prefix, and the time of its creation.

use rand::RngExt;
use skep_api::{ObjectMeta, Time};
use skep_state::{Change, Verb};

/// Letters and digits that are told apart easily and spell no words, as Kubernetes uses them.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

const SUFFIX_CHARS: usize = 5;

/// Longest name a generated suffix may lead to.
const NAME_CHARS_MAX: usize = 63;

/// Fills in what a new object lacks; leaves what is there.
pub(crate) fn stamp(meta: &mut ObjectMeta, now: Time) {
    if meta.uid.is_empty() {
        meta.uid = uid();
    }
    if meta.name.is_empty() && !meta.generate_name.is_empty() {
        meta.name = generated_name(&meta.generate_name);
    }
    if meta.creation_timestamp.is_none() {
        meta.creation_timestamp = Some(now.whole_secs());
    }
}

/// Fills in what the new objects among the changes lack.
pub(crate) fn stamp_new(changes: &mut [Change], now: Time) {
    for change in changes {
        if let Verb::Create(object) = &mut change.verb {
            stamp(object.meta_mut(), now);
        }
    }
}

/// A random uid (UUID version 4).
pub(crate) fn uid() -> String {
    uuid::Builder::from_random_bytes(rand::random())
        .into_uuid()
        .to_string()
}

fn generated_name(prefix: &str) -> String {
    let end = (0..=NAME_CHARS_MAX - SUFFIX_CHARS)
        .rev()
        .find(|at| prefix.is_char_boundary(*at))
        .unwrap_or(0);
    let mut rng = rand::rng();
    let suffix = (0..SUFFIX_CHARS).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]));
    prefix
        .get(..end)
        .unwrap_or(prefix)
        .chars()
        .chain(suffix)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_object_gets_uid_name_and_whole_seconds() {
        let mut meta = ObjectMeta {
            generate_name: "web-".to_owned(),
            ..ObjectMeta::default()
        };
        stamp(&mut meta, Time::from_millis(1_999));
        assert_eq!(meta.uid.len(), 36);
        assert_eq!(meta.name.len(), "web-".len() + SUFFIX_CHARS);
        assert_eq!(meta.creation_timestamp, Some(Time::from_secs(1)));
        let before = meta.clone();
        stamp(&mut meta, Time::from_secs(9));
        assert_eq!(meta, before);
    }

    #[test]
    fn long_prefixes_are_cut_so_that_the_name_fits() {
        assert_eq!(generated_name(&"a".repeat(80)).len(), NAME_CHARS_MAX);
    }
}
