//! A document as values of at most 4 KiB: larger ones do not survive a power cut in the store below.
//!
//! A value is a CRC-32 of what follows, a version, and a sealed part: the number of the writing (the same in all parts of a
//! document), the part's place, how many there are, and bytes of the document. It is kept under the document's name, a zero, and
//! the part's place.

use std::collections::BTreeMap;

use skep_trust::Sealer;

/// The most that a value may have.
pub(super) const VALUE_BYTES_MAX: usize = 4096;

const VERSION: u8 = 2;
const CRC_BYTES: usize = 4;
const HEADER_BYTES: usize = 8 + 2 + 2;
const CHUNK_BYTES_MAX: usize = VALUE_BYTES_MAX - CRC_BYTES - 1 - Sealer::OVERHEAD_BYTES - HEADER_BYTES;

/// A document in more parts than this is none of ours: objects have 1.5 MiB at most.
const PARTS_MAX: usize = u16::MAX as usize;

/// Where a part is kept.
pub(super) fn key(name: &str, index: u16) -> Vec<u8> {
    let mut key = name.as_bytes().to_vec();
    key.push(0);
    key.extend(index.to_be_bytes());
    key
}

/// Name and place in a key; `None` for what is no key of ours.
fn parse_key(key: &[u8]) -> Option<(&str, u16)> {
    let (name, index) = key.split_last_chunk::<2>()?;
    let (zero, name) = name.split_last()?;
    let name = std::str::from_utf8(name).ok().filter(|_| *zero == 0)?;
    Some((name, u16::from_be_bytes(*index)))
}

/// A document's values, to be kept under [`key`] in this order; `None` where it is too large.
pub(super) fn split(sealer: &Sealer, name: &str, document: &[u8]) -> Option<Vec<Vec<u8>>> {
    let writing: u64 = rand::random();
    let count = document.len().div_ceil(CHUNK_BYTES_MAX).max(1);
    let count = u16::try_from(count)
        .ok()
        .filter(|count| usize::from(*count) < PARTS_MAX)?;
    let mut chunks = document.chunks(CHUNK_BYTES_MAX);
    let value = |index: u16| {
        let mut part = writing.to_le_bytes().to_vec();
        part.extend(index.to_le_bytes());
        part.extend(count.to_le_bytes());
        part.extend(chunks.next().unwrap_or_default());
        checked(&sealer.seal(&key(name, index), &part))
    };
    Some((0..count).map(value).collect())
}

fn checked(sealed: &[u8]) -> Vec<u8> {
    let mut body = vec![VERSION];
    body.extend(sealed);
    let mut value = crc32fast::hash(&body).to_le_bytes().to_vec();
    value.extend(body);
    value
}

/// Puts documents together again.
#[derive(Default)]
pub(super) struct Joiner {
    documents: BTreeMap<String, Draft>,
    damage: usize,
}

struct Draft {
    writing: u64,
    count: u16,
    bytes: Vec<u8>,
    seen: u16,
    torn: bool,
}

/// What was kept.
#[derive(Debug, Default)]
pub(super) struct Joined {
    /// Each document, and its number of parts.
    pub(super) documents: BTreeMap<String, (Vec<u8>, u16)>,
    /// Values and documents that are not what they were.
    pub(super) damage: usize,
}

impl Joiner {
    /// Takes in a value. Those of a document come in the order of their keys.
    pub(super) fn add(&mut self, sealer: &Sealer, key: &[u8], value: &[u8]) {
        let part = parse_key(key).and_then(|(name, index)| Some((name, index, open(sealer, key, value)?)));
        let Some((name, index, part)) = part.filter(|(_, index, part)| *index == part.index) else {
            self.damage += 1;
            return;
        };
        let draft = self.documents.entry(name.to_owned()).or_insert_with(|| Draft {
            writing: part.writing,
            count: part.count,
            bytes: Vec::new(),
            seen: 0,
            torn: false,
        });
        draft.torn |= draft.writing != part.writing || draft.count != part.count || draft.seen != index;
        draft.seen = draft.seen.saturating_add(1);
        draft.bytes.extend(part.chunk);
    }

