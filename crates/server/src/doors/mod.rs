//! Where calls come in: the Unix socket, a loopback address for those who know the token, and TLS for everybody else.

mod listeners;
mod socket;
mod tls;
mod token;

use std::{io, time::Duration};

use skep_trust::Stream;
use tokio::net::TcpListener;
use tokio_stream::{
    StreamExt as _,
    wrappers::{ReceiverStream, TcpListenerStream, UnixListenerStream},
};
use tokio_util::sync::CancellationToken;
use tonic::{
    service::{InterceptorLayer, Routes},
    transport::Server,
};

pub(crate) use listeners::{Listeners, Local};
pub(crate) use socket::{Socket, SocketError};
pub(crate) use tls::serve_tls;
pub(crate) use token::Token;

const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// Calls at once on one connection; beyond that, clients wait.
const STREAMS_MAX: u32 = 4096;

/// Serves on the Unix socket until `shutdown`, then lets calls in progress end.
pub(crate) async fn serve_local(local: Local, routes: Routes, shutdown: CancellationToken) -> io::Result<()> {
    let socket = match local {
        Local::Socket(socket) => socket,
        Local::Other(streams) => {
            let incoming = ReceiverStream::new(streams).map(|stream| io::Result::Ok(Stream::Other(stream)));
            let served = builder()
                .add_routes(routes)
                .serve_with_incoming_shutdown(incoming, shutdown.cancelled_owned());
            return served.await.map_err(io::Error::other);
        }
    };
    let (listener, guard) = socket.into_parts();
    let incoming = UnixListenerStream::new(listener);
    let served = builder()
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, shutdown.cancelled_owned())
        .await;
    drop(guard);
    served.map_err(io::Error::other)
}

/// Serves on the Unix socket until something has happened, and lets calls in progress end; the socket stays.
pub(crate) async fn serve_local_until(
    local: &mut Local,
    routes: Routes,
    until: impl Future<Output = ()>,
) -> io::Result<()> {
    let builder = builder().add_routes(routes);
    let served = match local {
        Local::Socket(socket) => {
            let listener = socket.listener();
            let incoming = futures::stream::poll_fn(|cx| {
                let accepted = listener.poll_accept(cx);
                accepted.map(|accepted| Some(accepted.map(|(stream, _)| stream)))
            });
            builder.serve_with_incoming_shutdown(incoming, until).await
        }
        Local::Other(streams) => {
            let incoming = futures::stream::poll_fn(|cx| {
                let stream = streams.poll_recv(cx);
                stream.map(|stream| stream.map(|stream| io::Result::Ok(Stream::Other(stream))))
            });
            builder.serve_with_incoming_shutdown(incoming, until).await
        }
    };
    served.map_err(io::Error::other)
}

/// Serves on a loopback address until `shutdown`; every call must carry the token.
pub(crate) async fn serve_loopback(
    listener: TcpListener,
    token: Token,
    routes: Routes,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let check = move |request: tonic::Request<()>| token.check(request);
    builder()
        .layer(InterceptorLayer::new(check))
        .add_routes(routes)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), shutdown.cancelled_owned())
        .await
        .map_err(io::Error::other)
}

fn builder() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_concurrent_streams(STREAMS_MAX)
        .tcp_nodelay(true)
}
