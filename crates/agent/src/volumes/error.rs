//! Why a volume cannot be had.

use std::{io, path::Path};

use crate::spec::FieldError;

/// Why a volume cannot be had. All are worth a retry: what is missing may come.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VolumeError {
    /// The config map is missing.
    #[error("configmap {0:?} not found")]
    NoConfigMap(String),
    /// The secret is missing.
    #[error("secret {0:?} not found")]
    NoSecret(String),
    /// The config map has no such key.
    #[error("configmap references non-existent config key: {0}")]
    NoConfigMapKey(String),
    /// The secret has no such key.
    #[error("references non-existent secret key: {0}")]
    NoSecretKey(String),
    /// A value that should be base64 is not.
    #[error("the value of key {0} is not base64")]
    NotBase64(String),
    /// A file's path would leave its volume.
    #[error("path {0:?} must be relative and stay within its volume")]
    Path(String),
    /// No such field of the pod.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The pod has no such volume.
    #[error("the pod has no volume {0:?}")]
    NoVolume(String),
    /// The host path is not what it has to be.
    #[error("hostPath type check failed: {path} is not a {wanted}")]
    HostPath {
        /// The path.
        path: String,
        /// Such as `directory`.
        wanted: &'static str,
    },
    /// The part of a volume that a container wants is missing.
    #[error("subPath {sub_path:?} is not in volume {volume:?}")]
    NoSubPath {
        /// The part.
        sub_path: String,
        /// The volume's name.
        volume: String,
    },
    /// A name cannot be a folder's.
    #[error("{0:?} cannot be the name of a folder")]
    Name(String),
    /// Something is still mounted where all should go.
    #[error("{0} is still mounted; nothing was removed")]
    StillMounted(String),
    /// The disk said no.
    #[error("cannot {action} {path}: {error}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: String,
        /// The system's words.
        error: String,
    },
}

impl VolumeError {
    /// The disk said no.
    pub(super) fn io(action: &'static str, path: &Path, error: &io::Error) -> Self {
        Self::Io {
            action,
            path: path.display().to_string(),
            error: error.to_string(),
        }
    }

    /// A system call said no.
    pub(super) fn errno(action: &'static str, path: &Path, error: nix::errno::Errno) -> Self {
        Self::io(action, path, &io::Error::from(error))
    }
}
