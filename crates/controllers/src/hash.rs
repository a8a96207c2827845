//! Short words that look random and are made from content: names of replica sets, pods and events.

/// Kubernetes' alphabet for generated names: no vowels, nothing that looks like something else.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// FNV-1a of 64 bits over the parts, each ended by a byte that no text has in it.
pub(crate) fn fnv(parts: &[&[u8]]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut take = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    for part in parts {
        part.iter().copied().for_each(&mut take);
        take(0xff);
    }
    hash
}

/// The number in so many letters of the alphabet; what does not fit in is lost.
pub(crate) fn word(hash: u64, letters: usize) -> String {
    // The high bits of FNV are the better mixed ones.
    let mut rest = hash ^ (hash >> 29);
    let letter = |_| {
        let index = usize::try_from(rest % 27).unwrap_or(0);
        rest /= 27;
        char::from(ALPHABET[index])
    };
    (0..letters).map(letter).collect()
}
