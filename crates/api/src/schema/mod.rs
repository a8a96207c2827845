//! The shape of each kind's documents, compiled once from the schema that the Rust types derive.

mod compile;

use std::{collections::BTreeMap, sync::Arc, sync::LazyLock};

use serde_json::Value;

use crate::{Kind, object};

/// What a value must look like.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// A mapping with named fields.
    Struct(Arc<Struct>),
    /// A mapping from free keys to values of one shape.
    Map(Box<Shape>),
    /// A list.
    List(Box<Shape>),
    /// A string.
    Text,
    /// A string in RFC 3339.
    Time,
    /// A quantity.
    Quantity,
    /// A whole number within these bounds.
    Integer(i64, i64),
    /// True or false.
    Boolean,
    /// A whole number or a string.
    IntOrString,
    /// One of some words.
    Choice(Arc<Vec<Choice>>),
}

/// A mapping with named fields.
#[derive(Debug)]
pub(crate) struct Struct {
    /// The Rust type, which is named as in Kubernetes.
    pub(crate) name: String,
    /// What it is.
    pub(crate) description: String,
    /// By name.
    pub(crate) fields: BTreeMap<String, Field>,
}

/// A field of a mapping.
#[derive(Debug)]
pub(crate) struct Field {
    /// What it is for.
    pub(crate) description: String,
    /// What it holds.
    pub(crate) shape: Shape,
}

/// One of the words a field may hold.
#[derive(Debug)]
pub(crate) struct Choice {
    /// The word.
    pub(crate) value: String,
    /// What it means.
    pub(crate) description: String,
}

/// The shape of a kind's documents, without `apiVersion` and `kind`.
pub(crate) fn of(kind: Kind) -> &'static Struct {
    static SHAPES: LazyLock<BTreeMap<Kind, Arc<Struct>>> = LazyLock::new(|| {
        Kind::ALL
            .into_iter()
            .map(|kind| (kind, compile::compile(&json_schema(kind))))
            .collect()
    });
    &SHAPES[&kind]
}

/// The JSON schema of a kind's documents, without `apiVersion` and `kind`.
pub fn json_schema(kind: Kind) -> Value {
    object::json_schema(kind).to_value()
}

impl Shape {
    /// The mapping inside lists, if there is one: what a path goes on into.
    pub(crate) fn inner_struct(&self) -> Option<&Arc<Struct>> {
        match self {
            Self::Struct(fields) => Some(fields),
            Self::List(item) | Self::Map(item) => item.inner_struct(),
            _ => None,
        }
    }
}

impl Struct {
    /// Other names that fields go by, with the name each stands for.
    pub(crate) fn aliases(&self) -> &'static [(&'static str, &'static str)] {
        match self.name.as_str() {
            "Probe" => &[
                ("initialDelay", "initialDelaySeconds"),
                ("period", "periodSeconds"),
            ],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deployment_has_its_fields() {
        let spec = of(Kind::Deployment).fields["spec"].shape.inner_struct().unwrap();
        assert_eq!(spec.name, "DeploymentSpec");
        assert!(
            matches!(spec.fields["replicas"].shape, Shape::Integer(min, _) if min == i64::from(i32::MIN))
        );
        let pod = spec.fields["template"].shape.inner_struct().unwrap().fields["spec"]
            .shape
            .inner_struct()
            .unwrap();
        let container = pod.fields["containers"].shape.inner_struct().unwrap();
        assert!(
            matches!(&container.fields["imagePullPolicy"].shape, Shape::Choice(words) if words.len() == 3)
        );
        let port = container.fields["ports"].shape.inner_struct().unwrap();
        assert!(matches!(&port.fields["protocol"].shape, Shape::Choice(words) if words[0].value == "TCP"));
        let probe = container.fields["livenessProbe"].shape.inner_struct().unwrap();
        let http = probe.fields["httpGet"].shape.inner_struct().unwrap();
        assert!(matches!(http.fields["port"].shape, Shape::IntOrString));
        assert!(
            probe
                .aliases()
                .iter()
                .all(|(_, name)| probe.fields.contains_key(*name))
        );
    }

    #[test]
    fn everything_in_every_kind_is_described() {
        fn check(fields: &Struct) {
            assert!(!fields.description.is_empty(), "{}", fields.name);
            for (name, field) in &fields.fields {
                assert!(!field.description.is_empty(), "{}.{name}", fields.name);
                if let Some(inner) = field.shape.inner_struct() {
                    check(inner);
                }
            }
        }
        Kind::ALL.into_iter().for_each(|kind| check(of(kind)));
    }
}
