//! Files for the last words of containers, one for each run.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::PathBuf,
};

use super::{VolumeError, place::Place};

/// Kubernetes' bound on last words.
const BYTES_MAX: u64 = 4096;

/// Makes an empty file that every user may write.
pub(super) fn prepare(
    place: &Place,
    uid: &str,
    container: &str,
    attempt: u32,
) -> Result<PathBuf, VolumeError> {
    let path = place.termination(uid, container, attempt)?;
    let failed = |error: std::io::Error| VolumeError::io("create", &path, &error);
    super::make_dir(path.parent().expect("the file lies below the pod's folder"))?;
    let file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o666)
        .open(&path);
    file.and_then(|file| file.set_permissions(fs::Permissions::from_mode(0o666)))
        .map_err(failed)?;
    remove_older(&path, attempt)?;
    Ok(path)
}

/// The end of the file as text; empty where there is none.
pub(super) fn read(place: &Place, uid: &str, container: &str, attempt: u32) -> String {
    let Ok(path) = place.termination(uid, container, attempt) else {
        return String::new();
    };
    let tail = File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(BYTES_MAX)))?;
        let mut bytes = Vec::new();
        file.take(BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    String::from_utf8_lossy(&tail.unwrap_or_default()).into_owned()
}

/// Only this run's and the one before are ever asked for.
fn remove_older(path: &std::path::Path, attempt: u32) -> Result<(), VolumeError> {
    let dir = path.parent().expect("the file lies below the pod's folder");
    let entries = fs::read_dir(dir).map_err(|error| VolumeError::io("list", dir, &error))?;
    for entry in entries.flatten() {
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok());
        if number.is_some_and(|number| number + 1 < attempt) {
            fs::remove_file(entry.path())
                .map_err(|error| VolumeError::io("remove", &entry.path(), &error))?;
        }
    }
    Ok(())
}
