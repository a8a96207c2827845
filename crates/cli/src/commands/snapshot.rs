//! `skep snapshot`: the state of the cluster as a file.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use skep_api::proto::{SaveSnapshotRequest, members_client::MembersClient};
use skep_server::Kept;

use super::server::DATA_DIR;
use crate::{context::Context, output};

/// What `skep snapshot` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skep snapshot save monday.snapshot
  skep snapshot inspect monday.snapshot
  skep snapshot restore monday.snapshot --data-dir /var/lib/skep
  skep server --init                    (there) is the first server of a new cluster with that state")]
pub(crate) struct SnapshotArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write the whole state of the cluster into a file; it holds the secrets as well
    Save {
        /// The file to write
        file: PathBuf,
    },
    /// Check a file and show what is in it; no server is asked
    Inspect {
        /// The file
        file: PathBuf,
    },
    /// Make the first server of a new cluster of a file, on this machine; no server is asked
    Restore {
        /// The file
        file: PathBuf,
        /// Where the new server keeps everything
        #[arg(long, value_name = "FOLDER", default_value = DATA_DIR)]
        data_dir: PathBuf,
    },
}

/// Saves, checks or restores a snapshot.
///
/// # Errors
/// Where the server cannot be asked, or the file cannot be written, read or used.
pub(crate) async fn run(args: SnapshotArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    match args.action {
        Action::Save { file } => {
            let kept = save(&file, ctx).await?;
            output::write(&format!(
                "Snapshot of revision {} saved to {}\n",
                kept.revision,
                file.display()
            ))?;
        }
        Action::Inspect { file } => {
            let kept = tokio::task::spawn_blocking(move || skep_server::inspect(&file)).await??;
            output::write(&shown(&kept))?;
        }
        Action::Restore { file, data_dir } => {
            let folder = data_dir.join("server");
            let kept = tokio::task::spawn_blocking(move || skep_server::restore(&file, &folder)).await??;
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
async fn save(file: &Path, ctx: &Context) -> anyhow::Result<Kept> {
    let mut client = MembersClient::new(ctx.connection().await?);
    let cannot_write = || format!("cannot write {}", file.display());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut draft =
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).with_context(cannot_write)?;
    let mut chunks = client.save_snapshot(SaveSnapshotRequest {}).await?.into_inner();
    while let Some(chunk) = chunks.message().await? {
        draft.write_all(&chunk.data).with_context(cannot_write)?;
    }
    draft.as_file().sync_all().with_context(cannot_write)?;
    let path = draft.path().to_owned();
    let kept = tokio::task::spawn_blocking(move || skep_server::inspect(&path)).await?;
    let kept = kept.context("the snapshot did not arrive whole")?;
    draft.persist(file).with_context(cannot_write)?;
    Ok(kept)
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
