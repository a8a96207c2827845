//! `skep up`: this machine as a cluster, in one process.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Args;

use crate::{context::Context, node_args::NodeArgs, policy_args::PolicyArgs, up};

/// What `skep up` takes.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  sudo skep up
  skep up --data-dir ./data --listen none --config ./data/config
  sudo skep up --pool general --zone a --device example.com/serial=/dev/ttyS0,/dev/ttyS1

The client's config is written to the file that --config or SKEP_CONFIG names, else to ~/.skep/config.
Ctrl-C ends skep; containers go on running, and the next `skep up` finds them again.

To remove everything:
  skep delete deployments,replicasets,pods --all -A      (their containers end)
  then end skep, and delete the data folder, the context in the config file, and:
  docker network rm $(docker network ls -q --filter label=skep.io/node=NODE)")]
pub(crate) struct UpArgs {
    /// Where everything is kept
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/skep")]
    pub(crate) data_dir: PathBuf,
    /// Loopback address to serve on besides the Unix socket, port 0 for any; none for the socket alone
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7443", value_parser = up::listen::parse)]
    pub(crate) listen: up::listen::Listen,
    /// What this machine is as a node.
    #[command(flatten)]
    pub(crate) node: NodeArgs,
    /// Addresses for pods; each node gets a /24 of them
    #[arg(long, value_name = "CIDR", default_value = "10.244.0.0/16")]
    pub(crate) pod_cidr: String,
    /// How pods are placed and moved.
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// The Docker engine, such as unix:///run/docker.sock [default: DOCKER_HOST, else the usual socket]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) docker_host: Option<String>,
    /// What to log: error, warn, info, debug, trace, or directives such as info,skep_agent=debug
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "info",
        env = "SKEP_LOG",
        hide_env_values = true
    )]
    pub(crate) log_level: String,
}

impl UpArgs {
    /// The address to serve on, where there is one.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listen.0
    }
}

/// Runs server and agent until they are told to end.
///
/// # Errors
/// Where the cluster cannot be started, or a part of it ends unexpectedly.
pub(crate) async fn run(args: UpArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    up::run(&args, ctx.config_path()).await?;
    Ok(ExitCode::SUCCESS)
}
