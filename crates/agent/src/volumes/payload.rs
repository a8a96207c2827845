//! The files of volumes that are filled from documents.

use std::{
    collections::BTreeMap,
    path::{Component, Path},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use skep_api::{ConfigMap, DownwardApiVolumeFile, KeyToPath, Pod, Secret, Volume, VolumeProjection};

use super::VolumeError;
use crate::spec::{Facts, Sources, pod_field, resource_field};

/// What a file holds, and its permission bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) bytes: Vec<u8>,
    pub(super) mode: u32,
}

/// Files by their path below the volume.
pub(super) type Files = BTreeMap<String, File>;

/// True for volumes that are filled from documents; containers may not write to them.
pub(super) fn is_payload(volume: &Volume) -> bool {
    volume.config_map.is_some()
        || volume.secret.is_some()
        || volume.projected.is_some()
        || volume.downward_api.is_some()
}

/// True for volumes that may hold secrets and so never touch a disk.
pub(super) fn is_secret(volume: &Volume) -> bool {
    volume.secret.is_some() || volume.projected.is_some()
}

/// The volume's files as they should be now.
pub(super) fn files(
    pod: &Pod,
    volume: &Volume,
    sources: &dyn Sources,
    facts: &Facts,
) -> Result<Files, VolumeError> {
    let mut filler = Filler {
        pod,
        sources,
        facts,
        files: Files::new(),
    };
    if let Some(source) = &volume.config_map {
        filler.config_map(&source.name, &source.items, source.default_mode, source.optional)?;
    }
    if let Some(source) = &volume.secret {
        filler.secret(
            &source.secret_name,
            &source.items,
            source.default_mode,
            source.optional,
        )?;
    }
    if let Some(source) = &volume.downward_api {
        filler.downward_api(&source.items, source.default_mode)?;
    }
    if let Some(source) = &volume.projected {
        for projection in &source.sources {
            filler.projection(projection, source.default_mode)?;
        }
    }
    Ok(filler.files)
}

struct Filler<'a> {
    pod: &'a Pod,
    sources: &'a dyn Sources,
    facts: &'a Facts,
    files: Files,
}

impl Filler<'_> {
    fn projection(&mut self, source: &VolumeProjection, mode: i32) -> Result<(), VolumeError> {
        if let Some(map) = &source.config_map {
            self.config_map(&map.name, &map.items, mode, map.optional)?;
        }
        if let Some(secret) = &source.secret {
            self.secret(&secret.name, &secret.items, mode, secret.optional)?;
        }
        source
            .downward_api
            .as_ref()
            .map_or(Ok(()), |downward| self.downward_api(&downward.items, mode))
    }

    fn config_map(
        &mut self,
        name: &str,
        items: &[KeyToPath],
        mode: i32,
        optional: bool,
    ) -> Result<(), VolumeError> {
        match self.sources.config_map(&self.pod.metadata.namespace, name) {
            Some(map) => self.keys(
                &config_map_bytes(&map)?,
                items,
                mode,
                optional,
                VolumeError::NoConfigMapKey,
            ),
            None if optional => Ok(()),
            None => Err(VolumeError::NoConfigMap(name.to_owned())),
        }
    }

    fn secret(
        &mut self,
        name: &str,
        items: &[KeyToPath],
        mode: i32,
        optional: bool,
    ) -> Result<(), VolumeError> {
        match self.sources.secret(&self.pod.metadata.namespace, name) {
            Some(secret) => self.keys(
                &secret_bytes(&secret)?,
                items,
                mode,
                optional,
                VolumeError::NoSecretKey,
            ),
            None if optional => Ok(()),
            None => Err(VolumeError::NoSecret(name.to_owned())),
        }
    }

    fn keys(
        &mut self,
        data: &BTreeMap<String, Vec<u8>>,
        items: &[KeyToPath],
        mode: i32,
        optional: bool,
        no_key: impl Fn(String) -> VolumeError,
    ) -> Result<(), VolumeError> {
        if items.is_empty() {
            return data
                .iter()
                .try_for_each(|(key, bytes)| self.put(key, bytes.clone(), mode));
        }
        for item in items {
            match data.get(&item.key) {
                Some(bytes) => self.put(&item.path, bytes.clone(), item.mode.unwrap_or(mode))?,
                None if optional => {}
                None => return Err(no_key(item.key.clone())),
            }
        }
        Ok(())
    }

    fn downward_api(&mut self, items: &[DownwardApiVolumeFile], mode: i32) -> Result<(), VolumeError> {
        for item in items {
            let text = match (&item.field_ref, &item.resource_field_ref) {
                (Some(field), _) => pod_field(self.pod, self.facts, &field.field_path)?,
                (None, Some(resource)) => resource_field(self.pod, None, self.facts, resource)?,
                (None, None) => String::new(),
            };
            self.put(&item.path, text.into_bytes(), item.mode.unwrap_or(mode))?;
        }
        Ok(())
    }

    fn put(&mut self, path: &str, bytes: Vec<u8>, mode: i32) -> Result<(), VolumeError> {
        let plain = Path::new(path)
            .components()
            .all(|component| matches!(component, Component::Normal(_)));
        // Names that begin with two dots are the atomic writer's own.
        if !plain || path.is_empty() || path.starts_with("..") {
            return Err(VolumeError::Path(path.to_owned()));
        }
        let mode = u32::try_from(mode).unwrap_or(0o400) & 0o777;
        self.files.insert(path.to_owned(), File { bytes, mode });
        Ok(())
    }
}

fn config_map_bytes(map: &ConfigMap) -> Result<BTreeMap<String, Vec<u8>>, VolumeError> {
    let mut all = decoded(&map.binary_data)?;
    all.extend(
        map.data
            .iter()
            .map(|(key, text)| (key.clone(), text.clone().into_bytes())),
    );
    Ok(all)
}

fn secret_bytes(secret: &Secret) -> Result<BTreeMap<String, Vec<u8>>, VolumeError> {
    decoded(&secret.data)
}

fn decoded(data: &BTreeMap<String, String>) -> Result<BTreeMap<String, Vec<u8>>, VolumeError> {
    let decode = |(key, text): (&String, &String)| {
        let bytes = STANDARD
            .decode(text)
            .map_err(|_| VolumeError::NotBase64(key.clone()))?;
        Ok((key.clone(), bytes))
    };
    data.iter().map(decode).collect()
}
