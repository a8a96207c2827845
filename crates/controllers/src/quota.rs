//! Quotas: what there is of what they bound, for people to see. The state itself counts, and refuses what goes beyond.

use skep_api::{
    Condition, ConditionStatus, Kind, ObjectKey, Quantity, Resource, ResourceQuota, ResourceQuotaStatus,
};
use skep_state::{Change, State, StateEvent};

use crate::{Context, Controller, Reconciled};

const EXCEEDED: &str = "Exceeded";

/// Keeps the status of each quota.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QuotaController;

impl Controller for QuotaController {
    fn name(&self) -> &'static str {
        "resourcequota-controller"
    }

    fn wakes(&self, state: &State, event: &StateEvent) -> Vec<ObjectKey> {
        if state.count(Kind::ResourceQuota) == 0 || !event.kind.namespaced() {
            return Vec::new();
        }
        let quotas = state.list::<ResourceQuota>(Some(&event.key.namespace));
        quotas
            .filter(|quota| is_behind(state, quota))
            .map(Resource::key)
            .collect()
    }

    fn all(&self, state: &State) -> Vec<ObjectKey> {
        state.list::<ResourceQuota>(None).map(Resource::key).collect()
    }

    fn reconcile(&self, ctx: &Context<'_>, key: &ObjectKey) -> Reconciled {
        let mut result = Reconciled::default();
        let Some(quota) = ctx.state.get::<ResourceQuota>(key) else {
            return result;
        };
        if !is_behind(ctx.state, quota) {
            return result;
        }
        let mut status = ResourceQuotaStatus {
            hard: quota.spec.hard.clone(),
            used: ctx.state.quota_used(key),
            conditions: quota.status.conditions.clone(),
        };
        let over = exceeded(&status);
        if over.is_empty() {
            status.conditions.retain(|condition| condition.r#type != EXCEEDED);
        } else {
            let message = format!(
                "there is more than there may be: {}; what is there stays, and nothing is added until it is less",
                over.join(", ")
            );
            let condition = Condition {
                last_transition_time: Some(ctx.now),
                ..Condition::new(EXCEEDED, ConditionStatus::True, "QuotaBelowUse", message)
            };
            Condition::set(&mut status.conditions, condition);
        }
        result.changes.push(Change::update_status(ResourceQuota {
            status,
            ..quota.clone()
        }));
        result
    }
}

fn is_behind(state: &State, quota: &ResourceQuota) -> bool {
    quota.status.hard != quota.spec.hard || quota.status.used != state.quota_used(&quota.key())
}

/// `cpu 3 of 2`, for each of which there is too much.
fn exceeded(status: &ResourceQuotaStatus) -> Vec<String> {
    let used = |name: &String| status.used.get(name).copied().unwrap_or_default();
    let over = status
        .hard
        .iter()
        .filter(|(name, hard): &(&String, &Quantity)| used(name) > **hard);
    over.map(|(name, hard)| format!("{name} {} of {hard}", used(name)))
        .collect()
}
