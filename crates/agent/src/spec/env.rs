//! A container's variables.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use skep_api::{Container, EnvFromSource, EnvVar, EnvVarSource, KeySelector, Pod, Secret};

use super::{Facts, FieldError, Sources, expand::expand, pod_field, resource_field};

/// A container's variables, and what was left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Env {
    /// Name and value, each name once.
    pub vars: Vec<(String, String)>,
    /// Keys from `envFrom` that cannot name a variable; worth an event `InvalidEnvironmentVariableNames`.
    pub skipped: Vec<String>,
}

/// Why a variable has no value. Status reason: `CreateContainerConfigError`; worth a retry when the source changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// The config map is missing.
    #[error("configmap {0:?} not found")]
    NoConfigMap(String),
    /// The secret is missing.
    #[error("secret {0:?} not found")]
    NoSecret(String),
    /// The config map or secret has no such key.
    #[error("couldn't find key {key} in {kind} {namespace}/{name}")]
    NoKey {
        /// The key.
        key: String,
        /// `ConfigMap` or `Secret`.
        kind: &'static str,
        /// The namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A variable holds text only.
    #[error(
        "key {key} in Secret {namespace}/{name} is not text, so it cannot be a variable: mount it as a file"
    )]
    NotText {
        /// The key.
        key: String,
        /// The namespace.
        namespace: String,
        /// The secret's name.
        name: String,
    },
    /// No such field.
    #[error(transparent)]
    Field(#[from] FieldError),
}

/// The container's variables: first `envFrom`, then `env`; later ones win, and may use earlier ones as `$(VAR)`.
pub fn resolve(
    pod: &Pod,
    container: &Container,
    sources: &dyn Sources,
    facts: &Facts,
) -> Result<Env, EnvError> {
    let mut resolver = Resolver {
        pod,
        container,
        sources,
        facts,
        env: Env::default(),
    };
    for source in &container.env_from {
        resolver.add_from(source)?;
    }
    for var in &container.env {
        resolver.add(var)?;
    }
    Ok(resolver.env)
}

struct Resolver<'a> {
    pod: &'a Pod,
    container: &'a Container,
    sources: &'a dyn Sources,
    facts: &'a Facts,
    env: Env,
}

impl Resolver<'_> {
    fn add_from(&mut self, source: &EnvFromSource) -> Result<(), EnvError> {
        let namespace = &self.pod.metadata.namespace;
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        if let Some(wanted) = &source.config_map_ref {
            match self.sources.config_map(namespace, &wanted.name) {
                Some(map) => found.extend(map.data.clone()),
                None if wanted.optional => {}
                None => return Err(EnvError::NoConfigMap(wanted.name.clone())),
            }
        }
        if let Some(wanted) = &source.secret_ref {
            match self.sources.secret(namespace, &wanted.name) {
                Some(secret) => {
                    for key in secret.data.keys() {
                        found.insert(key.clone(), secret_text(&secret, key)?);
                    }
                }
                None if wanted.optional => {}
                None => return Err(EnvError::NoSecret(wanted.name.clone())),
            }
        }
        for (key, value) in found {
            let name = format!("{}{key}", source.prefix);
            if is_env_name(&name) {
                self.put(name, value);
            } else {
                self.env.skipped.push(name);
            }
        }
        Ok(())
    }

    fn add(&mut self, var: &EnvVar) -> Result<(), EnvError> {
        let value = match &var.value_from {
            None => {
                let known = &self.env.vars;
                let lookup = |name: &str| {
                    known
                        .iter()
                        .find(|(n, _)| n == name)
                        .map(|(_, value)| value.clone())
                };
                Some(expand(&var.value, lookup))
            }
            Some(source) => self.value_from(source)?,
        };
        if let Some(value) = value {
            self.put(var.name.clone(), value);
        }
        Ok(())
    }

    /// `None` for an optional source that is missing: the variable is not set then.
    fn value_from(&self, source: &EnvVarSource) -> Result<Option<String>, EnvError> {
        if let Some(field) = &source.field_ref {
            return Ok(Some(pod_field(self.pod, self.facts, &field.field_path)?));
        }
        if let Some(field) = &source.resource_field_ref {
            return Ok(Some(resource_field(
                self.pod,
                Some(self.container),
                self.facts,
                field,
            )?));
        }
        if let Some(selector) = &source.config_map_key_ref {
            return self.config_map_key(selector);
        }
        source
            .secret_key_ref
            .as_ref()
            .map_or(Ok(None), |selector| self.secret_key(selector))
    }

    fn config_map_key(&self, selector: &KeySelector) -> Result<Option<String>, EnvError> {
        let Some(map) = self
            .sources
            .config_map(&self.pod.metadata.namespace, &selector.name)
        else {
            return missing(selector, EnvError::NoConfigMap(selector.name.clone()));
        };
        match map.data.get(&selector.key) {
            Some(value) => Ok(Some(value.clone())),
            None => missing(selector, self.no_key("ConfigMap", selector)),
        }
    }

    fn secret_key(&self, selector: &KeySelector) -> Result<Option<String>, EnvError> {
        let Some(secret) = self.sources.secret(&self.pod.metadata.namespace, &selector.name) else {
            return missing(selector, EnvError::NoSecret(selector.name.clone()));
        };
        if !secret.data.contains_key(&selector.key) {
            return missing(selector, self.no_key("Secret", selector));
        }
        secret_text(&secret, &selector.key).map(Some)
    }

    fn no_key(&self, kind: &'static str, selector: &KeySelector) -> EnvError {
        let namespace = self.pod.metadata.namespace.clone();
        EnvError::NoKey {
            key: selector.key.clone(),
            kind,
            namespace,
            name: selector.name.clone(),
        }
    }

    fn put(&mut self, name: String, value: String) {
        self.env.vars.retain(|(known, _)| *known != name);
        self.env.vars.push((name, value));
    }
}

fn missing(selector: &KeySelector, error: EnvError) -> Result<Option<String>, EnvError> {
    if selector.optional { Ok(None) } else { Err(error) }
}

fn secret_text(secret: &Arc<Secret>, key: &str) -> Result<String, EnvError> {
    let encoded = secret.data.get(key).map(String::as_str).unwrap_or_default();
    let bytes = STANDARD.decode(encoded).ok();
    let text = bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|text| !text.contains('\0'));
    text.ok_or_else(|| EnvError::NotText {
        key: key.to_owned(),
        namespace: secret.metadata.namespace.clone(),
        name: secret.metadata.name.clone(),
    })
}

/// Kubernetes' rule: letters, digits, `_`, `-` and `.`, no digit first, not `.` or `..` or beginning with the latter.
fn is_env_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let starts_well = name.chars().next().is_some_and(|c| !c.is_ascii_digit());
    starts_well && name.chars().all(allowed) && name != "." && !name.starts_with("..")
}
