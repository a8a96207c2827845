//! The disruption budget that each workload of a tier gets, where none of its owner's selects its pods.

use skep_api::{
    Kind, LabelSelector, Namespace, Object, ObjectKey, ObjectMeta, OwnerReference, PodDisruptionBudget,
    PodDisruptionBudgetSpec, PodTemplateSpec, Resource, WorkloadTier, well_known,
};
use skep_state::{Change, DeleteOptions, State, StateEvent};

use crate::{Context, Controller, EventNote, Reconciled, pods::dependents};

const NAME: &str = "tier-budget-controller";

/// Gives workloads of a tier their budgets. Its keys are uids of workloads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TierBudgetController;

impl Controller for TierBudgetController {
    fn name(&self) -> &'static str {
        NAME
    }

    fn wakes(&self, state: &State, event: &StateEvent) -> Vec<ObjectKey> {
        match event.kind {
            Kind::Deployment | Kind::ReplicaSet => {
                let facts = |object: &Object| {
                    workload(object)
                        .map(|(template, selector)| (template.metadata.labels.clone(), selector.clone()))
                };
                let before = event.before.as_deref().map(facts);
                let after = event
                    .after
                    .as_deref()
                    .filter(|after| before != Some(facts(after)));
                after
                    .map(|object| ObjectKey::cluster(&object.meta().uid))
                    .into_iter()
                    .collect()
            }
            Kind::WorkloadTier => uids(state, None),
            Kind::PodDisruptionBudget => {
                let specs = |object: Option<&Object>| {
                    object
                        .and_then(PodDisruptionBudget::from_object)
                        .map(|budget| budget.spec.clone())
                };
                if specs(event.before.as_deref()) == specs(event.after.as_deref()) {
                    return Vec::new();
                }
                uids(state, Some(&event.key.namespace))
            }
            _ => Vec::new(),
        }
    }

    fn all(&self, state: &State) -> Vec<ObjectKey> {
        uids(state, None)
    }

    fn reconcile(&self, ctx: &Context<'_>, key: &ObjectKey) -> Reconciled {
        let mut result = Reconciled::default();
        let Some(object) = ctx.state.by_uid(&key.name) else {
            return result;
        };
        let wanted = wanted(ctx.state, object);
        let mine: Vec<&PodDisruptionBudget> = dependents(ctx.state, &key.name).collect();
        match (mine.first(), wanted) {
            (None, Some(budget)) => create(ctx, object, budget, &mut result),
            (Some(mine), Some(budget)) if mine.spec != budget.spec => {
                result.changes.push(Change::update(PodDisruptionBudget {
                    spec: budget.spec,
                    ..(*mine).clone()
                }));
            }
            (Some(_), None) => {
                for budget in &mine {
                    let object = Object::from((*budget).clone());
                    result
                        .changes
                        .push(Change::delete(&object, DeleteOptions::default()));
                }
            }
            _ => {}
        }
        result
    }
}

/// Workloads that belong to a tier, by uid.
fn uids(state: &State, namespace: Option<&str>) -> Vec<ObjectKey> {
    let kinds = [Kind::Deployment, Kind::ReplicaSet].into_iter();
    let objects = kinds.flat_map(|kind| state.objects(kind, namespace));
    let tiered = objects.filter(|object| {
        workload(object).is_some_and(|(template, _)| template.metadata.labels.contains_key(well_known::TIER))
    });
    tiered
        .map(|object| ObjectKey::cluster(&object.meta().uid))
        .collect()
}

/// Template and selector of a workload that nobody else manages.
fn workload(object: &Object) -> Option<(&PodTemplateSpec, &LabelSelector)> {
    if object.meta().controller().is_some() {
        return None;
    }
    match object {
        Object::Deployment(owner) => Some((&owner.spec.template, &owner.spec.selector)),
        Object::ReplicaSet(owner) => Some((&owner.spec.template, &owner.spec.selector)),
        _ => None,
    }
}

/// The budget that the workload should have from its tier.
fn wanted(state: &State, object: &Object) -> Option<PodDisruptionBudget> {
    let meta = object.meta();
    let (template, selector) = workload(object).filter(|_| !meta.is_deleting())?;
    let labels = &template.metadata.labels;
    let tier = state.get::<WorkloadTier>(&ObjectKey::cluster(labels.get(well_known::TIER)?))?;
    let bounds = tier.spec.disruption_budget.clone()?;
    let others = state.list::<PodDisruptionBudget>(Some(&meta.namespace));
    let mut others = others.filter(|budget| !is_from_tier(budget) && !budget.metadata.is_deleting());
    if others.any(|budget| budget.selects(labels)) {
        return None;
    }
    let metadata = ObjectMeta {
        name: format!("{}-{}", object.kind().singular(), meta.name),
        namespace: meta.namespace.clone(),
        labels: [(well_known::TIER.to_owned(), tier.metadata.name.clone())].into(),
        owner_references: vec![OwnerReference::controller_of(object.kind(), meta)],
        ..ObjectMeta::default()
    };
    Some(PodDisruptionBudget {
        metadata,
        spec: PodDisruptionBudgetSpec {
            min_available: bounds.min_available,
            max_unavailable: bounds.max_unavailable,
            selector: Some(selector.clone()),
            ..PodDisruptionBudgetSpec::default()
        },
        ..PodDisruptionBudget::default()
    })
}

/// Budgets of this controller have a workload as their owner.
fn is_from_tier(budget: &PodDisruptionBudget) -> bool {
    budget.metadata.controller().is_some()
}

fn create(ctx: &Context<'_>, workload: &Object, budget: PodDisruptionBudget, result: &mut Reconciled) {
    let namespace = ctx
        .state
        .get::<Namespace>(&ObjectKey::cluster(&budget.metadata.namespace));
    if namespace.is_none_or(|namespace| namespace.metadata.is_deleting()) {
        return;
    }
    if ctx
        .state
        .object(Kind::PodDisruptionBudget, &budget.key())
        .is_some()
    {
        // Somebody has a budget of that name that selects other pods: it is left alone.
        let message = format!(
            "The tier's disruption budget is not made: there is another PodDisruptionBudget {} that selects none of these pods",
            budget.metadata.name
        );
        result.events.extend(match workload {
            Object::Deployment(owner) => Some(EventNote::warning(
                &**owner,
                NAME,
                "TierBudgetNotCreated",
                message,
            )),
            Object::ReplicaSet(owner) => Some(EventNote::warning(
                &**owner,
                NAME,
                "TierBudgetNotCreated",
                message,
            )),
            _ => None,
        });
        return;
    }
    result.changes.push(Change::create(budget));
}
