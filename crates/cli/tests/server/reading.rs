//! Commands that show what there is.

use std::process::Stdio;

use super::{config_map, deployment, harness::Cluster};

#[test]
fn what_is_not_there_reads_as_with_kubectl() {
    let cluster = Cluster::start();
    assert_eq!(
        cluster.fails("get pod ghost"),
        "Error from server (NotFound): pods \"ghost\" not found\n"
    );
    assert_eq!(
        cluster.fails("get deploy ghost -o yaml"),
        "Error from server (NotFound): deployments.apps \"ghost\" not found\n"
    );
    assert_eq!(
        cluster.fails("get gadgets"),
        "error: the server doesn't have a resource type \"gadgets\"\n"
    );
    let none = cluster.skep("get pods");
    assert_eq!(
        (none.code, none.out.as_str(), none.err.as_str()),
        (0, "", "No resources found in default namespace.\n")
    );
    assert_eq!(cluster.skep("get pods -A").err, "No resources found\n");
    assert_eq!(cluster.ok("get pod ghost --ignore-not-found"), "");
    let namespace = cluster.fails("get cm a -n ghost");
    assert!(
        namespace.starts_with("Error from server (NotFound)"),
        "{namespace}"
    );
}

#[test]
fn tables_show_one_line_an_object() {
    let cluster = Cluster::start();
    cluster.write("web.yaml", &deployment("web", 2));
    cluster.ok("apply -f web.yaml");
    let table = cluster.ok("get deploy");
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("NAME   READY   UP-TO-DATE   AVAILABLE   AGE"));
    assert!(
        lines
            .next()
            .is_some_and(|line| line.starts_with("web    0/2     ")),
        "{table}"
    );
    assert!(
        cluster
            .ok("get deploy -A")
            .starts_with("NAMESPACE   NAME   READY")
    );
    assert!(cluster.ok("get deploy -o wide").contains("IMAGES"));
    assert!(!cluster.ok("get deploy --no-headers").contains("NAME"));
    let labels = cluster.ok("get deploy --show-labels -L app");
    assert!(
        labels
            .lines()
            .next()
            .is_some_and(|line| line.ends_with("APP   LABELS")),
        "{labels}"
    );
    assert!(labels.trim_end().ends_with("web   app=web"), "{labels}");
    let all = cluster.ok("get deploy,cm web default-missing --ignore-not-found");
    assert!(all.contains("deployment.apps/web"), "{all}");
}

#[test]
fn formats_show_documents() {
    let cluster = Cluster::start();
    cluster.ok("create cm b --from-literal=size=2");
    cluster.ok("create cm a --from-literal=size=10");
    cluster.ok("label cm a tier=front");
    assert_eq!(cluster.ok("get cm a b -o name"), "configmap/a\nconfigmap/b\n");
    assert_eq!(cluster.ok("get cm a -o jsonpath={.data.size}"), "10");
    assert_eq!(cluster.ok("get cm -o jsonpath={.items[*].metadata.name}"), "a b");
    assert_eq!(
        cluster.ok("get cm --sort-by=.data.size -o custom-columns=NAME:.metadata.name,N:data.size"),
        "NAME   N\nb      2\na      10\n"
    );
    let sorted = cluster.ok("get cm --sort-by .data.size --no-headers");
    assert!(sorted.starts_with('b'), "{sorted}");
    assert_eq!(cluster.ok("get cm -l tier=front -o name"), "configmap/a\n");
    assert_eq!(
        cluster.ok("get cm --field-selector metadata.name=b -o name"),
        "configmap/b\n"
    );
    assert!(
        cluster
            .ok("get cm a -o yaml")
            .contains("data:\n  size: \"10\"\nkind: ConfigMap\n")
    );
    assert!(
        cluster
            .ok("get cm a -o json")
            .contains("\n    \"kind\": \"ConfigMap\",")
    );
    assert!(cluster.fails("get cm a -o xml").contains("allowed formats are"));
}

#[test]
fn a_watch_shows_what_there_is_and_then_what_changes() {
    let cluster = Cluster::start();
    cluster.ok("create cm first --from-literal=a=b");
    let mut watch = cluster.follow("get cm -w --output-watch-events");
    assert!(watch.line().starts_with("EVENT   NAME    DATA   AGE"));
    assert!(watch.line().starts_with("ADDED   first   1 "));
    cluster.ok("create cm second --from-literal=a=b");
    assert!(watch.line().starts_with("ADDED   second   1 "));
    cluster.ok("delete cm first");
    assert!(watch.line().starts_with("DELETED   first    1 "));
}

#[test]
fn a_watch_of_documents_can_leave_out_what_there_is() {
    let cluster = Cluster::start();
    cluster.ok("create cm first --from-literal=a=b");
    let mut watch = cluster.follow("get cm --watch-only -o name");
    let mut everything = cluster.follow("get cm -w -o name");
    assert_eq!(everything.line(), "configmap/first");
    // The watch has no sign of its own that it has begun: changes are made until it shows one.
    let mut changed = 0;
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                changed += 1;
                cluster.ok(&format!("create cm next-{changed} --from-literal=a=b"));
            }
        });
        let line = watch.line();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(line.starts_with("configmap/next-"), "{line}");
    });
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let cluster = Cluster::start();
    cluster.ok("create cm a --from-literal=a=b");
    let mut child = cluster
        .command("get cm a -o yaml")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), String::from_utf8(output.stderr).unwrap()),
        (Some(0), String::new())
    );
}

#[test]
fn kinds_and_fields_are_explained() {
    let cluster = Cluster::start();
    let kinds = cluster.ok("api-resources");
    assert!(
        kinds.lines().any(|line| line.split_whitespace().eq([
            "deployments",
            "deploy",
            "apps/v1",
            "true",
            "Deployment"
        ])),
        "{kinds}"
    );
    assert!(
        cluster
            .ok("api-resources --namespaced=false -o name")
            .contains("nodes\n")
    );
    let text = cluster.ok("explain deploy.spec.replicas");
    assert!(text.contains("replicas"), "{text}");
    assert!(
        cluster
            .fails("explain gadget")
            .contains("doesn't have a resource type \"gadget\"")
    );
    assert!(!cluster.fails("explain deploy.spec.gadget").is_empty());
}

#[test]
fn the_difference_shows_in_text_and_exit_code() {
    let cluster = Cluster::start();
    cluster.write("app.yaml", &config_map("app", "old"));
    let new = cluster.skep("diff -f app.yaml");
    assert_eq!(new.code, 1, "{new:?}");
    assert!(new.out.contains("+  mode: old\n"), "{new:?}");
    cluster.ok("apply -f app.yaml");
    assert_eq!(cluster.ok("diff -f app.yaml"), "");
    cluster.write("app.yaml", &config_map("app", "new"));
    let changed = cluster.skep("diff -f app.yaml");
    assert_eq!(changed.code, 1, "{changed:?}");
    assert!(
        changed.out.contains("-  mode: old\n+  mode: new\n"),
        "{changed:?}"
    );
    assert_eq!(cluster.ok("get cm app -o jsonpath={.data.mode}"), "old");
    let broken = cluster.skep("diff -f ghost.yaml");
    assert_eq!((broken.code, broken.out.as_str()), (2, ""), "{broken:?}");
}
