//! The control socket as the host uses it: asynchronous, sending descriptors and never receiving any. The kernel closes
//! those that a shim sends, because nothing here offers room for them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use cofferdam_channel::descriptors;
use cofferdam_channel::protocol::DecodeError;
use cofferdam_channel::protocol::control::ShimMessage;
use cofferdam_channel::protocol::frame::{LENGTH_BYTES, body_bytes};
use cofferdam_channel::protocol::limits::CONTROL_FRAME_BYTES_MAX;
use thiserror::Error;
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::UnixStream;

/// A shim that doesn't read its control socket for this long is of no use.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a control socket is of no more use.
#[derive(Debug, Error)]
pub(super) enum ControlError {
    #[error("the shim closed its control socket")]
    Eof,
    #[error("the control socket failed: {0}")]
    Io(#[source] io::Error),
    #[error("{0}")]
    Protocol(#[from] DecodeError),
    #[error("the shim sent descriptors along with its hello, which nobody takes")]
    Descriptors,
    #[error("the shim has not read its control socket for {SEND_TIMEOUT:?}")]
    Stalled,
}

impl From<io::Error> for ControlError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::Eof,
            _ => Self::Io(error),
        }
    }
}

impl ControlError {
    /// What it did, in the words of a cause of death.
    pub(super) fn by_the_shim(&self) -> String {
        match self {
            Self::Eof => "it closed its control socket".to_owned(),
            Self::Protocol(why) => format!("it broke the protocol on its control socket: {why}"),
            Self::Io(_) | Self::Descriptors | Self::Stalled => self.to_string(),
        }
    }
}

/// Sends one frame whole, its descriptors with its first byte.
pub(super) async fn send(
    stream: &UnixStream,
    frame: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), ControlError> {
    let sending = send_all(stream, frame, descriptors);
    tokio::time::timeout(SEND_TIMEOUT, sending).await.map_err(|_| ControlError::Stalled)?
}

async fn send_all(stream: &UnixStream, frame: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), ControlError> {
    let mut sent = 0;
    while sent < frame.len() {
        let attached = if sent == 0 { descriptors } else { &[] };
        let send = || descriptors::send(stream.as_fd(), &frame[sent..], attached);
        sent += stream.async_io(Interest::WRITABLE, send).await?;
    }
    Ok(())
}

/// Reads messages. Dropping a read in the middle keeps its place.
pub(super) struct Receiver {
    buffer: Vec<u8>,
}

impl Receiver {
    pub(super) fn new() -> Self {
        Self { buffer: Vec::with_capacity(4096) }
    }

    pub(super) async fn receive(&mut self, stream: &UnixStream) -> Result<ShimMessage, ControlError> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(message);
            }
            stream.readable().await?;
            match stream.try_read_buf(&mut self.buffer) {
                Ok(0) => return Err(ControlError::Eof),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn take(&mut self) -> Result<Option<ShimMessage>, ControlError> {
        let Some((length, rest)) = self.buffer.split_first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let bytes = body_bytes(*length, CONTROL_FRAME_BYTES_MAX)?;
        let Some(body) = rest.get(..bytes) else { return Ok(None) };
        let message = ShimMessage::from_body(body)?;
        self.buffer.drain(..LENGTH_BYTES + bytes);
        Ok(Some(message))
    }
}

/// Reads exactly as many bytes as the fixed part of the greeting has.
pub(super) async fn read_fixed<const N: usize>(stream: &mut UnixStream) -> Result<[u8; N], ControlError> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
