//! The server as a process: from the command line to its end.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use skep_server::{Begin, ClusterConfig, Ready, ServerConfig, ServerError};

use super::RunArgs;
use crate::up::{data_dir, logging, notify, parts::Parts};

mod admin_config;

pub(super) const PORT: u16 = 7443;

/// Runs the server until a signal ends it, or it is taken out of its cluster.
///
/// # Errors
/// Where it does not start, or ends unexpectedly.
pub(super) async fn run(args: &RunArgs, config_path: &Path) -> anyhow::Result<ExitCode> {
    logging::start(&args.log_level)?;
    let folder = data_dir(&args.data_dir)?;
    let config = config(args, &folder);
    let (name, init) = (server_name(args), args.init);
    let ended = Parts::server(config)
        .watch(async |ready: &Ready| {
            tracing::info!(
                name,
                address = ready.address.map(|address| address.to_string()),
                "skep server is up"
            );
            if init {
                admin_config::write(config_path, &ready.socket).await;
            }
            notify::ready();
        })
        .await;
    match ended {
        Err(error) if has_left(&error) => {
            tracing::info!("{error:#}");
            Ok(ExitCode::SUCCESS)
        }
        ended => ended.map(|()| ExitCode::SUCCESS),
    }
}

fn has_left(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<ServerError>(), Some(ServerError::Left))
}

fn config(args: &RunArgs, folder: &Path) -> ServerConfig {
    let mut config = ServerConfig {
        data_dir: folder.join("server"),
        socket: folder.join("skep.sock"),
        pod_cidr: args.pod_cidr.clone(),
        eviction: args.eviction_seconds.0,
        cluster: Some(cluster(args, folder.to_owned())),
        ..ServerConfig::new("")
    };
    args.policy.apply(&mut config);
    config
}

fn cluster(args: &RunArgs, home: PathBuf) -> ClusterConfig {
    let begin = match (&args.token, args.init) {
        (_, true) => Begin::Init,
        (Some(token), _) if !args.join.is_empty() => Begin::Join {
            servers: args.join.clone(),
            token: token.clone(),
        },
        _ => Begin::Resume,
    };
    let advertise = args.advertise.clone().unwrap_or_else(skep_agent::host_name);
    ClusterConfig {
        home,
        begin,
        name: server_name(args),
        listen: args.listen,
        advertise: with_port(&advertise, args.listen.port()),
        learner: args.learner,
        backup_interval: Some(args.backup_interval).filter(|interval| !interval.is_zero()),
        backups_kept: args.backups_kept,
    }
}

fn server_name(args: &RunArgs) -> String {
    args.name.clone().unwrap_or_else(skep_agent::host_name)
}

/// `host:port`, where only the host is given. An IPv6 address alone gets its brackets.
pub(super) fn with_port(address: &str, port: u16) -> String {
    if address.parse::<std::net::Ipv6Addr>().is_ok() {
        return format!("[{address}]:{port}");
    }
    let after_host = address.rsplit(']').next().unwrap_or(address);
    if after_host.contains(':') {
        address.to_owned()
    } else {
        format!("{address}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_refused_before_anybody_is_asked() {
        use super::super::server_address;
        assert_eq!(server_address("10.0.0.1").as_deref(), Ok("10.0.0.1:7443"));
        for wrong in ["bad addr", "", "a:x", "a:0", ":7443", "https://a:7443"] {
            assert!(server_address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pods_of_a_lost_node_leave_after_a_while_or_never() {
        use super::super::Eviction;
        assert_eq!(
            Eviction::parse("5"),
            Ok(Eviction(Some(std::time::Duration::from_secs(5))))
        );
        assert_eq!(Eviction::parse("never"), Ok(Eviction(None)));
        assert!(Eviction::parse("soon").unwrap_err().contains("or never"));
    }

    #[test]
    fn a_port_is_added_where_there_is_none() {
        for (given, whole) in [
            ("a.example", "a.example:7443"),
            ("10.0.0.1", "10.0.0.1:7443"),
            ("10.0.0.1:9", "10.0.0.1:9"),
            ("fd00::1", "[fd00::1]:7443"),
            ("[fd00::1]", "[fd00::1]:7443"),
            ("[fd00::1]:9", "[fd00::1]:9"),
        ] {
            assert_eq!(with_port(given, PORT), whole);
        }
    }
}
