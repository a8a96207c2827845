//! What an agent says of its node, merged into the node object; a heartbeat alone is no change.

use skep_api::{Node, NodeCondition, NodeStatus, Time};

/// The status to write; `None` where the stored one says the same, apart from the time of the last heartbeat.
pub(crate) fn status_change(stored: &NodeStatus, reported: &NodeStatus, now: Time) -> Option<NodeStatus> {
    let mut status = NodeStatus {
        conditions: stored.conditions.clone(),
        ..reported.clone()
    };
    let mut changed = false;
    for condition in &reported.conditions {
        let mut condition = condition.clone();
        let before = NodeCondition::find(&stored.conditions, condition.r#type);
        if before.is_none_or(|before| before.status != condition.status) {
            condition.last_transition_time = Some(now);
        }
        changed |= NodeCondition::set(&mut status.conditions, condition);
    }
    let same = NodeStatus {
        conditions: stored.conditions.clone(),
        ..status.clone()
    } == *stored;
    (changed || !same).then_some(status)
}

/// The node with the labels and annotations that the agent sets; `None` where it has them.
pub(crate) fn metadata_change(stored: &Node, reported: &Node) -> Option<Node> {
    let mut node = stored.clone();
    node.metadata.labels.extend(reported.metadata.labels.clone());
    node.metadata
        .annotations
        .extend(reported.metadata.annotations.clone());
    (node != *stored).then_some(node)
}

#[cfg(test)]
mod tests {
    use skep_api::{ConditionStatus, NodeConditionType};
    use skep_testkit::{at, node};

    use super::*;

    fn ready(status: ConditionStatus, heartbeat: u64) -> NodeStatus {
        let condition = NodeCondition {
            r#type: NodeConditionType::Ready,
            status,
            last_heartbeat_time: Some(at(heartbeat)),
            last_transition_time: Some(at(0)),
            ..NodeCondition::default()
        };
        NodeStatus {
            conditions: vec![condition],
            ..NodeStatus::default()
        }
    }

    #[test]
    fn a_heartbeat_alone_is_not_written() {
        let stored = ready(ConditionStatus::True, 0);
        assert_eq!(
            status_change(&stored, &ready(ConditionStatus::True, 10), at(10)),
            None
        );
    }

    #[test]
    fn a_node_that_is_heard_of_again_becomes_ready_again() {
        let stored = ready(ConditionStatus::Unknown, 0);
        let status = status_change(&stored, &ready(ConditionStatus::True, 60), at(60)).unwrap();
        assert_eq!(status.conditions[0].status, ConditionStatus::True);
        assert_eq!(status.conditions[0].last_transition_time, Some(at(60)));
    }

    #[test]
    fn labels_that_people_set_stay_when_the_agent_registers() {
        let stored = node("a").label("disk", "fast").build();
        let mut reported = node("a").label("zone", "1").build();
        reported.spec.unschedulable = true;
        let merged = metadata_change(&stored, &reported).unwrap();
        assert_eq!(merged.metadata.labels["disk"], "fast");
        assert_eq!(merged.metadata.labels["zone"], "1");
        assert!(!merged.spec.unschedulable, "the cordon is not the agent's to set");
        assert_eq!(metadata_change(&merged, &reported), None);
    }
}
