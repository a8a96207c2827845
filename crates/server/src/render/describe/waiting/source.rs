//! Config maps and secrets that a pod needs and that are not there.

use std::collections::BTreeSet;

use skep_api::{
    ConfigMap, EnvFromSource, EnvVar, KeyToPath, Kind, ObjectKey, Pod, Secret, Volume, VolumeProjection,
};
use skep_state::State;

/// What the pod reads its configuration from: a whole object, or one key of it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Source<'a> {
    kind: Kind,
    name: &'a str,
    key: Option<&'a str>,
}

/// Config maps, secrets and keys of them that the pod cannot do without and that do not exist.
pub(super) fn missing(state: &State, pod: &Pod) -> Vec<String> {
    let mut wanted = BTreeSet::new();
    for container in pod.spec.all_containers() {
        wanted.extend(container.env_from.iter().filter_map(of_env_from));
        wanted.extend(container.env.iter().filter_map(of_env));
    }
    wanted.extend(pod.spec.volumes.iter().flat_map(of_volume));
    let namespace = &pod.metadata.namespace;
    wanted
        .iter()
        .filter_map(|source| source.explain(state, namespace))
        .collect()
}

impl Source<'_> {
    /// What is missing; `None` where nothing is.
    fn explain(&self, state: &State, namespace: &str) -> Option<String> {
        let object = ObjectKey::new(namespace, self.name);
        let word = if self.kind == Kind::Secret {
            "secret"
        } else {
            "config map"
        };
        let name = self.name;
        let has_key = |key: &str| match self.kind {
            Kind::Secret => state
                .get::<Secret>(&object)
                .is_some_and(|secret| secret.data.contains_key(key)),
            _ => state
                .get::<ConfigMap>(&object)
                .is_some_and(|map| map.data.contains_key(key) || map.binary_data.contains_key(key)),
        };
        if state.object(self.kind, &object).is_none() {
            return Some(format!(
                "the {word} \"{name}\", which does not exist in namespace \"{namespace}\""
            ));
        }
        match self.key {
            Some(key) if !has_key(key) => Some(format!(
                "the key \"{key}\" of {word} \"{name}\", which it does not have"
            )),
            _ => None,
        }
    }
}

fn of_env_from(source: &EnvFromSource) -> Option<Source<'_>> {
    let (kind, reference) = match (&source.config_map_ref, &source.secret_ref) {
        (Some(config_map), _) => (Kind::ConfigMap, config_map),
        (None, secret) => (Kind::Secret, secret.as_ref()?),
    };
    (!reference.optional).then_some(Source {
        kind,
        name: &reference.name,
        key: None,
    })
}

fn of_env(variable: &EnvVar) -> Option<Source<'_>> {
    let source = variable.value_from.as_ref()?;
    let (kind, reference) = match (&source.config_map_key_ref, &source.secret_key_ref) {
        (Some(config_map), _) => (Kind::ConfigMap, config_map),
        (None, secret) => (Kind::Secret, secret.as_ref()?),
    };
    (!reference.optional).then_some(Source {
        kind,
        name: &reference.name,
        key: Some(&reference.key),
    })
}

fn of_volume(volume: &Volume) -> Vec<Source<'_>> {
    let mut sources = Vec::new();
    if let Some(config_map) = volume
        .config_map
        .as_ref()
        .filter(|config_map| !config_map.optional)
    {
        sources.extend(files(Kind::ConfigMap, &config_map.name, &config_map.items));
    }
    if let Some(secret) = volume.secret.as_ref().filter(|secret| !secret.optional) {
        sources.extend(files(Kind::Secret, &secret.secret_name, &secret.items));
    }
    for projection in volume.projected.iter().flat_map(|projected| &projected.sources) {
        sources.extend(of_projection(projection));
    }
    sources
}

fn of_projection(projection: &VolumeProjection) -> Vec<Source<'_>> {
    match (&projection.config_map, &projection.secret) {
        (Some(config_map), _) if !config_map.optional => {
            files(Kind::ConfigMap, &config_map.name, &config_map.items)
        }
        (_, Some(secret)) if !secret.optional => files(Kind::Secret, &secret.name, &secret.items),
        _ => Vec::new(),
    }
}

fn files<'a>(kind: Kind, name: &'a str, items: &'a [KeyToPath]) -> Vec<Source<'a>> {
    if items.is_empty() {
        return vec![Source {
            kind,
            name,
            key: None,
        }];
    }
    items
        .iter()
        .map(|item| Source {
            kind,
            name,
            key: Some(&item.key),
        })
        .collect()
}
