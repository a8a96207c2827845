//! A node joins: its object is made, or brought up to date.

use skep_api::{
    FieldError, Kind, Node, NodeSpec, Object, ObjectKey, ObjectMeta, Reason, convert, names, node_label,
    proto::Hello,
};
use skep_state::{Change, Refusal, State};

use super::node_status::{metadata_change, status_change};
use crate::{clock::now, core::Core, failure::Failure, stamp::stamp};

/// How often a registration that loses a race is tried again.
const ATTEMPTS: usize = 5;

/// The node as its agent says it is.
pub(super) fn reported_node(hello: &Hello) -> Result<Node, Failure> {
    let key = ObjectKey::cluster(&hello.node_name);
    let invalid = |field: &str, message: String| Failure::Invalid {
        kind: Some(Kind::Node),
        key: key.clone(),
        causes: vec![FieldError::new(field, Reason::Invalid, message)],
    };
    if let Some(problem) = names::dns_subdomain(&hello.node_name) {
        return Err(invalid("metadata.name", problem));
    }
    let document = hello.node.clone().unwrap_or_default();
    let node = node_in(document).map_err(|message| invalid("", message))?;
    if node.metadata.name != hello.node_name {
        return Err(invalid(
            "metadata.name",
            format!("is not `{}`, the node of the session", hello.node_name),
        ));
    }
    let causes = causes(&node);
    if causes.is_empty() {
        return Ok(node);
    }
    Err(Failure::Invalid {
        kind: Some(Kind::Node),
        key,
        causes,
    })
}

/// What an agent must not say of its own node.
fn causes(node: &Node) -> Vec<FieldError> {
    let labels = node.metadata.labels.iter().filter_map(|(key, value)| {
        let problem = node_label::problem(key, value)?;
        let field = format!("metadata.labels[{key}]");
        Some(FieldError::new(&field, Reason::Invalid, problem))
    });
    let taints = node.spec.taints.iter().enumerate().filter_map(|(index, taint)| {
        let problem = names::qualified_name(&taint.key).or_else(|| names::label_value(&taint.value))?;
        let field = format!("spec.taints[{index}]");
        Some(FieldError::new(&field, Reason::Invalid, problem))
    });
    labels.chain(taints).collect()
}

/// The node in a message of an agent.
pub(super) fn node_in(document: skep_api::Struct) -> Result<Node, String> {
    match convert::from_struct(document) {
        Ok(Object::Node(node)) => Ok(*node),
        Ok(other) => Err(format!("is a {}, not a Node", other.kind())),
        Err(error) => Err(error.to_string()),
    }
}

/// Makes the node's object, or brings it up to date.
pub(super) async fn register(core: &Core, reported: &Node) -> Result<(), Failure> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let state = core.read(false).await?;
        let changes = changes(&state, reported);
        if changes.is_empty() {
            return Ok(());
        }
        let outcomes = core.propose("", changes).await?;
        match outcomes.into_iter().find_map(Result::err) {
            None => return Ok(()),
            Some(
                refusal @ (Refusal::Conflict { .. }
                | Refusal::AlreadyExists { .. }
                | Refusal::NotFound { .. }),
            ) => {
                last = Some(refusal);
            }
            Some(refusal) => return Err(refusal.into()),
        }
    }
    Err(last.map_or_else(
        || Failure::Unavailable("the node keeps changing: try again".to_owned()),
        Failure::from,
    ))
}

fn changes(state: &State, reported: &Node) -> Vec<Change> {
    let Some(stored) = state.get::<Node>(&reported.metadata.key()) else {
        return vec![Change::create(new_node(reported))];
    };
    let mut changes = Vec::new();
    changes.extend(metadata_change(stored, reported).map(Change::update));
    if let Some(status) = status_change(&stored.status, &reported.status, now()) {
        changes.push(Change::update_status(Node {
            status,
            ..stored.clone()
        }));
    }
    changes
}

/// Cordons and ranges of pod addresses are not the agent's to set.
fn new_node(reported: &Node) -> Node {
    let mut node = Node {
        metadata: ObjectMeta {
            name: reported.metadata.name.clone(),
            labels: reported.metadata.labels.clone(),
            annotations: reported.metadata.annotations.clone(),
            ..ObjectMeta::default()
        },
        spec: NodeSpec {
            taints: reported.spec.taints.clone(),
            ..NodeSpec::default()
        },
        status: reported.status.clone(),
    };
    stamp(&mut node.metadata, now());
    node
}

#[cfg(test)]
mod tests {
    use skep_testkit::node;

    use super::*;

    fn hello(node: Node) -> Hello {
        Hello {
            node_name: node.metadata.name.clone(),
            node: Some(convert::to_struct(&node.into())),
            ..Hello::default()
        }
    }

    #[test]
    fn an_agent_cannot_give_itself_labels_that_are_the_clusters_to_give() {
        let honest = node("a")
            .label("skep.io/pool", "gpu")
            .label("disk", "fast")
            .build();
        assert!(reported_node(&hello(honest)).is_ok());
        let greedy = node("a")
            .label("node-restriction.kubernetes.io/secrets", "all")
            .build();
        let Err(Failure::Invalid { causes, .. }) = reported_node(&hello(greedy)) else {
            panic!("it is let in");
        };
        let text = format!("{causes:?}");
        assert!(
            text.contains("metadata.labels[node-restriction.kubernetes.io/secrets]"),
            "{text}"
        );
    }
}
