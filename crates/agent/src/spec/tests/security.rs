//! Rights.

use serde_json::{Value, json};

use super::{build, first, pod};
use crate::spec::{Inputs, SpecError, localhost_profile};

fn with(of_pod: Value, own: Value) -> skep_api::Pod {
    pod(json!({
        "securityContext": of_pod,
        "containers": [{ "name": "web", "image": "web:v1", "securityContext": own }],
    }))
}

#[test]
fn rights_have_the_engines_names() {
    let own =
        json!({ "capabilities": { "add": ["NET_ADMIN", "CAP_SYS_TIME", "net_admin"], "drop": ["all"] } });
    let spec = first(&with(json!({}), own)).expect("a spec");
    assert_eq!(spec.cap_add, ["NET_ADMIN", "SYS_TIME"]);
    assert_eq!(spec.cap_drop, ["ALL"]);
}

#[test]
fn flags_are_handed_on() {
    let spec = first(&with(
        json!({}),
        json!({ "privileged": true, "readOnlyRootFilesystem": true }),
    ))
    .expect("a spec");
    assert!(spec.privileged && spec.read_only_root);
    let spec = first(&with(json!({}), json!({ "allowPrivilegeEscalation": false }))).expect("a spec");
    assert_eq!(spec.security_opt, ["no-new-privileges"]);
    let spec = first(&with(json!({}), json!({ "allowPrivilegeEscalation": true }))).expect("a spec");
    assert!(spec.security_opt.is_empty());
}

#[test]
fn the_containers_own_profile_wins_over_the_pods() {
    let options = |of_pod, own| first(&with(of_pod, own)).expect("a spec").security_opt;
    let unconfined = json!({ "seccompProfile": { "type": "Unconfined" } });
    let default = json!({ "seccompProfile": { "type": "RuntimeDefault" } });
    assert_eq!(options(unconfined.clone(), json!({})), ["seccomp=unconfined"]);
    assert!(
        options(unconfined.clone(), default.clone()).is_empty(),
        "the engine's own is its default"
    );
    assert_eq!(options(default, unconfined), ["seccomp=unconfined"]);
}

#[test]
fn a_profile_of_the_node_is_handed_on_as_text_or_missed() {
    let local = json!({ "seccompProfile": { "type": "Localhost", "localhostProfile": "web.json" } });
    let pod = with(local, json!({}));
    assert_eq!(localhost_profile(&pod, &pod.spec.containers[0]), Some("web.json"));
    let spec = build(&pod, |inputs| Inputs {
        seccomp_profile: Some("{}"),
        ..inputs
    })
    .expect("a spec");
    assert_eq!(spec.security_opt, ["seccomp={}"]);
    assert_eq!(
        first(&pod),
        Err(SpecError::NoSeccompProfile("web.json".to_owned()))
    );
}
