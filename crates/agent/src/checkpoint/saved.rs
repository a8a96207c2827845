//! What a checkpoint holds: the cluster, the node, and what runs there.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use skep_api::{Object, Pod, PodStatus};

/// The name of the document that says whose checkpoint it is.
pub(super) const OWNER: &str = "Owner";

/// Whose checkpoint it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Owner {
    /// The cluster's id.
    pub(crate) cluster_id: String,
    /// The node's name.
    pub(crate) node_name: String,
}

/// What a checkpoint holds.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    /// Whose it is; `None` for one that is new.
    pub(crate) owner: Option<Owner>,
    /// The Node, config maps, secrets, and pods with the status that was reported last.
    pub(crate) objects: Vec<Object>,
    /// Names of all documents.
    pub(super) names: BTreeSet<String>,
}

impl Saved {
    /// Reads documents. One that cannot be read, such as one of a later version, is left out.
    pub(super) fn read(documents: &BTreeMap<String, Vec<u8>>) -> Self {
        let mut saved = Self {
            names: documents.keys().cloned().collect(),
            ..Self::default()
        };
        for (name, bytes) in documents {
            if name == OWNER {
                saved.owner = serde_json::from_slice(bytes).ok();
                continue;
            }
            if name.starts_with(STATUS) {
                continue;
            }
            match serde_json::from_slice(bytes) {
                Ok(Object::Pod(pod)) => saved.objects.push(with_status(*pod, documents).into()),
                Ok(object) => saved.objects.push(object),
                Err(error) => tracing::warn!(name, %error, "left out of the checkpoint: it cannot be read"),
            }
        }
        saved
    }
}

fn with_status(mut pod: Pod, documents: &BTreeMap<String, Vec<u8>>) -> Pod {
    let status: Option<PodStatus> = documents
        .get(&status_name(&pod.metadata.uid))
        .and_then(|bytes| serde_json::from_slice(bytes).ok());
    pod.status = status.unwrap_or_default();
    pod
}

const STATUS: &str = "Status/";

/// The name of a pod's status.
pub(super) fn status_name(uid: &str) -> String {
    format!("{STATUS}{uid}")
}

/// The name of a pod.
pub(super) fn pod_name(uid: &str) -> String {
    format!("Pod/{uid}")
}

/// The name and the document of an object; `None` for kinds that a node has nothing to do with.
pub(super) fn document(object: &Object) -> Option<(String, Vec<u8>)> {
    let meta = object.meta();
    match object {
        Object::Pod(pod) => {
            let mut pod = pod.clone();
            // Its status is kept apart, and the version counts statuses too.
            pod.status = PodStatus::default();
            pod.metadata.resource_version = Default::default();
            Some((pod_name(&pod.metadata.uid), encode(&Object::Pod(pod))))
        }
        Object::Node(node) => {
            let mut node = node.clone();
            node.status = Default::default();
            node.metadata.resource_version = Default::default();
            Some(("Node".to_owned(), encode(&Object::Node(node))))
        }
        Object::ConfigMap(_) | Object::Secret(_) => Some((
            named(object.kind().as_str(), &meta.namespace, &meta.name),
            encode(object),
        )),
        _ => None,
    }
}

/// The name of a config map or secret.
pub(super) fn named(kind: &str, namespace: &str, name: &str) -> String {
    format!("{kind}/{namespace}/{name}")
}

pub(super) fn encode(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("documents can always be written")
}
