//! Whether the other end of a connection has begun to speak.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// Length of the client preface (RFC 9113 section 3.4).
pub(super) const PREFACE: usize = 24;
/// Length of the head of the first frame of a server, its settings.
pub(super) const SETTINGS: usize = 9;

/// A connection that tells when its first bytes were read.
pub(super) struct Watched<S> {
    stream: S,
    missing: usize,
    begun: Option<oneshot::Sender<()>>,
}

/// The connection, and what resolves when so many bytes were read or it was dropped.
pub(super) fn watch<S>(stream: S, bytes: usize) -> (Watched<S>, oneshot::Receiver<()>) {
    let (begun, receiver) = oneshot::channel();
    let watched = Watched {
        stream,
        missing: bytes,
        begun: Some(begun),
    };
    (watched, receiver)
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if self.missing > 0 {
            self.missing = self.missing.saturating_sub(buf.filled().len() - before);
            if self.missing == 0
                && let Some(begun) = self.begun.take()
            {
                // Nobody may be waiting any more.
                let _ = begun.send(());
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn the_preface_counts_only_when_it_is_complete() {
        let (mut far, near) = tokio::io::duplex(64);
        let (mut near, mut begun) = watch(near, PREFACE);
        far.write_all(&[b'P'; 23]).await.unwrap();
        near.read_exact(&mut [0; 23]).await.unwrap();
        assert!(begun.try_recv().is_err());
        far.write_all(b"\n").await.unwrap();
        near.read_exact(&mut [0; 1]).await.unwrap();
        assert!(begun.try_recv().is_ok());
    }
}
