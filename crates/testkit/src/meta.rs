//! What the builders of all kinds share.

use skep_api::ObjectMeta;

/// Gives a builder around `$field` the methods on metadata, and `build`.
macro_rules! builder {
    ($builder:ident, $kind:ident) => {
        impl $builder {
            /// Puts it in another namespace.
            #[must_use]
            pub fn namespace(mut self, namespace: &str) -> Self {
                self.0.metadata.namespace = namespace.to_owned();
                self
            }

            /// Gives it another uid than the one made of kind, namespace and name.
            #[must_use]
            pub fn uid(mut self, uid: &str) -> Self {
                self.0.metadata.uid = uid.to_owned();
                self
            }

            /// Adds a label to the object itself.
            #[must_use]
            pub fn label(mut self, key: &str, value: &str) -> Self {
                self.0
                    .metadata
                    .labels
                    .insert(key.to_owned(), value.to_owned());
                self
            }

            /// Adds an annotation to the object itself.
            #[must_use]
            pub fn annotation(mut self, key: &str, value: &str) -> Self {
                self.0
                    .metadata
                    .annotations
                    .insert(key.to_owned(), value.to_owned());
                self
            }

            /// Adds a finalizer.
            #[must_use]
            pub fn finalizer(mut self, name: &str) -> Self {
                self.0.metadata.finalizers.push(name.to_owned());
                self
            }

            /// Sets the revision of its last change.
            #[must_use]
            pub fn revision(mut self, revision: u64) -> Self {
                self.0.metadata.resource_version = revision.to_string();
                self
            }

            /// Sets when it was created.
            #[must_use]
            pub fn created(mut self, time: skep_api::Time) -> Self {
                self.0.metadata.creation_timestamp = Some(time);
                self
            }

            /// Marks it as being deleted since `time`.
            #[must_use]
            pub fn deleting(mut self, time: skep_api::Time) -> Self {
                self.0.metadata.deletion_timestamp = Some(time);
                self.0.metadata.deletion_grace_period_seconds = Some(0);
                self
            }

            /// Makes `owner` the owner that manages it.
            #[must_use]
            pub fn owned_by<R: skep_api::Resource>(mut self, owner: &R) -> Self {
                let reference = skep_api::OwnerReference::controller_of(R::KIND, owner.meta());
                self.0.metadata.owner_references.push(reference);
                self
            }

            /// The object.
            pub fn build(mut self) -> skep_api::$kind {
                let meta = &mut self.0.metadata;
                if meta.uid.is_empty() {
                    let kind = skep_api::Kind::$kind.singular();
                    meta.uid = crate::meta::uid(kind, &meta.namespace, &meta.name);
                }
                self.0
            }

            /// The object, as one of any kind.
            pub fn object(self) -> skep_api::Object {
                skep_api::Resource::into_object(self.build())
            }
        }

        impl From<$builder> for skep_api::Object {
            fn from(builder: $builder) -> Self {
                builder.object()
            }
        }
    };
}

pub(crate) use builder;

/// The metadata of a fresh object.
pub(crate) fn meta(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        creation_timestamp: Some(crate::start()),
        generation: 1,
        ..ObjectMeta::default()
    }
}

/// A uid that people can read: `pod-default-web`, and `node-a` for cluster-scoped kinds.
pub(crate) fn uid(kind: &str, namespace: &str, name: &str) -> String {
    if namespace.is_empty() {
        format!("{kind}-{name}")
    } else {
        format!("{kind}-{namespace}-{name}")
    }
}
