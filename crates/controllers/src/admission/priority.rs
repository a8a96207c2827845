//! A pod's priority, from its class.

use skep_api::{FieldError, ObjectKey, PodSpec, PriorityClass, Reason};
use skep_state::State;

/// Fills in priority and preemption policy from the class that the pod names, or from the one for pods that name none.
pub(super) fn resolve(state: &State, spec: &mut PodSpec) -> Option<FieldError> {
    let class = if spec.priority_class_name.is_empty() {
        let defaults = state
            .list::<PriorityClass>(None)
            .filter(|class| class.global_default);
        defaults.min_by_key(|class| class.value)
    } else {
        match state.get::<PriorityClass>(&ObjectKey::cluster(&spec.priority_class_name)) {
            Some(class) => Some(class),
            None => return Some(unknown(state, &spec.priority_class_name)),
        }
    };
    let value = class.map_or(0, |class| class.value);
    if let Some(own) = spec.priority.filter(|own| *own != value) {
        let message = format!(
            "{own} is not the priority of its class, which is {value}: leave it out and name a class"
        );
        return Some(FieldError::new("spec.priority", Reason::Forbidden, message));
    }
    let class = class?;
    let policy = class.preemption_policy.unwrap_or_default();
    if let Some(own) = spec.preemption_policy.filter(|own| *own != policy) {
        let message = format!("{own:?} is not the policy of its class, which is {policy:?}: leave it out");
        return Some(FieldError::new(
            "spec.preemptionPolicy",
            Reason::Forbidden,
            message,
        ));
    }
    spec.priority_class_name.clone_from(&class.metadata.name);
    spec.priority = Some(value);
    spec.preemption_policy = Some(policy);
    None
}

pub(super) fn unknown(state: &State, name: &str) -> FieldError {
    let classes: Vec<&str> = state
        .list::<PriorityClass>(None)
        .map(|class| class.metadata.name.as_str())
        .collect();
    let message = format!(
        "there is no PriorityClass `{name}`: write one of {}, or create it",
        classes.join(", ")
    );
    FieldError::new("spec.priorityClassName", Reason::Invalid, message)
}
