//! Names and hashes of containers.

use sha2::{Digest, Sha256};
use skep_api::{Container, Pod};

/// Longest part of a pod's or container's name that goes into the engine's name; the uid keeps it unique.
const PART_MAX: usize = 63;

/// The container's name in the engine: `skep_{container}_{pod}_{namespace}_{uid}_{attempt}`, the uid's first 8 digits.
pub fn container_name(pod: &Pod, container: &str, attempt: u32) -> String {
    let meta = &pod.metadata;
    let uid: String = meta.uid.chars().filter(|c| *c != '-').take(8).collect();
    format!(
        "skep_{}_{}_{}_{uid}_{attempt}",
        shorten(container),
        shorten(&meta.name),
        shorten(&meta.namespace)
    )
}

/// Sixteen hex digits that differ where the container's description differs. It covers the document, not what this
/// version makes of it, so an upgraded agent finds its containers unchanged.
pub fn container_hash(container: &Container) -> String {
    let document = serde_json::to_vec(container).expect("a container is a document");
    hex(&Sha256::digest(&document)[..8])
}

/// Lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn shorten(text: &str) -> &str {
    let end = text
        .char_indices()
        .nth(PART_MAX)
        .map_or(text.len(), |(index, _)| index);
    &text[..end]
}
