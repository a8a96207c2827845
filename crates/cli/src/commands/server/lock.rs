//! `skep server lock`: the passphrase of the key that seals a server's data, and the key itself.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::Args;
use skep_api::proto::{ReloadRequest, ReloadResponse, SealStatusRequest, seal_client::SealClient};
use skep_trust::{KeyFile, Keys};

use super::HereArgs;
use crate::{output, passphrase::PassphraseArgs, target::Target};

/// A server may have to wait for others before it needs the old key no more.
const WITHIN: Duration = Duration::from_secs(180);

#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  skep server lock                asks for a passphrase; each start of the server waits for it
  skep server lock --rotate       another key; the server seals all there is with it
  skep server lock --remove       no passphrase any more

A server that runs goes on, and needs no restart; one that does not run follows at its next start.
A key that gets its first passphrase lay in the clear on the disk: it is changed as well.
Whoever loses the passphrase loses what is on this machine; other servers have keys of their own,
and this one can join anew. Where standard input is no terminal, the present passphrase, if there
is one, is its first line, and the new one the next.")]
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

/// Changes what guards the key, or the key.
///
/// # Errors
/// Where there is no key, the present passphrase does not fit, or the file cannot be written.
pub(super) async fn run(args: LockArgs) -> anyhow::Result<ExitCode> {
    let path = skep_server::key_file(&args.here.data_dir.join("server"));
    let (mut keys, old) = present(&path, args.old_passphrase_file.as_deref()).await?;
    let was_guarded = keys.is_guarded();
    if args.remove && !was_guarded {
        bail!(
            "no passphrase guards the key in {}: there is none to remove",
            path.display()
        );
    }
    let sets = !args.remove && (!args.rotate || args.new.passphrase_file.is_some());
    let new = if sets {
        Some(args.new.read_new("New passphrase: ")?)
    } else {
        None
    };
    let rotates = args.rotate || (sets && !was_guarded);
    let passphrase = new.clone().or(old).filter(|_| !args.remove);
    let work = move || {
        if args.remove {
            keys.remove_passphrase()?;
        }
        if let Some(new) = &new {
            keys.set_passphrase(new)?;
        }
        if rotates {
            keys.rotate()?;
        }
        Ok::<_, skep_trust::SealError>(keys)
    };
    let keys = tokio::task::spawn_blocking(work).await??;
    let guarded = if keys.is_guarded() {
        "A passphrase guards"
    } else {
        "No passphrase guards"
    };
    output::write(&format!("{guarded} the key in {} now.\n", path.display()))?;
    let told = tell(
        &args.here.data_dir.join("skep.sock"),
        passphrase.unwrap_or_default(),
    )
    .await;
    output::write(&said(&told, rotates))?;
    Ok(ExitCode::SUCCESS)
}

/// The keys as they are, and the passphrase that guards them.
async fn present(path: &Path, passphrase_file: Option<&Path>) -> anyhow::Result<(Keys, Option<String>)> {
    let missing = || {
        format!(
            "there is no key in {}: start the server first, or name the folder that it was started with (--data-dir)",
            path.display()
        )
    };
    let file = KeyFile::find(path)?.with_context(missing)?;
    let given = if file.is_locked() {
        let old = PassphraseArgs {
            passphrase_file: passphrase_file.map(Path::to_owned),
        };
        Some(old.read("Present passphrase of this server's key: ")?)
    } else {
        None
    };
    let passphrase = given.clone();
    let keys = tokio::task::spawn_blocking(move || file.unlock(given.as_deref())).await??;
    Ok((keys, passphrase))
}

/// Has a server that runs read the file again; `None` where none runs, or it waits for its passphrase.
async fn tell(socket: &Path, passphrase: String) -> Option<Result<ReloadResponse, tonic::Status>> {
    let channel = Target::socket(socket).channel(WITHIN).await.ok()?;
    let mut server = SealClient::new(channel);
    let status = server.status(SealStatusRequest {}).await.ok()?.into_inner();
    if status.waits {
        return None;
    }
    let reloaded = server.reload(ReloadRequest { passphrase }).await;
    Some(reloaded.map(tonic::Response::into_inner))
}

fn said(told: &Option<Result<ReloadResponse, tonic::Status>>, rotates: bool) -> String {
    match told {
        None if rotates => "The server seals all there is with the new key when it starts next.\n".to_owned(),
        None => "The server notices when it starts next.\n".to_owned(),
        Some(Ok(done)) if done.still_there.is_empty() && rotates => format!(
            "The server has sealed all there is with the new key, {}, and forgotten the old one.\n",
            done.key_id
        ),
        Some(Ok(done)) if done.still_there.is_empty() => {
            format!(
                "The server goes on; its data is sealed with key {}.\n",
                done.key_id
            )
        }
        Some(Ok(done)) => format!(
            "The server seals with key {} from now on. It still keeps the old one, until its next start: {}.\n",
            done.key_id, done.still_there
        ),
        Some(Err(status)) => format!(
            "The server goes on as before, and follows when it starts next: {}.\n",
            status.message()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_whether_the_old_key_is_still_needed() {
        let done = |still_there: &str| {
            Some(Ok(ReloadResponse {
                key_id: "0123abcd".to_owned(),
                still_there: still_there.to_owned(),
            }))
        };
        assert!(said(&None, true).contains("when it starts next"));
        let all = said(&done(""), true);
        assert!(all.contains("0123abcd, and forgotten the old one"), "{all}");
        let kept = said(&done("the log still holds entries"), true);
        assert!(kept.contains("until its next start: the log"), "{kept}");
    }
}
