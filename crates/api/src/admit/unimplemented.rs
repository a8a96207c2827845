//! Fields of Kubernetes that skep does not have, and which of their values change nothing here.

use serde_json::Value;

/// How a field that skep does not have is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    /// It says nothing that is not so anyway, or is what a Kubernetes server wrote: dropped in silence.
    Harmless,
    /// Kubernetes honours it, skep does not.
    NotImplemented,
    /// The same, and it would guard something: never accepted.
    Security,
}

/// What Kubernetes servers write into objects.
const SERVER_WRITTEN: [(&str, &[&str]); 1] = [(
    "ObjectMeta",
    &["managedFields", "selfLink", "clusterName", "initializers"],
)];

const SECURITY: [(&str, &[&str]); 4] = [
    ("PodSpec", &["runtimeClassName", "hostUsers"]),
    (
        "PodSecurityContext",
        &[
            "seLinuxOptions",
            "seLinuxChangePolicy",
            "appArmorProfile",
            "windowsOptions",
            "fsGroupChangePolicy",
            "supplementalGroupsPolicy",
        ],
    ),
    (
        "SecurityContext",
        &["seLinuxOptions", "appArmorProfile", "windowsOptions", "procMount"],
    ),
    ("VolumeMount", &["recursiveReadOnly"]),
];

const NOT_IMPLEMENTED: [(&str, &[&str]); 12] = [
    (
        "PodSpec",
        &[
            "serviceAccountName",
            "serviceAccount",
            "automountServiceAccountToken",
            "enableServiceLinks",
            "ephemeralContainers",
            "readinessGates",
            "resourceClaims",
            "os",
            "subdomain",
            "setHostnameAsFQDN",
            "hostnameOverride",
            "workloadRef",
        ],
    ),
    (
        "Container",
        &["restartPolicyRules", "resizePolicy", "volumeDevices"],
    ),
    ("Lifecycle", &["stopSignal"]),
    ("LifecycleHandler", &["grpc"]),
    ("EnvVarSource", &["fileKeyRef"]),
    ("ResourceRequirements", &["claims"]),
    (
        "Volume",
        &[
            "persistentVolumeClaim",
            "csi",
            "nfs",
            "iscsi",
            "ephemeral",
            "image",
            "gitRepo",
            "awsElasticBlockStore",
            "gcePersistentDisk",
            "azureDisk",
            "azureFile",
            "cephfs",
            "cinder",
            "fc",
            "flexVolume",
            "flocker",
            "glusterfs",
            "photonPersistentDisk",
            "portworxVolume",
            "quobyte",
            "rbd",
            "scaleIO",
            "storageos",
            "vsphereVolume",
        ],
    ),
    ("VolumeMount", &["subPathExpr"]),
    (
        "VolumeProjection",
        &["serviceAccountToken", "clusterTrustBundle", "podCertificate"],
    ),
    ("DeploymentSpec", &["rollbackTo"]),
    ("NodeSpec", &["providerID", "externalID", "configSource"]),
    (
        "Event",
        &[
            "eventTime",
            "action",
            "series",
            "related",
            "reportingComponent",
            "reportingInstance",
        ],
    ),
];

/// How the field `name` of the mapping `owner` is treated; `None` where Kubernetes does not have it either.
pub(super) fn classify(owner: &str, name: &str, value: &Value) -> Option<Foreign> {
    if lists(&SERVER_WRITTEN, owner, name) {
        return Some(Foreign::Harmless);
    }
    let class = if lists(&SECURITY, owner, name) {
        Foreign::Security
    } else if lists(&NOT_IMPLEMENTED, owner, name) {
        Foreign::NotImplemented
    } else {
        return None;
    };
    let harmless = is_empty(value) || changes_nothing(owner, name, value);
    Some(if harmless { Foreign::Harmless } else { class })
}

fn lists(table: &[(&str, &[&str])], owner: &str, name: &str) -> bool {
    table
        .iter()
        .any(|(of, names)| *of == owner && names.contains(&name))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Kubernetes' own defaults, found in exported manifests, that describe how things are here.
fn changes_nothing(owner: &str, name: &str, value: &Value) -> bool {
    match (owner, name) {
        ("PodSpec", "serviceAccountName" | "serviceAccount") => value == "default",
        ("PodSpec", "automountServiceAccountToken" | "setHostnameAsFQDN") => value == false,
        // There are no services, so there is nothing to link or to leave out.
        ("PodSpec", "enableServiceLinks") => value.is_boolean(),
        ("PodSpec", "hostUsers") => value == true,
        ("PodSpec", "os") => value["name"] == "linux",
        ("PodSecurityContext", "fsGroupChangePolicy") => value == "Always",
        ("PodSecurityContext", "supplementalGroupsPolicy") => value == "Merge",
        ("SecurityContext", "procMount") => value == "Default",
        ("VolumeMount", "recursiveReadOnly") => value == "Disabled",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Kind, schema};

    #[test]
    fn no_field_listed_is_one_that_skep_has() {
        fn check(fields: &schema::Struct) {
            for name in fields.fields.keys() {
                assert_eq!(
                    classify(&fields.name, name, &json!(1)),
                    None,
                    "{}.{name}",
                    fields.name
                );
            }
            fields
                .fields
                .values()
                .filter_map(|field| field.shape.inner_struct())
                .for_each(|inner| check(inner));
        }
        Kind::ALL.into_iter().for_each(|kind| check(schema::of(kind)));
    }

    #[test]
    fn only_values_that_change_nothing_are_harmless() {
        let class = |name, value| classify("PodSpec", name, &value);
        assert_eq!(
            class("serviceAccountName", json!("default")),
            Some(Foreign::Harmless)
        );
        assert_eq!(
            class("serviceAccountName", json!("robot")),
            Some(Foreign::NotImplemented)
        );
        assert_eq!(
            class("automountServiceAccountToken", json!(true)),
            Some(Foreign::NotImplemented)
        );
        assert_eq!(class("hostUsers", json!(true)), Some(Foreign::Harmless));
        assert_eq!(class("hostUsers", json!(false)), Some(Foreign::Security));
        assert_eq!(class("ephemeralContainers", json!([])), Some(Foreign::Harmless));
        assert_eq!(class("afinity", json!({})), None);
    }
}
