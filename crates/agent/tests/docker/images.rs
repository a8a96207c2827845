//! Images.

use skep_agent::runtime::{Credentials, HOLDER_IMAGE, Runtime, RuntimeError};

use crate::engine::Engine;

#[tokio::test]
async fn an_image_is_known_by_name_and_id() {
    let engine = Engine::new().await;
    let image = engine
        .docker
        .image(&engine.image())
        .await
        .expect("an answer")
        .expect("it is there");
    assert_eq!(image.names, [engine.image()]);
    assert_eq!(image.user, "");
    assert!(image.size_bytes > 500_000, "{}", image.size_bytes);
    assert_eq!(engine.docker.image(&image.id).await, Ok(Some(image.clone())));
    let all = engine.docker.images().await.expect("a list");
    assert!(all.contains(&image), "{all:?}");
}

#[tokio::test]
async fn a_missing_image_is_none() {
    let engine = Engine::new().await;
    assert_eq!(engine.docker.image("skep-agent-test/nowhere:1").await, Ok(None));
}

#[tokio::test]
async fn an_image_in_use_stays_even_when_its_container_has_ended() {
    let engine = Engine::new().await;
    let image = engine
        .docker
        .image(&engine.image())
        .await
        .expect("an answer")
        .expect("it is there");
    let id = engine.run(&engine.script("true")).await;
    engine.ended(&id).await;
    let error = engine
        .docker
        .remove_image(&image.id)
        .await
        .expect_err("a container uses it");
    assert!(error.to_string().contains("is using"), "{error}");
    engine.docker.remove(&id).await.expect("it goes");
    engine
        .docker
        .remove_image(&image.id)
        .await
        .expect("nothing uses it");
    assert_eq!(engine.docker.image(&engine.image()).await, Ok(None));
    engine
        .docker
        .remove_image(&image.id)
        .await
        .expect("it is gone already");
}

#[tokio::test]
async fn a_registry_that_does_not_answer_is_told_in_the_engines_words() {
    let engine = Engine::new().await;
    let credentials = Credentials {
        server: "localhost:1".to_owned(),
        ..Credentials::default()
    };
    for credentials in [None, Some(&credentials)] {
        let error = engine
            .docker
            .pull("localhost:1/web:v1", credentials)
            .await
            .expect_err("nobody listens");
        assert!(
            matches!(&error, RuntimeError::Engine(words) if words.contains("localhost:1")),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn the_holders_image_is_there_once_it_is_asked_for() {
    let engine = Engine::new().await;
    let asked = (0..8).map(|_| engine.docker.ensure_holder_image());
    for answer in futures::future::join_all(asked).await {
        answer.expect("it is made or found");
    }
    let image = engine
        .docker
        .image(HOLDER_IMAGE)
        .await
        .expect("an answer")
        .expect("it is there");
    assert!(image.size_bytes < 1024, "{} bytes", image.size_bytes);
}
