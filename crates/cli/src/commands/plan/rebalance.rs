//! `skep plan --rebalance`: which pods would be moved, and what holds moves back.

use std::process::ExitCode;

use skep_api::proto::{HeldMove, PlanRebalanceRequest, PlanRebalanceResponse, PlannedMove};

use super::name;
use crate::{
    context::Context,
    output::{self, Table},
};

/// Asks the server and shows what it says.
pub(super) async fn run(ctx: &Context) -> anyhow::Result<ExitCode> {
    let request = PlanRebalanceRequest {};
    let plan = ctx.client().await?.plan_rebalance(request).await?.into_inner();
    output::write(&text(&plan))?;
    Ok(ExitCode::SUCCESS)
}

fn text(plan: &PlanRebalanceResponse) -> String {
    let mut text = switched(plan);
    if plan.moves.is_empty() && plan.held.is_empty() {
        return text + "No pod would be better off elsewhere.\n";
    }
    if !plan.moves.is_empty() {
        let mut table = Table::new(["POD", "FROM", "TO", "WHEN", "WHY"]);
        plan.moves.iter().for_each(|one| table.push(moved(one)));
        text += &format!("\nMoves:\n{}", table.render());
    }
    if !plan.held.is_empty() {
        let mut table = Table::new(["POD", "NODE", "HELD BACK BY", "WHY"]);
        plan.held.iter().for_each(|one| table.push(held(one)));
        text += &format!("\nStay where they are:\n{}", table.render());
    }
    text
}

fn switched(plan: &PlanRebalanceResponse) -> String {
    if plan.everywhere {
        return "Rebalancing is on in all namespaces that do not say skep.io/rebalance=false.\n".to_owned();
    }
    if plan.namespaces.is_empty() {
        return "Rebalancing is off: `skep annotate namespace NAME skep.io/rebalance=true` turns it on for one namespace, \
                `skep server --rebalance` for all.\n"
            .to_owned();
    }
    format!("Rebalancing is on in: {}.\n", plan.namespaces.join(", "))
}

fn moved(one: &PlannedMove) -> Vec<String> {
    let when = match (one.since.as_str(), one.held_by.as_str()) {
        ("", "") => "now".to_owned(),
        ("", held_by) => format!("later: {held_by}"),
        (since, _) => format!("since {since}"),
    };
    vec![
        name(one.pod.as_ref()),
        one.from.clone(),
        one.to.clone(),
        when,
        one.why.clone(),
    ]
}

fn held(one: &HeldMove) -> Vec<String> {
    vec![
        name(one.pod.as_ref()),
        one.node.clone(),
        one.held_by.clone(),
        one.why.clone(),
    ]
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use skep_api::proto::ObjectRef;

    use super::*;

    fn pod(namespace: &str, name: &str) -> Option<ObjectRef> {
        Some(ObjectRef {
            kind: "Pod".to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }

    #[test]
    fn the_plan_says_what_goes_where_and_what_stays() {
        let one = |pod, since: &str, held_by: &str| PlannedMove {
            pod,
            from: "n1".to_owned(),
            to: "n2".to_owned(),
            why: "n1 lacks the label disk=ssd".to_owned(),
            since: since.to_owned(),
            held_by: held_by.to_owned(),
            ..PlannedMove::default()
        };
        let plan = PlanRebalanceResponse {
            namespaces: vec!["default".to_owned()],
            moves: vec![
                one(pod("default", "web-1"), "2026-01-01T00:00:00Z", ""),
                one(pod("default", "web-2"), "", ""),
                one(pod("shop", "web-3"), "", "rebalancing is off here"),
            ],
            held: vec![HeldMove {
                pod: pod("default", "alone"),
                node: "n1".to_owned(),
                why: "n1 lacks the label disk=ssd".to_owned(),
                held_by: "nobody makes it again".to_owned(),
            }],
            ..PlanRebalanceResponse::default()
        };
        expect![[r#"
            Rebalancing is on in: default.

            Moves:
            POD                 FROM   TO   WHEN                             WHY
            pod/web-1           n1     n2   since 2026-01-01T00:00:00Z       n1 lacks the label disk=ssd
            pod/web-2           n1     n2   now                              n1 lacks the label disk=ssd
            pod/web-3 in shop   n1     n2   later: rebalancing is off here   n1 lacks the label disk=ssd

            Stay where they are:
            POD         NODE   HELD BACK BY            WHY
            pod/alone   n1     nobody makes it again   n1 lacks the label disk=ssd
        "#]]
        .assert_eq(&text(&plan));
    }

    #[test]
    fn where_it_is_off_it_says_how_to_turn_it_on() {
        let told = text(&PlanRebalanceResponse::default());
        assert!(
            told.contains("skep.io/rebalance=true") && told.contains("--rebalance"),
            "{told}"
        );
        assert!(told.contains("No pod would be better off elsewhere"), "{told}");
    }
}
