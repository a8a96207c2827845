//! Which config maps and secrets a pod names.

use std::collections::BTreeSet;

use skep_api::{Container, Kind, ObjectKey, Pod, Volume};

/// A config map or secret, by kind and name.
pub(crate) type Reference = (Kind, ObjectKey);

/// The config maps and secrets that a pod's variables, volumes and image pulls name.
pub(crate) fn named_by(pod: &Pod) -> BTreeSet<Reference> {
    let spec = &pod.spec;
    let containers = spec
        .init_containers
        .iter()
        .chain(&spec.containers)
        .flat_map(of_container);
    let volumes = spec.volumes.iter().flat_map(of_volume);
    let pulls = spec
        .image_pull_secrets
        .iter()
        .map(|secret| (Kind::Secret, secret.name.as_str()));
    let namespace = &pod.metadata.namespace;
    containers
        .chain(volumes)
        .chain(pulls)
        .filter(|(_, name)| !name.is_empty())
        .map(|(kind, name)| (kind, ObjectKey::new(namespace, name)))
        .collect()
}

fn of_container(container: &Container) -> Vec<(Kind, &str)> {
    let mut found = Vec::new();
    for source in &container.env_from {
        found.extend(
            source
                .config_map_ref
                .as_ref()
                .map(|map| (Kind::ConfigMap, map.name.as_str())),
        );
        found.extend(
            source
                .secret_ref
                .as_ref()
                .map(|secret| (Kind::Secret, secret.name.as_str())),
        );
    }
    for source in container
        .env
        .iter()
        .filter_map(|variable| variable.value_from.as_ref())
    {
        found.extend(
            source
                .config_map_key_ref
                .as_ref()
                .map(|map| (Kind::ConfigMap, map.name.as_str())),
        );
        found.extend(
            source
                .secret_key_ref
                .as_ref()
                .map(|secret| (Kind::Secret, secret.name.as_str())),
        );
    }
    found
}

fn of_volume(volume: &Volume) -> Vec<(Kind, &str)> {
    let mut found = Vec::new();
    found.extend(
        volume
            .config_map
            .as_ref()
            .map(|map| (Kind::ConfigMap, map.name.as_str())),
    );
    found.extend(
        volume
            .secret
            .as_ref()
            .map(|secret| (Kind::Secret, secret.secret_name.as_str())),
    );
    for source in volume.projected.iter().flat_map(|projected| &projected.sources) {
        found.extend(
            source
                .config_map
                .as_ref()
                .map(|map| (Kind::ConfigMap, map.name.as_str())),
        );
        found.extend(
            source
                .secret
                .as_ref()
                .map(|secret| (Kind::Secret, secret.name.as_str())),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use skep_api::Object;

    use super::*;

    #[test]
    fn every_way_to_name_a_config_map_or_secret_is_found() {
        let document = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": "web", "namespace": "shop" },
            "spec": {
                "imagePullSecrets": [{ "name": "registry" }],
                "initContainers": [{ "name": "init", "envFrom": [{ "secretRef": { "name": "s1" } }] }],
                "containers": [{
                    "name": "main",
                    "envFrom": [{ "configMapRef": { "name": "c1" } }],
                    "env": [
                        { "name": "A", "valueFrom": { "configMapKeyRef": { "name": "c2", "key": "k" } } },
                        { "name": "B", "valueFrom": { "secretKeyRef": { "name": "s2", "key": "k" } } },
                        { "name": "C", "value": "plain" },
                    ],
                }],
                "volumes": [
                    { "name": "v1", "configMap": { "name": "c3" } },
                    { "name": "v2", "secret": { "secretName": "s3" } },
                    { "name": "v3", "projected": { "sources": [
                        { "configMap": { "name": "c4" } }, { "secret": { "name": "s4" } },
                    ] } },
                ],
            },
        });
        let Object::Pod(pod) = Object::from_value(document).unwrap() else {
            panic!("a pod")
        };
        let names: Vec<String> = named_by(&pod)
            .into_iter()
            .map(|(_, key)| key.to_string())
            .collect();
        assert_eq!(
            names.join(" "),
            "shop/c1 shop/c2 shop/c3 shop/c4 shop/registry shop/s1 shop/s2 shop/s3 shop/s4"
        );
    }
}
