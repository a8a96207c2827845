//! The one port for everybody else: TLS 1.3, HTTP/2 and HTTP/1.1, known by certificate.

use std::{io, sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
};
use skep_trust::{Certificate, Gathered, Listener, Patient, Stream, Tls};
use tokio::sync::Semaphore;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tower::Layer;

use super::{KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, STREAMS_MAX};
use crate::authorize::{Authorize, Caller};

/// How long a handshake may take.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// Handshakes at once; beyond that, newcomers wait in the kernel's queue. After a server ends, its agents all come at once.
const HANDSHAKES_MAX: usize = 512;

/// How long an HTTP/1 client may take to send its headers.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// A pause after the system could not accept a connection, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves with TLS until `shutdown`, then lets calls in progress end. Every call is held to the rules of `authorize`.
pub(crate) async fn serve_tls(
    mut listener: Listener,
    tls: Tls,
    routes: Routes,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let door = Door {
        acceptor: tls.server_config().into(),
        routes: routes.prepare(),
        builder: builder(),
    };
    let connections = GracefulShutdown::new();
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let permit = handshakes.clone().acquire_owned();
        let accepted = async {
            let permit = permit.await.expect("the semaphore is never closed");
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            accepted = accepted => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (door, watcher, shutdown) = (door.clone(), connections.watcher(), shutdown.clone());
                tokio::spawn(async move {
                    let stream = tokio::select! {
                        stream = door.shake_hands(stream) => stream,
                        () = shutdown.cancelled() => return,
                    };
                    drop(permit);
                    match stream {
                        Ok(stream) => door.serve(stream, watcher).await,
                        Err(error) => tracing::debug!(%peer, %error, "no handshake"),
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    connections.shutdown().await;
    Ok(())
}

#[derive(Clone)]
struct Door {
    acceptor: TlsAcceptor,
    routes: Routes,
    builder: Builder<TokioExecutor>,
}

impl Door {
    async fn shake_hands(&self, stream: Stream) -> io::Result<TlsStream<Stream>> {
        tokio::time::timeout(HANDSHAKE_WITHIN, self.acceptor.accept(stream))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    async fn serve(&self, stream: TlsStream<Stream>, watcher: Watcher) {
        let service = Authorize(caller(&stream)).layer(self.routes.clone());
        let connection = self.builder.serve_connection_with_upgrades(
            TokioIo::new(Gathered::new(stream)),
            TowerToHyperService::new(service),
        );
        let served = Patient::new(Box::pin(watcher.watch(connection.into_owned())));
        if let Err(error) = served.await {
            tracing::debug!(error, "a connection ended");
        }
    }
}

/// Whom the certificate speaks for that TLS has accepted.
fn caller(stream: &TlsStream<Stream>) -> Caller {
    let certificates = stream.get_ref().1.peer_certificates();
    let leaf = certificates.and_then(|certificates| certificates.first());
    let certificate = leaf.and_then(|leaf| Certificate::from_der(leaf.clone().into_owned()).ok());
    certificate.map_or_else(Caller::default, Caller::of)
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .max_concurrent_streams(STREAMS_MAX);
    builder
}
