//! What will become of the pods of a workload, told to its author before the first of them is made.

use skep_api::{
    FieldError, LabelSelector, Node, Object, ObjectKey, ObjectMeta, Pod, PodTemplateSpec, PriorityClass,
    UnsatisfiableConstraintAction, WorkloadTier, well_known,
};
use skep_state::State;

use super::{pod, priority, tier};

/// What the pods of a workload will get, and what would stand in their way; nothing for other kinds.
///
/// # Errors
/// Where the template names a tier that there is not.
pub fn outlook(state: &State, object: &Object) -> Result<Vec<String>, Vec<FieldError>> {
    let (template, selector) = match object {
        Object::Deployment(deployment) => (&deployment.spec.template, &deployment.spec.selector),
        Object::ReplicaSet(set) => (&set.spec.template, &set.spec.selector),
        Object::Pod(pod) => {
            return Ok(tier_of(state, &pod.metadata).map_or(Vec::new(), |tier| obstacles(state, tier, pod)));
        }
        _ => return Ok(Vec::new()),
    };
    let mut told = Vec::new();
    let sample = sample(object.meta(), template);
    if let Some(name) = tier::name(&template.metadata) {
        let place = format!("spec.template.metadata.labels[{}]", well_known::TIER);
        let found = tier::find(state, name, &place).map_err(|error| vec![error])?;
        told.extend(filled_in(state, found, &sample, selector));
    }
    let class = &template.spec.priority_class_name;
    if !class.is_empty() && state.get::<PriorityClass>(&ObjectKey::cluster(class)).is_none() {
        told.push(in_template(&priority::unknown(state, class)));
        return Ok(told);
    }
    if let Err(errors) = pod(state, &mut sample.clone()) {
        let beyond = errors
            .iter()
            .filter(|error| error.field != "spec.priorityClassName");
        told.extend(beyond.map(|error| format!("{}; no pod can be created", in_template(error))));
    }
    Ok(told)
}

/// What the tier gives the pods, and whether there are nodes for them.
fn filled_in(state: &State, found: &WorkloadTier, sample: &Pod, selector: &LabelSelector) -> Vec<String> {
    let mut pod = sample.clone();
    let mut filled = tier::placement(state, found, &mut pod, selector.clone());
    filled.extend(tier::requests(found, &mut pod));
    let told = tier::told(&found.metadata.name, "pods", &filled);
    told.into_iter().chain(obstacles(state, found, &pod)).collect()
}

fn tier_of<'a>(state: &'a State, meta: &ObjectMeta) -> Option<&'a WorkloadTier> {
    state.get::<WorkloadTier>(&ObjectKey::cluster(tier::name(meta)?))
}

/// Where the tier sends the pod and there is no node.
fn obstacles(state: &State, tier: &WorkloadTier, pod: &Pod) -> Vec<String> {
    let mut told = Vec::new();
    let (name, pool) = (&tier.metadata.name, &tier.spec.node_pool);
    let selects = pod.spec.node_selector.get(well_known::POOL) == Some(pool);
    let is_member = |node: &Node| node.metadata.labels.get(well_known::POOL) == Some(pool);
    if selects && !state.list::<Node>(None).any(is_member) {
        told.push(format!(
            "no node is in the pool {pool}: pods of tier {name} wait until one is (skep agent --pool {pool}, or skep label node \
             NAME {}={pool})",
            well_known::POOL
        ));
    }
    for constraint in &pod.spec.topology_spread_constraints {
        let key = &constraint.topology_key;
        let strict = constraint.when_unsatisfiable == UnsatisfiableConstraintAction::DoNotSchedule;
        if strict
            && !state
                .list::<Node>(None)
                .any(|node| node.metadata.labels.contains_key(key))
        {
            told.push(format!(
                "no node has the label {key}: pods of tier {name} wait until one has (skep label node NAME {key}=VALUE)"
            ));
        }
    }
    told
}

fn sample(meta: &ObjectMeta, template: &PodTemplateSpec) -> Pod {
    Pod {
        metadata: ObjectMeta {
            namespace: meta.namespace.clone(),
            labels: template.metadata.labels.clone(),
            ..ObjectMeta::default()
        },
        spec: template.spec.clone(),
        ..Pod::default()
    }
}

fn in_template(error: &FieldError) -> String {
    format!("spec.template.{}: {}", error.field, error.message)
}
