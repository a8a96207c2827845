//! The command line: global flags, the commands, and help that groups them as kubectl does.

use std::{fmt::Write, path::PathBuf, time::Duration};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{commands, duration, flags};

/// skep runs containers on many machines.
#[derive(Debug, Parser)]
#[command(
    name = "skep",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub(crate) globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// The client's config file [default: ~/.skep/config]
    #[arg(
        long,
        global = true,
        env = "SKEP_CONFIG",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(crate) config: Option<PathBuf>,
    /// The context of the config file to use
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The namespace to work in
    #[arg(short, long, global = true, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// The server to ask: unix:///PATH, http://HOST:PORT or https://HOST:PORT
    #[arg(short, long, global = true, value_name = "ADDRESS")]
    pub(crate) server: Option<String>,
    /// How long to wait for one answer, such as 30s; 0 waits for ever
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration::parse, default_value = "0")]
    pub(crate) request_timeout: Duration,
    /// Say more on standard error; -v=2 more still
    #[arg(short, long = "verbose", global = true, value_name = "LEVEL", num_args = 0..=1, require_equals = true,
          default_missing_value = "1", default_value_t = 0, hide_default_value = true)]
    pub(crate) verbosity: u8,
    /// Plain text even on a terminal
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

/// Every command; the first line of each is what help shows.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run this machine as a node of a cluster; show its pods on the spot
    Agent(Box<commands::agent::AgentArgs>),
    /// Set and take away annotations of objects
    Annotate(commands::label::LabelArgs),
    /// Make objects as files describe them
    Apply(commands::apply::ApplyArgs),
    /// Show the kinds of the cluster
    #[command(name = "api-resources")]
    ApiResources(commands::api_resources::ApiResourcesArgs),
    /// Change the CA of the cluster
    Ca(commands::ca::CaArgs),
    /// Show CAs and certificates
    Cert(commands::ca::CertArgs),
    /// Show where the cluster is and how it is doing
    #[command(name = "cluster-info")]
    ClusterInfo(commands::cluster_info::ClusterInfoArgs),
    /// Print what a shell needs to complete commands
    Completion(commands::completion::CompletionArgs),
    /// Show and change the client's config file
    Config(commands::config::ConfigArgs),
    /// Keep new pods away from a node
    Cordon(commands::cordon::CordonArgs),
    /// Create an object from a file or from flags
    Create(commands::create::CreateArgs),
    /// Delete objects by file, name or selector
    Delete(commands::delete::DeleteArgs),
    /// Explain objects: their fields, what they wait for, their events
    Describe(commands::describe::DescribeArgs),
    /// Show what apply would change
    Diff(commands::diff::DiffArgs),
    /// Empty nodes: cordon them and evict their pods
    Drain(commands::drain::DrainArgs),
    /// Change an object in an editor
    Edit(commands::edit::EditArgs),
    /// Show what happened
    Events(commands::events::EventsArgs),
    /// Run a command in a container
    Exec(commands::exec::ExecArgs),
    /// Say what the fields of a kind are for
    Explain(commands::explain::ExplainArgs),
    /// Show objects
    Get(Box<commands::get::GetArgs>),
    /// Set and take away labels of objects
    Label(commands::label::LabelArgs),
    /// Show what containers wrote
    Logs(Box<commands::logs::LogsArgs>),
    /// Show and change the servers of the cluster
    Member(commands::member::MemberArgs),
    /// Change fields of an object
    Patch(commands::patch::PatchArgs),
    /// Show what apply would do: changes, places of pods, preemptions, obstacles
    Plan(commands::plan::PlanArgs),
    /// Follow, undo, restart and pause rollouts of deployments
    Rollout(commands::rollout::RolloutArgs),
    /// Set the number of pods
    Scale(commands::scale::ScaleArgs),
    /// Run this machine as a server of a cluster
    Server(Box<commands::server::ServerArgs>),
    /// Change images, variables and resources of pod templates
    Set(commands::set::SetArgs),
    /// Play a cluster under simulated time: what would happen if
    Sim(commands::sim::SimArgs),
    /// Save, check and restore the state of the cluster
    Snapshot(commands::snapshot::SnapshotArgs),
    /// Make, list and revoke the tokens that let machines in
    Token(commands::token::TokenArgs),
    /// Keep pods away from a node that do not tolerate it, or drive them out
    Taint(commands::taint::TaintArgs),
    /// Let a node take new pods again
    Uncordon(commands::cordon::CordonArgs),
    /// Run a cluster on this machine
    Up(Box<commands::up::UpArgs>),
    /// Show the versions of this program and the server
    Version(commands::version::VersionArgs),
    /// Wait until objects are as they should be
    Wait(commands::wait::WaitArgs),
}

