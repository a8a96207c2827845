//! Credentials.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use skep_api::Secret;

use crate::{runtime::Credentials, spec::pull_credentials};

fn secret(auths: Value) -> Arc<Secret> {
    let text = STANDARD.encode(json!({ "auths": auths }).to_string());
    let document = json!({ "type": "kubernetes.io/dockerconfigjson", "data": { ".dockerconfigjson": text } });
    Arc::new(serde_json::from_value(document).expect("a secret"))
}

fn user(name: &str) -> Value {
    json!({ "username": name, "password": "p" })
}

/// `user@server`, or nothing.
fn who(secrets: &[Arc<Secret>], image: &str) -> String {
    pull_credentials(secrets, image)
        .map(|found| format!("{}@{}", found.username, found.server))
        .unwrap_or_default()
}

#[test]
fn the_registrys_own_user_pulls() {
    let secrets = [secret(
        json!({ "registry.internal": user("a"), "registry.internal:5000": user("b") }),
    )];
    assert_eq!(who(&secrets, "registry.internal/web:v1"), "a@registry.internal");
    assert_eq!(
        who(&secrets, "registry.internal:5000/team/web@sha256:00"),
        "b@registry.internal:5000"
    );
    assert_eq!(who(&secrets, "other.internal/web:v1"), "");
    assert_eq!(who(&secrets, "web:v1"), "");
}

#[test]
fn images_without_a_host_come_from_the_default_registry() {
    let hub = "hub@https://index.docker.io/v1/";
    for key in [
        "https://index.docker.io/v1/",
        "docker.io",
        "index.docker.io",
        "registry-1.docker.io",
    ] {
        let secrets = [secret(json!({ key: user("hub") }))];
        for image in ["web", "web:v1", "team/web:v1", "docker.io/team/web"] {
            assert_eq!(who(&secrets, image), hub, "{image} by {key}");
        }
        assert_eq!(who(&secrets, "localhost/web"), "");
    }
}

#[test]
fn the_longer_path_wins_and_then_the_earlier_secret() {
    let secrets = [
        secret(json!({ "r.io": user("any"), "https://r.io/team": user("team") })),
        secret(json!({ "r.io/team": user("late") })),
    ];
    assert_eq!(who(&secrets, "r.io/team/web"), "team@r.io");
    assert_eq!(who(&secrets, "r.io/teammates/web"), "any@r.io");
}

#[test]
fn a_star_stands_for_one_part_of_the_host() {
    let secrets = [secret(json!({ "*.internal": user("a") }))];
    assert_eq!(who(&secrets, "registry.internal/web"), "a@registry.internal");
    assert_eq!(who(&secrets, "deep.registry.internal/web"), "");
}

#[test]
fn user_and_password_may_be_in_one_word() {
    let auth = STANDARD.encode("robot:pass:word");
    let found = pull_credentials(&[secret(json!({ "r.io": { "auth": auth } }))], "r.io/web");
    let expected = Credentials {
        server: "r.io".to_owned(),
        username: "robot".to_owned(),
        password: "pass:word".to_owned(),
    };
    assert_eq!(found, Some(expected));
}

#[test]
fn secrets_of_other_types_and_broken_ones_are_passed_over() {
    let mut other = (*secret(json!({ "r.io": user("a") }))).clone();
    other.r#type = "Opaque".to_owned();
    let mut broken = other.clone();
    broken.r#type = "kubernetes.io/dockerconfigjson".to_owned();
    broken
        .data
        .insert(".dockerconfigjson".to_owned(), "bm90IGpzb24=".to_owned());
    let secrets = [
        Arc::new(other),
        Arc::new(broken),
        secret(json!({ "r.io": user("b") })),
    ];
    assert_eq!(who(&secrets, "r.io/web"), "b@r.io");
}
