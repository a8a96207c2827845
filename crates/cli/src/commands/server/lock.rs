//! `skep server lock`: the passphrase of the key that seals a server's data, and the key itself.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::HereArgs;
use crate::{
    output,
    passphrase::{self, PassphraseArgs},
};

#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  skep server lock                      asks for a passphrase; from the next start on the server waits for it
  skep server lock --rotate             another key; the next start seals all there is with it
  skep server lock --remove             no passphrase any more

A key that gets its first passphrase lay in the clear on the disk: it is changed as well. Whoever loses the
passphrase loses what is on this machine; other servers have keys of their own, and this one can join anew.
Where standard input is no terminal, the present passphrase, if there is one, is its first line, and the
new one the next.")]
pub(super) struct LockArgs {
    #[command(flatten)]
    here: HereArgs,
    #[command(flatten)]
    new: PassphraseArgs,
    /// Read the present passphrase from the first line of this file, - for standard input [default: asks for it]
    #[arg(long, value_name = "FILE")]
    old_passphrase_file: Option<PathBuf>,
    /// Take the passphrase away
    #[arg(long, conflicts_with = "passphrase_file")]
    remove: bool,
    /// Change the key; the passphrase stays, unless --passphrase-file names another
    #[arg(long, conflicts_with = "remove")]
    rotate: bool,
}

const RESTART: &str =
    "Restart the server: it seals all there is with the new key, and forgets the old one.\n";

/// Changes what guards the key, or the key.
///
/// # Errors
/// Where the present passphrase does not fit, or the file cannot be written.
pub(super) async fn run(args: LockArgs) -> anyhow::Result<ExitCode> {
    let data_dir = args.here.data_dir.join("server");
    let old = PassphraseArgs {
        passphrase_file: args.old_passphrase_file.clone(),
    };
    let mut keys = passphrase::keys_of(&data_dir, &old).await?;
    let path = skep_server::key_file(&data_dir);
    let was_guarded = keys.is_guarded();
    let sets = !args.remove && (!args.rotate || args.new.passphrase_file.is_some());
    let passphrase = if sets {
        Some(args.new.read_new("New passphrase: ")?)
    } else {
        None
    };
    let rotates = args.rotate || (sets && !was_guarded);
    let work = move || {
        if args.remove {
            keys.remove_passphrase()?;
        }
        if let Some(passphrase) = &passphrase {
            keys.set_passphrase(passphrase)?;
        }
        if rotates {
            keys.rotate()?;
        }
        Ok::<_, skep_trust::SealError>(keys)
    };
    let keys = tokio::task::spawn_blocking(work).await??;
    let guarded = if keys.is_guarded() {
        "a passphrase guards"
    } else {
        "no passphrase guards"
    };
    let hint = if rotates { RESTART } else { "" };
    output::write(&format!(
        "From its next start on, {guarded} the key in {}.\n{hint}",
        path.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}
