//! What will become of the pods of a workload, told to its author before the first of them is made.

use skep_api::{
    FieldError, LabelSelector, Node, NodePool, Object, ObjectKey, ObjectMeta, Pod, PodSpec, PodTemplateSpec,
    PriorityClass, UnsatisfiableConstraintAction, WorkloadTier, well_known,
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
            let tier = tier_of(state, &pod.metadata);
            let obstacles = tier.map_or(Vec::new(), |tier| obstacles(state, tier, pod));
            return Ok(missing_node(state, &pod.spec, "spec")
                .into_iter()
                .chain(obstacles)
                .collect());
        }
        Object::WorkloadTier(tier) => return Ok(of_tier(state, tier)),
        Object::PriorityClass(class) => return Ok(second_default(state, class).into_iter().collect()),
        _ => return Ok(Vec::new()),
    };
    let mut told: Vec<String> = missing_node(state, &template.spec, "spec.template.spec")
        .into_iter()
        .collect();
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

/// What a tier names that is not there.
fn of_tier(state: &State, tier: &WorkloadTier) -> Vec<String> {
    let (name, spec) = (&tier.metadata.name, &tier.spec);
    let mut told = Vec::new();
    let class = &spec.priority_class_name;
    if !class.is_empty() && state.get::<PriorityClass>(&ObjectKey::cluster(class)).is_none() {
        told.push(format!(
            "{}; pods of tier {name} cannot be created until there is one",
            priority::unknown(state, class)
        ));
    }
    let pool = &spec.node_pool;
    if !pool.is_empty()
        && state.get::<NodePool>(&ObjectKey::cluster(pool)).is_none()
        && !has_members(state, pool)
    {
        told.push(format!(
            "spec.nodePool: there is no pool `{pool}` and no node in it: pods of tier {name} wait until one is (skep agent \
             --pool {pool}, or skep label node NAME {}={pool})",
            well_known::POOL
        ));
    }
    told
}

/// Of several classes for pods that name none, the least one counts.
fn second_default(state: &State, class: &PriorityClass) -> Option<String> {
    let name = &class.metadata.name;
    let others = state.list::<PriorityClass>(None);
    let other = others
        .filter(|other| other.global_default && other.metadata.name != *name)
        .min_by_key(|other| other.value)
        .filter(|_| class.global_default)?;
    let least = if class.value < other.value {
        name
    } else {
        &other.metadata.name
    };
    Some(format!(
        "globalDefault: `{}` is the class of pods that name none already: of several the one of the least value counts, which is \
         `{least}`; set globalDefault: false in the others",
        other.metadata.name
    ))
}

/// A pod that names a node which is not there is removed at once, as if the node had gone.
fn missing_node(state: &State, spec: &PodSpec, path: &str) -> Option<String> {
    let node = &spec.node_name;
    let missing = !node.is_empty() && state.get::<Node>(&ObjectKey::cluster(node)).is_none();
    missing.then(|| {
        format!(
            "{path}.nodeName: there is no node `{node}`: the pod is removed at once; leave the field out to have a node chosen, \
             or name one of skep get nodes"
        )
    })
}

fn has_members(state: &State, pool: &str) -> bool {
    let label = |node: &Node| {
        node.metadata
            .labels
            .get(well_known::POOL)
            .is_some_and(|label| label == pool)
    };
    state.list::<Node>(None).any(label)
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
    if selects && !has_members(state, pool) {
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
