//! An engine that listens on a port.

use futures::StreamExt;
use skep_agent::runtime::{Docker, ExecInput, ExecSpec, Runtime};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, UnixStream},
};

use crate::engine::{Engine, bytes};

#[tokio::test]
async fn an_engine_on_a_port_does_the_same() {
    let engine = Engine::new().await;
    let docker = Docker::new(&format!("tcp://{}", port_to_engine().await));
    assert_eq!(docker.info().await, engine.docker.info().await);
    let id = docker
        .create(&engine.script("sleep 1000"))
        .await
        .expect("it is made");
    docker.start(&id).await.expect("it starts");
    let command = ["busybox", "cat"].map(str::to_owned).to_vec();
    let exec = docker
        .exec(
            &id,
            &ExecSpec {
                command,
                stdin: true,
                ..ExecSpec::default()
            },
        )
        .await
        .expect("it starts");
    exec.input
        .send(ExecInput::Stdin("hello".into()))
        .await
        .expect("it reads");
    drop(exec.input);
    let text: Vec<_> = exec
        .output
        .map(|chunk| bytes(chunk.expect("output")))
        .collect()
        .await;
    assert_eq!(text.concat(), b"hello");
    assert_eq!(exec.exit_code.await, Ok(Ok(0)));
}

/// A port that leads to the engine's socket for as long as the test runs.
async fn port_to_engine() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut engine = UnixStream::connect("/var/run/docker.sock")
                    .await
                    .expect("the engine listens");
                // Either side may hang up.
                let _ = copy_bidirectional(&mut client, &mut engine).await;
            });
        }
    });
    address
}
