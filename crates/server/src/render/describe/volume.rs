//! Volumes of a pod, or of a template.

use skep_api::{HostPathType, StorageMedium, Volume, VolumeProjection};

use super::page::Page;
use crate::render::cells::or_none;

pub(super) fn volumes(page: &mut Page, level: usize, volumes: &[Volume]) {
    if volumes.is_empty() {
        page.list(level, "Volumes", [""; 0]);
        return;
    }
    page.heading(level, "Volumes");
    for volume in volumes {
        page.heading(level + 1, &volume.name);
        source(page, level + 2, volume);
    }
}

fn source(page: &mut Page, level: usize, volume: &Volume) {
    if let Some(config_map) = &volume.config_map {
        page.field(level, "Type", "ConfigMap (a volume populated by a ConfigMap)");
        page.field(level, "Name", &config_map.name);
        page.field(level, "Optional", config_map.optional.to_string());
    } else if let Some(secret) = &volume.secret {
        page.field(level, "Type", "Secret (a volume populated by a Secret)");
        page.field(level, "SecretName", &secret.secret_name);
        page.field(level, "Optional", secret.optional.to_string());
    } else if let Some(empty) = &volume.empty_dir {
        page.field(
            level,
            "Type",
            "EmptyDir (a temporary directory that shares a pod's lifetime)",
        );
        page.field(
            level,
            "Medium",
            if empty.medium == StorageMedium::Memory {
                "Memory"
            } else {
                ""
            },
        );
        let limit = empty
            .size_limit
            .map_or_else(|| "<unset>".to_owned(), |limit| limit.to_string());
        page.field(level, "SizeLimit", limit);
    } else if let Some(host) = &volume.host_path {
        page.field(level, "Type", "HostPath (bare host directory volume)");
        page.field(level, "Path", &host.path);
        let kind = format!("{:?}", host.r#type);
        page.field(
            level,
            "HostPathType",
            if host.r#type == HostPathType::Unset {
                ""
            } else {
                &kind
            },
        );
    } else if volume.downward_api.is_some() {
        page.field(
            level,
            "Type",
            "DownwardAPI (a volume populated by information about the pod)",
        );
    } else if let Some(projected) = &volume.projected {
        page.field(
            level,
            "Type",
            "Projected (a volume that contains injected data from multiple sources)",
        );
        projected
            .sources
            .iter()
            .for_each(|source| projection(page, level, source));
    }
}

fn projection(page: &mut Page, level: usize, source: &VolumeProjection) {
    if let Some(config_map) = &source.config_map {
        page.field(level, "ConfigMapName", or_none(&config_map.name));
        page.field(level, "Optional", config_map.optional.to_string());
    } else if let Some(secret) = &source.secret {
        page.field(level, "SecretName", or_none(&secret.name));
        page.field(level, "Optional", secret.optional.to_string());
    } else {
        page.field(level, "DownwardAPI", "true");
    }
}
