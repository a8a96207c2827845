//! Logs and commands, through a tunnel that the agent opens.

use expect_test::expect;
use serde_json::json;
use skep_api::proto::{
    ExecInput, ExecOutput, ExecStart, LogsRequest, exec_input::Input, exec_output::Output,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use crate::{
    agent::Agent,
    harness::{Ask, Server, pod, refusal, within},
};

fn logs(pod: &str, container: &str) -> LogsRequest {
    LogsRequest {
        pod: pod.to_owned(),
        container: container.to_owned(),
        ..Default::default()
    }
}

async fn running(server: &Server) -> Agent {
    let agent = Agent::connect(&server.channel, "a").await;
    let client = server.client();
    client.create_doc(pod("web", "1")).await.unwrap();
    client
        .until("pod", "web", |pod| pod["status"]["phase"] == "Running")
        .await;
    agent
}

#[tokio::test]
async fn the_text_of_a_container_comes_through_the_tunnel() {
    let server = Server::start().await;
    let _agent = running(&server).await;
    let mut chunks = within(server.client().logs(logs("web", "")))
        .await
        .unwrap()
        .into_inner();
    let mut text = String::new();
    while let Some(chunk) = within(chunks.message()).await.unwrap() {
        text.push_str(std::str::from_utf8(&chunk.data).unwrap());
    }
    assert_eq!(text, "main line 1\nmain line 2\nmain line 3\n");
}

#[tokio::test]
async fn a_pod_without_text_says_why() {
    let server = Server::start().await;
    let mut client = server.client();
    let mut two = pod("web", "1");
    two["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "name": "side", "image": "busybox:1" }));
    client.create_doc(two).await.unwrap();
    let status = client.logs(logs("web", "")).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    expect!["BadRequest: a container name must be specified for pod web, choose one of: [main side]"]
        .assert_eq(&refusal(&status));
    let status = client.logs(logs("web", "main")).await.unwrap_err();
    expect!["BadRequest: pod web does not have a host assigned"].assert_eq(&refusal(&status));
    let status = client.logs(logs("nope", "")).await.unwrap_err();
    expect![[r#"NotFound: pods "nope" not found"#]].assert_eq(&refusal(&status));
}

#[tokio::test]
async fn without_its_agent_a_pod_cannot_be_asked() {
    let server = Server::start().await;
    running(&server).await.leave().await;
    let status = within(server.client().logs(logs("web", ""))).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    expect![[r#"Unavailable: the agent of node "a" is not connected"#]].assert_eq(&refusal(&status));
}

async fn exec(server: &Server, command: &str, input: &[Input]) -> Result<Vec<Output>, Status> {
    let (send, messages) = mpsc::channel(16);
    let start = ExecStart {
        pod: "web".to_owned(),
        command: vec![command.to_owned()],
        stdin: true,
        ..Default::default()
    };
    for input in std::iter::once(&Input::Start(start)).chain(input) {
        send.send(ExecInput {
            input: Some(input.clone()),
        })
        .await
        .unwrap();
    }
    let mut outputs = within(server.client().exec(ReceiverStream::new(messages)))
        .await?
        .into_inner();
    let mut told = Vec::new();
    while let Some(ExecOutput { output }) = within(outputs.message()).await? {
        told.extend(output);
    }
    Ok(told)
}

#[tokio::test]
async fn a_command_gets_its_input_and_tells_its_output_and_exit_code() {
    let server = Server::start().await;
    let _agent = running(&server).await;
    let input = [Input::Stdin(b"hello".to_vec()), Input::StdinClosed(true)];
    let told = exec(&server, "echo", &input).await.unwrap();
    assert_eq!(told, [Output::Stdout(b"hello".to_vec()), Output::ExitCode(3)]);
}

#[tokio::test]
async fn a_command_that_is_not_there_is_told_in_the_agents_words() {
    let server = Server::start().await;
    let _agent = running(&server).await;
    let status = exec(&server, "nope", &[]).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    expect![[r#"BadRequest: exec: "nope": executable file not found"#]].assert_eq(&refusal(&status));
}

#[tokio::test]
async fn a_tunnel_that_nobody_asked_for_is_refused() {
    use skep_api::proto::{TunnelUp, node_client::NodeClient, tunnel_up::Message};
    let server = Server::start().await;
    let accept = TunnelUp {
        message: Some(Message::Accept("guess".to_owned())),
    };
    let status = NodeClient::new(server.channel.clone())
        .tunnel(tokio_stream::once(accept))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}
