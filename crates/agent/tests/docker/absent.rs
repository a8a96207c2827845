//! An engine that is not there.

use std::{collections::BTreeMap, net::TcpListener};

use skep_agent::runtime::{Docker, Runtime, RuntimeError};

#[tokio::test]
async fn a_missing_socket_means_unavailable() {
    let docker = Docker::new("/nowhere/docker.sock");
    let error = docker.info().await.expect_err("there is no socket");
    assert_eq!(
        error.to_string(),
        "the engine does not answer: no socket at /nowhere/docker.sock"
    );
    assert!(matches!(
        docker.containers(&BTreeMap::new()).await,
        Err(RuntimeError::Unavailable(_))
    ));
}

#[tokio::test]
async fn a_socket_that_nobody_listens_on_means_unavailable() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("docker.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    let error = Docker::new(&format!("unix://{}", path.display()))
        .info()
        .await
        .expect_err("nobody listens");
    assert!(
        matches!(&error, RuntimeError::Unavailable(words) if words.contains("refused")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_means_unavailable() {
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port();
    let error = Docker::new(&format!("tcp://127.0.0.1:{port}"))
        .info()
        .await
        .expect_err("nobody listens");
    assert!(
        matches!(&error, RuntimeError::Unavailable(words) if words.contains("refused")),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_engine_that_comes_late_is_found_by_the_same_client() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("docker.sock");
    let docker = Docker::new(&path.display().to_string());
    assert!(matches!(docker.info().await, Err(RuntimeError::Unavailable(_))));
    std::os::unix::fs::symlink("/var/run/docker.sock", &path).expect("a link");
    let info = docker.info().await.expect("the engine is there now");
    assert!(!info.version.is_empty() && info.root.is_absolute(), "{info:?}");
}

#[tokio::test]
async fn a_host_of_another_kind_is_refused_with_what_to_write() {
    let error = Docker::new("ssh://engine").info().await.expect_err("no such way");
    assert_eq!(
        error.to_string(),
        "cannot reach an engine at ssh://engine: write unix://PATH or tcp://HOST:PORT"
    );
}
