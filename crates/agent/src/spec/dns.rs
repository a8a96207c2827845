//! Where names are looked up. There is no cluster DNS: ClusterFirst looks where the node looks.

use std::net::IpAddr;

use skep_api::{DnsPolicy, Pod, PodDnsConfig};

/// Name servers, search domains and resolver options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dns {
    /// Addresses of name servers.
    pub nameservers: Vec<String>,
    /// Domains to search.
    pub searches: Vec<String>,
    /// Options, such as `ndots:5`.
    pub options: Vec<String>,
}

impl Dns {
    /// From the text of a `resolv.conf`. What is not understood is left out, as resolvers do.
    pub fn parse(resolv_conf: &str) -> Self {
        let mut dns = Self::default();
        for line in resolv_conf.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => dns.nameservers.extend(words.next().map(str::to_owned)),
                Some("search" | "domain") => dns.searches = words.map(str::to_owned).collect(),
                Some("options") => dns.options.extend(words.map(str::to_owned)),
                _ => {}
            }
        }
        dns
    }
}

/// In the engine's terms; empty lists leave the choice to the engine, which looks where the node looks.
pub(super) fn for_pod(pod: &Pod, node: &Dns) -> (Vec<String>, Vec<String>, Vec<String>) {
    let nothing = PodDnsConfig::default();
    let config = pod.spec.dns_config.as_deref().unwrap_or(&nothing);
    let options = config.options.iter().map(|option| match &option.value {
        Some(value) => format!("{}:{value}", option.name),
        None => option.name.clone(),
    });
    if pod.spec.dns_policy == DnsPolicy::None {
        // A lone dot keeps the engine from adding the node's domains.
        let searches = if config.searches.is_empty() {
            vec![".".to_owned()]
        } else {
            config.searches.clone()
        };
        return (config.nameservers.clone(), searches, options.collect());
    }
    let own = usable_servers(node, pod.spec.host_network);
    (
        after(own, config.nameservers.clone()),
        after(node.searches.clone(), config.searches.clone()),
        merge_options(&node.options, options.collect()),
    )
}

/// The node's, then the pod's; nothing where the pod has none to add.
fn after(node: Vec<String>, pod: Vec<String>) -> Vec<String> {
    if pod.is_empty() {
        return Vec::new();
    }
    let mut all: Vec<String> = Vec::with_capacity(node.len() + pod.len());
    for entry in node.into_iter().chain(pod) {
        if !all.contains(&entry) {
            all.push(entry);
        }
    }
    all
}

/// The pod's options win over the node's of the same name.
fn merge_options(node: &[String], pod: Vec<String>) -> Vec<String> {
    let name = |option: &str| option.split(':').next().unwrap_or_default().to_owned();
    let others = node
        .iter()
        .filter(|own| !pod.iter().any(|option| name(option) == name(own)));
    after(others.cloned().collect(), pod)
}

/// A resolver on the node's loopback cannot be reached from a pod's own network.
fn usable_servers(node: &Dns, host_network: bool) -> Vec<String> {
    let reachable = |server: &&String| {
        host_network
            || !server
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    };
    node.nameservers.iter().filter(reachable).cloned().collect()
}
