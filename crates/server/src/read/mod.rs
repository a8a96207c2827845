//! Reading objects: one, many, as rows, and as they change.

mod documents;
mod filter;
mod info;
mod list;
mod pages;
mod resources;
mod watch;

use skep_api::{Kind, ObjectKey, proto};

use crate::failure::Failure;

pub(crate) use documents::Documents;
pub(crate) use info::info;
pub(crate) use list::{list, table};
pub(crate) use pages::Pages;
pub(crate) use resources::api_resources;
pub(crate) use watch::watch;

/// The namespace of objects that name none.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

/// The kind that a person means.
pub(crate) fn kind_named(name: &str) -> Result<Kind, Failure> {
    Kind::from_alias(name).ok_or_else(|| {
        Failure::BadRequest(format!(
            "the server has no resource type \"{name}\": `skep api-resources` lists what it has"
        ))
    })
}

/// The kind and key that a reference names; objects of namespaced kinds are in `default` where it says none.
pub(crate) fn resolve(reference: Option<&proto::ObjectRef>) -> Result<(Kind, ObjectKey), Failure> {
    let reference = reference.ok_or_else(|| Failure::BadRequest("ref: say which object".to_owned()))?;
    let kind = kind_named(&reference.kind)?;
    if reference.name.is_empty() {
        return Err(Failure::BadRequest(format!(
            "ref.name: say which {}",
            kind.singular()
        )));
    }
    let key = match (kind.namespaced(), reference.namespace.as_str()) {
        (false, _) => ObjectKey::cluster(&reference.name),
        (true, "") => ObjectKey::new(DEFAULT_NAMESPACE, &reference.name),
        (true, namespace) => ObjectKey::new(namespace, &reference.name),
    };
    Ok((kind, key))
}
