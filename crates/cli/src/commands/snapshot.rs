//! `skep snapshot`: the state of the cluster as a file.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use skep_api::proto::{SaveSnapshotRequest, members_client::MembersClient};
use skep_server::{Kept, Opener};
use skep_trust::{KeyFile, PassphraseKey};

use super::server::DATA_DIR;
use crate::{
    context::Context,
    output,
    passphrase::{self, PassphraseArgs},
};

/// What `skep snapshot` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skep snapshot save monday.snapshot --seal        asks for a passphrase that seals the file
  skep snapshot inspect monday.snapshot
  skep snapshot restore monday.snapshot --data-dir /var/lib/skep
  skep server --init                    (there) is the first server of a new cluster with that state

The backups that a server makes by itself are sealed with the key in DATA-DIR/server/seal.key.")]
pub(crate) struct SnapshotArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write the whole state of the cluster into a file; it holds the secrets as well, in the clear unless it is sealed
    Save {
        /// The file to write
        file: PathBuf,
        /// Seal the file with a passphrase
        #[arg(long)]
        seal: bool,
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// Check a file and show what is in it; no server is asked
    Inspect {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        opens: OpenArgs,
    },
    /// Make the first server of a new cluster of a file, on this machine; no server is asked
    Restore {
        /// The file
        file: PathBuf,
        /// Where the new server keeps everything
        #[arg(long, value_name = "FOLDER", default_value = DATA_DIR)]
        data_dir: PathBuf,
        #[command(flatten)]
        opens: OpenArgs,
    },
}

/// What opens a file that is sealed.
#[derive(Args, Debug)]
struct OpenArgs {
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// The key of the server that made it, where it is a backup [default: the seal.key above the folder of backups]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// Saves, checks or restores a snapshot.
///
/// # Errors
/// Where the server cannot be asked, or the file cannot be written, read or used.
pub(crate) async fn run(args: SnapshotArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    match args.action {
        Action::Save {
            file,
            seal,
            passphrase,
        } => {
            let opener = sealing(seal, &passphrase).await?;
            let kept = save(&file, opener, ctx).await?;
            let how = if skep_server::label_of(&file)?.is_some() {
                "sealed with the passphrase"
            } else {
                "in the clear: it holds the secrets (--seal seals it)"
            };
            output::write(&format!(
                "Snapshot of revision {} saved to {}, {how}\n",
                kept.revision,
                file.display()
            ))?;
        }
        Action::Inspect { file, opens } => {
            let opener = opening(&file, &opens).await?;
            let kept = tokio::task::spawn_blocking(move || skep_server::inspect(&file, &opener)).await??;
            output::write(&shown(&kept))?;
        }
        Action::Restore {
            file,
            data_dir,
            opens,
        } => {
            let folder = data_dir.join("server");
            let opener = opening(&file, &opens).await?;
            let keys = passphrase::keys_of(&folder, &PassphraseArgs::default()).await?;
            let restore = move || skep_server::restore(&file, &opener, &folder, &keys);
            let kept = tokio::task::spawn_blocking(restore).await??;
            output::write(&format!(
                "Revision {} restored to {}; start it with `skep server --init`, or `skep up`, and --data-dir {}\n",
                kept.revision,
                data_dir.display(),
                data_dir.display()
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the file whole or not at all, for its owner only, and checks what was written.
async fn save(file: &Path, opener: Opener, ctx: &Context) -> anyhow::Result<Kept> {
    let mut client = MembersClient::new(ctx.connection().await?);
    let cannot_write = || format!("cannot write {}", file.display());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let draft =
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).with_context(cannot_write)?;
    let mut chunks = client.save_snapshot(SaveSnapshotRequest {}).await?.into_inner();
    let mut out = opener.sealing(draft).with_context(cannot_write)?;
    while let Some(chunk) = chunks.message().await? {
        out.write_all(&chunk.data).with_context(cannot_write)?;
    }
    let (draft, _) = out.finish().with_context(cannot_write)?;
    draft.as_file().sync_all().with_context(cannot_write)?;
    let path = draft.path().to_owned();
    let kept = tokio::task::spawn_blocking(move || skep_server::inspect(&path, &opener)).await?;
    let kept = kept.context("the snapshot did not arrive whole")?;
    draft.persist(file).with_context(cannot_write)?;
    Ok(kept)
}

/// What seals a file that is saved; nothing where it is not wanted.
async fn sealing(seal: bool, passphrase: &PassphraseArgs) -> anyhow::Result<Opener> {
    if !seal && passphrase.passphrase_file.is_none() {
        return Ok(Opener::default());
    }
    let given = passphrase.read_new("Passphrase to seal the file with: ")?;
    let key = tokio::task::spawn_blocking(move || PassphraseKey::new(&given)).await??;
    Ok(Opener::from(&key))
}

/// What opens a file: a passphrase, the key of the server that made it, or nothing.
async fn opening(file: &Path, opens: &OpenArgs) -> anyhow::Result<Opener> {
    let Some(label) = skep_server::label_of(file)? else {
        return Ok(Opener::default());
    };
    if PassphraseKey::is_label(&label) {
        let given = opens.passphrase.read("Passphrase of the file: ")?;
        let key = tokio::task::spawn_blocking(move || PassphraseKey::open(&label, &given)).await??;
        return Ok(Opener::from(&key));
    }
    let path = match &opens.key {
        Some(path) => path.clone(),
        None => skep_server::key_file(&server_of(file)?),
    };
    let missing = || {
        format!(
            "{} is sealed with {label} of the server that made it: name its file with --key, there is none at {}",
            file.display(),
            path.display()
        )
    };
    let found = KeyFile::find(&path)?.with_context(missing)?;
    Ok(Opener::from(&passphrase::unlock(found, &opens.passphrase).await?))
}

/// The data folder that a server's backup or snapshot lies in.
fn server_of(file: &Path) -> anyhow::Result<PathBuf> {
    let file = file
        .canonicalize()
        .with_context(|| format!("cannot read {}", file.display()))?;
    let above = file.parent().and_then(Path::parent);
    Ok(above.unwrap_or(Path::new("/")).to_owned())
}

fn shown(kept: &Kept) -> String {
    let mut text = format!("Revision:  {}\nSize:      {} bytes\n", kept.revision, kept.bytes);
    if !kept.cluster_id.is_empty() {
        text.push_str(&format!("Cluster:   {}\n", kept.cluster_id));
    }
    let servers: Vec<_> = kept
        .servers
        .iter()
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, address)| format!("{name} ({address})"))
        .collect();
    if !servers.is_empty() {
        text.push_str(&format!("Servers:   {}\n", servers.join(", ")));
    }
    let objects: Vec<_> = kept
        .objects
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    text.push_str(&format!("Objects:   {}\n", objects.join(", ")));
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn what_is_in_a_snapshot_is_told() {
        let kept = Kept {
            revision: 42,
            objects: vec![("namespaces", 4), ("pods", 12)],
            cluster_id: "c0ffee".to_owned(),
            servers: vec![("a".to_owned(), "10.0.0.1:7443".to_owned())],
            bytes: 4096,
        };
        expect![[r"
            Revision:  42
            Size:      4096 bytes
            Cluster:   c0ffee
            Servers:   a (10.0.0.1:7443)
            Objects:   4 namespaces, 12 pods
        "]]
        .assert_eq(&shown(&kept));
    }
}
