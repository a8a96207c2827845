//! `skep agent`: this machine as a node, and a look at its pods on the spot.

mod local;
mod run;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};

use crate::{commands::server::server_address, context::Context, node_args::NodeArgs};

/// Where an agent keeps everything where nothing else is said.
const DATA_DIR: &str = "/var/lib/skep/agent";

/// What `skep agent` takes.
#[derive(Args, Clone, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  skep token create --role agent           (on a server) lets machines in
  skep agent --join 10.0.0.1:7443 --token TOKEN
  skep agent --join 10.0.0.1:7443 --token TOKEN --pool gpu --zone a --taint gpu=yes:NoSchedule
  skep agent --device example.com/serial=/dev/ttyS0,/dev/ttyS1 --gpu-shares 4
  skep agent --cpu-manager static --reserved-cpus 0-1 --system-reserved memory=1Gi
  skep agent                               goes on as the node that this machine is
  skep agent pods                          (on the node) also while no server is in reach
  skep agent logs web-0 -f

A node that has joined ignores --token, and knows the servers itself."
)]
pub(crate) struct AgentArgs {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Show the pods of this node, as its agent knows them
    Pods(HereArgs),
    /// Show what a container of this node wrote
    Logs(local::LogsArgs),
}

/// Which agent of this machine is meant.
#[derive(Args, Clone, Debug)]
struct HereArgs {
    /// Where the agent keeps everything
    #[arg(long, value_name = "FOLDER", default_value = DATA_DIR)]
    data_dir: PathBuf,
}

#[derive(Args, Clone, Debug)]
struct RunArgs {
    /// Servers of the cluster, HOST:PORT
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', value_parser = server_address)]
    join: Vec<String>,
    /// The token that lets this node in
    #[arg(long, env = "SKEP_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Where everything is kept
    #[arg(long, value_name = "FOLDER", default_value = DATA_DIR)]
    data_dir: PathBuf,
    #[command(flatten)]
    node: NodeArgs,
    /// The Docker engine, such as unix:///run/docker.sock [default: DOCKER_HOST, else the usual socket]
    #[arg(long, value_name = "ADDRESS")]
    docker_host: Option<String>,
    /// What to log: error, warn, info, debug, trace, or directives such as info,skep_agent=debug
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "info",
        env = "SKEP_LOG",
        hide_env_values = true
    )]
    log_level: String,
}

/// Runs the agent, or asks the one that runs here.
///
/// # Errors
/// Where the agent cannot be started or ends unexpectedly, or cannot be asked.
pub(crate) async fn run(args: AgentArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    match args.action {
        None => run::run(&args.run).await,
        Some(Action::Pods(here)) => local::pods(&here, ctx).await,
        Some(Action::Logs(logs)) => local::logs(&logs, ctx).await,
    }
}

impl AgentArgs {
    /// True where the command runs the agent itself.
    pub(crate) fn is_daemon(&self) -> bool {
        self.action.is_none()
    }
}
