//! The closed set of kinds and what the field calls them.

use std::fmt;

use serde::{Deserialize, Serialize};

struct Names {
    group: &'static str,
    version: &'static str,
    api_version: &'static str,
    plural: &'static str,
    singular: &'static str,
    short: &'static [&'static str],
    categories: &'static [&'static str],
    namespaced: bool,
}

/// Names of a kind of the core group that lives in namespaces; the methods change that.
const fn names(plural: &'static str, singular: &'static str, short: &'static [&'static str]) -> Names {
    Names {
        group: "",
        version: "v1",
        api_version: "v1",
        plural,
        singular,
        short,
        categories: &[],
        namespaced: true,
    }
}

impl Names {
    /// Of another group, in its version v1; `api_version` is both together.
    const fn group(self, group: &'static str, api_version: &'static str) -> Self {
        Self {
            group,
            api_version,
            ..self
        }
    }

    /// Belongs to the cluster as a whole.
    const fn of_cluster(self) -> Self {
        Self {
            namespaced: false,
            ..self
        }
    }

    /// Answers to `all`.
    const fn in_all(self) -> Self {
        Self {
            categories: &["all"],
            ..self
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $names:expr;)*) => {
        /// One kind of resource.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// Every kind, in the order in which a set of manifests is created.
            pub const ALL: [Self; [$(Self::$kind),*].len()] = [$(Self::$kind),*];

            const fn names(self) -> &'static Names {
                match self { $(Self::$kind => const { &$names },)* }
            }

            /// The name in a document's `kind` field.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => stringify!($kind),)* }
            }
        }
    };
}

// In the order in which a set of manifests is created: what others need comes first.
kinds! {
    /// A space of names.
    Namespace = names("namespaces", "namespace", &["ns"]).of_cluster();
    /// How much pods matter compared with others.
    PriorityClass = names("priorityclasses", "priorityclass", &["pc"])
        .group("scheduling.k8s.io", "scheduling.k8s.io/v1")
        .of_cluster();
    /// Nodes of one sort.
    NodePool = names("nodepools", "nodepool", &["pool", "pools"]).group("skep.io", "skep.io/v1").of_cluster();
    /// How a sort of workload is run.
    WorkloadTier = names("workloadtiers", "workloadtier", &["tier", "tiers"]).group("skep.io", "skep.io/v1").of_cluster();
    /// A machine that runs pods.
    Node = names("nodes", "node", &["no"]).of_cluster();
    /// How much the objects of a namespace may take up together.
    ResourceQuota = names("resourcequotas", "resourcequota", &["quota"]);
    /// What single pods and containers of a namespace may ask for.
    LimitRange = names("limitranges", "limitrange", &["limits"]);
    /// How many pods may be away at the same time of somebody's own will.
    PodDisruptionBudget = names("poddisruptionbudgets", "poddisruptionbudget", &["pdb"]).group("policy", "policy/v1");
    /// Non-secret configuration.
    ConfigMap = names("configmaps", "configmap", &["cm"]);
    /// Secret configuration.
    Secret = names("secrets", "secret", &[]);
    /// Containers that live and die together.
    Pod = names("pods", "pod", &["po"]).in_all();
    /// A number of equal pods.
    ReplicaSet = names("replicasets", "replicaset", &["rs"]).group("apps", "apps/v1").in_all();
    /// Replica sets rolled from one revision to the next.
    Deployment = names("deployments", "deployment", &["deploy"]).group("apps", "apps/v1").in_all();
    /// Something that happened to an object.
    Event = names("events", "event", &["ev"]);
}

impl Kind {
    /// The API group: empty for the core group.
    pub const fn group(self) -> &'static str {
        self.names().group
    }

    /// The version within the group, such as `v1`.
    pub const fn version(self) -> &'static str {
        self.names().version
    }

    /// `group/version`, or the version alone in the core group.
    pub const fn api_version(self) -> &'static str {
        self.names().api_version
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
