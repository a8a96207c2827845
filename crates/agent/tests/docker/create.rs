//! Making containers.

use skep_agent::runtime::{ContainerSpec, Runtime, RuntimeError};

use crate::engine::Engine;

#[tokio::test]
async fn creating_twice_answers_with_the_same_container() {
    let engine = Engine::new().await;
    let spec = engine.script("true");
    let first = engine.docker.create(&spec).await.expect("it is made");
    let second = engine.docker.create(&spec).await.expect("it is found");
    assert_eq!(first, second);
}

#[tokio::test]
async fn a_name_that_another_container_has_is_refused() {
    let engine = Engine::new().await;
    let spec = engine.script("true");
    engine.docker.create(&spec).await.expect("it is made");
    let mut other = spec.clone();
    other.labels.insert("skep.io/attempt".to_owned(), "1".to_owned());
    let error = engine.docker.create(&other).await.expect_err("the labels differ");
    assert!(
        error.to_string().contains("already in use by container"),
        "{error}"
    );
    assert!(
        error.to_string().ends_with("it is not this pod's: remove it"),
        "{error}"
    );
}

#[tokio::test]
async fn a_missing_image_is_named_in_the_engines_words() {
    let engine = Engine::new().await;
    let spec = ContainerSpec {
        image: "skep-agent-test/nowhere:1".to_owned(),
        ..engine.script("true")
    };
    let error = engine
        .docker
        .create(&spec)
        .await
        .expect_err("the image is missing");
    assert_eq!(
        error,
        RuntimeError::NotFound("No such image: skep-agent-test/nowhere:1".to_owned())
    );
}

#[tokio::test]
async fn entry_point_command_variables_and_folder_reach_the_process() {
    let engine = Engine::new().await;
    let spec = ContainerSpec {
        entrypoint: vec!["/bin/busybox".to_owned()],
        command: ["sh", "-c", "pwd; echo \"$GREETING\""]
            .map(str::to_owned)
            .to_vec(),
        env: vec!["GREETING=hello = world".to_owned()],
        working_dir: "/bin".to_owned(),
        ..engine.script("")
    };
    assert_eq!(engine.output_of(&spec).await, "/bin\nhello = world\n");
}

#[tokio::test]
async fn logs_are_bounded() {
    let engine = Engine::new().await;
    // 1 MiB of lines into a log of 64 KiB.
    let script = "i=0; while [ $i -lt 16384 ]; do echo 0123456789012345678901234567890123456789012345678901234567890123; i=$((i+1)); done";
    let spec = ContainerSpec {
        log_bytes_max: 64 * 1024,
        ..engine.script(script)
    };
    let log = engine.output_of(&spec).await;
    assert!(
        !log.is_empty() && log.len() < 64 * 1024,
        "{} bytes are left",
        log.len()
    );
}
