//! A command's streams, taken over from the engine's HTTP connection.
//!
//! The client library looks for frames in the bytes of a terminal, which has none, and waits for ever where a program
//! writes a byte below 3. So the connection is made here.

use std::{io, time::Duration};

use serde::Deserialize;
use tokio::{
    io::{
        AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, ReadHalf, WriteHalf,
    },
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::error;
use crate::runtime::RuntimeError;

/// For the engine to start a command and answer.
const ANSWER_MAX: Duration = Duration::from_secs(120);
/// For the words of a refusal.
const REFUSAL_MAX: Duration = Duration::from_secs(5);
/// Bytes of an answer that is not the command's output.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Both directions of a connection.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

pub(super) type Connection = BufReader<Box<dyn Duplex>>;
pub(super) type Reader = ReadHalf<Connection>;
pub(super) type Writer = WriteHalf<Connection>;

/// Posts a document, and hands the connection over once the engine has switched it to a stream of bytes.
pub(super) async fn post(host: &str, path: &str, body: &str) -> Result<(Reader, Writer), RuntimeError> {
    let unavailable = |failure: io::Error| RuntimeError::Unavailable(failure.to_string());
    let (head, connection) = timeout(ANSWER_MAX, answer(host, path, body))
        .await
        .map_err(|_| RuntimeError::Unavailable("timed out".to_owned()))?
        .map_err(unavailable)?;
    // Engines that do not switch answer 200 and stream all the same.
    if head.status == 101 || head.status == 200 {
        return Ok(tokio::io::split(connection));
    }
    let mut text = Vec::new();
    let mut rest = connection.take(head.length.unwrap_or(ANSWER_BYTES_MAX).min(ANSWER_BYTES_MAX));
    // The connection may stay open; what has come by then is all there is to say.
    let _ = timeout(REFUSAL_MAX, rest.read_to_end(&mut text)).await;
    Err(error::classify(head.status, message(&text)))
}

/// What an answer begins with.
struct Head {
    status: u16,
    /// Bytes that follow, where stated.
    length: Option<u64>,
}

async fn answer(host: &str, path: &str, body: &str) -> io::Result<(Head, Connection)> {
    let mut connection = BufReader::new(connect(host).await?);
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(request.as_bytes()).await?;
    connection.flush().await?;
    let head = read_head(&mut connection).await?;
    Ok((head, connection))
}

async fn connect(host: &str) -> io::Result<Box<dyn Duplex>> {
    if let Some(path) = host.strip_prefix("unix://") {
        return Ok(Box::new(UnixStream::connect(path).await?));
    }
    let address = host.split_once("://").map_or(host, |(_, address)| address);
    Ok(Box::new(TcpStream::connect(address.trim_end_matches('/')).await?))
}

/// Reads up to the empty line; what follows stays in the connection.
async fn read_head(connection: &mut Connection) -> io::Result<Head> {
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP");
    let mut lines = connection.take(ANSWER_BYTES_MAX);
    let mut line = String::new();
    lines.read_line(&mut line).await?;
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(malformed)?;
    let mut length = None;
    while line != "\r\n" {
        line.clear();
        if lines.read_line(&mut line).await? == 0 {
            return Err(malformed());
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
    Ok(Head { status, length })
}

/// The engine's words, out of their document if they are in one.
fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Failure {
        message: String,
    }
    let failure: Option<Failure> = serde_json::from_slice(body).ok();
    failure.map_or_else(
        || String::from_utf8_lossy(body).trim().to_owned(),
        |failure| failure.message,
    )
}
