//! What a pod gets from its tier.

use skep_api::{
    FieldError, LabelSelector, NodePool, ObjectKey, ObjectMeta, Pod, PodSpec, Reason, ReplicaSet, Resource,
    Toleration, TolerationOperator, TopologySpreadConstraint, WorkloadTier, well_known,
};
use skep_state::State;

/// The label that tells the pods of a deployment's revisions apart.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// The tier that the labels name.
pub(super) fn name(meta: &ObjectMeta) -> Option<&str> {
    meta.labels.get(well_known::TIER).map(String::as_str)
}

/// The pod's tier; `None` where it names none.
pub(super) fn of_pod<'a>(state: &'a State, pod: &Pod) -> Result<Option<&'a WorkloadTier>, FieldError> {
    let label = format!("metadata.labels[{}]", well_known::TIER);
    name(&pod.metadata)
        .map(|name| find(state, name, &label))
        .transpose()
}

/// The tier of this name; `place` is where the name stands.
pub(super) fn find<'a>(state: &'a State, name: &str, place: &str) -> Result<&'a WorkloadTier, FieldError> {
    state
        .get::<WorkloadTier>(&ObjectKey::cluster(name))
        .ok_or_else(|| {
            let tiers: Vec<&str> = state
                .list::<WorkloadTier>(None)
                .map(|tier| tier.metadata.name.as_str())
                .collect();
            let known = match tiers.as_slice() {
                [] => "it has none; create a WorkloadTier".to_owned(),
                tiers => format!("write one of {}", tiers.join(", ")),
            };
            FieldError::new(
                place,
                Reason::Invalid,
                format!("`{name}` is not a tier of this cluster: {known}"),
            )
        })
}

/// What selects the pods that are spread together with this one: its owner's selector, or else its own labels.
pub(super) fn selector_of(state: &State, pod: &Pod) -> LabelSelector {
    let owner = pod
        .metadata
        .controller()
        .and_then(|owner| state.by_uid(&owner.uid));
    match owner.and_then(|owner| ReplicaSet::from_object(owner)) {
        Some(set) => set.spec.selector.clone(),
        None => LabelSelector {
            match_labels: pod.metadata.labels.clone(),
            ..LabelSelector::default()
        },
    }
}

/// Fills in priority class, pool, tolerations of the pool's taints and spreading; what was filled in, in words.
pub(super) fn placement(
    state: &State,
    tier: &WorkloadTier,
    pod: &mut Pod,
    selector: LabelSelector,
) -> Vec<String> {
    let mut filled = Vec::new();
    let (spec, wanted) = (&mut pod.spec, &tier.spec);
    if spec.priority_class_name.is_empty()
        && spec.priority.is_none()
        && !wanted.priority_class_name.is_empty()
    {
        spec.priority_class_name.clone_from(&wanted.priority_class_name);
        filled.push(format!("priorityClassName={}", wanted.priority_class_name));
    }
    if !wanted.node_pool.is_empty() && is_open(spec) {
        let (key, pool) = (well_known::POOL.to_owned(), wanted.node_pool.clone());
        filled.push(format!("nodeSelector[{key}]={pool}"));
        spec.node_selector.insert(key, pool);
        filled.extend(tolerations(state, &wanted.node_pool, spec));
    }
    if let Some(spread) = &wanted.spread
        && !says_where(spec)
        && let Some(constraint) = constraint(spread, selector, &pod.metadata)
    {
        filled.push(format!(
            "topologySpreadConstraints[{}]={:?}",
            spread.topology_key, spread.when_unsatisfiable
        ));
        pod.spec.topology_spread_constraints.push(constraint);
    }
    filled
}

