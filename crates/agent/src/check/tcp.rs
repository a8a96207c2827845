//! Opens a TCP connection.

use skep_api::TcpSocketAction;
use tokio::net::TcpStream;

use super::Target;

pub(super) async fn connect(target: &Target, action: &TcpSocketAction) -> Result<(), String> {
    let port = target.port(&action.port)?;
    open(target.host(&action.host), port).await.map(drop)
}

/// A connection; the error names the address.
pub(super) async fn open(host: &str, port: u16) -> Result<TcpStream, String> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    TcpStream::connect((host, port))
        .await
        .map_err(|error| format!("dial tcp {host}:{port}: {}", words(&error)))
}

/// The system's words without the error's number.
fn words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
        _ => error.to_string(),
    }
}
