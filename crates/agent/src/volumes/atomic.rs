//! Replaces all files of a volume at one stroke.
//!
//! The files lie in a folder `..N`; `..data` is a symlink to it; what containers open are symlinks through `..data`. An
//! update writes `..N+1` and renames a new `..data` over the old one, so a reader sees all old files or all new ones.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use super::{
    VolumeError, ownership,
    payload::{File, Files},
};

const DATA: &str = "..data";
const NEW_DATA: &str = "..data_new";

/// Brings the folder's files to what they should be. True where something changed.
pub(super) fn write(root: &Path, files: &Files, fs_group: Option<u32>) -> Result<bool, VolumeError> {
    let current = fs::read_link(root.join(DATA)).ok();
    let unchanged = current
        .as_ref()
        .is_some_and(|dir| holds(&root.join(dir), files, fs_group));
    if !unchanged {
        let next = next_name(current.as_deref());
        write_folder(&root.join(&next), files, fs_group)?;
        ownership::give(root, fs_group)?;
        point_data_to(root, &next)?;
    }
    let linked = link_names(root, files)?;
    remove_leftovers(root, files)?;
    Ok(linked || !unchanged)
}

/// True where a folder has just these files. What cannot be read counts as different.
fn holds(dir: &Path, files: &Files, fs_group: Option<u32>) -> bool {
    let same = |(path, file): (&String, &File)| {
        let path = dir.join(path);
        let mode = fs::metadata(&path).map(|meta| meta.permissions().mode() & 0o7777);
        mode.is_ok_and(|mode| mode == ownership::file_mode(file.mode, fs_group))
            && fs::read(&path).is_ok_and(|bytes| bytes == file.bytes)
    };
    files.iter().all(same) && count_files(dir).is_ok_and(|count| count == files.len())
}

fn count_files(dir: &Path) -> io::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        count += if entry.file_type()?.is_dir() {
            count_files(&entry.path())?
        } else {
            1
        };
    }
    Ok(count)
}

fn next_name(current: Option<&Path>) -> PathBuf {
    let number = current.and_then(|path| path.to_str()?.strip_prefix("..")?.parse::<u64>().ok());
    PathBuf::from(format!("..{}", number.map_or(1, |number| number + 1)))
}

fn write_folder(dir: &Path, files: &Files, fs_group: Option<u32>) -> Result<(), VolumeError> {
    // One that an interrupted update left behind.
    remove(dir)?;
    make_dir(dir, fs_group)?;
    for (path, file) in files {
        let mut parent = dir.to_owned();
        for component in Path::new(path).parent().into_iter().flat_map(Path::components) {
            parent.push(component);
            make_dir(&parent, fs_group)?;
        }
        write_file(&dir.join(path), file, fs_group)?;
    }
    Ok(())
}

fn write_file(path: &Path, file: &File, fs_group: Option<u32>) -> Result<(), VolumeError> {
    let failed = |error: io::Error| VolumeError::io("write", path, &error);
    let mode = ownership::file_mode(file.mode, fs_group);
    fs::write(path, &file.bytes).map_err(failed)?;
    ownership::give(path, fs_group)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)
}

fn make_dir(path: &Path, fs_group: Option<u32>) -> Result<(), VolumeError> {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
        .map_err(|error| VolumeError::io("create", path, &error))?;
    ownership::give(path, fs_group)
}

fn point_data_to(root: &Path, folder: &Path) -> Result<(), VolumeError> {
    let new = root.join(NEW_DATA);
    remove(&new)?;
    symlink(folder, &new)
        .and_then(|()| fs::rename(&new, root.join(DATA)))
        .map_err(|error| VolumeError::io("replace", &root.join(DATA), &error))
}

/// The names that containers see, each a symlink through `..data`. True where one was missing.
fn link_names(root: &Path, files: &Files) -> Result<bool, VolumeError> {
    let mut changed = false;
    for name in names(files) {
        let link = root.join(&name);
        let target = Path::new(DATA).join(&name);
        if fs::read_link(&link).is_ok_and(|found| found == target) {
            continue;
        }
        remove(&link)?;
        symlink(&target, &link).map_err(|error| VolumeError::io("create", &link, &error))?;
        changed = true;
    }
    Ok(changed)
}

/// Names that are gone, and folders that `..data` does not lead to.
fn remove_leftovers(root: &Path, files: &Files) -> Result<(), VolumeError> {
    let mut keep = names(files);
    keep.insert(DATA.into());
    keep.extend(fs::read_link(root.join(DATA)).ok().map(PathBuf::into_os_string));
    let failed = |error: io::Error| VolumeError::io("list", root, &error);
    for entry in fs::read_dir(root).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !keep.contains(&entry.file_name()) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// The first part of each path.
fn names(files: &Files) -> BTreeSet<OsString> {
    let first = |path: &String| {
        Path::new(path)
            .components()
            .next()
            .map(|name| name.as_os_str().to_owned())
    };
    files.keys().filter_map(first).collect()
}

fn remove(path: &Path) -> Result<(), VolumeError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(VolumeError::io("remove", path, &error)),
        _ => Ok(()),
    }
}
