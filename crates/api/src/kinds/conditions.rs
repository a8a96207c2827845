//! Looking conditions up and setting them.

use crate::{Condition, ConditionStatus, NodeCondition, NodeConditionType};

impl Condition {
    /// A condition of this type and status, without times.
    pub fn new(
        r#type: impl Into<String>,
        status: ConditionStatus,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            r#type: r#type.into(),
            status,
            reason: reason.into(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// The condition of this type.
    pub fn find<'a>(conditions: &'a [Self], r#type: &str) -> Option<&'a Self> {
        conditions.iter().find(|condition| condition.r#type == r#type)
    }

    /// True where there is a condition of this type and it holds.
    pub fn is_true(conditions: &[Self], r#type: &str) -> bool {
        Self::find(conditions, r#type).is_some_and(|condition| condition.status == ConditionStatus::True)
    }

    /// Adds the condition, or replaces the one of its type; where the status stays the same, so does
    /// `lastTransitionTime`. Returns true where status, reason or message changed.
    pub fn set(conditions: &mut Vec<Self>, mut condition: Self) -> bool {
        let Some(old) = conditions.iter_mut().find(|old| old.r#type == condition.r#type) else {
            conditions.push(condition);
            return true;
        };
        if old.status == condition.status && old.last_transition_time.is_some() {
            condition.last_transition_time = old.last_transition_time;
        }
        let changed = old.status != condition.status
            || old.reason != condition.reason
            || old.message != condition.message;
        *old = condition;
        changed
    }
}

impl NodeCondition {
    /// The condition of this type.
    pub fn find(conditions: &[Self], r#type: NodeConditionType) -> Option<&Self> {
        conditions.iter().find(|condition| condition.r#type == r#type)
    }

    /// True where there is a condition of this type and it holds.
    pub fn is_true(conditions: &[Self], r#type: NodeConditionType) -> bool {
        Self::find(conditions, r#type).is_some_and(|condition| condition.status == ConditionStatus::True)
    }

    /// Adds the condition, or replaces the one of its type; where the status stays the same, so does
    /// `lastTransitionTime`. Returns true where status, reason or message changed.
    pub fn set(conditions: &mut Vec<Self>, mut condition: Self) -> bool {
        let Some(old) = conditions.iter_mut().find(|old| old.r#type == condition.r#type) else {
            conditions.push(condition);
            return true;
        };
        if old.status == condition.status && old.last_transition_time.is_some() {
            condition.last_transition_time = old.last_transition_time;
        }
        let changed = old.status != condition.status
            || old.reason != condition.reason
            || old.message != condition.message;
        *old = condition;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Time;

    fn ready(status: ConditionStatus, at: i64, reason: &str) -> Condition {
        Condition {
            last_transition_time: Some(Time::from_secs(at)),
            ..Condition::new("Ready", status, reason, "")
        }
    }

    #[test]
    fn transition_time_stays_while_the_status_does() {
        let mut conditions = vec![ready(ConditionStatus::True, 10, "Up")];
        assert!(!Condition::set(
            &mut conditions,
            ready(ConditionStatus::True, 20, "Up")
        ));
        assert!(Condition::set(
            &mut conditions,
            ready(ConditionStatus::True, 30, "Well")
        ));
        assert_eq!(conditions, [ready(ConditionStatus::True, 10, "Well")]);
        assert!(Condition::set(
            &mut conditions,
            ready(ConditionStatus::False, 40, "Down")
        ));
        assert_eq!(conditions, [ready(ConditionStatus::False, 40, "Down")]);
    }
}
