//! The address that a server serves on besides its Unix socket.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A loopback address, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listen(pub(crate) Option<SocketAddr>);

/// Reads `none`, `127.0.0.1:7443`, `[::1]:0` or `:7443`.
///
/// # Errors
/// Where it is no address, or one that other machines can reach.
pub(crate) fn parse(text: &str) -> Result<Listen, String> {
    if text == "none" {
        return Ok(Listen(None));
    }
    let port_alone = text.strip_prefix(':').and_then(|port| port.parse().ok());
    let address = match port_alone {
        Some(port) => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
        None => text
            .replacen("localhost:", "127.0.0.1:", 1)
            .parse()
            .map_err(|_| "write an address such as 127.0.0.1:7443, or none".to_owned())?,
    };
    if !address.ip().is_loopback() {
        return Err(
            "calls are not encrypted yet, so only loopback addresses are served: \
                    127.0.0.1:PORT or [::1]:PORT"
                .to_owned(),
        );
    }
    Ok(Listen(Some(address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_are_served_and_no_others() {
        let address = |text| parse(text).map(|listen| listen.0.map(|address| address.to_string()));
        assert_eq!(address("none"), Ok(None));
        assert_eq!(address("127.0.0.1:7443"), Ok(Some("127.0.0.1:7443".to_owned())));
        assert_eq!(address(":0"), Ok(Some("127.0.0.1:0".to_owned())));
        assert_eq!(address("localhost:80"), Ok(Some("127.0.0.1:80".to_owned())));
        assert_eq!(address("[::1]:7443"), Ok(Some("[::1]:7443".to_owned())));
        assert!(address("0.0.0.0:7443").unwrap_err().contains("loopback"));
        assert!(address("somewhere").unwrap_err().contains("127.0.0.1:7443"));
    }
}
