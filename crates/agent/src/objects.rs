//! Config maps and secrets that the node's pods name, as the server sent them.

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use skep_api::{ConfigMap, Object, ObjectKey, Pod, Secret, Volume};

use crate::spec::Sources;

/// Config maps and secrets by key.
#[derive(Debug, Default)]
pub(crate) struct Objects(RwLock<Tables>);

#[derive(Clone, Debug, Default)]
struct Tables {
    config_maps: BTreeMap<ObjectKey, Arc<ConfigMap>>,
    secrets: BTreeMap<ObjectKey, Arc<Secret>>,
}

impl Objects {
    /// Takes a config map or secret in; false for any other kind.
    pub(crate) fn put(&self, object: Object) -> bool {
        let key = object.key();
        match object {
            Object::ConfigMap(object) => drop(self.write().config_maps.insert(key, object.into())),
            Object::Secret(object) => drop(self.write().secrets.insert(key, object.into())),
            _ => return false,
        }
        true
    }

    /// Forgets a config map or secret; false for any other kind.
    pub(crate) fn remove(&self, kind: &str, key: &ObjectKey) -> bool {
        match kind {
            "ConfigMap" => drop(self.write().config_maps.remove(key)),
            "Secret" => drop(self.write().secrets.remove(key)),
            _ => return false,
        }
        true
    }

    /// Forgets all; a snapshot follows.
    pub(crate) fn clear(&self) {
        *self.write() = Tables::default();
    }

    /// Another number whenever what the pod's volumes are filled from has changed.
    pub(crate) fn sources_of(&self, pod: &Pod) -> u64 {
        let tables = self.read();
        let mut hasher = DefaultHasher::new();
        (&pod.metadata.labels, &pod.metadata.annotations).hash(&mut hasher);
        let mut add = |kind: u8, name: &str| {
            let key = ObjectKey::new(&pod.metadata.namespace, name);
            let revision = match kind {
                0 => tables.config_maps.get(&key).map(|object| &object.metadata),
                _ => tables.secrets.get(&key).map(|object| &object.metadata),
            };
            (
                kind,
                name,
                revision.map(|meta| (&meta.uid, &meta.resource_version)),
            )
                .hash(&mut hasher);
        };
        for volume in &pod.spec.volumes {
            add_volume(volume, &mut add);
        }
        hasher.finish()
    }

    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add_volume(volume: &Volume, add: &mut impl FnMut(u8, &str)) {
    if let Some(source) = &volume.config_map {
        add(0, &source.name);
    }
    if let Some(source) = &volume.secret {
        add(1, &source.secret_name);
    }
    for projection in volume.projected.iter().flat_map(|projected| &projected.sources) {
        if let Some(source) = &projection.config_map {
            add(0, &source.name);
        }
        if let Some(source) = &projection.secret {
            add(1, &source.name);
        }
    }
}

impl Sources for Objects {
    fn config_map(&self, namespace: &str, name: &str) -> Option<Arc<ConfigMap>> {
        self.read()
            .config_maps
            .get(&ObjectKey::new(namespace, name))
            .cloned()
    }

    fn secret(&self, namespace: &str, name: &str) -> Option<Arc<Secret>> {
        self.read().secrets.get(&ObjectKey::new(namespace, name)).cloned()
    }
}
