//! Starting, ending, removing and finding again.

use std::time::Duration;

use skep_agent::runtime::{ContainerSpec, RunState, Runtime, RuntimeError};

use crate::engine::{Engine, until};

#[tokio::test]
async fn an_exit_code_is_found_again() {
    let engine = Engine::new().await;
    let id = engine.run(&engine.script("exit 3")).await;
    assert_eq!(engine.ended(&id).await, (3, false));
    let RunState::Exited {
        started: Some(started),
        finished,
        message,
        ..
    } = engine.container(&id).await.state
    else {
        panic!("it has run and ended")
    };
    assert!(finished >= started, "{finished} is before {started}");
    assert_eq!(message, "");
}

#[tokio::test]
async fn a_container_that_ends_by_a_signal_has_128_and_its_number() {
    let engine = Engine::new().await;
    let id = engine.run(&engine.script("sleep 1000")).await;
    engine.docker.stop(&id, Duration::ZERO).await.expect("it stops");
    assert_eq!(engine.ended(&id).await, (137, false));
}

#[tokio::test]
async fn a_running_container_has_a_start_and_a_process() {
    let engine = Engine::new().await;
    let id = engine.run(&engine.script("sleep 1000")).await;
    let found = engine.container(&id).await;
    assert!(
        matches!(found.state, RunState::Running { started } if started.as_millis() > 0),
        "{found:?}"
    );
    assert!(found.pid > 0, "{found:?}");
}

#[tokio::test]
async fn a_program_that_is_missing_fails_the_start_and_stays_to_be_seen() {
    let engine = Engine::new().await;
    let spec = ContainerSpec {
        entrypoint: vec!["/bin/nope".to_owned()],
        ..engine.script("")
    };
    let id = engine.docker.create(&spec).await.expect("it is made");
    let error = engine
        .docker
        .start(&id)
        .await
        .expect_err("there is no such program");
    assert!(
        matches!(&error, RuntimeError::Engine(words) if words.contains("/bin/nope")),
        "{error:?}"
    );
    let RunState::Exited {
        code,
        message,
        started,
        finished,
        ..
    } = engine.container(&id).await.state
    else {
        panic!("it counts as ended")
    };
    assert_eq!((code, started), (127, None));
    assert!(
        message.contains("/bin/nope: no such file or directory"),
        "{message}"
    );
    assert!(finished.as_millis() > 0);
}

#[tokio::test]
async fn starting_what_runs_and_stopping_or_removing_what_is_gone_succeed() {
    let engine = Engine::new().await;
    let id = engine.run(&engine.script("sleep 1000")).await;
    engine.docker.start(&id).await.expect("it runs already");
    engine.docker.stop(&id, Duration::ZERO).await.expect("it stops");
    engine
        .docker
        .stop(&id, Duration::ZERO)
        .await
        .expect("it has ended already");
    engine.docker.remove(&id).await.expect("it goes");
    engine.docker.remove(&id).await.expect("it is gone already");
    engine
        .docker
        .stop(&id, Duration::ZERO)
        .await
        .expect("it is gone already");
    assert_eq!(engine.docker.container(&id).await, Ok(None));
    assert!(matches!(
        engine.docker.start(&id).await,
        Err(RuntimeError::NotFound(_))
    ));
}

#[tokio::test]
async fn several_may_remove_a_container_at_once() {
    let engine = Engine::new().await;
    let id = engine.run(&engine.script("sleep 1000")).await;
    let removals = (0..4).map(|_| engine.docker.remove(&id));
    for removal in futures::future::join_all(removals).await {
        removal.expect("the container goes");
    }
    assert_eq!(engine.docker.container(&id).await, Ok(None));
}

#[tokio::test]
async fn a_container_may_end_by_itself_within_its_grace() {
    let engine = Engine::new().await;
    let id = engine
        .run(&engine.script("trap 'exit 7' TERM; echo ready; while true; do sleep 0.05; done"))
        .await;
    until("it is ready", || async {
        (engine.log(&id).await == "ready\n").then_some(())
    })
    .await;
    engine
        .docker
        .stop(&id, Duration::from_secs(20))
        .await
        .expect("it stops");
    assert_eq!(engine.ended(&id).await, (7, false));
}

#[tokio::test]
async fn a_container_that_ignores_the_request_is_killed_after_its_grace() {
    let engine = Engine::new().await;
    let id = engine
        .run(&engine.script("trap '' TERM; echo ready; while true; do sleep 0.05; done"))
        .await;
    until("it is ready", || async {
        (engine.log(&id).await == "ready\n").then_some(())
    })
    .await;
    engine
        .docker
        .stop(&id, Duration::from_secs(1))
        .await
        .expect("it stops");
    assert_eq!(engine.ended(&id).await, (137, false));
}

#[tokio::test]
async fn containers_are_found_by_their_labels_alone() {
    let engine = Engine::new().await;
    let mut odd = engine.script("exit 1");
    odd.labels.insert("parity".to_owned(), "odd".to_owned());
    let odd_id = engine.run(&odd).await;
    let other_id = engine
        .docker
        .create(&engine.script("true"))
        .await
        .expect("it is made");
    engine.ended(&odd_id).await;

    let all = engine.docker.containers(&engine.labels()).await.expect("a list");
    let mut ids: Vec<_> = all.iter().map(|container| container.id.clone()).collect();
    ids.sort();
    let mut expected = vec![odd_id.clone(), other_id];
    expected.sort();
    assert_eq!(ids, expected);

    let found = engine.docker.containers(&odd.labels).await.expect("a list");
    let [found] = found.as_slice() else {
        panic!("one is odd: {found:?}")
    };
    assert_eq!(
        (&found.id, &found.name, &found.labels),
        (&odd_id, &odd.name, &odd.labels)
    );
    assert_eq!(found.image, engine.image());
    assert!(found.image_id.starts_with("sha256:"), "{}", found.image_id);
}

#[tokio::test]
async fn a_score_that_the_engine_may_not_give_is_refused_as_such() {
    let engine = Engine::new().await;
    let spec = ContainerSpec {
        oom_score_adj: -500,
        ..engine.script("cat /proc/self/oom_score_adj")
    };
    let id = engine.docker.create(&spec).await.expect("it is made");
    match engine.docker.start(&id).await {
        Ok(()) => {
            engine.ended(&id).await;
            assert_eq!(engine.log(&id).await, "-500\n");
        }
        Err(error) => assert!(matches!(error, RuntimeError::OomScore(_)), "{error}"),
    }
}