    /// The documents that are whole.
    pub(super) fn finish(self) -> Joined {
        let mut joined = Joined {
            damage: self.damage,
            ..Joined::default()
        };
        for (name, draft) in self.documents {
            if draft.torn || draft.seen != draft.count {
                joined.damage += 1;
            } else {
                joined.documents.insert(name, (draft.bytes, draft.count));
            }
        }
        joined
    }
}

struct Part {
    writing: u64,
    index: u16,
    count: u16,
    chunk: Vec<u8>,
}

fn open(sealer: &Sealer, key: &[u8], value: &[u8]) -> Option<Part> {
    let (crc, body) = value.split_first_chunk::<CRC_BYTES>()?;
    if u32::from_le_bytes(*crc) != crc32fast::hash(body) {
        return None;
    }
    let (version, sealed) = body.split_first()?;
    let part = sealer.open(key, sealed).ok().filter(|_| *version == VERSION)?;
    let (writing, rest) = part.split_first_chunk::<8>()?;
    let (index, rest) = rest.split_first_chunk::<2>()?;
    let (count, chunk) = rest.split_first_chunk::<2>()?;
    Some(Part {
        writing: u64::from_le_bytes(*writing),
        index: u16::from_le_bytes(*index),
        count: u16::from_le_bytes(*count),
        chunk: chunk.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn join(sealer: &Sealer, name: &str, values: &[Vec<u8>]) -> Joined {
        let mut joiner = Joiner::default();
        for (index, value) in (0..).zip(values) {
            joiner.add(sealer, &key(name, index), value);
        }
        joiner.finish()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn documents_of_any_size_come_back_whole_from_small_values(bytes in prop::collection::vec(any::<u8>(), 0..20_000)) {
            let sealer = Sealer::new(&[7; 32]);
            let values = split(&sealer, "Pod/u1", &bytes).unwrap();
            prop_assert!(values.iter().all(|value| value.len() <= VALUE_BYTES_MAX));
            let joined = join(&sealer, "Pod/u1", &values);
            prop_assert_eq!(joined.damage, 0);
            prop_assert_eq!(&joined.documents["Pod/u1"].0, &bytes);
        }

        #[test]
        fn a_changed_byte_is_always_noticed(at in 0usize..4096, bit in 0u8..8) {
            let sealer = Sealer::new(&[7; 32]);
            let mut values = split(&sealer, "Pod/u1", &[1; 9000]).unwrap();
            values[1][at] ^= 1 << bit;
            let joined = join(&sealer, "Pod/u1", &values);
            prop_assert!(joined.damage > 0 && joined.documents.is_empty());
        }
    }

    #[test]
    fn parts_of_two_writings_are_no_document() {
        let sealer = Sealer::new(&[7; 32]);
        let mut values = split(&sealer, "Pod/u1", &[1; 9000]).unwrap();
        values[1] = split(&sealer, "Pod/u1", &[2; 9000]).unwrap()[1].clone();
        let joined = join(&sealer, "Pod/u1", &values);
        assert_eq!((joined.damage, joined.documents.len()), (1, 0));
    }

    #[test]
    fn a_document_that_lacks_its_end_is_no_document() {
        let sealer = Sealer::new(&[7; 32]);
        let values = split(&sealer, "Pod/u1", &[1; 9000]).unwrap();
        assert_eq!(join(&sealer, "Pod/u1", &values[..2]).damage, 1);
    }

    #[test]
    fn a_value_cannot_stand_in_for_another_and_needs_its_key() {
        let sealer = Sealer::new(&[7; 32]);
        let values = split(&sealer, "Secret/a", b"for a").unwrap();
        assert!(join(&sealer, "Secret/b", &values).documents.is_empty());
        assert!(
            join(&Sealer::new(&[8; 32]), "Secret/a", &values)
                .documents
                .is_empty()
        );
        assert!(!values[0].windows(5).any(|bytes| bytes == b"for a"));
    }
}
