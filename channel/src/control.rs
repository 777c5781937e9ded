//! The control socket as the shim uses it: blocking, with descriptors from the host. The host's end lives in its event
//! loop and never receives descriptors.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use cofferdam_protocol::control::{HostMessage, ShimMessage};
use cofferdam_protocol::frame::{LENGTH_BYTES, body_bytes};
use cofferdam_protocol::limits::{CONTROL_FRAME_BYTES_MAX, DESCRIPTORS_MAX};
use cofferdam_protocol::{
    Agreed, DecodeError, Features, HELLO_BYTES, HostHello, PREFACE_BYTES, Preface, ShimHello, Side,
};
use parking_lot::Mutex;
use thiserror::Error;

use crate::descriptors;

/// A host that doesn't read its control socket for this long is as good as gone.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the control socket is of no more use.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The host has gone.
    #[error("the host closed the control socket")]
    Eof,
    /// The system refused to read or write.
    #[error("the control socket failed: {0}")]
    Io(#[from] io::Error),
    /// A message came with more or fewer descriptors than it has.
    #[error("a message came with {came} descriptors, it has {expected}")]
    Descriptors {
        /// How many came.
        came: usize,
        /// How many it has.
        expected: usize,
    },
    /// The host broke the grammar.
    #[error("{0}")]
    Protocol(#[from] DecodeError),
}

/// What the shim knows of the host after they have met.
#[derive(Clone, Copy, Debug)]
pub struct Greeting {
    /// Version and features in force.
    pub agreed: Agreed,
    /// Which start of the provider this is.
    pub generation: u64,
    /// The host's rules.
    pub host: HostHello,
}

/// Exchanges prefaces and reads the host's hello, within `timeout` for each read and write. The shim's own hello is due
/// when it is confined: [`say_hello`].
pub fn meet(stream: &UnixStream, timeout: Duration) -> Result<Greeting, ControlError> {
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let mut theirs = [0; PREFACE_BYTES];
    read_exact(stream, &mut theirs)?;
    let generation = Preface::generation_of(&theirs);
    let ours = Preface::ours(Side::Shim, Features::LANES, generation);
    (&*stream).write_all(&ours.to_bytes())?;
    let agreed = ours.agree(&theirs)?;
    let mut host = [0; HELLO_BYTES];
    read_exact(stream, &mut host)?;
    let host = HostHello::from_bytes(&host)?;
    Ok(Greeting { agreed, generation, host })
}

/// Says hello. From then on reads wait for ever, and writes for [`SEND_TIMEOUT`].
pub fn say_hello(stream: &UnixStream, hello: &ShimHello) -> Result<(), ControlError> {
    (&*stream).write_all(&hello.to_bytes())?;
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(Some(SEND_TIMEOUT))?;
    Ok(())
}

/// Receives what the host says. One thread.
pub struct ControlReceiver {
    stream: UnixStream,
}

impl ControlReceiver {
    /// Reads from `stream`, which has greeted.
    pub fn new(stream: UnixStream) -> Self {
        Self { stream }
    }

    /// Waits for the next message, and the descriptors that came with it.
    pub fn receive(&mut self) -> Result<(HostMessage, VecDeque<OwnedFd>), ControlError> {
        let mut length = [0; LENGTH_BYTES];
        let (read, descriptors) = descriptors::receive(self.stream.as_fd(), &mut length)?;
        if read == 0 {
            return Err(ControlError::Eof);
        }
        read_exact(&self.stream, &mut length[read..])?;
        let mut body = vec![0; body_bytes(length, CONTROL_FRAME_BYTES_MAX)?];
        read_exact(&self.stream, &mut body)?;
        let message = HostMessage::from_body(&body)?;
        let expected = message.descriptors();
        if descriptors.len() != expected {
            return Err(ControlError::Descriptors { came: descriptors.len(), expected });
        }
        Ok((message, descriptors.into()))
    }
}

/// Sends what the shim says. Any thread.
pub struct ControlSender {
    stream: Mutex<UnixStream>,
}

impl ControlSender {
    /// Writes to `stream`, which has greeted.
    pub fn new(stream: UnixStream) -> Self {
        Self { stream: Mutex::new(stream) }
    }

    /// Sends one message whole, blocking while the host doesn't read. When that fails, part of the message may have gone:
    /// the socket is shut down, so that nothing follows it, and whoever receives finds the end.
    pub fn send(&self, message: &ShimMessage) -> Result<(), ControlError> {
        let frame = message.to_frame()?;
        let mut stream = self.stream.lock();
        stream.write_all(&frame).or_else(|error| {
            stream.shutdown(Shutdown::Both)?;
            Err(error.into())
        })
    }
}

fn read_exact(mut stream: &UnixStream, bytes: &mut [u8]) -> Result<(), ControlError> {
    match stream.read_exact(bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(ControlError::Eof),
        other => Ok(other?),
    }
}

/// The most that one message carries is what `Load` carries.
const _: () = assert!(DESCRIPTORS_MAX == 4);
