//! `skep completion`: what a shell needs to complete skep's command lines.

use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use crate::{cli::Cli, context::Context, output};

/// What `skep completion` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  source <(skep completion bash)
  skep completion zsh > \"${fpath[1]}/_skep\"
  skep completion fish > ~/.config/fish/completions/skep.fish")]
pub(crate) struct CompletionArgs {
    /// The shell
    #[arg(value_parser = ["bash", "zsh", "fish"])]
    shell: String,
}

/// Prints the script for a shell.
///
/// # Errors
/// Where it cannot be printed.
pub(crate) async fn run(args: CompletionArgs, _: &Context) -> anyhow::Result<ExitCode> {
    output::write_bytes(&script(&args.shell))?;
    Ok(ExitCode::SUCCESS)
}

fn script(shell: &str) -> Vec<u8> {
    let shell = match shell {
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        _ => Shell::Bash,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::grouped(), "skep", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_completes_every_command() {
        for shell in ["bash", "zsh", "fish"] {
            let script = String::from_utf8(script(shell)).unwrap();
            for command in Cli::grouped().get_subcommands() {
                assert!(
                    script.contains(command.get_name()),
                    "{shell}: {}",
                    command.get_name()
                );
            }
        }
    }
}
