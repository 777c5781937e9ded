//! Calls that come on the socket, and their frames, read and written by hand.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;

use cofferdam_channel::protocol::call::{CallId, Header, Request};
use cofferdam_channel::protocol::frame::LENGTH_BYTES;
use cofferdam_channel::protocol::limits::CALL_HEADER_BYTES_MAX;
use cofferdam_faults::{Fault, ShimFault, Stage};

use crate::world::World;
use crate::wrong::{Due, say, say_wrongly};

/// Takes calls from the socket and answers them, one after the other.
pub(crate) fn take_calls(world: &World) -> io::Result<()> {
    loop {
        let Some(begun) = begin(&world.down)? else { continue };
        let (call, operation) = (begun.call, begun.operation.clone());
        let wrong = match world.orders.at(Stage::Calling) {
            Some(Fault::Shim(fault)) if operation == "Act" && world.wrong(Stage::Calling).is_some() => Some(fault),
            _ => None,
        };
        if wrong == Some(ShimFault::StopsReading) {
            crate::hang();
        }
        let answer = world.answer_to(&operation, begun.finish(&world.down)?);
        let frame = reply(call, &answer)?;
        if operation == "Linger" {
            world.lingering().frames.push(frame);
            continue;
        }
        let due = Due { socket: &world.down, frame, unasked: reply(call + 1_000_000, &answer)? };
        match wrong {
            Some(fault) => say_wrongly(fault, &due, world)?,
            None => say(&due)?,
        }
    }
}

/// A call of an actor, of which perhaps not all was read.
struct Begun {
    call: CallId,
    operation: String,
    payload: Vec<u8>,
    missing: usize,
}

/// Reads as far as there is a header. None for what is no request.
fn begin(mut down: &UnixStream) -> io::Result<Option<Begun>> {
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
    fn finish(self, mut down: &UnixStream) -> io::Result<Vec<u8>> {
        let Self { mut payload, missing, .. } = self;
        let known = payload.len();
        payload.resize(known + missing, 0);
        down.read_exact(&mut payload[known..])?;
        Ok(payload)
    }
}

/// The frame of an answer.
fn reply(call: CallId, payload: &[u8]) -> io::Result<Vec<u8>> {
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
