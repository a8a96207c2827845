//! Which cluster this server belongs to: known from the start, or learned from the first server that calls.

use std::sync::{Mutex, OnceLock, PoisonError};

use crate::{
    OpenError,
    folder::{Folder, Origin},
};

/// The folder as long as the store is open, and the cluster it belongs to.
#[derive(Debug)]
pub(crate) struct Home {
    folder: Mutex<Option<Folder>>,
    origin: OnceLock<Origin>,
    mark: u64,
    joins: bool,
}

impl Home {
    pub(crate) fn new(folder: Folder) -> Self {
        let origin = folder.identity.origin().map(OnceLock::from).unwrap_or_default();
        Self {
            mark: folder.identity.mark,
            joins: folder.identity.joins,
            folder: Mutex::new(Some(folder)),
            origin,
        }
    }

    /// `None` until this server has joined.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.origin.get()
    }

    /// Tells this folder from one that another time was made for the same server.
    pub(crate) fn mark(&self) -> u64 {
        self.mark
    }

    /// True for a server that was to join: it never makes a cluster of its own.
    pub(crate) fn joins(&self) -> bool {
        self.joins
    }

    /// Makes this server one of the cluster, for good. Blocks.
    pub(crate) fn adopt(&self, origin: &Origin) -> Result<(), OpenError> {
        let mut folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(folder), None) = (folder.as_mut(), self.origin.get()) {
            folder.set_identity(folder.identity.clone().of_cluster(origin.clone()))?;
            self.origin.get_or_init(|| origin.clone());
        }
        Ok(())
    }

    /// Notes that the cluster exists: from now on the folder's contents count.
    pub(crate) fn set_ready(&self) -> Result<(), OpenError> {
        let mut folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        match folder.as_mut() {
            Some(folder) if !folder.identity.ready => folder.set_ready(),
            _ => Ok(()),
        }
    }

    /// Notes the label of the key that everything is sealed with. Blocks.
    pub(crate) fn set_seal(&self, label: Option<String>) -> Result<(), OpenError> {
        let mut folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        match folder.as_mut() {
            Some(folder) => folder.set_identity(folder.identity.clone().sealed(label)),
            None => Ok(()),
        }
    }

    /// Lets go of the folder.
    pub(crate) fn close(&self) {
        self.folder.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
