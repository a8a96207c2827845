//! The kinds of the cluster.

use skep_api::{
    Kind,
    proto::{ApiResource, ApiResourcesResponse},
};

const VERBS: [&str; 8] = [
    "apply", "create", "delete", "get", "list", "patch", "update", "watch",
];

/// The kinds of the cluster, sorted by name.
pub(crate) fn api_resources() -> ApiResourcesResponse {
    let mut resources: Vec<_> = Kind::ALL.into_iter().map(resource).collect();
    resources.sort_by_key(|resource| (resource.api_version != "v1", resource.name.clone()));
    ApiResourcesResponse { resources }
}

fn resource(kind: Kind) -> ApiResource {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    ApiResource {
        name: kind.plural().to_owned(),
        singular: kind.singular().to_owned(),
        short_names: owned(kind.short_names()),
        api_version: kind.api_version().to_owned(),
        kind: kind.as_str().to_owned(),
        namespaced: kind.namespaced(),
        categories: owned(kind.categories()),
        verbs: owned(&VERBS),
    }
}
