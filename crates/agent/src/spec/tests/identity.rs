//! Users and groups.

use serde_json::{Value, json};

use super::{inputs, pod};
use crate::{
    runtime::{ContainerSpec, ImageInfo},
    spec::{Dns, SpecError, container},
};

fn with(of_pod: Value, own: Value, image_user: &str) -> Result<ContainerSpec, SpecError> {
    let pod = pod(json!({
        "securityContext": of_pod,
        "containers": [{ "name": "web", "image": "web:v1", "securityContext": own }],
    }));
    let image = ImageInfo {
        user: image_user.to_owned(),
        ..ImageInfo::default()
    };
    container(&pod, &pod.spec.containers[0], &inputs(&image, &Dns::default()))
}

#[test]
fn the_containers_own_user_wins_over_the_pods() {
    let user = |of_pod, own, image| with(of_pod, own, image).expect("a spec").user;
    assert_eq!(
        user(json!({}), json!({}), "9"),
        "",
        "the image's is left to the engine"
    );
    assert_eq!(user(json!({ "runAsUser": 1 }), json!({}), ""), "1");
    assert_eq!(
        user(
            json!({ "runAsUser": 1, "runAsGroup": 2 }),
            json!({ "runAsUser": 3 }),
            ""
        ),
        "3:2"
    );
    assert_eq!(user(json!({ "runAsGroup": 2 }), json!({}), "www:www"), "www:2");
    assert_eq!(user(json!({ "runAsGroup": 2 }), json!({}), ""), "0:2");
    assert_eq!(
        user(json!({ "runAsUser": 1 }), json!({ "runAsUser": 0 }), ""),
        "0"
    );
}

#[test]
fn processes_are_in_the_supplemental_groups_and_the_volumes() {
    let spec = with(
        json!({ "supplementalGroups": [30, 10], "fsGroup": 20 }),
        json!({}),
        "",
    )
    .expect("a spec");
    assert_eq!(spec.groups, [10, 20, 30]);
}

#[test]
fn a_container_that_must_not_be_root_is_not() {
    let refusal = |of_pod, own, image| with(of_pod, own, image).expect_err("it is refused").to_string();
    let pod = "(pod: \"web_shop(0f3b8c1e-0000-4000-8000-000000000001)\", container: web)";
    let must_not = json!({ "runAsNonRoot": true });
    let as_root = format!("container has runAsNonRoot and image will run as root {pod}");
    for image in ["", "0", "0:0", ":5"] {
        assert_eq!(
            refusal(json!({}), must_not.clone(), image),
            as_root,
            "image user {image:?}"
        );
    }
    assert_eq!(
        refusal(must_not.clone(), json!({}), ""),
        as_root,
        "the pod says so for all"
    );
    assert_eq!(
        refusal(json!({}), must_not.clone(), "www"),
        format!(
            "container has runAsNonRoot and image has non-numeric user (www), cannot verify user is non-root {pod}"
        )
    );
    assert_eq!(
        refusal(json!({}), json!({ "runAsNonRoot": true, "runAsUser": 0 }), "5"),
        format!("container's runAsUser breaks non-root policy {pod}")
    );
}

#[test]
fn a_container_that_is_another_user_may_start() {
    let must_not = json!({ "runAsNonRoot": true });
    with(json!({}), must_not.clone(), "1000").expect("the image names one");
    with(json!({ "runAsUser": 5 }), must_not.clone(), "").expect("the pod names one");
    with(must_not, json!({ "runAsNonRoot": false }), "").expect("its own word counts");
}
