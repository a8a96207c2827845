//! Config maps and secrets.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::{ConfigMap, DOCKER_CONFIG_JSON_SECRET, Reason, Secret, errors::Errors, names, path::Path};

/// The most that one config map or secret may hold, in bytes: 1 MiB.
pub const CONFIG_BYTES_MAX: usize = 1 << 20;

/// Secret types of Kubernetes with the keys they must have.
const TYPED: [(&str, &[&str]); 3] = [
    ("kubernetes.io/tls", &["tls.crt", "tls.key"]),
    ("kubernetes.io/ssh-auth", &["ssh-privatekey"]),
    (DOCKER_CONFIG_JSON_SECRET, &[DOCKER_CONFIG_KEY]),
];

const DOCKER_CONFIG_KEY: &str = ".dockerconfigjson";

/// Checks a config map.
pub(super) fn config_map(config_map: &ConfigMap, root: &Path<'_>, errors: &mut Errors) {
    let (data, binary) = (root.field("data"), root.field("binaryData"));
    let mut total = 0;
    for (key, text) in &config_map.data {
        check_key(key, &data, errors);
        total += text.len();
    }
    for (key, text) in &config_map.binary_data {
        check_key(key, &binary, errors);
        if config_map.data.contains_key(key) {
            errors.duplicate(&binary.key(key), key);
        }
        total += decoded(text, &binary.key(key), errors).map_or(0, |bytes| bytes.len());
    }
    check_total(total, &data, errors);
}

/// Checks a secret.
pub(super) fn secret(secret: &Secret, root: &Path<'_>, errors: &mut Errors) {
    let data = root.field("data");
    let mut total = 0;
    for (key, text) in &secret.data {
        check_key(key, &data, errors);
        let Some(bytes) = decoded(text, &data.key(key), errors) else {
            continue;
        };
        total += bytes.len();
        if secret.r#type == DOCKER_CONFIG_JSON_SECRET && key == DOCKER_CONFIG_KEY {
            check_docker_config(&bytes, &data.key(key), errors);
        }
    }
    check_total(total, &data, errors);
    let needed = TYPED
        .iter()
        .filter(|(name, _)| *name == secret.r#type)
        .flat_map(|(_, keys)| *keys);
    for key in needed.filter(|key| !secret.data.contains_key(**key)) {
        errors.required(
            &data.key(key),
            format!("is missing; secrets of type {} need it", secret.r#type),
        );
    }
}

fn check_key(key: &str, path: &Path<'_>, errors: &mut Errors) {
    errors.about(path, key, names::config_key(key));
}

fn decoded(text: &str, path: &Path<'_>, errors: &mut Errors) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(text).ok();
    if bytes.is_none() {
        errors.invalid(
            path,
            "is not base64; write plain text in stringData (secrets) or data (config maps)",
        );
    }
    bytes
}

fn check_docker_config(bytes: &[u8], path: &Path<'_>, errors: &mut Errors) {
    let fits = serde_json::from_slice::<Value>(bytes).is_ok_and(|config| config["auths"].is_object());
    if !fits {
        errors.invalid(
            path,
            "is not a docker config: it must be JSON with a field `auths`",
        );
    }
}

fn check_total(total: usize, path: &Path<'_>, errors: &mut Errors) {
    if total > CONFIG_BYTES_MAX {
        let message = format!("is {total} bytes long in total, {CONFIG_BYTES_MAX} are allowed");
        errors.push(path, Reason::TooLong, message);
    }
}
