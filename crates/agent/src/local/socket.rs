//! The socket's file, never open to others than its owner.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tokio::net::UnixListener;

/// `sun_path` holds 108 bytes with the final zero; a few more are needed while the socket is made.
const PATH_BYTES_MAX: usize = 100;

/// Where an agent with this data folder listens.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("agent.sock")
}

/// The socket's file; removed when dropped.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // One that stays behind is replaced by the next agent.
        drop(fs::remove_file(&self.0));
    }
}

/// Binds the path with mode 0600, in place of one left behind: no other agent can be using the data folder.
pub(super) fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let bytes = path.as_os_str().len();
    if bytes > PATH_BYTES_MAX {
        let message = format!("the path of a socket may have {PATH_BYTES_MAX} bytes, this one has {bytes}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    // Made under another name, so that it is never reachable with a wider mode.
    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&draft)?;
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o600))?;
    fs::rename(&draft, path)?;
    Ok((listener, SocketFile(path.to_owned())))
}
