//! Variables and the fields that they may come from.

use crate::{
    Container, EnvVarSource, KeySelector, ObjectFieldSelector, PodSpec, Quantity, Reason,
    ResourceFieldSelector, errors::Errors, names, path::Path,
};

use super::{container::exactly_one, meta};

/// Fields that a variable may take its value from, beside single labels and annotations.
const ENV_FIELDS: [&str; 7] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "status.hostIP",
    "status.podIP",
    "status.podIPs",
];

/// Fields that a file may take its text from, beside single labels and annotations.
const FILE_FIELDS: [&str; 5] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "metadata.labels",
    "metadata.annotations",
];

const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
];

const CPU_DIVISORS: [&str; 2] = ["1m", "1"];
const BYTE_DIVISORS: [&str; 13] = [
    "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
];

/// Where a field selector stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// In a variable.
    Variable,
    /// In a file of a volume.
    File,
}

/// Checks the variables of the container found at `path`.
pub(super) fn check(container: &Container, spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let list = path.field("env");
    for (index, variable) in container.env.iter().enumerate() {
        let path = list.index(index);
        if variable.name.is_empty() {
            errors.required(&path.field("name"), "is missing");
        } else {
            errors.about(
                &path.field("name"),
                &variable.name,
                names::env_name(&variable.name),
            );
        }
        if let Some(source) = &variable.value_from {
            if !variable.value.is_empty() {
                errors.invalid(&path.field("valueFrom"), "may not be set along with value");
            }
            value_from(source, spec, &path.field("valueFrom"), errors);
        }
    }
    let list = path.field("envFrom");
    for (index, source) in container.env_from.iter().enumerate() {
        let path = list.index(index);
        if !source.prefix.is_empty() {
            errors.about(
                &path.field("prefix"),
                &source.prefix,
                names::env_name(&source.prefix),
            );
        }
        let set = [
            ("configMapRef", source.config_map_ref.is_some()),
            ("secretRef", source.secret_ref.is_some()),
        ];
        exactly_one(&set, &path, errors);
        for (field, reference) in [
            ("configMapRef", &source.config_map_ref),
            ("secretRef", &source.secret_ref),
        ] {
            if let Some(reference) = reference {
                object_name(&reference.name, &path.field(field).field("name"), errors);
            }
        }
    }
}

fn value_from(source: &EnvVarSource, spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let set = [
        ("configMapKeyRef", source.config_map_key_ref.is_some()),
        ("secretKeyRef", source.secret_key_ref.is_some()),
        ("fieldRef", source.field_ref.is_some()),
        ("resourceFieldRef", source.resource_field_ref.is_some()),
    ];
    exactly_one(&set, path, errors);
    if let Some(reference) = &source.config_map_key_ref {
        key_ref(reference, &path.field("configMapKeyRef"), errors);
    }
    if let Some(reference) = &source.secret_key_ref {
        key_ref(reference, &path.field("secretKeyRef"), errors);
    }
    if let Some(reference) = &source.field_ref {
        field_ref(reference, Use::Variable, &path.field("fieldRef"), errors);
    }
    if let Some(reference) = &source.resource_field_ref {
        resource_ref(
            reference,
            spec,
            Use::Variable,
            &path.field("resourceFieldRef"),
            errors,
        );
    }
}

fn key_ref(reference: &KeySelector, path: &Path<'_>, errors: &mut Errors) {
    object_name(&reference.name, &path.field("name"), errors);
    if reference.key.is_empty() {
        errors.required(&path.field("key"), "is missing");
    } else {
        errors.about(
            &path.field("key"),
            &reference.key,
            names::config_key(&reference.key),
        );
    }
}

/// The name of another object, which must be there and well formed.
pub(super) fn object_name(name: &str, path: &Path<'_>, errors: &mut Errors) {
    if name.is_empty() {
        errors.required(path, "is missing");
    } else {
        errors.about(path, name, names::dns_subdomain(name));
    }
}

/// Checks that a field of the pod can be had.
pub(super) fn field_ref(reference: &ObjectFieldSelector, r#use: Use, path: &Path<'_>, errors: &mut Errors) {
    if !matches!(reference.api_version.as_str(), "" | "v1") {
        errors.push(&path.field("apiVersion"), Reason::NotSupported, "must be v1");
    }
    let path = path.field("fieldPath");
    let text = reference.field_path.as_str();
    if text.is_empty() {
        return errors.required(&path, "is missing");
    }
    let fields: &[&str] = if r#use == Use::Variable {
        &ENV_FIELDS
    } else {
        &FILE_FIELDS
    };
    if fields.contains(&text) {
        return;
    }
    if let Some(key) = subscript(text, "metadata.labels").or_else(|| subscript(text, "metadata.annotations"))
    {
        return errors.about(&path, key, names::qualified_name(&key.to_ascii_lowercase()));
    }
    let listed = fields.join(", ");
    let message = format!(
        "`{text}` is not supported: write one of {listed}, metadata.labels['KEY'], metadata.annotations['KEY']"
    );
    errors.push(&path, Reason::NotSupported, message);
}

/// The key in `metadata.labels['key']`.
fn subscript<'a>(text: &'a str, field: &str) -> Option<&'a str> {
    text.strip_prefix(field)?.strip_prefix("['")?.strip_suffix("']")
}

/// Checks that a container's request or limit can be had.
pub(super) fn resource_ref(
    reference: &ResourceFieldSelector,
    spec: &PodSpec,
    r#use: Use,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let container = path.field("containerName");
    if reference.container_name.is_empty() {
        if r#use == Use::File {
            errors.required(
                &container,
                "is missing; a volume belongs to no container by itself",
            );
        }
    } else if spec.container(&reference.container_name).is_none() {
        errors.invalid(
            &container,
            format!("`{}` is not a container of this pod", reference.container_name),
        );
    }
    let resource = reference.resource.as_str();
    if resource.is_empty() {
        errors.required(&path.field("resource"), "is missing");
    } else if !RESOURCES.contains(&resource) {
        let message = format!(
            "`{resource}` is not supported: write one of {}",
            RESOURCES.join(", ")
        );
        errors.push(&path.field("resource"), Reason::NotSupported, message);
    }
    if let Some(divisor) = reference.divisor.filter(|divisor| !divisor.is_zero()) {
        check_divisor(divisor, resource, &path.field("divisor"), errors);
    }
}

fn check_divisor(divisor: Quantity, resource: &str, path: &Path<'_>, errors: &mut Errors) {
    let allowed: &[&str] = if resource.ends_with(".cpu") {
        &CPU_DIVISORS
    } else {
        &BYTE_DIVISORS
    };
    let fits = allowed.iter().any(|text| text.parse() == Ok(divisor));
    if !fits {
        let message = format!("{divisor} is not supported: write one of {}", allowed.join(", "));
        errors.push(path, Reason::NotSupported, message);
    }
}

/// Checks that the mode has permission bits only.
pub(super) fn mode(mode: i32, path: &Path<'_>, errors: &mut Errors) {
    if !(0..=0o777).contains(&mode) {
        errors.invalid(path, format!("{mode} is not between 0 and 511 (0777)"));
    }
}

/// The file's place below the mount, which must be there.
pub(super) fn file_path(text: &str, path: &Path<'_>, errors: &mut Errors) {
    meta::required(text, path, errors);
    meta::relative_path(text, path, errors);
}
