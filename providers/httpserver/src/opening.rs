//! The first bytes of a connection without TLS, where a link allows HTTP/2 on it: they say which HTTP it speaks
//! (RFC 9113, section 3.3). Links that don't allow it never come here, so it costs them nothing.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use crate::tls::Protocol;

/// What every client of HTTP/2 begins with, and none of HTTP/1.1.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream, and what was read of it already.
#[derive(Debug)]
pub(crate) struct Opened<S> {
    read: [u8; PREFACE.len()],
    /// Of `read`, what is still to be given out.
    left: std::ops::Range<usize>,
    stream: S,
}

/// Reads until it is clear what the client speaks. None when it says nothing for too long, or goes.
pub(crate) async fn read<S: AsyncRead + Unpin>(mut stream: S, within: Duration) -> Option<(Protocol, Opened<S>)> {
    let (mut read, mut length) = ([0; PREFACE.len()], 0);
    let opening = async {
        loop {
            let more = stream.read(&mut read[length..]).await.ok().filter(|more| *more > 0)?;
            length += more;
            if read[..length] != PREFACE[..length] {
                return Some(Protocol::Http1);
            }
            if length == PREFACE.len() {
                return Some(Protocol::Http2);
            }
        }
    };
    let protocol = timeout(within, opening).await.ok()??;
    Some((protocol, Opened { read, left: 0..length, stream }))
}

impl<S: AsyncRead + Unpin> AsyncRead for Opened<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.left.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let start = self.left.start;
        let end = self.left.end.min(start + buffer.remaining());
        buffer.put_slice(&self.read[start..end]);
        self.left.start = end;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opened<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
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
