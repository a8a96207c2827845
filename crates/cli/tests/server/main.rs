//! The client commands against a real server. No node takes part, so pods stay pending.

#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;
mod reaching;
mod reading;
mod sealed;
mod writing;

/// A deployment of this many pods.
pub(crate) fn deployment(name: &str, replicas: u32) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, labels: {{app: {name}}}}}\n\
         spec:\n  replicas: {replicas}\n  selector: {{matchLabels: {{app: {name}}}}}\n  template:\n\
         \x20   metadata: {{labels: {{app: {name}}}}}\n    spec: {{containers: [{{name: main, image: 'web:1'}}]}}\n"
    )
}

/// A config map with one value.
pub(crate) fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{mode: '{value}'}}\n")
}
