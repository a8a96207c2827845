//! `skep server`: this machine as a server of a cluster, and what is done to it on the spot.

mod leave;
mod lock;
mod recover;
pub(crate) mod run;
mod status;
mod unlock;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Subcommand};

use run::{PORT, with_port};

use crate::{context::Context, duration, policy_args::PolicyArgs};

/// Where a server keeps everything where nothing else is said.
pub(crate) const DATA_DIR: &str = "/var/lib/skep";

/// What `skep server` takes.
#[derive(Args, Clone, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  skep server --init --advertise 10.0.0.1  the first server of a new cluster
  skep token create --role server          (there) lets others in
  skep server --join 10.0.0.1:7443 --token TOKEN --advertise 10.0.0.2
  skep server                              goes on as the server that this machine is
  skep server leave                        takes this machine's server out of its cluster
  skep server lock                         from now on, it asks for a passphrase when it starts
  skep server unlock                       gives it the passphrase

A server that is one already ignores --init and --join, so that the same command line starts it every time.
--init writes the administrator's config to the file that --config or SKEP_CONFIG names, else to ~/.skep/config."
)]
pub(crate) struct ServerArgs {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Take this machine's server out of its cluster; it ends
    Leave(HereArgs),
    /// Make this machine's server the only one, where the majority of its cluster is lost for good
    Recover(recover::RecoverArgs),
    /// Guard the key that seals this server's data with a passphrase, take the passphrase away, or change the key
    Lock(lock::LockArgs),
    /// Give its passphrase to this machine's server, which waits for it
    Unlock(unlock::UnlockArgs),
    /// Show whether this machine's server runs, or waits for its passphrase
    Status(HereArgs),
}

/// Which server of this machine is meant.
#[derive(Args, Clone, Debug)]
struct HereArgs {
    /// Where the server keeps everything
    #[arg(long, value_name = "FOLDER", default_value = DATA_DIR)]
    data_dir: PathBuf,
}

#[derive(Args, Clone, Debug)]
struct RunArgs {
    /// Make a new cluster
    #[arg(long, conflicts_with = "join")]
    init: bool,
    /// Join the cluster of these servers, HOST:PORT
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', value_parser = server_address, requires = "token")]
    join: Vec<String>,
    /// The token that lets this server in
    #[arg(long, env = "SKEP_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Where everything is kept
    #[arg(long, value_name = "FOLDER", default_value = DATA_DIR)]
    data_dir: PathBuf,
    /// The address to serve on
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:7443")]
    listen: SocketAddr,
    /// Where other machines reach this one, HOST or HOST:PORT [default: its host name]
    #[arg(long, value_name = "ADDRESS")]
    advertise: Option<String>,
    /// This server's name in the cluster [default: its host name]
    #[arg(long)]
    name: Option<String>,
    /// Follow without a vote until promoted
    #[arg(long)]
    learner: bool,
    /// Addresses for pods, a /24 of them for each node; the same for all servers
    #[arg(long, value_name = "CIDR", default_value = "10.244.0.0/16")]
    pod_cidr: String,
    /// How long pods that say nothing about it stay on a node that is lost, or never to move them; the same for all servers
    #[arg(long, value_name = "SECONDS", value_parser = Eviction::parse, default_value = "30")]
    eviction_seconds: Eviction,
    /// How pods are placed and moved; the same for all servers.
    #[command(flatten)]
    policy: PolicyArgs,
    /// The time between two backups of the state in DATA-DIR/server/backups; 0 makes none
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "1h")]
    backup_interval: Duration,
    /// How many of these backups are kept
    #[arg(long, value_name = "NUMBER", default_value_t = 24)]
    backups_kept: usize,
    /// What to log: error, warn, info, debug, trace, or directives such as info,skep_server=debug
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "info",
        env = "SKEP_LOG",
        hide_env_values = true
    )]
    log_level: String,
}

/// After which time pods leave a node that is lost; `None` where they do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Eviction(Option<Duration>);

impl Eviction {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self(None));
        }
        let seconds = text.parse().map(Duration::from_secs);
        seconds
            .map(|seconds| Self(Some(seconds)))
            .map_err(|_| "write a number of seconds, or never".to_owned())
    }
}

/// Servers of a cluster as they are named on the command line, each with its port.
///
/// # Errors
/// Where one is no address; what to write.
pub(crate) fn server_address(text: &str) -> Result<String, String> {
    let address = with_port(text.trim(), PORT);
    let is_address = address
        .rsplit_once(':')
        .is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok_and(|port| port > 0));
    if is_address && skep_trust::endpoint(&address).is_ok() {
        Ok(address)
    } else {
        Err("write HOST or HOST:PORT, such as 10.0.0.1:7443".to_owned())
    }
}

/// A name, or an address; one with colons stands in brackets.
fn is_host(text: &str) -> bool {
    let in_brackets = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match in_brackets {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !text.is_empty() && !text.contains([':', '/']),
    }
}

/// Runs the server, or does what the subcommand says.
///
/// # Errors
/// Where the server cannot be started or ends unexpectedly, or the subcommand fails.
pub(crate) async fn run(args: ServerArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    match args.action {
        None => run::run(&args.run, ctx.config_path()).await,
        Some(Action::Leave(here)) => leave::run(&here).await,
        Some(Action::Recover(recover)) => recover::run(&recover).await,
        Some(Action::Lock(lock)) => lock::run(lock).await,
        Some(Action::Unlock(unlock)) => unlock::run(&unlock).await,
        Some(Action::Status(here)) => status::run(&here).await,
    }
}

impl ServerArgs {
    /// True where the command runs the server itself.
    pub(crate) fn is_daemon(&self) -> bool {
        self.action.is_none()
    }
}
