//! `skep server recover`: one server goes on alone, where the majority of its cluster is lost for good.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::HereArgs;
use crate::{
    output,
    passphrase::{self, PassphraseArgs},
};

#[derive(Args, Clone, Debug)]
pub(super) struct RecoverArgs {
    #[command(flatten)]
    here: HereArgs,
    /// Yes, the other servers are lost and stay off
    #[arg(long)]
    the_others_are_lost: bool,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

const WARNING: &str = "\
This makes the server in this folder the only one of its cluster, with the state that it has.
Writes that only the lost servers had are gone. If one of them still runs, or is started again,
there are two clusters that each believe they are the right one, and containers run twice.

Make sure that every other server is off for good, choose the server with the most recent state
(`skep snapshot inspect` shows the revision of a backup), and say so with --the-others-are-lost.";

/// Makes the server of this machine, which must not run, the only voter.
///
/// # Errors
/// Where it is not confirmed, the server runs, or its folder cannot be used.
pub(super) async fn run(args: &RecoverArgs) -> anyhow::Result<ExitCode> {
    if !args.the_others_are_lost {
        bail!("{WARNING}");
    }
    let folder = args.here.data_dir.clone();
    skep_server::check_home(&folder)?;
    let mut keys = passphrase::keys_of(&folder.join("server"), &args.passphrase).await?;
    let recover = move || skep_server::recover(&folder, &folder.join("server"), &mut keys);
    let recovered = tokio::task::spawn_blocking(recover).await??;
    output::write(&format!(
        "Server {} ({}) is the only server of its cluster now, at revision {}.\n\
         Start it with `skep server`, then let new servers join: `skep token create --role server`.\n",
        recovered.id, recovered.name, recovered.revision
    ))?;
    Ok(ExitCode::SUCCESS)
}