/// Commands under the headings of help. A test holds it to [`Command`].
const GROUPS: [(&str, &[&str]); 7] = [
    ("Start", &["up", "server", "agent"]),
    ("Cluster commands", &["member", "token", "snapshot", "ca", "cert"]),
    (
        "Basic commands",
        &["apply", "plan", "create", "get", "explain", "edit", "delete"],
    ),
    (
        "Deploy commands",
        &["rollout", "scale", "set", "cordon", "uncordon", "drain", "taint"],
    ),
    ("Look inside", &["describe", "logs", "exec", "events", "wait"]),
    (
        "Advanced commands",
        &["diff", "patch", "label", "annotate", "sim"],
    ),
    (
        "Other commands",
        &["api-resources", "cluster-info", "completion", "config", "version"],
    ),
];

impl Command {
    /// True where the command runs the cluster itself instead of asking one.
    pub(crate) fn is_daemon(&self) -> bool {
        match self {
            Self::Up(_) => true,
            Self::Server(args) => args.is_daemon(),
            Self::Agent(args) => args.is_daemon(),
            _ => false,
        }
    }
}

impl Cli {
    /// The command line of this process.
    ///
    /// # Errors
    /// What clap says of it; help and version count as errors that do not go to standard error.
    pub(crate) fn from_args() -> Result<Self, clap::Error> {
        let command = Self::grouped();
        let words = flags::plain(&command, std::env::args_os());
        let matches = command.try_get_matches_from(words)?;
        Self::from_arg_matches(&matches)
    }

    /// The clap command whose help lists commands by group.
    pub(crate) fn grouped() -> clap::Command {
        let command = Self::command();
        let text = grouped_help(&command);
        command
            .help_template(
                "{about-with-newline}\n{usage-heading} {usage}\n\n{before-help}Options:\n{options}{after-help}",
            )
            .before_help(text)
            .after_help("Use `skep COMMAND --help` for more about a command.")
    }
}

impl Globals {
    /// Sends the program's own events to standard error, as far as `-v` asks for them.
    pub(crate) fn log_to_stderr(&self) {
        let level = match self.verbosity {
            0 => return,
            1 => tracing::Level::INFO,
            2..=5 => tracing::Level::DEBUG,
            _ => tracing::Level::TRACE,
        };
        tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(std::io::stderr)
            .init();
    }
}

