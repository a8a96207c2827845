//! The agent as a process: from the command line to its end.

use std::{path::Path, process::ExitCode};

use anyhow::bail;
use skep_agent::{AgentConfig, ServerAddress, TlsFiles};
use skep_server::Ready;

use super::RunArgs;
use crate::up::{checks, data_dir, logging, notify, parts::Parts};

/// Runs the agent until a signal ends it.
///
/// # Errors
/// Where it cannot join or start, or ends unexpectedly.
pub(super) async fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    logging::start(&args.log_level)?;
    args.node.check()?;
    let folder = data_dir(&args.data_dir)?;
    let config = config(args, &folder)?;
    checks::warn_of_missing_rights(&args.docker_host);
    tracing::info!(node = config.node_name, "skep agent starts");
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
            addresses: args.join.clone(),
            files,
            join_token: args.token.clone(),
        },
        docker_host: args.docker_host.clone(),
        ..AgentConfig::default()
    };
    args.node.apply(&mut config);
    Ok(config)
}
