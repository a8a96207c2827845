//! Which pods rebalancing would move, and what holds moves back.

use skep_api::{
    Kind,
    proto::{HeldMove, PlanRebalanceResponse, PlannedMove},
};
use skep_controllers::{Held, Move, RebalancePlan, rebalance_plan};

use super::plan::reference;
use crate::{clock::now, core::Core, failure::Failure};

/// What rebalancing would do now.
pub(crate) async fn plan_rebalance(core: &Core) -> Result<PlanRebalanceResponse, Failure> {
    let (state, settings) = (core.read(false).await?, core.settings.clone());
    // A large cluster takes a while; others are served meanwhile.
    let planned = tokio::task::spawn_blocking(move || rebalance_plan(&state, &settings, now()));
    planned
        .await
        .map(response)
        .map_err(|error| Failure::Internal(error.to_string()))
}

fn response(plan: RebalancePlan) -> PlanRebalanceResponse {
    let under_way = plan.under_way.into_iter().map(|(pod, from, moving)| PlannedMove {
        pod: Some(reference(Kind::Pod, &pod)),
        owner: None,
        from,
        to: moving.to,
        why: moving.why,
        since: moving.since.to_string(),
        held_by: String::new(),
    });
    PlanRebalanceResponse {
        everywhere: plan.namespaces.is_none(),
        namespaces: plan.namespaces.unwrap_or_default(),
        moves: under_way.chain(plan.moves.into_iter().map(planned)).collect(),
        held: plan.held.into_iter().map(held).collect(),
    }
}

fn planned(one: Move) -> PlannedMove {
    PlannedMove {
        pod: Some(reference(Kind::Pod, &one.pod)),
        owner: Some(reference(one.owner.0, &one.owner.1)),
        from: one.from,
        to: one.to,
        why: one.why,
        since: String::new(),
        held_by: one.held_by,
    }
}

fn held(one: Held) -> HeldMove {
    HeldMove {
        pod: Some(reference(Kind::Pod, &one.pod)),
        node: one.node,
        why: one.why,
        held_by: one.by,
    }
}
