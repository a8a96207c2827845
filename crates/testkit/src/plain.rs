//! Namespaces, config maps and secrets.

use skep_api::{ConfigMap, Namespace, NamespacePhase, NamespaceSpec, NamespaceStatus, OPAQUE_SECRET, Secret};

use crate::meta::{builder, meta};

/// Builds a [`Namespace`] in use.
#[derive(Clone, Debug)]
pub struct NamespaceBuilder(pub(crate) Namespace);

/// Builds an empty [`ConfigMap`].
#[derive(Clone, Debug)]
pub struct ConfigMapBuilder(pub(crate) ConfigMap);

/// Builds an empty [`Secret`].
#[derive(Clone, Debug)]
pub struct SecretBuilder(pub(crate) Secret);

builder!(NamespaceBuilder, Namespace);
builder!(ConfigMapBuilder, ConfigMap);
builder!(SecretBuilder, Secret);

/// A namespace of this name, held by the finalizer `kubernetes` until it is empty.
pub fn namespace(name: &str) -> NamespaceBuilder {
    let spec = NamespaceSpec {
        finalizers: vec!["kubernetes".to_owned()],
    };
    NamespaceBuilder(Namespace {
        metadata: meta("", name),
        spec,
        status: NamespaceStatus::default(),
    })
    .label("kubernetes.io/metadata.name", name)
}

/// A config map of this name in the namespace `default`.
pub fn config_map(name: &str) -> ConfigMapBuilder {
    ConfigMapBuilder(ConfigMap {
        metadata: meta("default", name),
        ..ConfigMap::default()
    })
}

/// A secret of this name in the namespace `default`.
pub fn secret(name: &str) -> SecretBuilder {
    let metadata = meta("default", name);
    SecretBuilder(Secret {
        metadata,
        r#type: OPAQUE_SECRET.to_owned(),
        ..Secret::default()
    })
}

/// So many bytes of text that hardly packs, and has nothing in common with that of another name; the same each time.
pub fn noise(name: &str, bytes: usize) -> String {
    let mut number = name.bytes().fold(1u64, |number, byte| {
        number.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    let next = std::iter::from_fn(|| {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Some(format!("{number:016x}"))
    });
    let mut text: String = next.take(bytes.div_ceil(16)).collect();
    text.truncate(bytes);
    text
}

impl NamespaceBuilder {
    /// Marks it as being deleted since [`crate::start`].
    #[must_use]
    pub fn terminating(mut self) -> Self {
        self.0.status.phase = NamespacePhase::Terminating;
        self.deleting(crate::start())
    }
}

impl ConfigMapBuilder {
    /// Adds a text.
    #[must_use]
    pub fn data(mut self, key: &str, value: &str) -> Self {
        self.0.data.insert(key.to_owned(), value.to_owned());
        self
    }
}

impl SecretBuilder {
    /// Adds a value, already in base64.
    #[must_use]
    pub fn data(mut self, key: &str, base64: &str) -> Self {
        self.0.data.insert(key.to_owned(), base64.to_owned());
        self
    }
}
