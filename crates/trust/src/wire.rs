//! How streams between machines come about: by TCP, unless a simulation has them go another way.

use std::{
    fmt, io,
    io::IoSlice,
    net::SocketAddr,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tonic::transport::server::Connected;

/// What bytes go through, both ways.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// A stream that will stand, or not.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Io>>> + Send>>;

/// What stands for the network in a simulation, seen from one machine.
pub trait Network: Send + Sync + 'static {
    /// A stream to `host:port`.
    fn connect(&self, address: &str) -> Connecting;

    /// The streams that others make to this address, or to this path of a Unix socket.
    ///
    /// # Errors
    /// Where another one listens there.
    fn listen(&self, address: &str) -> io::Result<mpsc::Receiver<Box<dyn Io>>>;
}

/// The way to other machines; TCP by default.
#[derive(Clone, Default)]
pub struct Wire(Option<Arc<dyn Network>>);

impl Wire {
    /// Everything goes through this network instead.
    pub fn through(network: Arc<dyn Network>) -> Self {
        Self(Some(network))
    }

    /// A stream to `host:port`.
    ///
    /// # Errors
    /// Where nobody listens there, or cannot be reached.
    pub async fn connect(&self, address: &str) -> io::Result<Stream> {
        if let Some(network) = &self.0 {
            return network.connect(address).await.map(Stream::Other);
        }
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        Ok(Stream::Tcp(tcp))
    }

    /// Listens on an address; port 0 for any.
    ///
    /// # Errors
    /// Where it is taken or cannot be used.
    pub async fn listen(&self, address: SocketAddr) -> io::Result<Listener> {
        match &self.0 {
            Some(network) => Ok(Listener::Other(address, network.listen(&address.to_string())?)),
            None => TcpListener::bind(address).await.map(Listener::Tcp),
        }
    }

    /// In place of a Unix socket at this path; `None` where a real one is to be made.
    ///
    /// # Errors
    /// Where another one listens there.
    pub fn listen_local(&self, path: &Path) -> io::Result<Option<mpsc::Receiver<Box<dyn Io>>>> {
        let network = self.0.as_ref();
        network
            .map(|network| network.listen(&path.display().to_string()))
            .transpose()
    }
}

impl PartialEq for Wire {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Wire(simulated)"
        } else {
            "Wire(TCP)"
        })
    }
}

/// What is listened on.
pub enum Listener {
    /// By TCP.
    Tcp(TcpListener),
    /// In a simulation, at this address.
    Other(SocketAddr, mpsc::Receiver<Box<dyn Io>>),
}

impl Listener {
    /// The next stream, and whom it is from, as far as that is known.
    ///
    /// # Errors
    /// Where the system cannot accept it, such as for want of file descriptors.
    pub async fn accept(&mut self) -> io::Result<(Stream, SocketAddr)> {
        match self {
            Self::Tcp(listener) => {
                let (tcp, peer) = listener.accept().await?;
                tcp.set_nodelay(true)?;
                Ok((Stream::Tcp(tcp), peer))
            }
            Self::Other(address, streams) => match streams.recv().await {
                Some(stream) => Ok((Stream::Other(stream), *address)),
                None => std::future::pending().await,
            },
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr(),
            Self::Other(address, _) => Ok(*address),
        }
    }
}

/// A stream to another machine.
pub enum Stream {
    /// By TCP.
    Tcp(TcpStream),
    /// In a simulation.
    Other(Box<dyn Io>),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Other(other) => Pin::new(other).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Self::Other(other) => Pin::new(other).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Self::Other(other) => Pin::new(other).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(tcp) => tcp.is_write_vectored(),
            Self::Other(other) => other.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Other(other) => Pin::new(other).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Other(other) => Pin::new(other).poll_shutdown(cx),
        }
    }
}

impl Connected for Stream {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(tcp) => tcp.fmt(f),
            Self::Other(_) => f.write_str("Stream(simulated)"),
        }
    }
}
