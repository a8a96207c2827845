//! Takes the state out of a cluster, looks into what was taken out, and makes a cluster of it again.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use openraft::EntryPayload;
use skep_api::Kind;
use skep_state::State;

use crate::{
    Member, OpenError, ReadError, Store, StoreConfig, Vault,
    folder::{Folder, Identity, Origin, io_at},
    log::{Log, open_log, unreadable},
    raft::{LogEntry, LogId, Members, Membership, SnapshotMeta, log_id},
    reseal::reseal,
    snapshot::{self, Head},
    vault::Seal,
};

/// What a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The revision of the state.
    pub revision: u64,
    /// How many objects there are, by kind; kinds without any are left out.
    pub objects: BTreeMap<Kind, usize>,
    /// The cluster it was taken in; empty where it is not known.
    pub cluster_id: String,
    /// The servers of that cluster at the time.
    pub members: Vec<Member>,
    /// The term and the index of the last entry of the log that is in it.
    pub log_end: Option<(u64, u64)>,
    /// The file's size.
    pub bytes: u64,
}

/// Why a snapshot could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The newest state could not be made sure of.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It could not be written.
    #[error("the snapshot could not be written")]
    Write(#[source] std::io::Error),
}

impl Store {
    /// Writes the whole state, with everything that was acknowledged before this call, as one checksummed file that
    /// [`restore`] and [`inspect`] read. It is in the clear, whatever seals the folder: see [`crate::SealedWriter`]. Writes from a thread of its own, which may block; the size in bytes.
    ///
    /// # Errors
    /// Where no leader answers or `out` fails.
    pub async fn export(&self, out: impl Write + Send + 'static) -> Result<u64, ExportError> {
        self.read().await?;
        let (head, state) = self.inner.contents();
        tokio::task::spawn_blocking(move || snapshot::encode(out, &head, &state, &Seal::default()))
            .await
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(ExportError::Write)
    }
}

/// The label of the key that a snapshot's file is sealed with; `None` for one in the clear. Blocks.
///
/// # Errors
/// Where the file cannot be read, or is none.
pub fn label_of(file: &Path) -> Result<Option<String>, OpenError> {
    let opened = snapshot::open(file, &Seal::default());
    opened
        .map(snapshot::ClearFile::into_label)
        .map_err(|error| of_copy(snapshot::read_failed(file, error)))
}

/// What is wrong with a file that was saved: nothing can be started from the snapshot before it.
fn of_copy(error: OpenError) -> OpenError {
    match error {
        OpenError::Snapshot { path, why } => OpenError::Copy { path, why },
        other => other,
    }
}

/// Reads all of a snapshot's file, checks it, and tells what is in it. `vault` opens it where it is sealed. Blocks.
///
/// # Errors
/// Where the file cannot be read or opened, or is damaged.
pub fn inspect(file: &Path, vault: Option<Arc<dyn Vault>>) -> Result<Summary, OpenError> {
    let (head, state) = snapshot::load(file, &Seal::new(vault).or_clear()).map_err(of_copy)?;
    summary(file, &head, &state)
}

/// Makes a new cluster, of one server alone, of a snapshot's file, in an empty folder: with all objects and their
/// revisions, under a new cluster id. Other servers join it as they join any. `opens` opens the file where it is sealed;
/// of the configuration, the folder, the server and the vault that seals the folder count. Blocks.
///
/// # Errors
/// Where the file cannot be opened or is damaged, or the folder is not empty.
pub fn restore(
    file: &Path,
    opens: Option<Arc<dyn Vault>>,
    config: &StoreConfig,
) -> Result<Summary, OpenError> {
    let (member, seal) = (&config.member, Seal::new(config.vault.clone()));
    let (head, state) = snapshot::load(file, &Seal::new(opens).or_clear()).map_err(of_copy)?;
    let told = summary(file, &head, &state)?;
    let end = head.meta.last_log_id.unwrap_or_else(|| log_id(1, 1));
    let identity = Identity::of(Origin::new_cluster(), member.id).sealed(seal.label());
    let mut folder = Folder::create(&config.dir, identity.clone())?;
    let log = open_log(&folder, &seal)?;
    begin_with(&folder, &seal, &log, (&head, &state, end), member)?;
    log.close();
    folder.set_identity(identity)?;
    Ok(told)
}

