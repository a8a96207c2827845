//! `skep server unlock`: the passphrase for a server that waits for it.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Args;
use skep_api::proto::{SealStatusRequest, UnlockRequest, seal_client::SealClient};

use super::HereArgs;
use crate::{output, passphrase::PassphraseArgs, target::Target};

/// Making a key of the passphrase takes a second or so on a slow machine.
const WITHIN: Duration = Duration::from_secs(60);

#[derive(Args, Clone, Debug)]
pub(super) struct UnlockArgs {
    #[command(flatten)]
    here: HereArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Unlocks this machine's server.
///
/// # Errors
/// Where none waits here, or the passphrase does not fit.
pub(super) async fn run(args: &UnlockArgs) -> anyhow::Result<ExitCode> {
    let channel = Target::socket(args.here.data_dir.join("skep.sock"))
        .channel(WITHIN)
        .await;
    let channel =
        channel.context("no server runs on this machine, or it keeps its data elsewhere (--data-dir)")?;
    let mut server = SealClient::new(channel);
    if !server.status(SealStatusRequest {}).await?.into_inner().waits {
        output::write("This machine's server runs: it waits for no passphrase.\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let passphrase = args.passphrase.read("Passphrase of this server's key: ")?;
    server.unlock(UnlockRequest { passphrase }).await?;
    output::write("Unlocked: this machine's server starts.\n")?;
    Ok(ExitCode::SUCCESS)
}