fn grouped_help(command: &clap::Command) -> String {
    let mut text = String::new();
    for (title, names) in GROUPS {
        let present: Vec<_> = names
            .iter()
            .filter_map(|name| command.get_subcommands().find(|sub| sub.get_name() == *name))
            .collect();
        if present.is_empty() {
            continue;
        }
        writeln!(text, "{title}:").expect("a string takes all text");
        for sub in present {
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            writeln!(text, "  {:<14} {about}", sub.get_name()).expect("a string takes all text");
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn help_lists_the_commands_by_group() {
        let help = Cli::grouped().term_width(100).render_help().to_string();
        expect![[r#"
            skep runs containers on many machines

            Usage: skep [OPTIONS] <COMMAND>

            Start:
              up             Run a cluster on this machine
              server         Run this machine as a server of a cluster
              agent          Run this machine as a node of a cluster; show its pods on the spot

            Cluster commands:
              member         Show and change the servers of the cluster
              token          Make, list and revoke the tokens that let machines in
              snapshot       Save, check and restore the state of the cluster
              ca             Change the CA of the cluster
              cert           Show CAs and certificates

            Basic commands:
              apply          Make objects as files describe them
              plan           Show what apply would do: changes, places of pods, preemptions, obstacles
              create         Create an object from a file or from flags
              get            Show objects
              explain        Say what the fields of a kind are for
              edit           Change an object in an editor
              delete         Delete objects by file, name or selector

            Deploy commands:
              rollout        Follow, undo, restart and pause rollouts of deployments
              scale          Set the number of pods
              set            Change images, variables and resources of pod templates
              cordon         Keep new pods away from a node
              uncordon       Let a node take new pods again
              drain          Empty nodes: cordon them and evict their pods
              taint          Keep pods away from a node that do not tolerate it, or drive them out

            Look inside:
              describe       Explain objects: their fields, what they wait for, their events
              logs           Show what containers wrote
              exec           Run a command in a container
              events         Show what happened
              wait           Wait until objects are as they should be

            Advanced commands:
              diff           Show what apply would change
              patch          Change fields of an object
              label          Set and take away labels of objects
              annotate       Set and take away annotations of objects
              sim            Play a cluster under simulated time: what would happen if

            Other commands:
              api-resources  Show the kinds of the cluster
              cluster-info   Show where the cluster is and how it is doing
              completion     Print what a shell needs to complete commands
              config         Show and change the client's config file
              version        Show the versions of this program and the server

            Options:
                  --config <FILE>               The client's config file [default: ~/.skep/config] [env:
                                                SKEP_CONFIG]
                  --context <NAME>              The context of the config file to use
              -n, --namespace <NAME>            The namespace to work in
              -s, --server <ADDRESS>            The server to ask: unix:///PATH, http://HOST:PORT or
                                                https://HOST:PORT
                  --request-timeout <DURATION>  How long to wait for one answer, such as 30s; 0 waits for ever
                                                [default: 0]
              -v, --verbose[=<LEVEL>]           Say more on standard error; -v=2 more still
                  --no-color                    Plain text even on a terminal
              -h, --help                        Print help
              -V, --version                     Print version

            Use `skep COMMAND --help` for more about a command.
        "#]]
        .assert_eq(&help);
    }

    #[test]
    fn usage_is_understood_as_by_kubectl() {
        for line in [
            "get po,svc -n shop -o wide",
            "get pods -A -l app=web -w --no-headers",
            "get pod web-0 -ojsonpath={.metadata.name}",
            "get deploy/web -o=yaml",
            "-n shop get all",
            "get pods --sort-by=.metadata.name --show-labels",
            "apply -f a.yaml -f b.yaml --dry-run=server --validate=warn",
            "apply -Rf manifests -n shop",
            "apply -f -",
            "apply -f a.yaml,b.yaml --dry-run",
            "delete pod a b --now",
            "delete -f a.yaml --wait=false --ignore-not-found",
            "delete pods --all --force --grace-period=0",
            "delete pods -l app=web --grace-period=-1 --cascade=orphan --timeout=30s",
            "label pods --all tier=front old- --overwrite",
            "annotate deploy/web note=x --resource-version=7",
            "create ns shop",
            "create -f a.yaml -o name",
            "create cm app --from-literal=a=b --from-literal c=d --from-file=x -n shop",
            "create secret generic db --from-literal=password=x",
            "create secret docker-registry pull --docker-username=a --docker-password=b",
            "create deployment web --image=web:1 --replicas=3 --port 80 --dry-run=client -o yaml -- serve --fast",
            "edit deploy/web -o json",
            "patch deploy web -p {} --type=merge",
            "patch deploy web --type json --patch-file p.json --subresource=scale",
            "diff -f a.yaml",
            "plan -f a.yaml --validate=warn",
            "plan --rebalance",
            "up --scoring bin-pack --rebalance --rebalance-at-once 3",
            "apply -f a.yaml --check-revision 5f2c",
            "drain n1 n2 --timeout 5m --ignore-daemonsets --delete-emptydir-data --force --grace-period=0",
            "drain -l rack=7 --pod-selector app=web --disable-eviction --start-first=false --dry-run=server",
            "explain pods.spec --recursive",
            "api-resources --namespaced=true -o wide",
            "config set-context --current --namespace=shop",
            "config use-context far",
            "get nodes -v=6 --request-timeout=5s",
            "server --init --advertise 10.0.0.1 --name a --listen 0.0.0.0:7443",
            "server --join a:7443,b:7443 --token t --learner",
            "server leave --data-dir d",
            "server recover --the-others-are-lost",
            "agent --join a:7443 --token t --pool edge --label disk=fast --taint gpu=yes:NoSchedule",
            "agent pods",
            "agent logs web-0 -c main -f --tail 10",
            "member remove b",
            "token create --role server --uses 2 --lifetime 1h",
            "ca rotate --retire-after 24h",
            "cert status",
            "snapshot restore file --data-dir d",
        ] {
            let words = std::iter::once("skep").chain(line.split_whitespace());
            if let Err(error) = Cli::grouped().try_get_matches_from(words) {
                panic!("{line}: {error}");
            }
        }
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "create secret docker-registry p",
            "server --init --join a --token t",
            "server --join a",
            "agent --taint gpu",
            "create deployment web",
            "patch pod a",
            "delete pod a --now --grace-period=3",
            "get -o go-template={{.a}} pods",
        ] {
            let words = std::iter::once("skep").chain(line.split_whitespace());
            assert!(Cli::grouped().try_get_matches_from(words).is_err(), "{line}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::grouped().debug_assert();
    }

    #[test]
    fn every_command_is_under_one_heading_of_help() {
        for sub in Cli::command().get_subcommands() {
            let headings = GROUPS
                .iter()
                .filter(|(_, names)| names.contains(&sub.get_name()))
                .count();
            assert_eq!(headings, 1, "{} is under {headings} headings", sub.get_name());
        }
    }
}
