//! The closed set of kinds and what the field calls them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A space of names.
    Namespace,
    /// A machine that runs pods.
    Node,
    /// Non-secret configuration.
    ConfigMap,
    /// Secret configuration.
    Secret,
    /// Containers that live and die together.
    Pod,
    /// A number of equal pods.
    ReplicaSet,
    /// Replica sets rolled from one revision to the next.
    Deployment,
    /// Something that happened to an object.
    Event,
}

struct Names {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
    short: &'static [&'static str],
    categories: &'static [&'static str],
    namespaced: bool,
}

const fn core(
    kind: &'static str,
    plural: &'static str,
    singular: &'static str,
    short: &'static [&'static str],
    namespaced: bool,
) -> Names {
    Names {
        group: "",
        version: "v1",
        kind,
        plural,
        singular,
        short,
        categories: &[],
        namespaced,
    }
}

const NAMESPACE: Names = core("Namespace", "namespaces", "namespace", &["ns"], false);
const NODE: Names = core("Node", "nodes", "node", &["no"], false);
const CONFIG_MAP: Names = core("ConfigMap", "configmaps", "configmap", &["cm"], true);
const SECRET: Names = core("Secret", "secrets", "secret", &[], true);
const POD: Names = Names {
    categories: &["all"],
    ..core("Pod", "pods", "pod", &["po"], true)
};
const EVENT: Names = core("Event", "events", "event", &["ev"], true);
const REPLICA_SET: Names = Names {
    group: "apps",
    categories: &["all"],
    ..core("ReplicaSet", "replicasets", "replicaset", &["rs"], true)
};
const DEPLOYMENT: Names = Names {
    group: "apps",
    categories: &["all"],
    ..core("Deployment", "deployments", "deployment", &["deploy"], true)
};

impl Kind {
    /// Every kind, in the order in which a set of manifests is created.
    pub const ALL: [Self; 8] = [
        Self::Namespace,
        Self::Node,
        Self::ConfigMap,
        Self::Secret,
        Self::Pod,
        Self::ReplicaSet,
        Self::Deployment,
        Self::Event,
    ];

    const fn names(self) -> &'static Names {
        match self {
            Self::Namespace => &NAMESPACE,
            Self::Node => &NODE,
            Self::ConfigMap => &CONFIG_MAP,
            Self::Secret => &SECRET,
            Self::Pod => &POD,
            Self::ReplicaSet => &REPLICA_SET,
            Self::Deployment => &DEPLOYMENT,
            Self::Event => &EVENT,
        }
    }

    /// The API group: empty for the core group.
    pub const fn group(self) -> &'static str {
        self.names().group
    }

    /// The version within the group, such as `v1`.
    pub const fn version(self) -> &'static str {
        self.names().version
    }

    /// `group/version`, or the version alone in the core group.
    pub fn api_version(self) -> &'static str {
        match self.group() {
            "apps" => "apps/v1",
            _ => "v1",
        }
    }

    /// The name in a document's `kind` field.
    pub const fn as_str(self) -> &'static str {
        self.names().kind
    }

    /// Lower-case plural, as in `skep get pods`.
    pub const fn plural(self) -> &'static str {
        self.names().plural
    }

    /// Lower-case singular, as in `pod/web-0`.
    pub const fn singular(self) -> &'static str {
        self.names().singular
    }

    /// Abbreviations, as in `skep get po`.
    pub const fn short_names(self) -> &'static [&'static str] {
        self.names().short
    }

    /// Groups of kinds it answers to, such as `all`.
    pub const fn categories(self) -> &'static [&'static str] {
        self.names().categories
    }

    /// False for kinds that belong to the cluster as a whole.
    pub const fn namespaced(self) -> bool {
        self.names().namespaced
    }

    /// `deployments.apps`, or the plural alone in the core group.
    pub fn qualified(self) -> String {
        match self.group() {
            "" => self.plural().to_owned(),
            group => format!("{}.{group}", self.plural()),
        }
    }

    /// The kind with this `kind` field, whatever its version.
    pub fn from_name(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|candidate| candidate.as_str() == kind)
    }

    /// The kind a person means: kind, plural, singular, short name or `plural.group`, in any case.
    pub fn from_alias(alias: &str) -> Option<Self> {
        let alias = alias.to_ascii_lowercase();
        Self::ALL.into_iter().find(|kind| {
            alias == kind.plural()
                || alias == kind.singular()
                || kind.short_names().contains(&alias.as_str())
                || (!kind.group().is_empty()
                    && (alias == kind.qualified()
                        || alias == format!("{}.{}", kind.singular(), kind.group())
                        || alias == format!("{}.{}.{}", kind.plural(), kind.version(), kind.group())))
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
