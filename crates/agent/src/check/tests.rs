//! Questions put to real servers on this machine's loopback.

use std::sync::Arc;

use expect_test::{Expect, expect};
use skep_api::{Container, Probe};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use super::{Target, probe};
use crate::testing::FakeRuntime;

fn target(port: u16) -> Target {
    let ports = format!(r#"[{{"name": "http", "containerPort": {port}}}]"#);
    let container = Container {
        ports: serde_json::from_str(&ports).unwrap(),
        ..Container::default()
    };
    Target {
        runtime: Arc::new(FakeRuntime::new(&[])),
        id: "c1".to_owned(),
        address: "127.0.0.1".to_owned(),
        container: Arc::new(container),
    }
}

/// The answer to a probe, with the port replaced.
async fn ask(port: u16, wanted: &str) -> String {
    let wanted: Probe = serde_json::from_str(&wanted.replace("PORT", &port.to_string())).unwrap();
    match probe(&target(port), &wanted).await {
        Ok(()) => "yes".to_owned(),
        Err(message) => message.replace(&port.to_string(), "PORT"),
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, port: u16) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    let request = String::from_utf8(request).unwrap().to_ascii_lowercase();
    let path = request.split(' ').nth(1).unwrap().to_owned();
    let (status, more) = match path.as_str() {
        "/ok" => (200, String::new()),
        "/moved" => (302, "location: /ok\r\n".to_owned()),
        "/moved-to-bad" => (301, format!("location: http://127.0.0.1:{port}/bad\r\n")),
        "/elsewhere" => (302, "location: http://203.0.113.1/\r\n".to_owned()),
        "/loop" => (302, "location: /loop\r\n".to_owned()),
        "/headers" if request.contains("x-a: b\r\n") && request.contains("host: web.test\r\n") => {
            (204, String::new())
        }
        "/silent" => return std::future::pending().await,
        _ => (503, String::new()),
    };
    let text = format!("HTTP/1.1 {status} x\r\n{more}content-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
}

async fn http_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(answer(stream, port));
        }
    });
    port
}

/// Its certificate names nobody and its key is in the tree: both are for this test alone.
async fn https_server() -> u16 {
    let certificate = CertificateDer::from(include_bytes!("testdata/certificate.der").to_vec());
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(
        include_bytes!("testdata/key.der").to_vec(),
    ));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move { answer(acceptor.accept(stream).await.unwrap(), port).await });
        }
    });
    port
}

fn check(told: &str, expected: &Expect) {
    expected.assert_eq(told);
}

#[tokio::test]
async fn an_http_answer_below_400_is_a_yes_and_redirects_are_followed_on_the_same_host() {
    let port = http_server().await;
    for path in ["/ok", "ok", "/moved", "/elsewhere"] {
        let told = ask(
            port,
            &format!(r#"{{"httpGet": {{"path": "{path}", "port": PORT}}}}"#),
        )
        .await;
        assert_eq!(told, "yes", "{path}");
    }
    let no = |path: &str| format!(r#"{{"httpGet": {{"path": "{path}", "port": "http"}}}}"#);
    check(
        &ask(port, &no("/bad")).await,
        &expect!["HTTP probe failed with statuscode: 503"],
    );
    check(
        &ask(port, &no("/moved-to-bad")).await,
        &expect!["HTTP probe failed with statuscode: 503"],
    );
    check(
        &ask(port, &no("/loop")).await,
        &expect![[r#"Get "http://127.0.0.1:PORT/loop": stopped after 10 redirects"#]],
    );
    check(&ask(port, &no("/silent")).await, &expect!["no answer within 1 s"]);
}

#[tokio::test]
async fn headers_are_sent_and_host_may_be_another() {
    let port = http_server().await;
    let headers = r#"[{"name": "X-A", "value": "b"}, {"name": "Host", "value": "web.test"}]"#;
    let wanted = format!(r#"{{"httpGet": {{"path": "/headers", "port": PORT, "httpHeaders": {headers}}}}}"#);
    assert_eq!(ask(port, &wanted).await, "yes");
}

#[tokio::test]
async fn https_is_asked_without_a_look_at_the_certificate() {
    let port = https_server().await;
    let wanted =
        |path: &str| format!(r#"{{"httpGet": {{"path": "{path}", "port": PORT, "scheme": "HTTPS"}}}}"#);
    assert_eq!(ask(port, &wanted("/ok")).await, "yes");
    check(
        &ask(port, &wanted("/bad")).await,
        &expect!["HTTP probe failed with statuscode: 503"],
    );
    let plain = http_server().await;
    assert_eq!(
        ask(plain, &wanted("/ok")).await,
        "no answer within 1 s",
        "a server that speaks no TLS"
    );
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_a_no() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    check(
        &ask(closed, r#"{"tcpSocket": {"port": PORT}}"#).await,
        &expect!["dial tcp 127.0.0.1:PORT: connect: connection refused"],
    );
    check(
        &ask(closed, r#"{"httpGet": {"path": "/ok", "port": PORT}}"#).await,
        &expect![[r#"Get "http://127.0.0.1:PORT/ok": dial tcp 127.0.0.1:PORT: connect: connection refused"#]],
    );
    check(
        &ask(closed, r#"{"tcpSocket": {"port": "nope"}}"#).await,
        &expect!["the container has no port named nope"],
    );
    assert!(
        ask(closed, r#"{"grpc": {"port": PORT}}"#)
            .await
            .starts_with("failed to connect service")
    );
    assert_eq!(
        ask(http_server().await, r#"{"tcpSocket": {"port": PORT}}"#).await,
        "yes"
    );
}

#[tokio::test]
async fn the_grpc_health_service_is_asked_by_name() {
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter
        .set_service_status("up", tonic_health::ServingStatus::Serving)
        .await;
    reporter
        .set_service_status("down", tonic_health::ServingStatus::NotServing)
        .await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(incoming),
    );
    let wanted = |service: &str| format!(r#"{{"grpc": {{"port": PORT, "service": "{service}"}}}}"#);
    assert_eq!(ask(port, &wanted("up")).await, "yes");
    check(
        &ask(port, &wanted("down")).await,
        &expect![[r#"service unhealthy (responded with "NOT_SERVING")"#]],
    );
    check(
        &ask(port, &wanted("unknown")).await,
        &expect!["health check failed: service not registered"],
    );
}
