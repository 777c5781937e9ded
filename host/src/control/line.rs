//! Lines over a stream, bounded in length and time. What came after a line stays for the next one.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

const CHUNK_BYTES: usize = 64 * 1024;

/// How much and how long to wait for.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineLimits {
    pub(super) bytes_max: usize,
    /// Until the first byte of a line.
    pub(super) idle: Duration,
    /// From the first byte of a line to its end.
    pub(super) whole: Duration,
}

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("nothing came for {0:?}")]
    Idle(Duration),
    #[error("a line was not complete after {0:?}")]
    TooSlow(Duration),
    #[error("a line is longer than {0} bytes")]
    TooLong(usize),
    #[error("the connection ended in the middle of a line")]
    Cut,
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// The incoming half of a conversation.
#[derive(Default)]
pub(super) struct LineReader {
    buffer: Vec<u8>,
}

impl LineReader {
    /// The next line without its end, or `None` at the end of the stream. Nothing is lost when the future is dropped.
    pub(super) async fn next(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        limits: LineLimits,
    ) -> Result<Option<Vec<u8>>, LineError> {
        if self.begun(from, limits.idle).await? { self.rest(from, limits).await.map(Some) } else { Ok(None) }
    }

    /// Waits for the first byte of a line. False at the end of the stream.
    pub(super) async fn begun(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        idle: Duration,
    ) -> Result<bool, LineError> {
        if !self.buffer.is_empty() {
            return Ok(true);
        }
        let read = timeout(idle, self.fill(from)).await.map_err(|_| LineError::Idle(idle))??;
        Ok(read > 0)
    }

    /// The line that has begun. However its bytes come, all of them have the same time together.
    pub(super) async fn rest(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        limits: LineLimits,
    ) -> Result<Vec<u8>, LineError> {
        let whole = self.whole(from, limits.bytes_max);
        timeout(limits.whole, whole).await.map_err(|_| LineError::TooSlow(limits.whole))?
    }

    /// Waits for the end of the stream while a request is being answered. What comes meanwhile is kept for the next line;
    /// a peer that sends on without waiting is not read any further. Nothing is lost when the future is dropped.
    pub(super) async fn ended(&mut self, from: &mut (impl AsyncRead + Unpin)) {
        while self.buffer.len() < CHUNK_BYTES {
            match self.fill(from).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        std::future::pending().await
    }

    async fn whole(&mut self, from: &mut (impl AsyncRead + Unpin), bytes_max: usize) -> Result<Vec<u8>, LineError> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let end = searched + at;
                if end > bytes_max {
                    return Err(LineError::TooLong(bytes_max));
                }
                let rest = self.buffer.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.truncate(end);
                return Ok(line);
            }
            searched = self.buffer.len();
            if searched > bytes_max {
                return Err(LineError::TooLong(bytes_max));
            }
            if self.fill(from).await? == 0 {
                return Err(LineError::Cut);
            }
        }
    }

    async fn fill(&mut self, from: &mut (impl AsyncRead + Unpin)) -> io::Result<usize> {
        let mut chunk = (&mut *from).take(CHUNK_BYTES as u64);
        self.buffer.reserve(CHUNK_BYTES.min(self.buffer.len().max(4096)));
        chunk.read_buf(&mut self.buffer).await
    }
}

/// Writes a whole line, or fails after `within`.
pub(super) async fn write(to: &mut (impl AsyncWrite + Unpin), line: &[u8], within: Duration) -> io::Result<()> {
    let write = async {
        to.write_all(line).await?;
        to.flush().await
    };
    timeout(within, write).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
