//! Unary gRPC calls over HTTP/2 with as little around them as can be: the processors that the client takes, the servers lack.

use std::{io, sync::Arc};

use bytes::Bytes;
use h2::{RecvStream, client::SendRequest};
use prost::Message;
use rustls::ClientConfig;
use skep_trust::{Connector, Patient};
use tonic::{
    Status,
    codegen::http::{HeaderMap, Request, header},
};

/// Bytes that may be on their way to this side: nobody waits for room.
const WINDOW_BYTES: u32 = 8 << 20;

/// A message's head: whether it is compressed, which it never is, and its length.
const HEAD_BYTES: usize = 5;

/// A connection; clones share it.
#[derive(Clone)]
pub(crate) struct LeanLine(SendRequest<Bytes>);

impl LeanLine {
    /// Connects to `host:port`.
    pub(crate) async fn connect(address: &str, tls: Arc<ClientConfig>) -> io::Result<Self> {
        let stream = Connector::new(tls).connect(address).await?;
        let (requests, connection) = h2::client::Builder::new()
            .initial_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .enable_push(false)
            .handshake(stream)
            .await
            .map_err(io::Error::other)?;
        // Its end is told to the calls.
        tokio::spawn(Patient::new(Box::pin(connection)));
        Ok(Self(requests))
    }

    /// One call, one answer.
    pub(crate) async fn call<Q: Message, A: Message + Default>(
        &self,
        path: &'static str,
        request: &Q,
    ) -> Result<A, Status> {
        let mut requests = self.0.clone().ready().await.map_err(broken)?;
        let head = Request::post(format!("https://server{path}"))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .body(())
            .expect("a path");
        let (answer, mut body) = requests.send_request(head, false).map_err(broken)?;
        body.send_data(framed(request), true).map_err(broken)?;
        let (head, mut body) = answer.await.map_err(broken)?.into_parts();
        check(&head.headers, false)?;
        let received = all(&mut body).await?;
        match body.trailers().await.map_err(broken)? {
            Some(trailers) => check(&trailers, true)?,
            None => check(&head.headers, true)?,
        }
        let message = received.get(HEAD_BYTES..).unwrap_or_default();
        A::decode(message).map_err(|error| Status::internal(error.to_string()))
    }
}

/// A message with its head.
fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut bytes = Vec::with_capacity(HEAD_BYTES + length);
    bytes.push(0);
    bytes.extend(u32::try_from(length).expect("a small message").to_be_bytes());
    message.encode(&mut bytes).expect("a vector takes all");
    bytes.into()
}

/// All that comes before the trailers.
async fn all(body: &mut RecvStream) -> Result<Bytes, Status> {
    let mut received = Bytes::new();
    while let Some(piece) = body.data().await {
        let piece = piece.map_err(broken)?;
        body.flow_control()
            .release_capacity(piece.len())
            .map_err(broken)?;
        received = if received.is_empty() {
            piece
        } else {
            [received, piece].concat().into()
        };
    }
    Ok(received)
}

/// Whether the call went well, as far as the headers say; they must say so where `said`.
fn check(headers: &HeaderMap, said: bool) -> Result<(), Status> {
    match headers.get("grpc-status") {
        Some(status) if status == "0" => Ok(()),
        None if !said => Ok(()),
        _ => Err(Status::from_header_map(headers)
            .unwrap_or_else(|| Status::internal("nothing says what became of the call"))),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is for `map_err`")]
fn broken(error: h2::Error) -> Status {
    Status::unavailable(error.to_string())
}
