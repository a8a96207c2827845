//! What is done to the files of a server that does not run.

use std::path::Path;

use skep_store::{Member, StoreConfig, Summary};
use skep_trust::Keys;

use crate::{Opener, ServerError, home, seal};

/// What a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The revision of the state.
    pub revision: u64,
    /// How many objects there are, by the plural of their kind, such as `pods`; kinds without any are left out.
    pub objects: Vec<(&'static str, usize)>,
    /// The cluster it was taken in; empty where it is not known.
    pub cluster_id: String,
    /// The servers of that cluster at the time: name and `host:port`.
    pub servers: Vec<(String, String)>,
    /// The file's size.
    pub bytes: u64,
}

/// A server that is the only one of its cluster now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The revision of the state that it goes on with.
    pub revision: u64,
}

/// Makes sure that this is the home of a server of a cluster. Blocks.
///
/// # Errors
/// Where it is none's, or cannot be read.
pub fn check_home(home: &Path) -> Result<(), ServerError> {
    home::member_of(home).map(drop)
}

/// Makes the server with this home and store the only one of its cluster. It must not run, nor may the others ever again.
/// Blocks.
///
/// # Errors
/// Where there is no server's data, it is damaged, or the server runs.
pub fn recover(home: &Path, data_dir: &Path, keys: &mut Keys) -> Result<Recovered, ServerError> {
    let Member { id, name, address } = home::member_of(home)?;
    let config = StoreConfig::new(data_dir).member(Member::new(id, &name, address));
    let kept = skep_store::recover(&config.vault(seal::vault(keys)))?;
    keys.forget_old().map_err(|error| seal::failed(&error))?;
    home::mark_entered(home)?;
    Ok(Recovered {
        id,
        name,
        revision: kept.revision,
    })
}

/// Reads and checks all of a snapshot's file. Blocks.
///
/// # Errors
/// Where it cannot be read or opened, or is damaged.
pub fn inspect(file: &Path, opener: &Opener) -> Result<Kept, ServerError> {
    Ok(skep_store::inspect(file, opener.vault())?.into())
}

/// Makes the store of a new cluster's first server of a snapshot, in an empty folder, sealed with these keys. Blocks.
///
/// # Errors
/// Where the file cannot be opened or is damaged, or the folder is not empty.
pub fn restore(file: &Path, opener: &Opener, data_dir: &Path, keys: &Keys) -> Result<Kept, ServerError> {
    // Name and address are told when the server is started.
    let config = StoreConfig::new(data_dir).vault(seal::vault(keys));
    Ok(skep_store::restore(file, opener.vault(), &config)?.into())
}

impl From<Summary> for Kept {
    fn from(summary: Summary) -> Self {
        let objects = summary.objects.into_iter();
        let servers = summary.members.into_iter();
        Self {
            revision: summary.revision,
            objects: objects.map(|(kind, count)| (kind.plural(), count)).collect(),
            cluster_id: summary.cluster_id,
            servers: servers.map(|member| (member.name, member.address)).collect(),
            bytes: summary.bytes,
        }
    }
}
