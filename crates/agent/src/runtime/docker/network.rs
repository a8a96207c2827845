//! The bridge that pods live on.

use std::{collections::HashMap, net::Ipv4Addr};

use bollard::{
    Docker as Client,
    models::{Ipam, IpamConfig, NetworkCreateRequest, NetworkInspect},
    query_parameters::{InspectNetworkOptions, ListNetworksOptions},
};
use sha2::{Digest, Sha256};

use super::error;
use crate::runtime::{Network, RuntimeError};

/// Longest name of a network interface.
const INTERFACE_NAME_MAX: usize = 15;

/// Makes it. One of this name that differs is made anew, unless containers are on it.
pub(super) async fn ensure(client: &Client, wanted: &Network) -> Result<(), RuntimeError> {
    match client
        .inspect_network(&wanted.name, None::<InspectNetworkOptions>)
        .await
    {
        Ok(found) if is_as_wanted(&found, wanted) => return Ok(()),
        Ok(found) => replace(client, &found, wanted).await?,
        Err(failure) if error::is_not_found(&failure) => {}
        Err(failure) => return Err(error::from(failure)),
    }
    match client.create_network(request(wanted)).await {
        Ok(_) => Ok(()),
        Err(failure) if error::status(&failure) == Some(409) => Ok(()),
        Err(failure) => Err(explain(client, wanted, error::from(failure)).await),
    }
}

/// Removes it unless containers are on it.
pub(super) async fn remove(client: &Client, name: &str) -> Result<(), RuntimeError> {
    match client.remove_network(name).await {
        Err(failure) if !error::is_not_found(&failure) => Err(error::from(failure)),
        _ => Ok(()),
    }
}

/// Names the network that holds the addresses, which the engine does not.
async fn explain(client: &Client, wanted: &Network, failure: RuntimeError) -> RuntimeError {
    let RuntimeError::Engine(words) = failure else {
        return failure;
    };
    let all = client.list_networks(None::<ListNetworksOptions>).await;
    let all = all.unwrap_or_default();
    let holder = all.iter().find_map(|network| {
        let configs = network.ipam.iter().flat_map(|ipam| ipam.config.iter().flatten());
        let mut subnets = configs.filter_map(|config| config.subnet.as_deref());
        let overlap = subnets.find(|subnet| overlap(subnet, &wanted.cidr))?;
        Some((network.name.as_deref()?, overlap))
    });
    RuntimeError::Engine(match holder {
        Some((name, subnet)) => format!(
            "{words}: the network {name} has {subnet}, and this node's pods are to have {cidr}; remove it (docker network \
             rm {name}), or delete the node and start it again with another --pod-cidr",
            cidr = wanted.cidr
        ),
        None => format!(
            "{words}: this node's pods are to have {}, which something on this machine uses; give it up, or delete the \
             node and start it again with another --pod-cidr",
            wanted.cidr
        ),
    })
}

/// Whether two IPv4 blocks have addresses in common.
fn overlap(one: &str, other: &str) -> bool {
    let (Some(one), Some(other)) = (block(one), block(other)) else {
        return false;
    };
    one.0 <= other.1 && other.0 <= one.1
}

/// First and last address.
fn block(cidr: &str) -> Option<(u32, u32)> {
    let (address, prefix) = cidr.split_once('/')?;
    let prefix = prefix.parse::<u32>().ok().filter(|prefix| *prefix <= 32)?;
    let hosts = u32::MAX.checked_shr(prefix).unwrap_or(0);
    let address = u32::from(address.parse::<Ipv4Addr>().ok()?);
    Some((address & !hosts, address | hosts))
}

async fn replace(client: &Client, found: &NetworkInspect, wanted: &Network) -> Result<(), RuntimeError> {
    let mut users: Vec<&str> = found
        .containers
        .iter()
        .flatten()
        .filter_map(|(_, user)| user.name.as_deref())
        .collect();
    users.sort_unstable();
    if !users.is_empty() {
        return Err(RuntimeError::Engine(format!(
            "network {} is there with addresses {}, not {}, and containers are on it: remove {} first, or use another podCIDR",
            wanted.name,
            subnets(found).join(", "),
            wanted.cidr,
            users.join(", "),
        )));
    }
    client.remove_network(&wanted.name).await.map_err(error::from)
}

fn is_as_wanted(found: &NetworkInspect, wanted: &Network) -> bool {
    let gateways: Vec<&str> = configs(found)
        .filter_map(|config| config.gateway.as_deref())
        .collect();
    let gateway = wanted
        .gateway
        .is_none_or(|gateway| gateways == [gateway.to_string()]);
    let labels = found.labels.clone().unwrap_or_default();
    found.driver.as_deref() == Some("bridge")
        && subnets(found) == [wanted.cidr.as_str()]
        && gateway
        && wanted
            .labels
            .iter()
            .all(|(name, value)| labels.get(name) == Some(value))
}

fn configs(found: &NetworkInspect) -> impl Iterator<Item = &IpamConfig> {
    found.ipam.iter().flat_map(|ipam| ipam.config.iter().flatten())
}

fn subnets(found: &NetworkInspect) -> Vec<&str> {
    configs(found)
        .filter_map(|config| config.subnet.as_deref())
        .collect()
}

fn request(wanted: &Network) -> NetworkCreateRequest {
    let config = IpamConfig {
        subnet: Some(wanted.cidr.clone()),
        gateway: wanted.gateway.map(|gateway| gateway.to_string()),
        ..IpamConfig::default()
    };
    let options = [
        ("com.docker.network.bridge.name", interface_name(&wanted.name)),
        ("com.docker.network.bridge.enable_icc", "true".to_owned()),
        (
            "com.docker.network.bridge.enable_ip_masquerade",
            "true".to_owned(),
        ),
    ];
    NetworkCreateRequest {
        name: wanted.name.clone(),
        driver: Some("bridge".to_owned()),
        ipam: Some(Ipam {
            config: Some(vec![config]),
            ..Ipam::default()
        }),
        options: Some(options.map(|(name, value)| (name.to_owned(), value)).into()),
        labels: Some(wanted.labels.clone().into_iter().collect::<HashMap<_, _>>()),
        ..NetworkCreateRequest::default()
    }
}

/// The network's name where it fits, else one made from it.
fn interface_name(network: &str) -> String {
    if network.len() <= INTERFACE_NAME_MAX {
        return network.to_owned();
    }
    let digest = Sha256::digest(network.as_bytes());
    let digits: String = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    format!("skep-{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_overlap_where_one_holds_the_other() {
        assert!(overlap("10.78.0.0/16", "10.78.4.0/24"));
        assert!(overlap("10.78.4.0/24", "10.78.0.0/16"));
        assert!(overlap("0.0.0.0/0", "10.78.4.1/32"));
        assert!(!overlap("10.78.4.0/24", "10.78.5.0/24"));
        assert!(!overlap("fd00::/64", "10.78.5.0/24"));
    }
}
