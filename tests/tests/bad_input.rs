//! Wrong documents are refused with words that name the field, what is wrong and what would be right; nothing is changed.

use skep_tests::{Cluster, manifest};

/// Applies a document and returns what the refusal says.
fn refused(cluster: &Cluster, document: &str) -> String {
    let outcome = cluster.skep_with_input(&["apply", "-f", "-"], document);
    assert_eq!(outcome.code, 1, "should be refused: {outcome:?}");
    outcome.stderr
}

#[track_caller]
fn check(cluster: &Cluster, document: &str, words: &[&str]) {
    let said = refused(cluster, document);
    for word in words {
        assert!(said.contains(word), "`{word}` is not in: {said}");
    }
}

#[test]
fn wrong_documents_are_refused_with_the_field_and_the_remedy() {
    let cluster = Cluster::start();
    let web = manifest::sleepers("web", 1);

    check(
        &cluster,
        "kind: Pod\nmetadata: {name: [a\n",
        &["line 2, column 18"],
    );
    check(&cluster, "kind: Pod\nkind: Pod\n", &["duplicate", "line 2"]);
    check(
        &cluster,
        "apiVersion: v1\nkind: Sausage\nmetadata: {name: a}\n",
        &["Sausage", "skep api-resources"],
    );
    check(
        &cluster,
        &web.replace("replicas: 1", "replicas: many"),
        &["spec.replicas", "number"],
    );
    check(
        &cluster,
        &web.replace("replicas: 1", "replicaz: 1"),
        &["spec.replicaz", "replicas"],
    );
    check(
        &cluster,
        &web.replace("replicas: 1", "replicas: -1"),
        &["spec.replicas", "-1"],
    );
    check(
        &cluster,
        &web.replace("name: main,", "name: main, resources: {requests: {cpu: 12abc}},"),
        &[
            "spec.template.spec.containers[0].resources.requests[cpu]",
            "12abc",
            "250m",
        ],
    );
    check(
        &cluster,
        &web.replace(
            "name: main,",
            "name: main, ports: [{containerPort: 80}, {containerPort: 70000}],",
        ),
        &["spec.template.spec.containers[0].ports[1].containerPort: 70000 is not between 1 and 65535"],
    );
    check(
        &cluster,
        &web.replace("labels: {app: web}", "labels: {app: other}"),
        &["spec.selector"],
    );
    let two = web
        .replace("replicas: 1", "replicas: -1")
        .replace("name: main,", "name: Main_,");
    check(
        &cluster,
        &two,
        &["spec.replicas", "spec.template.spec.containers[0].name"],
    );
    assert_eq!(cluster.ok(&["get", "deployments", "-A", "--no-headers"]), "");
}

#[test]
fn fields_that_are_not_implemented_are_refused_or_named_in_a_warning() {
    let cluster = Cluster::start();
    let pod = manifest::pod(
        "a",
        "{name: main, image: 'skep-test/sleeper:1'}",
        "runtimeClassName: gvisor",
    );
    check(&cluster, &pod, &["spec.runtimeClassName", "not implemented"]);
    let colour = manifest::pod("a", "{name: main, image: 'skep-test/sleeper:1'}", "colour: red");
    check(&cluster, &colour, &["spec.colour"]);
    let warned = cluster.skep_with_input(&["apply", "--validate=warn", "-f", "-"], &colour);
    assert_eq!(warned.code, 0, "{warned:?}");
    assert!(
        warned.stderr.contains("Warning") && warned.stderr.contains("spec.colour"),
        "{warned:?}"
    );
}

#[test]
fn a_document_of_two_mebibytes_is_refused_with_the_limit() {
    let cluster = Cluster::start();
    let text = "x".repeat(2 * 1024 * 1024);
    let document =
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: big}}\ndata: {{text: {text}}}\n");
    let said = refused(&cluster, &document);
    assert!(
        said.contains("MiB"),
        "{}",
        said.chars().take(400).collect::<String>()
    );
    assert!(cluster.object("configmap/big").is_null());
}

#[test]
fn a_changed_immutable_field_is_refused_and_the_object_stays() {
    let cluster = Cluster::start();
    let web = manifest::sleepers("web", 0);
    cluster.apply(&web);
    let before = cluster.object("deployment/web");
    let other = web
        .replace("matchLabels: {app: web}", "matchLabels: {app: new}")
        .replace("labels: {app: web}", "labels: {app: new}");
    check(&cluster, &other, &["spec.selector", "immutable"]);
    assert_eq!(cluster.object("deployment/web")["spec"], before["spec"]);
}

#[test]
fn applying_the_same_document_again_says_unchanged_and_writes_nothing() {
    let cluster = Cluster::start();
    let web = manifest::web("web", 0, "");
    assert_eq!(cluster.apply(&web), "deployment.apps/web created\n");
    let revision = cluster.object("deployment/web")["metadata"]["generation"].clone();
    assert_eq!(cluster.apply(&web), "deployment.apps/web unchanged\n");
    assert_eq!(
        cluster.object("deployment/web")["metadata"]["generation"],
        revision
    );
    assert_eq!(
        cluster.apply(&web.replace("replicas: 0", "replicas: 1")),
        "deployment.apps/web configured\n"
    );
}
