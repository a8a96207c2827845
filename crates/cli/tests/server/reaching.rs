//! Finding the server.

use super::harness::Cluster;

#[test]
fn without_a_config_the_way_on_is_told() {
    let cluster = Cluster::start();
    let config = cluster.folder().join("none").display().to_string();
    assert_eq!(
        cluster.fails(&format!("get pods --config {config}")),
        "error: no cluster is configured: run `skep up` on this machine first, or name one with --server\n"
    );
}

#[test]
fn a_server_that_does_not_run_is_named() {
    let cluster = Cluster::start();
    let error = cluster.fails("get pods --server unix:///nothing/skep.sock");
    assert!(
        error.starts_with(
            "error: cannot reach the server at unix:///nothing/skep.sock: is `skep up` running?"
        ),
        "{error}"
    );
    let error = cluster.fails("get pods --server http://127.0.0.1:1");
    assert!(error.contains("is `skep up` running?"), "{error}");
    let error = cluster.fails("get pods --server ftp://x");
    assert!(error.contains("is no address of a server"), "{error}");
}

#[test]
fn over_tcp_the_token_of_the_config_is_sent() {
    let cluster = Cluster::start();
    let config = cluster.config(&cluster.address(), cluster.token());
    cluster.write("tcp", &config);
    assert_eq!(
        cluster.ok("get ns default -o name --config tcp"),
        "namespace/default\n"
    );
    cluster.write("wrong", &cluster.config(&cluster.address(), "guessed"));
    let error = cluster.fails("get ns --config wrong");
    assert!(error.starts_with("Error from server (Unauthorized)"), "{error}");
}

#[test]
fn a_context_may_choose_the_namespace() {
    let cluster = Cluster::start();
    cluster.ok("create ns shop");
    cluster.ok("config set-context --current --namespace shop");
    cluster.ok("create cm app --from-literal=a=b");
    assert_eq!(cluster.ok("get cm -n shop -o name"), "configmap/app\n");
    assert!(
        cluster
            .fails("get cm --context far")
            .contains("context \"far\" does not exist")
    );
}
