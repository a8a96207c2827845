//! What opens a snapshot's file that may be sealed.

use std::{
    fmt,
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use skep_store::{SealedWriter, Vault};
use skep_trust::{Keys, PassphraseKey};

use super::{KeyVault, vault};
use crate::ServerError;

/// What opens a snapshot's file; the default opens none that is sealed.
#[derive(Clone, Default)]
pub struct Opener(Option<Arc<dyn Vault>>);

/// What a snapshot's file is sealed with: the label of a [`PassphraseKey`] that travels with it, or the name of a server's
/// key. `None` for one in the clear. Blocks.
///
/// # Errors
/// Where it cannot be read or is no snapshot.
pub fn label_of(file: &Path) -> Result<Option<String>, ServerError> {
    Ok(skep_store::label_of(file)?)
}

impl Opener {
    pub(crate) fn vault(&self) -> Option<Arc<dyn Vault>> {
        self.0.clone()
    }

    /// Seals a snapshot that is written to `out`, so that it can be opened with this again; without a key it stays in the
    /// clear.
    ///
    /// # Errors
    /// Where `out` fails.
    pub fn sealing<W: Write>(&self, out: W) -> io::Result<SealedWriter<W>> {
        match self.vault() {
            Some(vault) => SealedWriter::with(out, vault),
            None => SealedWriter::clear(out),
        }
    }
}

impl From<&Keys> for Opener {
    fn from(keys: &Keys) -> Self {
        Self(Some(vault(keys)))
    }
}

impl From<&PassphraseKey> for Opener {
    fn from(key: &PassphraseKey) -> Self {
        Self(Some(KeyVault::of(key.sealer().clone(), key.label().to_owned())))
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Opener").field(&self.0.is_some()).finish()
    }
}
