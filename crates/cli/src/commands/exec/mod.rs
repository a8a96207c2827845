//! `skep exec`: a command in a container.

mod session;
mod terminal;

use std::{io::IsTerminal, process::ExitCode};

use clap::Args;
use skep_api::{Kind, proto::ExecStart};

use super::targets;
use crate::{
    args::{self, ResourceId},
    context::Context,
};
use session::Ended;
use terminal::RawTerminal;

/// What `skep exec` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skep exec web-0 -- date
  skep exec -it web-0 -c main -- sh
  skep exec -i deployment/web -- tar x -C /tmp < files.tar

Ends with the command's exit code.")]
pub(crate) struct ExecArgs {
    /// POD or TYPE/NAME
    #[arg(value_name = "POD")]
    target: String,
    /// This container
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// Pass standard input on
    #[arg(short = 'i', long)]
    stdin: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    tty: bool,
    /// Say nothing but what the command says
    #[arg(short, long)]
    quiet: bool,
    /// The command and its arguments, after --
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Runs the command and ends as it does.
///
/// # Errors
/// Where there is no such container, the command cannot be started, or the connection breaks.
pub(crate) async fn run(args: ExecArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let (kind, name) = args::parse_target(&args.target, Kind::Pod)?;
    let pod = targets::one_pod(ctx, &ResourceId::new(kind, ctx.namespace(), name)).await?;
    let container = targets::container(&pod, args.container.as_deref(), args.quiet)?;
    let client = ctx.client().await?;
    let raw = args.tty && args.stdin && std::io::stdin().is_terminal();
    if args.tty && args.stdin && !raw && !args.quiet {
        eprintln!("Unable to use a TTY - input is not a terminal or the right kind of file");
    }
    let size = terminal::size().filter(|_| args.tty).unwrap_or_default();
    let start = ExecStart {
        namespace: pod.metadata.namespace.clone(),
        pod: pod.metadata.name.clone(),
        container,
        command: args.command,
        stdin: args.stdin,
        tty: args.tty,
        columns: size.columns,
        rows: size.rows,
    };
    let terminal = if raw { Some(RawTerminal::enter()?) } else { None };
    let ended = session::run(client, start).await;
    drop(terminal);
    Ok(match ended? {
        Ended::Command(code) => exit_code(code, args.quiet),
        Ended::Signal(number) => by_signal(number),
    })
}

/// As shells tell of a program that a signal has ended.
fn by_signal(number: i32) -> ExitCode {
    ExitCode::from(u8::try_from(128 + number).unwrap_or(1))
}

/// The command's exit code as this program's own; says so where it is no success.
fn exit_code(code: i32, quiet: bool) -> ExitCode {
    if code != 0 && !quiet {
        eprintln!("command terminated with exit code {code}");
    }
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_no_process_can_end_with_count_as_failures() {
        assert_eq!(exit_code(0, true), ExitCode::SUCCESS);
        assert_eq!(exit_code(137, true), ExitCode::from(137));
        assert_eq!(exit_code(-1, true), ExitCode::FAILURE);
        assert_eq!(exit_code(256, true), ExitCode::FAILURE);
    }
}
