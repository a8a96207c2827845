//! Parts of volumes.
//!
//! A container that writes to a volume could put a symlink where another one's subPath leads. So the path is resolved
//! within the volume by the kernel, and what was found is bound to a place of the pod's own before the engine sees it.

use std::{
    fs::{self, File},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2},
    mount::{MsFlags, mount},
    sys::stat::{Mode, SFlag, fstat, mkdirat},
};
use skep_api::{MountPropagation, VolumeMount};

use super::{VolumeError, tmpfs};

/// Binds the part to `target` and answers with it. Missing folders are made where `create`.
pub(super) fn bind(
    root: &Path,
    wanted: &VolumeMount,
    create: bool,
    target: &Path,
) -> Result<PathBuf, VolumeError> {
    let found = find(root, wanted, create)?;
    free(target)?;
    make_target(&found, target)?;
    let source = format!("/proc/self/fd/{}", found.as_raw_fd());
    let at = |source: Option<&str>, flags| {
        mount(source, target, None::<&str>, flags, None::<&str>)
            .map_err(|error| VolumeError::errno("bind to", target, error))
    };
    at(Some(&source), MsFlags::MS_BIND)?;
    // Without this, what is unmounted here later would be unmounted where it came from as well.
    match wanted.mount_propagation {
        MountPropagation::None => at(None, MsFlags::MS_PRIVATE)?,
        MountPropagation::HostToContainer => at(None, MsFlags::MS_SLAVE)?,
        MountPropagation::Bidirectional => {}
    }
    Ok(target.to_owned())
}

fn find(root: &Path, wanted: &VolumeMount, create: bool) -> Result<OwnedFd, VolumeError> {
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let root_fd =
        open(root, flags, Mode::empty()).map_err(|error| VolumeError::errno("open", root, error))?;
    let failed = |error: Errno| VolumeError::errno("open", &root.join(&wanted.sub_path), error);
    let mut path = PathBuf::new();
    let mut found = root_fd
        .try_clone()
        .map_err(|error| VolumeError::io("open", root, &error))?;
    for component in Path::new(&wanted.sub_path).components() {
        let name = match component {
            Component::Normal(name) => name,
            Component::CurDir => continue,
            _ => return Err(VolumeError::Path(wanted.sub_path.clone())),
        };
        path.push(name);
        let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_IN_ROOT);
        let opened = match openat2(&root_fd, &path, how) {
            Err(Errno::ENOENT) if create => {
                match mkdirat(found.as_fd(), name, Mode::from_bits_truncate(0o777)) {
                    Ok(()) | Err(Errno::EEXIST) => {}
                    Err(error) => return Err(failed(error)),
                }
                openat2(&root_fd, &path, how)
            }
            other => other,
        };
        found = match opened {
            Err(Errno::ENOENT) => {
                return Err(VolumeError::NoSubPath {
                    sub_path: wanted.sub_path.clone(),
                    volume: wanted.name.clone(),
                });
            }
            other => other.map_err(failed)?,
        };
    }
    Ok(found)
}

/// The run before has left its own part bound here.
fn free(target: &Path) -> Result<(), VolumeError> {
    if fs::symlink_metadata(target).is_err() {
        return Ok(());
    }
    for point in tmpfs::mounts_below(target)?.iter().rev() {
        tmpfs::unmount(point)?;
    }
    match tmpfs::mounts_below(target)?.first() {
        Some(point) => Err(VolumeError::StillMounted(point.display().to_string())),
        None => Ok(()),
    }
}

/// A folder is bound to a folder, anything else to a file.
fn make_target(found: &OwnedFd, target: &Path) -> Result<(), VolumeError> {
    let failed = |error: std::io::Error| VolumeError::io("create", target, &error);
    let stat = fstat(found).map_err(|error| VolumeError::errno("look at", target, error))?;
    let is_dir = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR;
    match fs::symlink_metadata(target) {
        Ok(meta) if meta.is_dir() && !is_dir => fs::remove_dir(target).map_err(failed)?,
        Ok(meta) if !meta.is_dir() && is_dir => fs::remove_file(target).map_err(failed)?,
        _ => {}
    }
    let parent = target.parent().expect("a sub-path lies below the pod's folder");
    super::make_dir(parent)?;
    if is_dir {
        return super::make_dir(target);
    }
    File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(target)
        .map(drop)
        .map_err(failed)
}
