//! The agent as a process: from the command line to its end.

use std::{path::Path, process::ExitCode};

use anyhow::bail;
use skep_agent::{AgentConfig, ServerAddress, TlsFiles};
use skep_api::{Taint, TaintEffect};
use skep_server::Ready;

use super::RunArgs;
use crate::{
    commands::server::with_port,
    up::{checks, data_dir, logging, notify, parts::Parts},
};

const PORT: u16 = 7443;

/// The label that names a node's pool.
const POOL: &str = "skep.io/pool";

/// Runs the agent until a signal ends it.
///
/// # Errors
/// Where it cannot join or start, or ends unexpectedly.
pub(super) async fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    logging::start(&args.log_level)?;
    let folder = data_dir(&args.data_dir)?;
    let config = config(args, &folder)?;
    checks::warn_of_missing_rights(&args.docker_host);
    tracing::info!(node = config.node_name, "skep agent is up");
    let parts = Parts::agent(config);
    notify::ready();
    parts.watch(async |_: &Ready| {}).await?;
    Ok(ExitCode::SUCCESS)
}

fn config(args: &RunArgs, folder: &Path) -> anyhow::Result<AgentConfig> {
    let files = TlsFiles::in_data_dir(folder);
    if !files.has_joined() && (args.join.is_empty() || args.token.is_none()) {
        bail!(
            "this machine has not joined a cluster yet: run `skep token create --role agent` on a server, \
             then here `skep agent --join SERVER --token TOKEN`"
        );
    }
    let mut config = AgentConfig {
        data_dir: folder.to_owned(),
        server: ServerAddress::Tls {
            addresses: args.join.iter().map(|server| with_port(server, PORT)).collect(),
            files,
            join_token: args.token.clone(),
        },
        docker_host: args.docker_host.clone(),
        labels: args.labels.iter().cloned().collect(),
        taints: args.taints.clone(),
        pods_max: args.max_pods,
        ..AgentConfig::default()
    };
    if let Some(name) = &args.node_name {
        config.node_name.clone_from(name);
    }
    if let Some(pool) = &args.pool {
        config.labels.insert(POOL.to_owned(), pool.clone());
    }
    Ok(config)
}

/// Reads `KEY=VALUE`.
///
/// # Errors
/// Where there is no `=`.
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Reads `KEY=VALUE:EFFECT` or `KEY:EFFECT`.
///
/// # Errors
/// Where there is no effect, or one that is unknown.
pub(super) fn taint(text: &str) -> Result<Taint, String> {
    let (name, effect) = text
        .rsplit_once(':')
        .ok_or("write KEY=VALUE:EFFECT, such as gpu=yes:NoSchedule")?;
    let effect = match effect {
        "NoSchedule" => TaintEffect::NoSchedule,
        "PreferNoSchedule" => TaintEffect::PreferNoSchedule,
        "NoExecute" => TaintEffect::NoExecute,
        other => {
            return Err(format!(
                "`{other}` is no effect: write NoSchedule, PreferNoSchedule or NoExecute"
            ));
        }
    };
    let (key, value) = name.split_once('=').unwrap_or((name, ""));
    Ok(Taint {
        key: key.to_owned(),
        value: value.to_owned(),
        effect,
        ..Taint::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_taints_are_written_as_kubectl_writes_them() {
        assert_eq!(label("disk=fast"), Ok(("disk".to_owned(), "fast".to_owned())));
        assert!(label("disk").is_err());
        let gpu = taint("gpu=yes:NoSchedule").unwrap();
        assert_eq!((gpu.key.as_str(), gpu.value.as_str()), ("gpu", "yes"));
        assert_eq!(taint("edge:NoExecute").unwrap().effect, TaintEffect::NoExecute);
        assert!(taint("gpu=yes").is_err() && taint("gpu:Never").is_err());
    }
}
