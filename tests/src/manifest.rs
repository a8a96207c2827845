//! Manifests for tests: a valid start, one thing changed.

use crate::{SLEEPER, WEB_V1};

/// A deployment of sleepers.
pub fn sleepers(name: &str, replicas: u32) -> String {
    deployment(name, replicas, &format!("{{name: main, image: '{SLEEPER}'}}"), "")
}

/// A deployment of web servers that are ready once `/ready` answers; `spec` adds lines to the deployment's spec.
pub fn web(name: &str, replicas: u32, spec: &str) -> String {
    let probe = "readinessProbe: {httpGet: {path: /ready, port: 8080}, periodSeconds: 1}";
    deployment(
        name,
        replicas,
        &format!("{{name: main, image: '{WEB_V1}', {probe}}}"),
        spec,
    )
}

/// A deployment with this container (YAML in flow style) and these further lines in its spec.
pub fn deployment(name: &str, replicas: u32, container: &str, spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
{spec}  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - {container}
"
    )
}

/// A pod with this container (YAML in flow style) that ends within five seconds; `spec` adds lines to the pod's spec.
pub fn pod(name: &str, container: &str, spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  terminationGracePeriodSeconds: 5
{spec}  containers:
  - {container}
"
    )
}
