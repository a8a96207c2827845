//! Any object of any kind, and what all kinds share.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Map, Value};

use crate::{
    ConfigMap, Deployment, Event, Kind, LimitRange, Namespace, Node, NodePool, ObjectKey, ObjectMeta, Pod,
    PodDisruptionBudget, PriorityClass, ReplicaSet, ResourceQuota, Secret, WorkloadTier,
};

/// What all kinds share.
pub trait Resource:
    Clone + std::fmt::Debug + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The kind.
    const KIND: Kind;

    /// Its metadata.
    fn meta(&self) -> &ObjectMeta;

    /// Its metadata, to change.
    fn meta_mut(&mut self) -> &mut ObjectMeta;

    /// Wraps it as an object of any kind.
    fn into_object(self) -> Object;

    /// The object of this kind inside, if it is of this kind.
    fn from_object(object: &Object) -> Option<&Self>;

    /// Namespace and name.
    fn key(&self) -> ObjectKey {
        self.meta().key()
    }
}

/// Why a document is not an object.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It is not a mapping at all.
    #[error("a document must be a mapping with the fields apiVersion, kind and metadata")]
    NotAMapping,
    /// `kind` or `apiVersion` is missing.
    #[error("{0}: is missing; write for example `apiVersion: apps/v1` and `kind: Deployment`")]
    Missing(&'static str),
    /// The kind is not one of skep's.
    #[error(
        "kind: `{kind}` in `{api_version}` is not a kind of this cluster; `skep api-resources` lists them"
    )]
    UnknownKind {
        /// As written.
        api_version: String,
        /// As written.
        kind: String,
    },
    /// A field holds something else than it should.
    #[error("{kind}: {source}")]
    Field {
        /// The document's kind.
        kind: Kind,
        /// What is wrong.
        source: serde_json::Error,
    },
}

macro_rules! objects {
    ($($kind:ident $({ $status:ident })?),* $(,)?) => {
        /// An object of any kind. Small to move about: each kind takes the memory that it needs, and is somewhere else.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Object {
            $(#[doc = concat!("A `", stringify!($kind), "`.")] $kind(Box<$kind>),)*
        }

        impl Object {
            /// Its kind.
            pub fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind,)* }
            }

            /// Its metadata.
            pub fn meta(&self) -> &ObjectMeta {
                match self { $(Self::$kind(object) => &object.metadata,)* }
            }

            /// Its metadata, to change.
            pub fn meta_mut(&mut self) -> &mut ObjectMeta {
                match self { $(Self::$kind(object) => &mut object.metadata,)* }
            }

            /// Takes over another object's status, where both are of one kind; false for kinds that have none.
            pub fn copy_status(&mut self, from: &Self) -> bool {
                match (self, from) {
                    $($((Self::$kind(to), Self::$kind(from)) => {
                        to.$status.clone_from(&from.$status);
                        true
                    })?)*
                    _ => false,
                }
            }

            /// As [`Object::copy_status`], without a copy.
            pub fn take_status(&mut self, from: Self) -> bool {
                match (self, from) {
                    $($((Self::$kind(to), Self::$kind(from)) => {
                        to.$status = from.$status;
                        true
                    })?)*
                    _ => false,
                }
            }

            /// What names it, and its status: all that a change of a status says. Kinds without a status stay as they are.
            #[must_use]
            pub fn only_status(self) -> Self {
                match self {
                    $($(Self::$kind(object) => Self::from($kind {
                        metadata: object.metadata.identity(),
                        $status: object.$status,
                        ..$kind::default()
                    }),)?)*
                    other => other,
                }
            }

            fn body_from_value(kind: Kind, value: Value) -> Result<Self, serde_json::Error> {
                Ok(match kind { $(Kind::$kind => Self::$kind(serde_json::from_value(value)?),)* })
            }

            fn body_from_map<'de, A: MapAccess<'de>>(kind: Kind, rest: A) -> Result<Self, A::Error> {
                let rest = MapAccessDeserializer::new(rest);
                Ok(match kind { $(Kind::$kind => Self::$kind(Deserialize::deserialize(rest)?),)* })
            }

            fn body_to_value(&self) -> Result<Value, serde_json::Error> {
                match self { $(Self::$kind(object) => serde_json::to_value(object),)* }
            }
        }

        /// The JSON schema of a kind's documents, without `apiVersion` and `kind`.
        pub(crate) fn json_schema(kind: Kind) -> schemars::Schema {
            match kind { $(Kind::$kind => schemars::schema_for!($kind),)* }
        }

        impl Serialize for Object {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let (api_version, kind) = (self.kind().api_version(), self.kind().as_str());
                match self { $(Self::$kind(body) => Document { api_version, kind, body }.serialize(serializer),)* }
            }
        }

        $(impl Resource for $kind {
            const KIND: Kind = Kind::$kind;

            fn meta(&self) -> &ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.metadata
            }

            fn into_object(self) -> Object {
                Object::$kind(Box::new(self))
            }

            fn from_object(object: &Object) -> Option<&Self> {
                match object {
                    Object::$kind(inner) => Some(inner),
                    _ => None,
                }
            }
        }

        impl From<Box<$kind>> for Object {
            fn from(object: Box<$kind>) -> Self {
                Self::$kind(object)
            }
        }

        impl From<$kind> for Object {
            fn from(object: $kind) -> Self {
                Self::$kind(Box::new(object))
            }
        })*
    };
}

