//! Volumes and their sources.

use std::collections::BTreeSet;

use crate::{
    DownwardApiVolumeFile, HostPathVolumeSource, KeyToPath, PodSpec, ProjectedVolumeSource, Volume,
    errors::Errors, names, path::Path,
};

use super::{
    container::exactly_one,
    env::{self, Use},
};

/// Checks all volumes of a pod.
pub(super) fn all(spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, volume) in spec.volumes.iter().enumerate() {
        let path = path.index(index);
        let name = path.field("name");
        if volume.name.is_empty() {
            errors.required(&name, "is missing");
        } else if !seen.insert(&volume.name) {
            errors.duplicate(&name, &volume.name);
        } else {
            errors.about(&name, &volume.name, names::dns_label(&volume.name));
        }
        let set = [
            ("configMap", volume.config_map.is_some()),
            ("secret", volume.secret.is_some()),
            ("emptyDir", volume.empty_dir.is_some()),
            ("hostPath", volume.host_path.is_some()),
            ("projected", volume.projected.is_some()),
            ("downwardAPI", volume.downward_api.is_some()),
        ];
        exactly_one(&set, &path, errors);
        source(volume, spec, &path, errors);
    }
}

fn source(volume: &Volume, spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    if let Some(source) = &volume.config_map {
        let path = path.field("configMap");
        env::object_name(&source.name, &path.field("name"), errors);
        env::mode(source.default_mode, &path.field("defaultMode"), errors);
        items(&source.items, &path.field("items"), errors);
    }
    if let Some(source) = &volume.secret {
        let path = path.field("secret");
        env::object_name(&source.secret_name, &path.field("secretName"), errors);
        env::mode(source.default_mode, &path.field("defaultMode"), errors);
        items(&source.items, &path.field("items"), errors);
    }
    if let Some(limit) = volume.empty_dir.as_ref().and_then(|source| source.size_limit)
        && limit.is_negative()
    {
        errors.invalid(
            &path.field("emptyDir").field("sizeLimit"),
            format!("{limit} is below 0"),
        );
    }
    if let Some(source) = &volume.host_path {
        host_path(source, &path.field("hostPath"), errors);
    }
    if let Some(source) = &volume.projected {
        projected(source, spec, &path.field("projected"), errors);
    }
    if let Some(source) = &volume.downward_api {
        let path = path.field("downwardAPI");
        env::mode(source.default_mode, &path.field("defaultMode"), errors);
        downward_files(&source.items, spec, &path.field("items"), errors);
    }
}

fn items(items: &[KeyToPath], path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let path = path.index(index);
        if item.key.is_empty() {
            errors.required(&path.field("key"), "is missing");
        } else {
            errors.about(&path.field("key"), &item.key, names::config_key(&item.key));
        }
        file(&item.path, item.mode, &path, errors);
        if !item.path.is_empty() && !seen.insert(&item.path) {
            errors.duplicate(&path.field("path"), &item.path);
        }
    }
}

fn downward_files(items: &[DownwardApiVolumeFile], spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let path = path.index(index);
        file(&item.path, item.mode, &path, errors);
        if !item.path.is_empty() && !seen.insert(&item.path) {
            errors.duplicate(&path.field("path"), &item.path);
        }
        let set = [
            ("fieldRef", item.field_ref.is_some()),
            ("resourceFieldRef", item.resource_field_ref.is_some()),
        ];
        exactly_one(&set, &path, errors);
        if let Some(reference) = &item.field_ref {
            env::field_ref(reference, Use::File, &path.field("fieldRef"), errors);
        }
        if let Some(reference) = &item.resource_field_ref {
            env::resource_ref(
                reference,
                spec,
                Use::File,
                &path.field("resourceFieldRef"),
                errors,
            );
        }
    }
}

fn file(text: &str, mode: Option<i32>, path: &Path<'_>, errors: &mut Errors) {
    env::file_path(text, &path.field("path"), errors);
    if let Some(mode) = mode {
        env::mode(mode, &path.field("mode"), errors);
    }
}

fn host_path(source: &HostPathVolumeSource, path: &Path<'_>, errors: &mut Errors) {
    let path = path.field("path");
    if source.path.is_empty() {
        errors.required(&path, "is missing");
    } else if !source.path.starts_with('/') || source.path.split('/').any(|part| part == "..") {
        errors.invalid(
            &path,
            format!("`{}` must be absolute and without `..`", source.path),
        );
    }
}

fn projected(projected: &ProjectedVolumeSource, spec: &PodSpec, path: &Path<'_>, errors: &mut Errors) {
    env::mode(projected.default_mode, &path.field("defaultMode"), errors);
    let list = path.field("sources");
    if projected.sources.is_empty() {
        errors.required(&list, "is missing");
    }
    let mut seen = BTreeSet::new();
    for (index, source) in projected.sources.iter().enumerate() {
        let path = list.index(index);
        let set = [
            ("configMap", source.config_map.is_some()),
            ("secret", source.secret.is_some()),
            ("downwardAPI", source.downward_api.is_some()),
        ];
        exactly_one(&set, &path, errors);
        let mut paths: Vec<&str> = Vec::new();
        if let Some(source) = &source.config_map {
            let path = path.field("configMap");
            env::object_name(&source.name, &path.field("name"), errors);
            items(&source.items, &path.field("items"), errors);
            paths.extend(source.items.iter().map(|item| item.path.as_str()));
        }
        if let Some(source) = &source.secret {
            let path = path.field("secret");
            env::object_name(&source.name, &path.field("name"), errors);
            items(&source.items, &path.field("items"), errors);
            paths.extend(source.items.iter().map(|item| item.path.as_str()));
        }
        if let Some(source) = &source.downward_api {
            downward_files(
                &source.items,
                spec,
                &path.field("downwardAPI").field("items"),
                errors,
            );
            paths.extend(source.items.iter().map(|item| item.path.as_str()));
        }
        for file in paths.iter().filter(|file| seen.contains(**file)) {
            errors.invalid(&path, format!("`{file}` comes from another source already"));
        }
        seen.extend(paths);
    }
}
