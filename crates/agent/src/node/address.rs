//! The address by which the machine is reached: that of the interface which the default route leaves by.

use std::fs;

use nix::ifaddrs::getifaddrs;

/// The address; the first one that is not a loopback's where there is no default route, else empty.
pub(super) fn default_route() -> String {
    let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let interface = default_interface(&routes);
    let addresses: Vec<(String, std::net::Ipv4Addr)> = getifaddrs()
        .into_iter()
        .flatten()
        .filter_map(|found| Some((found.interface_name, found.address?.as_sockaddr_in()?.ip())))
        .filter(|(_, address)| !address.is_loopback())
        .collect();
    let of_route = addresses
        .iter()
        .find(|(name, _)| Some(name.as_str()) == interface);
    of_route
        .or_else(|| addresses.first())
        .map(|(_, address)| address.to_string())
        .unwrap_or_default()
}

/// The interface of the default route with the lowest metric, out of `/proc/net/route`.
fn default_interface(routes: &str) -> Option<&str> {
    let defaults = routes.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_default = *fields.get(1)? == "00000000" && *fields.get(7)? == "00000000";
        is_default.then_some((fields.get(6)?.parse::<u32>().ok()?, *fields.first()?))
    });
    defaults.min().map(|(_, interface)| interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_route_with_the_lowest_metric_wins() {
        let routes = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
            eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
            wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
            docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
        assert_eq!(default_interface(routes), Some("eth0"));
        assert_eq!(default_interface(""), None);
    }
}
