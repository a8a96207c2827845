//! Nodes.

use std::collections::BTreeMap;

use skep_api::{Node, NodeCondition, Pod, Quantity, ResourceList, Taint, Time, well_known};
use skep_state::State;

use super::{labels, lookup, names, page::Page};
use crate::render::{
    age::{age, date},
    cells::or_none,
    table::roles,
};

pub(super) fn node(page: &mut Page, state: &State, node: &Node, now: Time) {
    names(page, &node.metadata);
    page.field(0, "Roles", roles(node));
    labels(page, 0, &node.metadata);
    page.field(0, "CreationTimestamp", date(node.metadata.creation_timestamp));
    page.list(0, "Taints", node.spec.taints.iter().map(taint));
    page.field(0, "Unschedulable", node.spec.unschedulable.to_string());
    conditions(page, &node.status.conditions);
    page.heading(0, "Addresses");
    for address in &node.status.addresses {
        page.field(1, &format!("{:?}", address.r#type), &address.address);
    }
    amounts(page, "Capacity", &node.status.capacity);
    amounts(page, "Allocatable", &node.status.allocatable);
    system_info(page, node);
    page.field_if(0, "PodCIDR", &node.spec.pod_cidr);
    page.field_if(0, "PodCIDRs", node.spec.pod_cidrs.join(","));
    let pods = lookup::pods_on(state, &node.metadata.name);
    pod_table(page, node, &pods, now);
    allocated(page, node, &pods);
    by_tier(page, node, &pods);
}

/// `key=value:NoSchedule`.
pub(super) fn taint(taint: &Taint) -> String {
    let value = if taint.value.is_empty() {
        String::new()
    } else {
        format!("={}", taint.value)
    };
    format!("{}{value}:{:?}", taint.key, taint.effect)
}

fn conditions(page: &mut Page, conditions: &[NodeCondition]) {
    page.heading(0, "Conditions");
    let row = |condition: &NodeCondition| {
        vec![
            format!("{:?}", condition.r#type),
            format!("{:?}", condition.status),
            date(condition.last_heartbeat_time),
            date(condition.last_transition_time),
            condition.reason.clone(),
            condition.message.clone(),
        ]
    };
    let header = [
        "Type",
        "Status",
        "LastHeartbeatTime",
        "LastTransitionTime",
        "Reason",
        "Message",
    ];
    page.table(1, &header, conditions.iter().map(row));
}

fn amounts(page: &mut Page, heading: &str, amounts: &ResourceList) {
    page.heading(0, heading);
    amounts
        .iter()
        .for_each(|(name, amount)| page.field(1, name, amount.to_string()));
}

fn system_info(page: &mut Page, node: &Node) {
    let info = &node.status.node_info;
    page.heading(0, "System Info");
    page.field(1, "Machine ID", &info.machine_id);
    page.field(1, "System UUID", &info.system_uuid);
    page.field(1, "Boot ID", &info.boot_id);
    page.field(1, "Kernel Version", &info.kernel_version);
    page.field(1, "OS Image", &info.os_image);
    page.field(1, "Operating System", &info.operating_system);
    page.field(1, "Architecture", &info.architecture);
    page.field(1, "Container Runtime Version", &info.container_runtime_version);
    page.field(1, "Agent Version", &info.kubelet_version);
}

fn pod_table(page: &mut Page, node: &Node, pods: &[&Pod], now: Time) {
    page.field(0, "Non-terminated Pods", format!("({} in total)", pods.len()));
    let row = |pod: &&Pod| {
        let (requests, limits) = (pod.requests(), pod.spec.limits());
        vec![
            or_none(&pod.metadata.namespace),
            pod.metadata.name.clone(),
            share(node, &requests, "cpu"),
            share(node, &limits, "cpu"),
            share(node, &requests, "memory"),
            share(node, &limits, "memory"),
            age(now, pod.metadata.creation_timestamp),
        ]
    };
    let header = [
        "Namespace",
        "Name",
        "CPU Requests",
        "CPU Limits",
        "Memory Requests",
        "Memory Limits",
        "Age",
    ];
    page.table(1, &header, pods.iter().map(row));
}

fn allocated(page: &mut Page, node: &Node, pods: &[&Pod]) {
    let (mut requests, mut most) = (ResourceList::new(), ResourceList::new());
    for pod in pods {
        add(&mut requests, pod.requests());
        add(&mut most, pod.spec.limits());
    }
    page.heading(0, "Allocated resources");
    page.text(1, "(Total limits may be over 100 percent, i.e., overcommitted.)");
    let always = ["cpu", "memory", "ephemeral-storage"];
    let others = node.status.allocatable.keys().map(String::as_str);
    let others = others.filter(|name| *name != "pods" && !always.contains(name));
    let names = always.into_iter().chain(others);
    let row = |name: &str| {
        vec![
            name.to_owned(),
            share(node, &requests, name),
            share(node, &most, name),
        ]
    };
    page.table(1, &["Resource", "Requests", "Limits"], names.map(row));
}

/// What the pods of each tier ask for, where there are any.
fn by_tier(page: &mut Page, node: &Node, pods: &[&Pod]) {
    let tier = |pod: &Pod| pod.metadata.labels.get(well_known::TIER).cloned();
    if pods.iter().all(|pod| tier(pod).is_none()) {
        return;
    }
    let mut tiers: BTreeMap<Option<String>, (usize, ResourceList)> = BTreeMap::new();
    for pod in pods {
        let (count, requests) = tiers.entry(tier(pod)).or_default();
        *count += 1;
        add(requests, pod.requests());
    }
    page.heading(0, "Allocated by tier");
    let row = |(tier, (count, requests)): (Option<String>, (usize, ResourceList))| {
        vec![
            or_none(tier.unwrap_or_default()),
            count.to_string(),
            share(node, &requests, "cpu"),
            share(node, &requests, "memory"),
        ]
    };
    let header = ["Tier", "Pods", "CPU Requests", "Memory Requests"];
    page.table(1, &header, tiers.into_iter().map(row));
}

fn add(total: &mut ResourceList, amounts: ResourceList) {
    for (name, amount) in amounts {
        *total.entry(name).or_default() += amount;
    }
}

/// `250m (6%)`: an amount, and its share of what pods may ask for; extended resources have no share.
fn share(node: &Node, amounts: &ResourceList, name: &str) -> String {
    let amount = amounts.get(name).copied().unwrap_or_default();
    if !matches!(name, "cpu" | "memory" | "ephemeral-storage") {
        return amount.to_string();
    }
    let all = node.status.allocatable.get(name).copied().unwrap_or_default();
    format!("{amount} ({}%)", percent(amount, all))
}

fn percent(amount: Quantity, all: Quantity) -> i128 {
    match i128::from(all.millis()) {
        0 => 0,
        all => i128::from(amount.millis()) * 100 / all,
    }
}