// Kinds with a status name its field.
objects!(
    Namespace { status },
    PriorityClass,
    NodePool { status },
    WorkloadTier,
    Node { status },
    ResourceQuota { status },
    LimitRange,
    PodDisruptionBudget { status },
    ConfigMap,
    Secret,
    Pod { status },
    ReplicaSet { status },
    Deployment { status },
    Event,
);

#[derive(Serialize)]
struct Document<'a, T> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    body: &'a T,
}

impl Object {
    /// Namespace and name.
    pub fn key(&self) -> ObjectKey {
        self.meta().key()
    }

    /// Reads a document; `null` counts as a field left out, as in Kubernetes.
    ///
    /// # Errors
    /// Names the first field that does not fit. Use the schema check to get all of them.
    pub fn from_value(mut value: Value) -> Result<Self, DecodeError> {
        let kind = Self::kind_of(&value)?;
        if let Some(fields) = value.as_object_mut() {
            fields.remove("apiVersion");
            fields.remove("kind");
        }
        drop_nulls(&mut value);
        Self::body_from_value(kind, value).map_err(|source| DecodeError::Field { kind, source })
    }

    /// Reads a document's fields other than `apiVersion` and `kind`, none of which is `null`.
    pub(crate) fn from_body(kind: Kind, body: Value) -> Result<Self, serde_json::Error> {
        Self::body_from_value(kind, body)
    }

    /// The kind that a document says it is of.
    ///
    /// # Errors
    /// Where `apiVersion` or `kind` is missing or unknown.
    pub fn kind_of(value: &Value) -> Result<Kind, DecodeError> {
        let fields = value.as_object().ok_or(DecodeError::NotAMapping)?;
        let text = |name: &'static str| {
            fields
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .ok_or(DecodeError::Missing(name))
        };
        let (api_version, name) = (text("apiVersion")?, text("kind")?);
        Kind::from_name(name)
            .filter(|kind| kind.api_version() == api_version)
            .ok_or_else(|| DecodeError::UnknownKind {
                api_version: api_version.to_owned(),
                kind: name.to_owned(),
            })
    }

    /// The document, with `apiVersion` and `kind` first.
    pub fn to_value(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("apiVersion".to_owned(), self.kind().api_version().into());
        fields.insert("kind".to_owned(), self.kind().as_str().into());
        let body = self
            .body_to_value()
            .expect("objects hold nothing that JSON cannot hold");
        if let Value::Object(body) = body {
            fields.extend(body);
        }
        Value::Object(fields)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// Reads documents that say first what they are, as those that are written here do, in one go; others by way of a value.
struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping with the fields apiVersion, kind and metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut head = Map::new();
        for expected in ["apiVersion", "kind"] {
            let Some(name) = map.next_key::<String>()? else {
                break;
            };
            let in_order = name == expected;
            head.insert(name, map.next_value()?);
            if !in_order {
                break;
            }
        }
        let head = Value::Object(head);
        if let Ok(kind) = Object::kind_of(&head) {
            return Object::body_from_map(kind, map);
        }
        let Value::Object(mut fields) = head else {
            unreachable!("it was made of fields")
        };
        while let Some((name, value)) = map.next_entry()? {
            fields.insert(name, value);
        }
        Object::from_value(Value::Object(fields)).map_err(de::Error::custom)
    }
}

/// Removes every field that is `null`, at any depth.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
