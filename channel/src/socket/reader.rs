//! Reads frames from a peer that may send anything, by a deadline, keeping its place when the wait ends.

use std::io::{self, Read};
use std::time::Duration;

use cofferdam_protocol::call::{Header, frame_bytes_max};
use cofferdam_protocol::frame::{LENGTH_BYTES, body_bytes};
use cofferdam_protocol::limits::CALL_HEADER_BYTES_MAX;
use interprocess::os::unix::uds_local_socket::Stream;
use nix::poll::PollFlags;

use super::{Until, wait_ready};
use crate::Broken;
use crate::patience::{Habit, Patience};

/// Small frames come several to a read; a large payload goes straight to its own memory.
const BUFFER_BYTES: usize = 64 << 10;
/// For as long as sleeping and being woken takes. Each look is a system call.
const HABIT: Habit = Habit { long: Duration::from_micros(20), short: Duration::ZERO, looks: 1, pauses: 30 };

/// The reading half of a connection. Whoever holds it reads for all.
pub(super) struct FrameReader {
    patience: Patience,
    arriving: Arriving,
}

/// What has come of the next frames.
struct Arriving {
    buffer: Box<[u8]>,
    /// What of the buffer is read from the socket and not yet taken.
    filled: std::ops::Range<usize>,
    /// The frame whose payload is being read.
    frame: Frame,
    /// How much of its payload is missing; None between frames.
    missing: Option<usize>,
    payload_bytes_max: u32,
}

/// One whole frame. Its memory goes round: what is handed in for the next frame is filled again.
#[derive(Default)]
pub(super) struct Frame {
    header: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// What it says.
    pub(super) fn header(&self) -> Result<Header<'_>, Broken> {
        Ok(Header::read(&self.header)?.0)
    }
}

impl FrameReader {
    pub(super) fn new(payload_bytes_max: u32) -> Self {
        let arriving = Arriving {
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            filled: 0..0,
            frame: Frame::default(),
            missing: None,
            payload_bytes_max,
        };
        Self { patience: Patience::new(HABIT), arriving }
    }

    /// Reads the next frame into `frame`. False when the wait ends first: call again to go on where it stopped.
    pub(super) fn next(&mut self, stream: &Stream, frame: &mut Frame, until: Until<'_>) -> Result<bool, Broken> {
        loop {
            if self.arriving.take_header()? && self.arriving.take_payload() {
                std::mem::swap(&mut self.arriving.frame, frame);
                return Ok(true);
            }
            if !self.read_more(stream, until)? {
                return Ok(false);
            }
        }
    }

    /// Whether bytes of a further frame have been read already.
    pub(super) fn has_buffered(&self) -> bool {
        !self.arriving.filled.is_empty()
    }

    /// Reads what the socket has. False when the wait ends before there is anything.
    fn read_more(&mut self, stream: &Stream, until: Until<'_>) -> Result<bool, Broken> {
        let Self { patience, arriving } = self;
        let found = patience.look(|| match arriving.read(stream) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            read => Some(read),
        });
        let read = match found {
            Some(read) => read,
            None if wait_ready(stream, PollFlags::POLLIN, until)? => arriving.read(stream),
            None => return Ok(false),
        };
        match read {
            Ok(0) => Err(Broken::Eof),
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Err(Broken::Eof),
            Err(error) => Err(error.into()),
        }
    }
}

impl Arriving {
    /// Reads length and header, if all of it has come.
    fn take_header(&mut self) -> Result<bool, Broken> {
        if self.missing.is_some() {
            return Ok(true);
        }
        let Some((length, rest)) = self.buffer[self.filled.clone()].split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(false);
        };
        let body_bytes = body_bytes(*length, frame_bytes_max(self.payload_bytes_max))?;
        let Some(front) = rest.get(..body_bytes.min(CALL_HEADER_BYTES_MAX)) else { return Ok(false) };
        let (header, header_bytes) = Header::read(front)?;
        header.check_payload(body_bytes - header_bytes, self.payload_bytes_max)?;
        self.frame.header.clear();
        self.frame.header.extend_from_slice(&front[..header_bytes]);
        self.frame.payload.clear();
        self.missing = Some(body_bytes - header_bytes);
        self.filled.start += LENGTH_BYTES + header_bytes;
        Ok(true)
    }

    /// Takes what has come of the payload. True when that is all of it.
    fn take_payload(&mut self) -> bool {
        let missing = self.missing.unwrap_or(0);
        let taken = missing.min(self.filled.len());
        self.frame.payload.extend_from_slice(&self.buffer[self.filled.start..self.filled.start + taken]);
        self.filled.start += taken;
        self.missing = (missing > taken).then_some(missing - taken);
        self.missing.is_none()
    }

    fn read(&mut self, stream: &Stream) -> io::Result<usize> {
        match self.missing {
            Some(missing) if missing > BUFFER_BYTES => self.read_payload(stream, missing),
            _ => self.read_buffer(stream),
        }
    }

    /// Straight into the payload. Memory grows with what has come, not with what was announced.
    fn read_payload(&mut self, stream: &Stream, missing: usize) -> io::Result<usize> {
        let before = self.frame.payload.len();
        let result = stream.take(missing as u64).read_to_end(&mut self.frame.payload);
        let read = self.frame.payload.len() - before;
        self.missing = Some(missing - read);
        match result {
            Err(error) if read == 0 => Err(error),
            _ => Ok(read),
        }
    }

    fn read_buffer(&mut self, mut stream: &Stream) -> io::Result<usize> {
        self.buffer.copy_within(self.filled.clone(), 0);
        self.filled = 0..self.filled.len();
        let read = stream.read(&mut self.buffer[self.filled.end..])?;
        self.filled.end += read;
        Ok(read)
    }
}

/// A header is read from the buffer, so the buffer must hold the longest.
const _: () = assert!(BUFFER_BYTES > LENGTH_BYTES + CALL_HEADER_BYTES_MAX);
