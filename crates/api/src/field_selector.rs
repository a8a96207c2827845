//! Selecting objects by field: `metadata.name=web,status.phase!=Running`.

use std::{borrow::Cow, fmt};

use crate::{EventType, Kind, Object};

/// Selects objects of one kind by their fields; all parts must hold. An empty selector selects everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldSelector {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    path: &'static str,
    equal: bool,
    value: String,
}

/// Why a text is not a field selector of a kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseFieldSelectorError {
    /// A part is not of the form `path=value`.
    #[error("`{0}` is not a field selector: write path=value, path==value or path!=value")]
    Malformed(String),
    /// The field cannot be selected by.
    #[error("{kind} objects cannot be selected by field `{path}`: supported are {}", .supported.join(", "))]
    Unsupported {
        /// The kind.
        kind: Kind,
        /// As written.
        path: String,
        /// What can be selected by.
        supported: Vec<&'static str>,
    },
}

const COMMON: [&str; 2] = ["metadata.name", "metadata.namespace"];
const POD: [&str; 3] = ["spec.nodeName", "spec.restartPolicy", "status.phase"];
const EVENT: [&str; 9] = [
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "type",
];

impl FieldSelector {
    /// Reads a selector for objects of `kind`; an empty text selects everything.
    ///
    /// # Errors
    /// Where a part is malformed, or names a field the kind cannot be selected by.
    pub fn parse(kind: Kind, text: &str) -> Result<Self, ParseFieldSelectorError> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let terms = parts
            .map(|part| parse_term(kind, part))
            .collect::<Result<_, _>>()?;
        Ok(Self { terms })
    }

    /// The fields that objects of `kind` can be selected by.
    pub fn supported(kind: Kind) -> impl Iterator<Item = &'static str> {
        let own: &'static [&'static str] = match kind {
            Kind::Pod => &POD,
            Kind::Event => &EVENT,
            _ => &[],
        };
        COMMON.into_iter().chain(own.iter().copied())
    }

    /// True where the object satisfies every part.
    pub fn matches(&self, object: &Object) -> bool {
        self.terms
            .iter()
            .all(|term| (field(object, term.path) == term.value) == term.equal)
    }

    /// True where the selector has no part at all.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The value that a field must equal, if a part says so; lets a reader use an index.
    pub fn exact(&self, path: &str) -> Option<&str> {
        self.terms
            .iter()
            .find(|term| term.equal && term.path == path)
            .map(|term| term.value.as_str())
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            let (comma, operator) = (
                if index == 0 { "" } else { "," },
                if term.equal { "=" } else { "!=" },
            );
            write!(f, "{comma}{}{operator}{}", term.path, term.value)?;
        }
        Ok(())
    }
}

fn parse_term(kind: Kind, part: &str) -> Result<Term, ParseFieldSelectorError> {
    let (path, value, equal) = if let Some((path, value)) = part.split_once("!=") {
        (path, value, false)
    } else if let Some((path, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        (path, value, true)
    } else {
        return Err(ParseFieldSelectorError::Malformed(part.to_owned()));
    };
    let path = path.trim();
    let path = FieldSelector::supported(kind)
        .find(|supported| *supported == path)
        .ok_or_else(|| {
            let supported = FieldSelector::supported(kind).collect();
            ParseFieldSelectorError::Unsupported {
                kind,
                path: path.to_owned(),
                supported,
            }
        })?;
    Ok(Term {
        path,
        equal,
        value: value.trim().to_owned(),
    })
}

fn field<'a>(object: &'a Object, path: &str) -> Cow<'a, str> {
    let text: &str = match (path, object) {
        ("metadata.name", _) => &object.meta().name,
        ("metadata.namespace", _) => &object.meta().namespace,
        ("spec.nodeName", Object::Pod(pod)) => &pod.spec.node_name,
        // Variants of these enums are named as documents write them.
        ("spec.restartPolicy", Object::Pod(pod)) => return format!("{:?}", pod.spec.restart_policy).into(),
        ("status.phase", Object::Pod(pod)) => return format!("{:?}", pod.status.phase).into(),
        ("involvedObject.kind", Object::Event(event)) => &event.involved_object.kind,
        ("involvedObject.namespace", Object::Event(event)) => &event.involved_object.namespace,
        ("involvedObject.name", Object::Event(event)) => &event.involved_object.name,
        ("involvedObject.uid", Object::Event(event)) => &event.involved_object.uid,
        ("involvedObject.apiVersion", Object::Event(event)) => &event.involved_object.api_version,
        ("involvedObject.resourceVersion", Object::Event(event)) => &event.involved_object.resource_version,
        ("involvedObject.fieldPath", Object::Event(event)) => &event.involved_object.field_path,
        ("reason", Object::Event(event)) => &event.reason,
        ("type", Object::Event(event)) => match event.r#type {
            EventType::Normal => "Normal",
            EventType::Warning => "Warning",
        },
        _ => "",
    };
    text.into()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::{Pod, PodPhase};

    fn pod() -> Object {
        let mut pod = Pod::default();
        pod.metadata.name = "web-0".into();
        pod.spec.node_name = "a".into();
        pod.status.phase = PodPhase::Running;
        pod.into()
    }

    #[test]
    fn pods_are_selected_by_node_phase_and_policy() {
        for (text, expected) in [
            ("", true),
            ("spec.nodeName=a", true),
            ("spec.nodeName==b", false),
            ("status.phase!=Succeeded,status.phase!=Failed", true),
            ("metadata.name=web-0, status.phase=Pending", false),
            ("spec.restartPolicy=Always", true),
        ] {
            assert_eq!(
                FieldSelector::parse(Kind::Pod, text).unwrap().matches(&pod()),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn unsupported_field_is_an_error_that_lists_the_others() {
        let error = FieldSelector::parse(Kind::Pod, "spec.hostname=a").unwrap_err();
        expect!["Pod objects cannot be selected by field `spec.hostname`: supported are metadata.name, metadata.namespace, spec.nodeName, spec.restartPolicy, status.phase"].assert_eq(&error.to_string());
        let error = FieldSelector::parse(Kind::Node, "web").unwrap_err();
        expect!["`web` is not a field selector: write path=value, path==value or path!=value"]
            .assert_eq(&error.to_string());
    }

    #[test]
    fn the_exact_value_is_known_for_an_index() {
        let selector = FieldSelector::parse(Kind::Pod, "spec.nodeName=a,status.phase!=Failed").unwrap();
        assert_eq!(selector.exact("spec.nodeName"), Some("a"));
        assert_eq!(selector.exact("status.phase"), None);
        assert_eq!(selector.to_string(), "spec.nodeName=a,status.phase!=Failed");
    }
}
