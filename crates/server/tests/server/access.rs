//! Who may call, and where.

use skep_api::proto::{InfoRequest, cluster_client::ClusterClient};
use skep_server::{ServerConfig, ServerError};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, transport::Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::harness::{Ask, Server, config_map, within};

async fn error_of(config: ServerConfig) -> ServerError {
    let (ready, _) = oneshot::channel();
    within(skep_server::run(config, ready, CancellationToken::new()))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_second_server_on_the_same_socket_is_refused() {
    let server = Server::start().await;
    let error = error_of(ServerConfig::new(server.folder.path())).await;
    assert!(error.to_string().contains("already running"), "{error}");
    server
        .client()
        .create_doc(config_map("still", "there"))
        .await
        .unwrap();
}

#[tokio::test]
async fn an_address_off_loopback_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let listen = Some("0.0.0.0:0".parse().unwrap());
    let error = error_of(ServerConfig {
        listen,
        token: "t".into(),
        ..ServerConfig::new(folder.path())
    })
    .await;
    assert!(error.to_string().contains("loopback"), "{error}");
}

#[tokio::test]
async fn a_range_of_pod_addresses_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = error_of(ServerConfig {
        pod_cidr: "ten".into(),
        ..ServerConfig::new(folder.path())
    })
    .await;
    assert!(error.to_string().contains("`ten`"), "{error}");
}

#[tokio::test]
async fn a_range_of_pod_addresses_without_room_for_a_node_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = error_of(ServerConfig {
        pod_cidr: "10.0.0.0/30".into(),
        ..ServerConfig::new(folder.path())
    })
    .await;
    assert!(
        error.to_string().contains("`10.0.0.0/30` is too small"),
        "{error}"
    );
}

#[tokio::test]
async fn over_tcp_only_those_with_the_token_are_served() {
    let server = Server::start_in(tempfile::tempdir().unwrap(), |config| {
        config.listen = Some("127.0.0.1:0".parse().unwrap());
        config.token = "secret".into();
    })
    .await;
    let address = server.ready.address.unwrap();
    let channel = Endpoint::try_from(format!("http://{address}"))
        .unwrap()
        .connect()
        .await
        .unwrap();
    let ask = |token: Option<&str>| {
        let mut request = Request::new(InfoRequest {});
        if let Some(token) = token {
            request
                .metadata_mut()
                .insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let mut client = ClusterClient::new(channel.clone());
        async move { client.info(request).await.map(tonic::Response::into_inner) }
    };
    assert_eq!(ask(None).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(
        ask(Some("guess")).await.unwrap_err().code(),
        Code::Unauthenticated
    );
    let info = ask(Some("secret")).await.unwrap();
    assert_eq!(info.cluster_id, server.ready.cluster_id);
    assert_eq!(info.leader_id, info.server_id);
    assert!(
        info.addresses.contains(&format!("http://{address}")),
        "{:?}",
        info.addresses
    );
}

#[tokio::test]
async fn health_and_reflection_are_offered() {
    let server = Server::start().await;
    let request = HealthCheckRequest {
        service: "skep.v1.Cluster".to_owned(),
    };
    let health = HealthClient::new(server.channel.clone())
        .check(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(health.status(), ServingStatus::Serving);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(server.channel.clone());
    let mut answers = client
        .server_reflection_info(tokio_stream::once(request))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(services)) = answer else {
        panic!("{answer:?}")
    };
    let names: Vec<_> = services.service.into_iter().map(|service| service.name).collect();
    for name in ["skep.v1.Cluster", "skep.v1.Node", "grpc.health.v1.Health"] {
        assert!(names.iter().any(|known| known == name), "{names:?}");
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let server = Server::start().await;
    let cluster = server.ready.cluster_id.clone();
    server
        .client()
        .create_doc(config_map("kept", "value"))
        .await
        .unwrap();
    let folder = server.stop().await;
    assert!(!folder.path().join("skep.sock").exists());
    let server = Server::start_in(folder, |_| {}).await;
    assert_eq!(server.ready.cluster_id, cluster);
    assert_eq!(
        server.client().doc("configmap", "kept").await.unwrap()["data"]["key"],
        "value"
    );
}
