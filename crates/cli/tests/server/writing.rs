//! Commands that change what there is.

use std::{fs, os::unix::fs::PermissionsExt};

use expect_test::expect;

use super::{config_map, deployment, harness::Cluster};

#[test]
fn apply_tells_what_became_of_each_document() {
    let cluster = Cluster::start();
    let all = format!(
        "{}---\n{}---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: shop}}\n",
        deployment("web", 1),
        config_map("app", "a")
    );
    cluster.write("all.yaml", &all);
    expect![[r#"
        namespace/shop created
        configmap/app created
        deployment.apps/web created
    "#]]
    .assert_eq(&cluster.ok("apply -f all.yaml"));
    cluster.write("all.yaml", &all.replace("replicas: 1", "replicas: 3"));
    assert!(
        cluster
            .ok("apply -f all.yaml --dry-run=server")
            .contains("deployment.apps/web configured (server dry run)\n")
    );
    expect![[r#"
        namespace/shop unchanged
        configmap/app unchanged
        deployment.apps/web configured
    "#]]
    .assert_eq(&cluster.ok("apply -f all.yaml"));
}

#[test]
fn apply_reads_standard_input_and_folders() {
    let cluster = Cluster::start();
    let piped = cluster.skep_with("apply -f -", &config_map("piped", "a"));
    assert_eq!(
        (piped.code, piped.out.as_str()),
        (0, "configmap/piped created\n"),
        "{piped:?}"
    );
    fs::create_dir_all(cluster.folder().join("conf/deep")).unwrap();
    cluster.write("conf/a.yaml", &config_map("a", "x"));
    cluster.write("conf/deep/b.yml", &config_map("b", "x"));
    assert_eq!(cluster.ok("apply -f conf -o name"), "configmap/a\n");
    assert_eq!(
        cluster.ok("apply -R -f conf"),
        "configmap/a unchanged\nconfigmap/b created\n"
    );
}

#[test]
fn apply_goes_on_after_a_failure_and_reports_each() {
    let cluster = Cluster::start();
    cluster.write("broken.yaml", "a: [1\nb: 2\n");
    cluster.write(
        "odd.yaml",
        &format!(
            "apiVersion: v1\nkind: Gadget\nmetadata: {{name: x}}\n---\n{}",
            deployment("web", 1).replace("replicas: 1", "replicas: -1")
        ),
    );
    cluster.write("good.yaml", &config_map("good", "x"));
    let outcome = cluster.skep("apply -f broken.yaml -f odd.yaml -f good.yaml -f ghost.yaml");
    assert_eq!(
        (outcome.code, outcome.out.as_str()),
        (1, "configmap/good created\n"),
        "{outcome:?}"
    );
    for part in [
        "error: broken.yaml: document 1, line 2",
        "error: odd.yaml: no matches for kind \"Gadget\" in version \"v1\"",
        "Error from server (Invalid): odd.yaml: ",
        "spec.replicas",
        "error: the path \"ghost.yaml\" does not exist",
    ] {
        assert!(outcome.err.contains(part), "{part}: {}", outcome.err);
    }
}

#[test]
fn unknown_fields_are_errors_or_warnings() {
    let cluster = Cluster::start();
    cluster.write("app.yaml", &(config_map("app", "a") + "colour: red\n"));
    assert!(cluster.fails("apply -f app.yaml").contains("colour"));
    let warned = cluster.skep("apply -f app.yaml --validate=warn");
    assert_eq!(
        (warned.code, warned.out.as_str()),
        (0, "configmap/app created\n"),
        "{warned:?}"
    );
    assert!(
        warned.err.starts_with("Warning: ") && warned.err.contains("colour"),
        "{warned:?}"
    );
    let ignored = cluster.skep("apply -f app.yaml --validate=ignore");
    assert_eq!((ignored.code, ignored.err.as_str()), (0, ""), "{ignored:?}");
}

#[test]
fn a_namespace_that_contradicts_the_document_is_refused() {
    let cluster = Cluster::start();
    cluster.write(
        "app.yaml",
        &config_map("app", "a").replace("{name: app}", "{name: app, namespace: default}"),
    );
    assert!(
        cluster
            .fails("apply -f app.yaml -n shop")
            .contains("does not match the namespace \"shop\"")
    );
    assert_eq!(
        cluster.ok("apply -f app.yaml -n default"),
        "configmap/app created\n"
    );
}

#[test]
fn create_makes_objects_of_flags() {
    let cluster = Cluster::start();
    assert_eq!(cluster.ok("create ns shop"), "namespace/shop created\n");
    assert_eq!(
        cluster.fails("create ns shop"),
        "Error from server (AlreadyExists): namespaces \"shop\" already exists\n"
    );
    assert_eq!(
        cluster.ok("create secret generic db --from-literal=password=x -n shop"),
        "secret/db created\n"
    );
    assert_eq!(
        cluster.ok("get secret db -n shop -o jsonpath={.data.password}"),
        "eA=="
    );
    assert_eq!(
        cluster.ok("create secret docker-registry pull --docker-server=r:5000 --docker-username=u --docker-password=p"),
        "secret/pull created\n"
    );
    assert_eq!(
        cluster.ok("create deployment web --image=web:1 --replicas=2 -- serve"),
        "deployment.apps/web created\n"
    );
    assert_eq!(
        cluster.ok("get deploy web -o jsonpath={.spec.replicas}{.spec.template.spec.containers[0].command}"),
        "2[\"serve\"]"
    );
    let dry = cluster.ok("create cm dry --from-literal=a=b --dry-run=client -o yaml");
    expect![[r#"
        apiVersion: v1
        data:
          a: b
        kind: ConfigMap
        metadata:
          name: dry
    "#]]
    .assert_eq(&dry);
    assert_eq!(
        cluster.ok("create cm dry --from-literal=a=b --dry-run=server"),
        "configmap/dry created (server dry run)\n"
    );
    assert_eq!(cluster.ok("get cm dry --ignore-not-found"), "");
    assert_eq!(
        cluster.skep_with("create -f -", &dry).out,
        "configmap/dry created\n"
    );
}

#[test]
fn delete_waits_until_the_objects_are_gone() {
    let cluster = Cluster::start();
    cluster.write(
        "web.yaml",
        &(deployment("web", 2) + "---\n" + &config_map("app", "a")),
    );
    cluster.ok("apply -f web.yaml");
    assert_eq!(
        cluster.ok("delete -f web.yaml --cascade=foreground --timeout=20s"),
        "deployment.apps \"web\" deleted\nconfigmap \"app\" deleted\n"
    );
    assert_eq!(cluster.ok("get deploy,rs,pods,cm --ignore-not-found"), "");
    assert_eq!(
        cluster.fails("delete cm app"),
        "Error from server (NotFound): configmaps \"app\" not found\n"
    );
    assert_eq!(cluster.ok("delete cm app --ignore-not-found"), "");
}

#[test]
fn delete_selects() {
    let cluster = Cluster::start();
    for name in ["a", "b", "c"] {
        cluster.ok(&format!("create cm {name} --from-literal=x=y"));
    }
    cluster.ok("label cm a b tier=front");
    assert!(cluster.fails("delete cm").contains("no name was specified"));
    assert_eq!(
        cluster.ok("delete cm -l tier=front -o name"),
        "configmap/a\nconfigmap/b\n"
    );
    assert_eq!(
        cluster.ok("delete cm --all --dry-run=client"),
        "configmap \"c\" deleted (dry run)\n"
    );
    assert_eq!(cluster.ok("delete cm --all"), "configmap \"c\" deleted\n");
    assert_eq!(cluster.skep("delete cm --all").err, "No resources found\n");
}

#[test]
fn a_finalizer_holds_a_delete_up() {
    let cluster = Cluster::start();
    cluster.write(
        "held.yaml",
        &config_map("held", "a").replace("{name: held}", "{name: held, finalizers: [example.com/wait]}"),
    );
    cluster.ok("apply -f held.yaml");
    let outcome = cluster.skep("delete cm held --timeout=1s");
    assert_eq!(
        (outcome.code, outcome.out.as_str()),
        (1, "configmap \"held\" deleted\n"),
        "{outcome:?}"
    );
    assert_eq!(
        outcome.err,
        "error: timed out waiting for the condition on configmaps/held\n"
    );
    assert_eq!(
        cluster.ok("delete cm held --wait=false"),
        "configmap \"held\" deleted\n"
    );
    cluster.ok("patch cm held --type=merge -p {\"metadata\":{\"finalizers\":null}}");
    assert_eq!(cluster.ok("get cm held --ignore-not-found"), "");
}

#[test]
fn labels_and_annotations_are_set_and_taken_away() {
    let cluster = Cluster::start();
    cluster.ok("create cm app --from-literal=a=b");
    assert_eq!(cluster.ok("label cm app tier=front"), "configmap/app labeled\n");
    assert_eq!(
        cluster.ok("label cm app tier=front"),
        "configmap/app not labeled\n"
    );
    assert_eq!(
        cluster.fails("label cm app tier=back"),
        "error: 'tier' already has a value (front), and --overwrite is false\n"
    );
    assert_eq!(
        cluster.ok("label cm app tier=back --overwrite"),
        "configmap/app labeled\n"
    );
    assert_eq!(
        cluster.ok("label cm app --list"),
        "Listing for configmap/app:\ntier=back\n"
    );
    assert_eq!(cluster.ok("label cm app tier-"), "configmap/app unlabeled\n");
    assert_eq!(
        cluster.ok("annotate cm/app note=hello,world"),
        "configmap/app annotated\n"
    );
    assert_eq!(
        cluster.ok("get cm app -o jsonpath={.metadata.annotations.note}"),
        "hello,world"
    );
    assert_eq!(cluster.ok("annotate cm --all note-"), "configmap/app annotated\n");
    assert_eq!(
        cluster.ok("get cm app -o jsonpath={.metadata.annotations.note}{.metadata.labels}"),
        ""
    );
    assert!(
        cluster
            .fails("label cm ghost a=b")
            .contains("configmaps \"ghost\" not found")
    );
    assert!(
        cluster
            .fails("label cm app")
            .contains("at least one label update is required")
    );
}

#[test]
fn patches_come_in_three_types() {
    let cluster = Cluster::start();
    cluster.ok("create deployment web --image=web:1");
    assert_eq!(
        cluster.ok("patch deploy web -p {\"spec\":{\"replicas\":2}}"),
        "deployment.apps/web patched\n"
    );
    assert_eq!(
        cluster.ok("patch deploy web -p {\"spec\":{\"replicas\":2}}"),
        "deployment.apps/web patched (no change)\n"
    );
    assert_eq!(
        cluster.ok("patch deploy web --type=json -p [{\"op\":\"replace\",\"path\":\"/spec/replicas\",\"value\":3}] -o jsonpath={.spec.replicas}"),
        "3"
    );
    cluster.ok("patch deploy web -p {\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"web\",\"image\":\"web:2\"}]}}}}");
    assert_eq!(
        cluster.ok("get deploy web -o jsonpath={.spec.template.spec.containers[*].image}"),
        "web:2"
    );
    let refused = cluster.fails("patch deploy web --type=merge -p {\"spec\":{\"replicas\":-1}}");
    assert!(
        refused.starts_with("Error from server (Invalid)") && refused.contains("spec.replicas"),
        "{refused}"
    );
    assert!(
        cluster
            .fails("patch deploy web --type=json -p {}")
            .contains("list of operations")
    );
}

/// An editor that runs these commands of sed over the file, and says each time what it found in its remarks.
fn editor(cluster: &Cluster, script: &str) -> String {
    let path = cluster.write(
        "editor",
        &format!("#!/bin/sh\ngrep '^# Error' \"$1\" >&2\n{script}\n"),
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn edit_sends_what_was_changed() {
    let cluster = Cluster::start();
    cluster.ok("create cm app --from-literal=mode=old");
    let edit = |script: &str| {
        let output = cluster
            .command("edit cm app")
            .env("EDITOR", editor(&cluster, script))
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    assert_eq!(
        edit("true"),
        (
            Some(0),
            String::new(),
            "Edit cancelled, no changes made.\n".into()
        )
    );
    assert_eq!(
        edit("sed -i 's/mode: old/mode: new/' \"$1\""),
        (Some(0), "configmap/app edited\n".into(), String::new())
    );
    assert_eq!(cluster.ok("get cm app -o jsonpath={.data.mode}"), "new");
    let (code, _, error) = edit("exit 3");
    assert_eq!(code, Some(1));
    assert!(error.contains("there was a problem with the editor"), "{error}");
}

#[test]
fn edit_opens_again_with_the_reason_where_a_change_is_refused() {
    let cluster = Cluster::start();
    cluster.ok("create deployment web --image=web:1");
    let script = "if grep -q '^# Error' \"$1\"; then sed -i 's/replicas: -1/replicas: 4/' \"$1\"; else sed -i 's/replicas: 1/replicas: -1/' \"$1\"; fi";
    let output = cluster
        .command("edit deploy web")
        .env("EDITOR", editor(&cluster, script))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "deployment.apps/web edited\n"
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("# Error from server (Invalid)"), "{said}");
    assert_eq!(cluster.ok("get deploy web -o jsonpath={.spec.replicas}"), "4");
}

#[test]
fn taints_of_nodes_are_set_and_taken_away() {
    let cluster = Cluster::start();
    cluster.write("node.yaml", "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n");
    cluster.ok("apply -f node.yaml");
    let taints = || {
        let told = cluster.ok("get node n1 -o jsonpath={.spec.taints[?(@.key==\"dedicated\")].value}");
        told.trim().to_owned()
    };
    assert_eq!(
        cluster.ok("taint node n1 dedicated=db:NoSchedule dedicated=db:NoExecute"),
        "node/n1 tainted\n"
    );
    assert_eq!(taints(), "db db");
    let refused = cluster.fails("taint node n1 dedicated=web:NoSchedule");
    assert!(
        refused
            .contains("it has the taint dedicated=db:NoSchedule already: --overwrite gives it another value"),
        "{refused}"
    );
    cluster.ok("taint nodes n1 dedicated=web:NoSchedule --overwrite");
    assert_eq!(taints(), "web db");
    assert_eq!(cluster.ok("taint n1 dedicated:NoExecute-"), "node/n1 untainted\n");
    assert_eq!(taints(), "web");
    assert!(
        cluster
            .fails("taint n1 gone-")
            .contains("taint \"gone\" not found")
    );
    assert!(cluster.fails("taint n1").contains("name a change"));
    assert!(
        cluster
            .fails("taint node n9 a=b:NoSchedule")
            .contains("nodes \"n9\" not found")
    );
}
