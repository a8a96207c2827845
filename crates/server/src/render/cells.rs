//! Small texts that tables and descriptions share.

use skep_api::{Container, LabelSelector, Quantity, ResourceList};

/// What stands where there is nothing.
pub(crate) const NONE: &str = "<none>";

/// The text, or `<none>` where it is empty.
pub(crate) fn or_none(text: impl Into<String>) -> String {
    let text = text.into();
    if text.is_empty() { NONE.to_owned() } else { text }
}

/// A selector as it is written on a command line.
pub(crate) fn selector(selector: &LabelSelector) -> String {
    or_none(selector.to_string())
}

/// The containers' names and images, each joined by commas.
pub(crate) fn containers(containers: &[Container]) -> (String, String) {
    let join = |field: fn(&Container) -> &str| containers.iter().map(field).collect::<Vec<_>>().join(",");
    (
        join(|container| &container.name),
        join(|container| &container.image),
    )
}

/// `250m/2`: how much there is of what there may be.
pub(crate) fn usage(used: &ResourceList, name: &str, hard: &Quantity) -> String {
    format!("{}/{hard}", used.get(name).copied().unwrap_or_default())
}
