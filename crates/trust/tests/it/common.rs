//! CAs, credentials and handshakes over loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustls::{ClientConfig, ServerConfig};
use skep_api::Time;
use skep_trust::{Bundle, Ca, Connector, Credentials, Identity, KeyPairFile, Tls, Validity, identity_of};
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpListener};
use tokio_rustls::TlsAcceptor;

pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Time::from_millis(i64::try_from(since.as_millis()).unwrap())
}

pub(crate) fn ago(duration: Duration) -> Time {
    Time::from_millis(now().as_millis() - i64::try_from(duration.as_millis()).unwrap())
}

pub(crate) fn server(id: u64) -> Identity {
    Identity::Server {
        id,
        name: format!("s{id}"),
    }
}

pub(crate) fn node(name: &str) -> Identity {
    Identity::Node {
        name: name.to_owned(),
    }
}

/// Credentials from this CA, valid for a day.
pub(crate) fn credentials(ca: &Ca, identity: &Identity) -> Credentials {
    credentials_of(ca, identity, Validity::from(now(), DAY), ca.bundle())
}

pub(crate) fn credentials_of(
    ca: &Ca,
    identity: &Identity,
    validity: Validity,
    bundle: Bundle,
) -> Credentials {
    let key = KeyPairFile::generate();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = ca.issue(&key.csr(), identity, &names, validity).unwrap();
    Credentials::new(key, &certificate, bundle).unwrap()
}

/// Ended two days ago.
pub(crate) fn expired() -> Validity {
    Validity::from(ago(3 * DAY), DAY)
}

pub(crate) fn tls(ca: &Ca, identity: &Identity) -> Tls {
    Tls::new(credentials(ca, identity)).unwrap()
}

/// One connection: the server's view of the client, or why there was none.
pub(crate) async fn meet(
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
) -> (io::Result<Option<Identity>>, io::Result<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let accepting = async {
        let (tcp, _) = listener.accept().await?;
        let mut stream = TlsAcceptor::from(server).accept(tcp).await?;
        let who = identity_of(stream.get_ref().1.peer_certificates().unwrap_or(&[]));
        stream.write_all(b"!").await?;
        stream.shutdown().await?;
        Ok(who)
    };
    let connecting = async {
        let mut stream = Connector::new(client).connect(&address).await?;
        // In TLS 1.3 a client learns with its first byte whether its certificate was accepted.
        stream.read_exact(&mut [0]).await?;
        Ok(())
    };
    tokio::join!(accepting, connecting)
}