/// Fills in the requests of containers that state a limit and no request.
pub(super) fn requests(tier: &WorkloadTier, pod: &mut Pod) -> Vec<String> {
    let percent = tier
        .spec
        .requests_percent_of_limits
        .and_then(|percent| u32::try_from(percent).ok());
    let Some(percent) = percent else { return Vec::new() };
    let mut filled = Vec::new();
    let spec = &mut *pod.spec;
    for container in spec.init_containers.iter_mut().chain(&mut spec.containers) {
        let resources = &mut container.resources;
        let mut amounts = Vec::new();
        for (resource, limit) in &resources.limits {
            // Extended resources are given whole: their requests equal their limits.
            if resource.contains('/') || resources.requests.contains_key(resource) {
                continue;
            }
            let amount = limit.percent(percent, resource != "cpu");
            amounts.push(format!("{resource} {amount}"));
            resources.requests.insert(resource.clone(), amount);
        }
        if !amounts.is_empty() {
            filled.push(format!("{}.requests={}", container.name, amounts.join(" ")));
        }
    }
    filled
}

/// Says on the pod what its tier has filled in.
pub(super) fn note(pod: &mut Pod, filled: &[String]) {
    if !filled.is_empty() {
        let annotations = &mut pod.metadata.annotations;
        annotations.insert(well_known::TIER_FILLED.to_owned(), filled.join(", "));
    }
}

/// The same for people who look at what they have written.
pub(super) fn told(tier: &str, what: &str, filled: &[String]) -> Option<String> {
    (!filled.is_empty()).then(|| format!("tier {tier} gives the {what}: {}", filled.join(", ")))
}

/// True where the pod has not chosen its nodes itself.
fn is_open(spec: &PodSpec) -> bool {
    const CHOICES: [&str; 2] = [well_known::POOL, well_known::HOSTNAME];
    let affinity = spec
        .affinity
        .as_ref()
        .and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity.and_then(|affinity| {
        affinity
            .required_during_scheduling_ignored_during_execution
            .as_ref()
    });
    let terms = required.iter().flat_map(|required| &required.node_selector_terms);
    let mut chosen = terms.flat_map(|term| term.match_expressions.iter().chain(&term.match_fields));
    spec.node_name.is_empty()
        && !CHOICES.iter().any(|key| spec.node_selector.contains_key(*key))
        && !chosen.any(|one| CHOICES.contains(&one.key.as_str()) || one.key == "metadata.name")
}

fn tolerations(state: &State, pool: &str, spec: &mut PodSpec) -> Vec<String> {
    let Some(pool) = state.get::<NodePool>(&ObjectKey::cluster(pool)) else {
        return Vec::new();
    };
    let mut filled = Vec::new();
    for taint in &pool.spec.taints {
        if spec
            .tolerations
            .iter()
            .any(|toleration| toleration.tolerates(taint))
        {
            continue;
        }
        filled.push(format!(
            "tolerations[{}={}:{:?}]",
            taint.key, taint.value, taint.effect
        ));
        spec.tolerations.push(Toleration {
            key: taint.key.clone(),
            operator: TolerationOperator::Equal,
            value: taint.value.clone(),
            effect: Some(taint.effect),
            ..Toleration::default()
        });
    }
    filled
}

/// True where the pod says itself how it is spread, or near and away from which pods it goes.
fn says_where(spec: &PodSpec) -> bool {
    let between_pods = spec
        .affinity
        .as_ref()
        .is_some_and(|affinity| affinity.pod_affinity.is_some() || affinity.pod_anti_affinity.is_some());
    between_pods || !spec.topology_spread_constraints.is_empty()
}

/// `None` for a pod without labels: there is nothing to tell it from others by.
fn constraint(
    spread: &skep_api::TierSpread,
    mut selector: LabelSelector,
    meta: &ObjectMeta,
) -> Option<TopologySpreadConstraint> {
    selector.match_labels.remove(TEMPLATE_HASH);
    selector.match_labels.remove(well_known::TIER);
    if selector.is_empty() {
        return None;
    }
    let revisions = meta
        .labels
        .contains_key(TEMPLATE_HASH)
        .then(|| TEMPLATE_HASH.to_owned());
    Some(TopologySpreadConstraint {
        max_skew: spread.max_skew,
        topology_key: spread.topology_key.clone(),
        when_unsatisfiable: spread.when_unsatisfiable,
        label_selector: Some(selector),
        match_label_keys: revisions.into_iter().collect(),
        ..TopologySpreadConstraint::default()
    })
}
