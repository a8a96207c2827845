//! Metadata, and checks that many kinds share.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Kind, Object, ObjectMeta, Reason, errors::Errors, names, path::Path, well_known};

/// All annotations of an object together, keys and values: 256 KiB.
const ANNOTATIONS_BYTES_MAX: usize = 256 << 10;

/// Checks the metadata of an object.
pub(super) fn object(object: &Object, path: &Path<'_>, errors: &mut Errors) {
    let (kind, meta) = (object.kind(), object.meta());
    name(kind, meta, path, errors);
    namespace(kind, meta, path, errors);
    labels(&meta.labels, &path.field("labels"), errors);
    annotations(&meta.annotations, &path.field("annotations"), errors);
    owners(meta, &path.field("ownerReferences"), errors);
    finalizers(meta, &path.field("finalizers"), errors);
}

/// Checks the metadata of a template: only labels and annotations count.
pub(super) fn template(meta: &ObjectMeta, path: &Path<'_>, errors: &mut Errors) {
    labels(&meta.labels, &path.field("labels"), errors);
    annotations(&meta.annotations, &path.field("annotations"), errors);
}

fn name(kind: Kind, meta: &ObjectMeta, path: &Path<'_>, errors: &mut Errors) {
    let check = if kind == Kind::Namespace {
        names::dns_label
    } else {
        names::dns_subdomain
    };
    if !meta.name.is_empty() {
        errors.about(&path.field("name"), &meta.name, check(&meta.name));
    } else if meta.generate_name.is_empty() {
        errors.required(
            &path.field("name"),
            "is missing; every object needs a name or a generateName",
        );
    }
    if !meta.generate_name.is_empty() {
        // The server puts letters and digits behind it.
        let completed = format!("{}x", meta.generate_name);
        errors.about(
            &path.field("generateName"),
            &meta.generate_name,
            check(&completed),
        );
    }
}

fn namespace(kind: Kind, meta: &ObjectMeta, path: &Path<'_>, errors: &mut Errors) {
    let path = path.field("namespace");
    if kind.namespaced() {
        errors.about(&path, &meta.namespace, names::dns_label(&meta.namespace));
    } else if !meta.namespace.is_empty() {
        errors.forbidden(
            &path,
            format!("must be left out: {} belong to no namespace", kind.plural()),
        );
    }
}

/// Checks labels, or anything that is written like them.
pub(super) fn labels(labels: &BTreeMap<String, String>, path: &Path<'_>, errors: &mut Errors) {
    for (key, value) in labels {
        errors.about(path, key, names::qualified_name(key));
        errors.about(&path.key(key), value, names::label_value(value));
    }
}

fn annotations(annotations: &BTreeMap<String, String>, path: &Path<'_>, errors: &mut Errors) {
    let mut total = 0;
    for (key, value) in annotations {
        // Annotation keys may have upper-case prefixes.
        errors.about(path, key, names::qualified_name(&key.to_ascii_lowercase()));
        total += key.len() + value.len();
        if key == well_known::REBALANCE && !matches!(value.as_str(), "true" | "false") {
            let message = format!("must be \"true\" or \"false\", not \"{value}\"");
            errors.invalid(&path.key(key), message);
        }
    }
    if total > ANNOTATIONS_BYTES_MAX {
        let message = format!("are {total} bytes long together, {ANNOTATIONS_BYTES_MAX} are allowed");
        errors.push(path, Reason::TooLong, message);
    }
}

fn owners(meta: &ObjectMeta, path: &Path<'_>, errors: &mut Errors) {
    let mut uids = BTreeSet::new();
    for (index, owner) in meta.owner_references.iter().enumerate() {
        let path = path.index(index);
        for (field, value) in [
            ("apiVersion", &owner.api_version),
            ("kind", &owner.kind),
            ("name", &owner.name),
            ("uid", &owner.uid),
        ] {
            required(value, &path.field(field), errors);
        }
        if !owner.uid.is_empty() && !uids.insert(&owner.uid) {
            errors.duplicate(&path.field("uid"), &owner.uid);
        }
    }
    if meta
        .owner_references
        .iter()
        .filter(|owner| owner.controller)
        .count()
        > 1
    {
        errors.invalid(path, "only one owner may have `controller: true`");
    }
}

fn finalizers(meta: &ObjectMeta, path: &Path<'_>, errors: &mut Errors) {
    for (index, finalizer) in meta.finalizers.iter().enumerate() {
        errors.about(&path.index(index), finalizer, names::qualified_name(finalizer));
    }
    let has = |name: &str| meta.finalizers.iter().any(|finalizer| finalizer == name);
    if has("orphan") && has("foregroundDeletion") {
        errors.invalid(path, "`orphan` and `foregroundDeletion` exclude each other");
    }
}

/// The text may not be empty.
pub(super) fn required(text: &str, path: &Path<'_>, errors: &mut Errors) {
    if text.is_empty() {
        errors.required(path, "is missing");
    }
}

/// The number may not be below nothing.
pub(super) fn non_negative(number: impl Into<i64>, path: &Path<'_>, errors: &mut Errors) {
    let number = number.into();
    if number < 0 {
        errors.invalid(path, format!("{number} is below 0"));
    }
}

/// The number lies within both bounds.
pub(super) fn between(number: impl Into<i64>, min: i64, max: i64, path: &Path<'_>, errors: &mut Errors) {
    let number = number.into();
    if !(min..=max).contains(&number) {
        errors.invalid(path, format!("{number} is not between {min} and {max}"));
    }
}

/// A port's number.
pub(super) fn port(number: i32, path: &Path<'_>, errors: &mut Errors) {
    between(number, 1, 65535, path, errors);
}

/// A path below a folder: relative and without `..`.
pub(super) fn relative_path(text: &str, path: &Path<'_>, errors: &mut Errors) {
    let text = text.trim();
    if text.starts_with('/') {
        errors.invalid(path, format!("`{text}` must be relative"));
    }
    if text.split('/').any(|part| part == "..") {
        errors.invalid(path, format!("`{text}` must not contain `..`"));
    }
}
