//! Pods.

use skep_api::{Pod, Time, Toleration, TolerationOperator, well_known};
use skep_controllers::Moving;
use skep_state::State;

use super::{NONE, container, controlled_by, events::placed_at, labels, names, page::Page, volume, waiting};
use crate::render::{age::date, cells::or_none, table::pod_status};

pub(super) fn pod(page: &mut Page, state: &State, pod: &Pod, now: Time) {
    let (meta, spec, status) = (&pod.metadata, &pod.spec, &pod.status);
    names(page, meta);
    let node = match (spec.node_name.as_str(), status.host_ip.as_str()) {
        ("", _) => NONE.to_owned(),
        (node, "") => node.to_owned(),
        (node, ip) => format!("{node}/{ip}"),
    };
    if let Some(class) = spec.priority {
        page.field(0, "Priority", class.to_string());
    }
    page.field_if(0, "Priority Class Name", &spec.priority_class_name);
    page.field(0, "Node", node);
    page.field_if(0, "Scheduled", date(placed_at(pod)));
    page.field_if(0, "Nominated Node", &status.nominated_node_name);
    if let Some(moving) = Moving::of(pod) {
        page.field(0, "Moves To", format!("{}: {}", moving.to, moving.why));
    }
    tier(page, pod);
    page.field_if(0, "Start Time", date(status.start_time));
    labels(page, 0, meta);
    if meta.is_deleting() {
        page.field(
            0,
            "Status",
            format!("Terminating (until {})", date(meta.deletion_timestamp)),
        );
        let grace = meta.deletion_grace_period_seconds.unwrap_or_default();
        page.field(0, "Termination Grace Period", format!("{grace}s"));
    } else {
        page.field(0, "Status", or_none(pod_status(pod)));
    }
    page.field_if(0, "Reason", &status.reason);
    page.field_if(0, "Message", &status.message);
    let waits = waiting::pod(state, pod, now);
    if !waits.is_empty() {
        page.list(0, "Waiting for", waits);
    }
    page.field(0, "IP", or_none(&status.pod_ip));
    page.list(0, "IPs", status.pod_ips.iter().map(|ip| &ip.ip));
    controlled_by(page, meta);
    body(page, pod);
}

/// The pod's tier, and what it has from it.
fn tier(page: &mut Page, pod: &Pod) {
    let meta = &pod.metadata;
    page.field_if(
        0,
        "Tier",
        meta.labels.get(well_known::TIER).map_or("", String::as_str),
    );
    let filled = meta.annotations.get(well_known::TIER_FILLED);
    if let Some(filled) = filled {
        page.list(0, "From Tier", filled.split(", "));
    }
}

fn body(page: &mut Page, pod: &Pod) {
    let (spec, status) = (&pod.spec, &pod.status);
    container::containers(
        page,
        0,
        "Init Containers",
        &spec.init_containers,
        &status.init_container_statuses,
    );
    container::containers(
        page,
        0,
        "Containers",
        &spec.containers,
        &status.container_statuses,
    );
    if !status.conditions.is_empty() {
        page.heading(0, "Conditions");
        page.cells(1, ["Type", "Status"]);
        for condition in &status.conditions {
            page.cells(1, [condition.r#type.clone(), format!("{:?}", condition.status)]);
        }
    }
    volume::volumes(page, 0, &spec.volumes);
    page.field(
        0,
        "QoS Class",
        format!("{:?}", status.qos_class.unwrap_or_else(|| spec.qos_class())),
    );
    placement(page, 0, pod);
}

fn placement(page: &mut Page, level: usize, pod: &Pod) {
    let selectors = pod
        .spec
        .node_selector
        .iter()
        .map(|(key, value)| format!("{key}={value}"));
    page.list(level, "Node-Selectors", selectors);
    let spread = pod.spec.topology_spread_constraints.iter().map(|one| {
        format!(
            "{} within {}, {:?}",
            one.topology_key, one.max_skew, one.when_unsatisfiable
        )
    });
    if !pod.spec.topology_spread_constraints.is_empty() {
        page.list(level, "Topology Spread", spread);
    }
    page.list(level, "Tolerations", pod.spec.tolerations.iter().map(toleration));
}

/// `key=value:NoSchedule op=Exists for 300s`.
fn toleration(toleration: &Toleration) -> String {
    let mut text = toleration.key.clone();
    if !toleration.value.is_empty() {
        text += &format!("={}", toleration.value);
    }
    if let Some(effect) = toleration.effect {
        text += &format!(":{effect:?}");
    }
    if toleration.operator == TolerationOperator::Exists {
        text += if text.is_empty() {
            "op=Exists"
        } else {
            " op=Exists"
        };
    }
    if let Some(seconds) = toleration.toleration_seconds {
        text += &format!(" for {seconds}s");
    }
    text
}