/// Makes a cluster of one of a server whose cluster has lost its majority. Everything that this server's log holds is
/// kept; **what the others acknowledged and this one never received is lost**, and they must not come back: they are
/// refused until their folders are emptied and they join again. The server must not be running. Of the configuration, the
/// folder, the server and the vault count. Blocks.
///
/// # Errors
/// Where the folder is not that of this server, is in use, cannot be opened or is damaged.
pub fn recover(config: &StoreConfig) -> Result<Summary, OpenError> {
    let (dir, member, seal) = (&config.dir, &config.member, Seal::new(config.vault.clone()));
    let mut folder = Folder::open_used(dir, member.id)?;
    reseal(&mut folder, &seal)?;
    let (mut head, mut state) = newest(&folder.snapshot_dir(), &seal)?.unwrap_or_default();
    let log = open_log(&folder, &seal)?;
    let unreadable = |error: std::io::Error| unreadable(folder.log_dir(), &error);
    let from = head.meta.last_log_id.map_or(0, |id| id.index + 1);
    let entries = log.read(from, u64::MAX).map_err(unreadable)?;
    check_gap(dir, &log, &head)?;
    for entry in entries {
        replay(entry, &mut head, &mut state).map_err(|error| unreadable(error.into()))?;
    }
    let end = head.meta.last_log_id.ok_or_else(|| OpenError::Foreign {
        path: dir.to_owned(),
        why: "holds nothing that could be recovered".to_owned(),
    })?;
    let path = begin_with(&folder, &seal, &log, (&head, &state, end), member)?;
    log.forget(end).map_err(unreadable)?;
    log.close();
    let origin = folder.identity.origin().unwrap_or_else(Origin::new_cluster);
    let identity = folder.identity.clone().of_cluster(origin.new_lineage());
    folder.set_identity(identity)?;
    summary(&path, &head, &state)
}

/// Writes what a cluster of `member` alone begins with; the snapshot's path.
fn begin_with(
    folder: &Folder,
    seal: &Seal,
    log: &Log,
    (head, state, end): (&Head, &State, LogId),
    member: &Member,
) -> Result<PathBuf, OpenError> {
    let members = Members::from(BTreeMap::from([(member.id, member.place())]));
    let head = Head {
        meta: SnapshotMeta {
            last_log_id: Some(end),
            last_membership: Membership::new(Some(end), members),
        },
        cluster_id: folder
            .identity
            .origin()
            .map_or_else(String::new, |origin| origin.cluster_id),
        numbers: {
            let mut numbers = head.numbers.clone();
            numbers.note([member.id]);
            numbers
        },
    };
    let path = folder.snapshot_dir().join(snapshot::file_name(Some(end)));
    snapshot::write(&path, &head, state, seal, &snapshot::Care::new(0)).map_err(io_at(&path))?;
    let term = end.committed_leader_id().term;
    log.vote_at_least(term, member.id)
        .map_err(io_at(&folder.log_dir()))?;
    Ok(path)
}

fn replay(entry: LogEntry, head: &mut Head, state: &mut State) -> Result<(), serde_json::Error> {
    let id = entry.log_id;
    head.meta.last_log_id = Some(id);
    match entry.payload {
        EntryPayload::Blank => {}
        EntryPayload::Normal(command) => {
            for entry in command.take_entries()? {
                state.apply(&entry);
            }
        }
        EntryPayload::Membership(members) => {
            head.numbers.note(members.nodes().map(|(id, _)| *id));
            head.meta.last_membership = Membership::new(Some(id), members);
        }
    }
    Ok(())
}

fn check_gap(dir: &Path, log: &Log, head: &Head) -> Result<(), OpenError> {
    crate::store::check_joint(dir, log, &head.meta)
}

fn newest(dir: &Path, seal: &Seal) -> Result<Option<(Head, State)>, OpenError> {
    let paths = snapshot::list(dir).map_err(io_at(dir))?;
    paths.last().map(|path| snapshot::load(path, seal)).transpose()
}

fn summary(file: &Path, head: &Head, state: &State) -> Result<Summary, OpenError> {
    let bytes = fs::metadata(file).map_err(io_at(file))?.len();
    let count = |kind: Kind| (kind, state.count(kind));
    Ok(Summary {
        revision: state.revision(),
        objects: Kind::ALL
            .into_iter()
            .map(count)
            .filter(|(_, count)| *count > 0)
            .collect(),
        cluster_id: head.cluster_id.clone(),
        members: head.members(),
        log_end: head
            .meta
            .last_log_id
            .map(|id| (id.committed_leader_id().term, id.index)),
        bytes,
    })
}
