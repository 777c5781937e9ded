//! Frames of calls, read and written by hand.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;

use cofferdam_channel::protocol::call::{CallId, Header, Request};
use cofferdam_channel::protocol::frame::LENGTH_BYTES;
use cofferdam_channel::protocol::limits::CALL_HEADER_BYTES_MAX;

/// A call of an actor, of which perhaps not all was read.
pub(crate) struct Begun {
    pub(crate) call: CallId,
    pub(crate) operation: String,
    payload: Vec<u8>,
    missing: usize,
}

/// Reads as far as there is a header. None for what is no request.
pub(crate) fn begin(mut down: &UnixStream) -> io::Result<Option<Begun>> {
    let mut length = [0; LENGTH_BYTES];
    down.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    let mut front = vec![0; length.min(CALL_HEADER_BYTES_MAX)];
    down.read_exact(&mut front)?;
    let (header, used) = Header::read(&front).map_err(io::Error::other)?;
    let Header::Request(Request { call, operation, .. }) = header else { return Ok(None) };
    let operation = operation.to_owned();
    Ok(Some(Begun { call, operation, payload: front[used..].to_vec(), missing: length - front.len() }))
}

impl Begun {
    /// Reads the rest, which is the argument.
    pub(crate) fn finish(self, mut down: &UnixStream) -> io::Result<Vec<u8>> {
        let Self { mut payload, missing, .. } = self;
        let known = payload.len();
        payload.resize(known + missing, 0);
        down.read_exact(&mut payload[known..])?;
        Ok(payload)
    }
}

/// The frame of an answer.
pub(crate) fn reply(call: CallId, payload: &[u8]) -> io::Result<Vec<u8>> {
    frame(&Header::Reply { call }, payload)
}

/// The frame of a cancel.
pub(crate) fn cancel(call: CallId) -> Vec<u8> {
    frame(&Header::Cancel { call }, &[]).expect("a cancel is short")
}

fn frame(header: &Header<'_>, payload: &[u8]) -> io::Result<Vec<u8>> {
    let mut buffer = [0; CALL_HEADER_BYTES_MAX];
    let used = header.write(&mut buffer).map_err(io::Error::other)?;
    let length = u32::try_from(used + payload.len()).map_err(io::Error::other)?;
    Ok([&length.to_le_bytes()[..], &buffer[..used], payload].concat())
}
