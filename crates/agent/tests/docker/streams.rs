//! Logs and events.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use skep_agent::runtime::{
    ContainerEventKind, ContainerSpec, LogOptions, Output, RunState, Runtime, RuntimeError,
};
use skep_api::Time;

use crate::engine::{Engine, bytes};

#[tokio::test]
async fn output_and_errors_are_told_apart() {
    let engine = Engine::new().await;
    let id = engine.run(&engine.script("echo out; echo err >&2")).await;
    engine.ended(&id).await;
    let chunks = engine
        .docker
        .logs(&id, &LogOptions::default())
        .await
        .expect("a log");
    let mut chunks: Vec<Output> = chunks.try_collect().await.expect("it can be read");
    chunks.sort_by_key(|chunk| matches!(chunk, Output::Stderr(_)));
    assert_eq!(
        chunks,
        [Output::Stdout("out\n".into()), Output::Stderr("err\n".into())]
    );
}

#[tokio::test]
async fn a_log_is_cut_to_its_last_lines_and_dated() {
    let engine = Engine::new().await;
    let id = engine.run(&engine.script("echo one; echo two; echo three")).await;
    engine.ended(&id).await;
    let last = LogOptions {
        tail_lines: Some(2),
        ..LogOptions::default()
    };
    assert_eq!(read(&engine, &id, &last).await, "two\nthree\n");
    let dated = LogOptions {
        tail_lines: Some(1),
        timestamps: true,
        ..LogOptions::default()
    };
    let line = read(&engine, &id, &dated).await;
    let (time, text) = line.split_once(' ').expect("a time and a text");
    assert!(time.parse::<Time>().is_ok(), "{line}");
    assert_eq!(text, "three\n");
}

#[tokio::test]
async fn a_log_begins_where_it_is_asked_to() {
    let engine = Engine::new().await;
    let id = engine.run(&engine.script("echo one")).await;
    engine.ended(&id).await;
    let RunState::Exited { finished, .. } = engine.container(&id).await.state else {
        panic!("it has ended")
    };
    let before = LogOptions {
        since: Some(Time::from_secs(1)),
        ..LogOptions::default()
    };
    assert_eq!(read(&engine, &id, &before).await, "one\n");
    let after = LogOptions {
        since: Some(finished.plus(Duration::from_secs(2))),
        ..LogOptions::default()
    };
    assert_eq!(read(&engine, &id, &after).await, "");
}

#[tokio::test]
async fn a_followed_log_goes_on_until_the_container_ends() {
    let engine = Engine::new().await;
    let spec = ContainerSpec {
        stdin: true,
        ..engine.script("echo first; while [ ! -e /go ]; do sleep 0.02; done; echo last")
    };
    let id = engine.run(&spec).await;
    let follow = LogOptions {
        follow: true,
        ..LogOptions::default()
    };
    let mut chunks = engine.docker.logs(&id, &follow).await.expect("a log");
    assert_eq!(
        bytes(chunks.next().await.expect("a line").expect("it can be read")),
        "first\n"
    );
    engine.exec(&id, &["busybox", "touch", "/go"]).await;
    assert_eq!(
        bytes(chunks.next().await.expect("a line").expect("it can be read")),
        "last\n"
    );
    assert!(chunks.next().await.is_none(), "the container has ended");
}

#[tokio::test]
async fn a_terminal_has_one_stream() {
    let engine = Engine::new().await;
    let spec = ContainerSpec {
        tty: true,
        ..engine.script("echo out; echo err >&2")
    };
    assert_eq!(engine.output_of(&spec).await, "out\r\nerr\r\n");
}

#[tokio::test]
async fn a_container_that_is_gone_has_no_log() {
    let engine = Engine::new().await;
    let missing = engine
        .docker
        .logs("skep-agent-test-gone", &LogOptions::default())
        .await
        .err();
    assert!(matches!(missing, Some(RuntimeError::NotFound(_))), "{missing:?}");
}

#[tokio::test]
async fn events_tell_a_containers_life() {
    let engine = Engine::new().await;
    let events = engine.docker.events(&engine.labels()).await.expect("events");
    let spec = engine.script("exit 1");
    // Nobody reads yet: what happens now is told all the same.
    let id = engine.run(&spec).await;
    engine.ended(&id).await;
    engine.docker.remove(&id).await.expect("it goes");
    let other = Engine::new().await;
    other.output_of(&other.script("true")).await;

    let told: Vec<_> = tokio::time::timeout(Duration::from_secs(30), events.take(3).collect())
        .await
        .expect("three events come");
    let kinds: Vec<_> = told.iter().map(|event| event.kind).collect();
    use ContainerEventKind::{Died, Removed, Started};
    assert_eq!(kinds, [Started, Died, Removed]);
    assert!(
        told.iter()
            .all(|event| event.id == id && event.labels == spec.labels),
        "{told:?}"
    );
}

async fn read(engine: &Engine, id: &str, options: &LogOptions) -> String {
    let chunks = engine.docker.logs(id, options).await.expect("a log");
    let chunks: Vec<_> = chunks.map_ok(bytes).try_collect().await.expect("it can be read");
    String::from_utf8(chunks.concat()).expect("it is text")
}
