//! Where things lie: `pods/{uid}/volumes/{name}`, `pods/{uid}/sub-paths/{container}/{index}` and
//! `pods/{uid}/termination/{container}/{attempt}`.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use skep_api::{Pod, Volume};

use super::VolumeError;

#[derive(Clone, Debug)]
pub(super) struct Place {
    pods: PathBuf,
}

impl Place {
    pub(super) fn new(data_dir: &Path) -> Self {
        Self {
            pods: data_dir.join("pods"),
        }
    }

    pub(super) fn pod(&self, uid: &str) -> Result<PathBuf, VolumeError> {
        Ok(self.pods.join(name(uid)?))
    }

    pub(super) fn volume(&self, pod: &Pod, volume: &Volume) -> Result<PathBuf, VolumeError> {
        Ok(self
            .pod(&pod.metadata.uid)?
            .join("volumes")
            .join(name(&volume.name)?))
    }

    pub(super) fn sub_path(&self, uid: &str, container: &str, index: usize) -> Result<PathBuf, VolumeError> {
        Ok(self
            .pod(uid)?
            .join("sub-paths")
            .join(name(container)?)
            .join(index.to_string()))
    }

    pub(super) fn termination(
        &self,
        uid: &str,
        container: &str,
        attempt: u32,
    ) -> Result<PathBuf, VolumeError> {
        Ok(self
            .pod(uid)?
            .join("termination")
            .join(name(container)?)
            .join(attempt.to_string()))
    }

    pub(super) fn known(&self) -> Result<Vec<String>, VolumeError> {
        let failed = |error: &io::Error| VolumeError::io("list", &self.pods, error);
        let entries = match fs::read_dir(&self.pods) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(&error)),
        };
        let mut uids = Vec::new();
        for entry in entries {
            uids.extend(
                entry
                    .map_err(|error| failed(&error))?
                    .file_name()
                    .into_string()
                    .ok(),
            );
        }
        uids.sort_unstable();
        Ok(uids)
    }
}

/// A name that is one plain component of a path, so that nothing outside of the pod's folder is ever touched.
fn name(text: &str) -> Result<&str, VolumeError> {
    let mut components = Path::new(text).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(only)), None) if only == text => Ok(text),
        _ => Err(VolumeError::Name(text.to_owned())),
    }
}
