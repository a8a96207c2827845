//! What seals all that a store writes to its disk. The keys are the caller's: this crate knows of bytes only.

use std::{fmt, io, sync::Arc};

/// The most bytes that a [`Vault::label`] may have.
pub const LABEL_BYTES_MAX: usize = 4096;

/// Seals bytes on their way to the disk and opens them on their way back. Called for every record of the log, from
/// threads that nothing may hold up: it computes, and waits for nobody.
///
/// Another key may come to seal while a store runs, as long as what the one before sealed can be opened until
/// [`crate::Store::reseal`] has returned.
pub trait Vault: Send + Sync + 'static {
    /// Says which key seals now, in words that may be read by anybody: it stands in the clear before what is sealed, and
    /// in the folder's identity. Another label means another key: what the old one sealed is sealed anew.
    fn label(&self) -> String;

    /// Seals bytes for one place. Whoever opens them must name the same place.
    fn seal(&self, place: &[u8], plain: &[u8]) -> Vec<u8>;

    /// Opens what was sealed for this place, with this or an earlier key.
    ///
    /// # Errors
    /// Where it was sealed for another place or with a key that is not at hand, or was changed.
    fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, VaultError>;
}

/// Why sealed bytes cannot be opened. Each says so in a fragment of a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The key is not at hand.
    #[error("{0}")]
    NoKey(String),
    /// The key is at hand and does not fit: they were changed, or were sealed for another place.
    #[error("{0}")]
    Changed(String),
}

impl VaultError {
    /// Whether a file could not be read because the key to it is not at hand; why.
    pub(crate) fn no_key_in(error: &io::Error) -> Option<String> {
        let inner = error.get_ref()?.downcast_ref::<Self>()?;
        matches!(inner, Self::NoKey(_)).then(|| inner.to_string())
    }
}

/// The vault, where there is one, and what is done without it.
#[derive(Clone, Default)]
pub(crate) struct Seal {
    vault: Option<Arc<dyn Vault>>,
    /// While a folder is sealed that was not: what is in the clear is taken for what it says.
    clear_ok: bool,
}

impl Seal {
    pub(crate) fn new(vault: Option<Arc<dyn Vault>>) -> Self {
        Self {
            vault,
            clear_ok: false,
        }
    }

    /// The same, for files that may be sealed or not.
    pub(crate) fn or_clear(&self) -> Self {
        Self {
            vault: self.vault.clone(),
            clear_ok: true,
        }
    }

    pub(crate) fn vault(&self) -> Option<&Arc<dyn Vault>> {
        self.vault.as_ref()
    }

    /// The label of what is sealed from now on; `None` for what is written in the clear.
    pub(crate) fn label(&self) -> Option<String> {
        self.vault.as_ref().map(|vault| vault.label())
    }

    /// Opens what was sealed for this place.
    pub(crate) fn open(&self, place: &[u8], sealed: &[u8]) -> io::Result<Vec<u8>> {
        let vault = self
            .vault
            .as_ref()
            .ok_or_else(|| refused(VaultError::NoKey("no key was given".to_owned())))?;
        vault.open(place, sealed).map_err(refused)
    }

    /// Lets what is in the clear pass, where nothing should be sealed.
    pub(crate) fn pass_clear(&self) -> io::Result<()> {
        match self.vault {
            Some(_) if !self.clear_ok => Err(refused(VaultError::Changed(
                "it is not sealed, and all else here is".to_owned(),
            ))),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({:?})", self.label())
    }
}

fn refused(why: VaultError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
pub(crate) mod testing {
    //! A vault for unit tests.

    use skep_trust::Sealer;

    use super::{Arc, Seal, Vault, VaultError};

    struct Keyed(Sealer);

    impl Vault for Keyed {
        fn label(&self) -> String {
            self.0.key_id()
        }

        fn seal(&self, place: &[u8], plain: &[u8]) -> Vec<u8> {
            self.0.seal(place, plain)
        }

        fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
            let opened = self.0.open(place, sealed);
            opened.map_err(|error| VaultError::Changed(error.to_string()))
        }
    }

    /// Seals with a key made of this byte.
    pub(crate) fn keyed(key: u8) -> Seal {
        Seal::new(Some(Arc::new(Keyed(Sealer::new(&[key; 32])))))
    }
}
