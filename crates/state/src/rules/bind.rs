//! A pod's place.

use std::sync::Arc;

use skep_api::{Condition, ConditionStatus, Object, Time};

use super::{Step, conflict, invalid};
use crate::Refusal;

pub(crate) fn bind(current: &Arc<Object>, node: &str, now: Time) -> Result<Step, Refusal> {
    let mut object = (**current).clone();
    let Object::Pod(pod) = &mut object else {
        return Err(invalid(
            current.kind(),
            &current.key(),
            "only pods are bound to nodes",
        ));
    };
    if node.is_empty() {
        return Err(invalid(
            current.kind(),
            &current.key(),
            "the node to bind to has no name",
        ));
    }
    if !pod.spec.node_name.is_empty() {
        return Err(conflict(
            current,
            format!("it is bound to node {} already", pod.spec.node_name),
        ));
    }
    if pod.metadata.is_deleting() {
        return Err(conflict(current, "it is being deleted"));
    }
    node.clone_into(&mut pod.spec.node_name);
    let scheduled = Condition {
        r#type: "PodScheduled".to_owned(),
        status: ConditionStatus::True,
        last_transition_time: Some(now),
        ..Condition::default()
    };
    match pod
        .status
        .conditions
        .iter_mut()
        .find(|condition| condition.r#type == scheduled.r#type)
    {
        Some(condition) => *condition = scheduled,
        None => pod.status.conditions.insert(0, scheduled),
    }
    Ok(Step::Put(object))
}
