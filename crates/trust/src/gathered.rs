//! A stream whose small writes go out together.
//!
//! HTTP/2 writes each message of a few hundred bytes by itself where the stream takes several buffers at once, and TLS makes
//! a record and a system call of each. Here they are copied to one place, and go out when whoever writes is done.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What goes out at once: a full record of TLS.
const TOGETHER_BYTES: usize = 16 * 1024;

/// Memory that a connection keeps while it has nothing to write.
const KEPT_BYTES: usize = 1024;

/// Holds back what is written until it is flushed, or a record is full.
#[derive(Debug)]
pub struct Gathered<S> {
    stream: S,
    waiting: Vec<u8>,
    /// How much of what waits is written.
    written: usize,
}

impl<S> Gathered<S> {
    /// Over this stream.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            waiting: Vec::new(),
            written: 0,
        }
    }

    /// The stream below.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncWrite + Unpin> Gathered<S> {
    /// Writes what waits.
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.waiting.len() {
            let rest = &self.waiting[self.written..];
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        self.written = 0;
        if self.waiting.capacity() > KEPT_BYTES {
            self.waiting = Vec::new();
        } else {
            self.waiting.clear();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.waiting.len() >= TOGETHER_BYTES {
            ready!(this.poll_waiting(cx))?;
        }
        if this.waiting.is_empty() && bytes.len() >= TOGETHER_BYTES {
            return Pin::new(&mut this.stream).poll_write(cx, bytes);
        }
        let taken = bytes.len().min(TOGETHER_BYTES - this.waiting.len());
        this.waiting.extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_waiting(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_waiting(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Remembers how much each write brought, and takes no more than `most` at once.
    #[derive(Default)]
    struct Taken {
        most: usize,
        writes: Vec<usize>,
        bytes: Vec<u8>,
    }

    impl AsyncWrite for Taken {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let taken = bytes.len().min(self.most);
            self.writes.push(taken);
            self.bytes.extend_from_slice(&bytes[..taken]);
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn taking(most: usize) -> Gathered<Taken> {
        Gathered::new(Taken {
            most,
            ..Taken::default()
        })
    }

    #[tokio::test]
    async fn small_writes_go_out_together_once_they_are_flushed() {
        let mut stream = taking(usize::MAX);
        for byte in 0..100 {
            stream.write_all(&[byte; 30]).await.unwrap();
        }
        assert!(stream.get_ref().writes.is_empty());
        stream.flush().await.unwrap();
        assert_eq!(stream.get_ref().writes, [3000]);
        assert!(
            stream.waiting.capacity() <= KEPT_BYTES,
            "an idle connection keeps little"
        );
    }

    #[tokio::test]
    async fn a_full_record_goes_out_by_itself_and_nothing_is_lost_or_doubled() {
        let sent: Vec<u8> = (0..100_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        for most in [1000, TOGETHER_BYTES, usize::MAX] {
            let mut stream = taking(most);
            for piece in sent.chunks(9 + 20_000) {
                stream.write_all(&piece[..9]).await.unwrap();
                stream.write_all(&piece[9..]).await.unwrap();
            }
            assert!(stream.get_ref().bytes.len() >= sent.len() - TOGETHER_BYTES);
            stream.shutdown().await.unwrap();
            assert!(stream.get_ref().bytes == sent);
        }
    }

    #[tokio::test]
    async fn reading_goes_straight_through() {
        let (near, mut far) = tokio::io::duplex(64);
        far.write_all(b"word").await.unwrap();
        let mut word = [0; 4];
        Gathered::new(near).read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"word");
    }
}
