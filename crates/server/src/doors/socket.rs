//! The Unix socket: never two servers on one, never open to others than its owner.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tokio::net::{UnixListener, UnixStream};

/// `sun_path` holds 108 bytes with the final zero; two more are needed while the socket is made.
const PATH_BYTES_MAX: usize = 105;

/// A socket that is bound and listens.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    guard: SocketFile,
}

/// The socket's file: removed when dropped, unless another server has put its own there.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

/// Why a socket cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    #[error("another server answers")]
    Taken,
    #[error(
        "the path of a Unix socket may have {PATH_BYTES_MAX} bytes, this one has {0}: choose a shorter one"
    )]
    TooLong(usize),
    #[error("there is a file that is no socket: remove it or choose another path")]
    NoSocket,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Socket {
    /// Binds the path with mode 0600, in place of a socket that nobody answers on.
    pub(crate) async fn bind(path: &Path) -> Result<Self, SocketError> {
        let bytes = path.as_os_str().len();
        if bytes > PATH_BYTES_MAX {
            return Err(SocketError::TooLong(bytes));
        }
        refuse_taken(path).await?;
        // Made under another name, so that it is never reachable with a wider mode than 0600.
        let mut draft = path.as_os_str().to_owned();
        draft.push("~");
        let draft = PathBuf::from(draft);
        if draft.exists() {
            fs::remove_file(&draft)?;
        }
        let listener = UnixListener::bind(&draft)?;
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o600))?;
        fs::rename(&draft, path)?;
        let inode = fs::metadata(path)?.ino();
        Ok(Self {
            listener,
            guard: SocketFile {
                path: path.to_owned(),
                inode,
            },
        })
    }

    /// The listener, to be listened on for a while.
    pub(crate) fn listener(&self) -> &UnixListener {
        &self.listener
    }

    /// The listener, and what removes the file in the end.
    pub(crate) fn into_parts(self) -> (UnixListener, SocketFile) {
        (self.listener, self.guard)
    }
}

async fn refuse_taken(path: &Path) -> Result<(), SocketError> {
    use std::os::unix::fs::FileTypeExt;
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(metadata) if !metadata.file_type().is_socket() => return Err(SocketError::NoSocket),
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(SocketError::Taken),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode) {
            // A file that stays behind is replaced by the next server.
            drop(fs::remove_file(&self.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("skep.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a socket left behind");
        let live = Socket::bind(&path).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(matches!(Socket::bind(&path).await, Err(SocketError::Taken)));
        drop(live);
        assert!(!path.exists(), "a server that ends removes its socket");
    }

    #[tokio::test]
    async fn an_ordinary_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        fs::write(&path, "mine").unwrap();
        assert!(matches!(Socket::bind(&path).await, Err(SocketError::NoSocket)));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
}
