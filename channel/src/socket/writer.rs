//! Writes whole frames, one writer at a time, by a deadline, without ever leaving half a frame behind unnoticed.

use std::io::{self, IoSlice, Write};

use cofferdam_protocol::call::{Header, frame_bytes_max};
use cofferdam_protocol::frame::{LENGTH_BYTES, length};
use cofferdam_protocol::limits::CALL_HEADER_BYTES_MAX;
use interprocess::os::unix::uds_local_socket::Stream;
use nix::poll::PollFlags;
use parking_lot::Mutex;

use super::wait_ready;
use crate::{Broken, Deadline};

/// The writing half of a connection.
pub(super) struct Writer {
    /// What is left of a frame whose writer ran out of time. It goes first, or the peer would lose its place.
    tail: Mutex<Vec<u8>>,
    frame_bytes_max: u32,
}

/// How far a frame came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// The kernel has all of it.
    Whole,
    /// The deadline passed before its first byte.
    Nothing,
    /// The deadline passed within it; the rest goes before the next frame.
    Part,
}

impl Writer {
    pub(super) fn new(payload_bytes_max: u32) -> Self {
        Self { tail: Mutex::default(), frame_bytes_max: frame_bytes_max(payload_bytes_max) }
    }

    /// Writes one frame on the caller's thread.
    pub(super) fn write(
        &self,
        stream: &Stream,
        header: &Header<'_>,
        payload: &[u8],
        deadline: Deadline,
    ) -> Result<Written, Broken> {
        self.write_in_turn(stream, (header, payload), (deadline, deadline))
    }

    /// Waits for its turn until the one deadline, and for the peer to read until the other.
    pub(super) fn write_in_turn(
        &self,
        stream: &Stream,
        (header, payload): (&Header<'_>, &[u8]),
        (turn, deadline): (Deadline, Deadline),
    ) -> Result<Written, Broken> {
        let mut header_bytes = [0; CALL_HEADER_BYTES_MAX];
        let header_len = header.write(&mut header_bytes)?;
        let length = length(header_len + payload.len(), self.frame_bytes_max)?;

        let mut head = [0; LENGTH_BYTES + CALL_HEADER_BYTES_MAX];
        head[..LENGTH_BYTES].copy_from_slice(&length);
        head[LENGTH_BYTES..LENGTH_BYTES + header_len].copy_from_slice(&header_bytes[..header_len]);
        self.write_parts(stream, (&head[..LENGTH_BYTES + header_len], payload), (turn, deadline))
    }

    fn write_parts(
        &self,
        stream: &Stream,
        (head, body): (&[u8], &[u8]),
        (turn, deadline): (Deadline, Deadline),
    ) -> Result<Written, Broken> {
        let Some(mut tail) = self.tail.try_lock_for(turn.remaining()) else { return Ok(Written::Nothing) };
        let written = write_all(stream, &tail, &[], deadline)?;
        tail.drain(..written);
        if !tail.is_empty() {
            return Ok(Written::Nothing);
        }
        let written = write_all(stream, head, body, deadline)?;
        if written == head.len() + body.len() {
            return Ok(Written::Whole);
        }
        if written == 0 {
            return Ok(Written::Nothing);
        }
        tail.extend_from_slice(&head[written.min(head.len())..]);
        tail.extend_from_slice(&body[written.saturating_sub(head.len())..]);
        Ok(Written::Part)
    }
}

/// Writes `head` and then `body` until all is written or the deadline passes; returns how many bytes went.
fn write_all(mut stream: &Stream, head: &[u8], body: &[u8], deadline: Deadline) -> Result<usize, Broken> {
    let all = head.len() + body.len();
    let mut written = 0;
    while written < all {
        let parts =
            [IoSlice::new(&head[written.min(head.len())..]), IoSlice::new(&body[written.saturating_sub(head.len())..])];
        match stream.write_vectored(&parts) {
            Ok(0) => return Err(Broken::Eof),
            Ok(bytes) => written += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if !wait_ready(stream, PollFlags::POLLOUT, deadline.into())? {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(Broken::Eof),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Err(Broken::Eof),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(written)
}
