//! Commands in running containers.

use futures::StreamExt;
use skep_agent::runtime::{Exec, ExecInput, ExecSpec, Output, Runtime, RuntimeError};

use crate::engine::{Engine, bytes, until};

#[tokio::test]
async fn a_command_has_output_and_an_exit_code() {
    let engine = Engine::new().await;
    let id = engine.run(&engine.script("sleep 1000")).await;
    assert_eq!(
        engine
            .exec(&id, &["busybox", "sh", "-c", "echo hello; exit 5"])
            .await,
        ("hello\n".to_owned(), 5)
    );
}

#[tokio::test]
async fn errors_of_a_command_come_apart_from_its_output() {
    let engine = Engine::new().await;
    let id = engine.run(&engine.script("sleep 1000")).await;
    let exec = start(
        &engine,
        &id,
        ExecSpec {
            command: shell("echo oops >&2"),
            ..ExecSpec::default()
        },
    )
    .await;
    let chunks: Vec<_> = exec.output.collect().await;
    assert_eq!(chunks, [Ok(Output::Stderr("oops\n".into()))]);
}

#[tokio::test]
async fn closing_its_input_ends_a_command_and_its_last_output_still_comes() {
    let engine = Engine::new().await;
    let id = engine.run(&engine.script("sleep 1000")).await;
    // Counts what it was told only once there is no more.
    let spec = ExecSpec {
        command: shell("wc -c"),
        stdin: true,
        ..ExecSpec::default()
    };
    let Exec {
        input,
        output,
        exit_code,
    } = start(&engine, &id, spec).await;
    for _ in 0..100 {
        input
            .send(ExecInput::Stdin(vec![b'x'; 1000].into()))
            .await
            .expect("it reads");
    }
    drop(input);
    let text: Vec<_> = output.map(|chunk| bytes(chunk.expect("output"))).collect().await;
    assert_eq!(text.concat(), b"100000\n");
    assert_eq!(exit_code.await, Ok(Ok(0)));
}

#[tokio::test]
async fn a_terminal_has_the_size_it_is_given_and_follows_it() {
    let engine = Engine::new().await;
    let id = engine.run(&engine.script("sleep 1000")).await;
    let command = shell("while read line; do stty size; done");
    let spec = ExecSpec {
        command,
        stdin: true,
        tty: true,
        size: Some((101, 41)),
    };
    let Exec {
        input,
        mut output,
        exit_code,
    } = start(&engine, &id, spec).await;
    let mut seen = String::new();
    for (size, expected) in [(None, "41 101"), (Some((88, 33)), "33 88")] {
        if let Some((columns, rows)) = size {
            input
                .send(ExecInput::Resize(columns, rows))
                .await
                .expect("it runs");
        }
        input.send(ExecInput::Stdin("\n".into())).await.expect("it reads");
        while !seen.contains(expected) {
            let chunk = output
                .next()
                .await
                .unwrap_or_else(|| panic!("no {expected} in {seen:?}"));
            seen.push_str(&String::from_utf8_lossy(&bytes(chunk.expect("output"))));
        }
    }
    // End of file, as typed.
    input
        .send(ExecInput::Stdin("\u{4}".into()))
        .await
        .expect("it reads");
    while output.next().await.is_some() {}
    assert_eq!(exit_code.await, Ok(Ok(0)));
}

#[tokio::test]
async fn a_terminal_may_show_any_byte() {
    let engine = Engine::new().await;
    let id = engine.run(&engine.script("sleep 1000")).await;
    let spec = ExecSpec {
        command: shell("printf '\\001\\002\\000abcdefghijkl'"),
        tty: true,
        ..ExecSpec::default()
    };
    let Exec {
        input,
        output,
        exit_code,
    } = start(&engine, &id, spec).await;
    let text: Vec<_> = output.map(|chunk| bytes(chunk.expect("output"))).collect().await;
    assert_eq!(text.concat(), b"\x01\x02\x00abcdefghijkl");
    assert_eq!(exit_code.await, Ok(Ok(0)));
    drop(input);
}

#[tokio::test]
async fn a_container_that_has_ended_runs_no_command() {
    let engine = Engine::new().await;
    let id = engine.run(&engine.script("true")).await;
    engine.ended(&id).await;
    let spec = ExecSpec {
        command: shell("true"),
        ..ExecSpec::default()
    };
    let error = engine
        .docker
        .exec(&id, &spec)
        .await
        .err()
        .map(|error| error.to_string());
    assert!(
        error
            .as_ref()
            .is_some_and(|words| words.contains("is not running")),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_command_that_is_missing_says_so() {
    let engine = Engine::new().await;
    let id = engine.run(&engine.script("sleep 1000")).await;
    let (text, code) = engine.exec(&id, &["/bin/nope"]).await;
    assert!(text.contains("/bin/nope"), "{text}");
    assert!([126, 127].contains(&code), "{code}");
}

#[tokio::test]
async fn letting_go_of_a_command_leaves_the_container_alone() {
    let engine = Engine::new().await;
    let id = engine.run(&engine.script("sleep 1000")).await;
    let spec = ExecSpec {
        command: shell("cat; touch /done"),
        stdin: true,
        ..ExecSpec::default()
    };
    drop(start(&engine, &id, spec).await);
    until("the command notices", || async {
        (engine.exec(&id, &["busybox", "test", "-e", "/done"]).await.1 == 0).then_some(())
    })
    .await;
    assert!(engine.container(&id).await.pid > 0);
}

#[tokio::test]
async fn a_container_that_is_gone_runs_no_command() {
    let engine = Engine::new().await;
    let spec = ExecSpec {
        command: shell("true"),
        ..ExecSpec::default()
    };
    let error = engine.docker.exec("skep-agent-test-gone", &spec).await.err();
    assert!(matches!(error, Some(RuntimeError::NotFound(_))), "{error:?}");
}

async fn start(engine: &Engine, id: &str, spec: ExecSpec) -> Exec {
    engine.docker.exec(id, &spec).await.expect("it starts")
}

fn shell(script: &str) -> Vec<String> {
    ["busybox", "sh", "-c", script].map(str::to_owned).to_vec()
}
