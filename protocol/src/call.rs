//! What travels on the two call sockets. On `down` the host asks and the provider answers; on `up` the provider asks and
//! the host answers. The grammar is one and the same.
//!
//! A frame is `u32 length | header | payload`: the header ends itself, and the payload is what is left of the frame, raw.

use crate::codec::{BorrowDecode, Encode};

use crate::error::Broken;
use crate::limits::{ACTOR_BYTES_MAX, CALL_HEADER_BYTES_MAX, OPERATION_BYTES_MAX, PAYLOAD_BYTES_MAX, WORDS_BYTES_MAX};
use crate::{DecodeError, codec};

/// The limit of a call frame's body where the hello states `payload_bytes_max`. A header is shorter than its limit, so a
/// payload that is too long can lie within: [`Header::check_payload`] tells.
pub const fn frame_bytes_max(payload_bytes_max: u32) -> u32 {
    let words = WORDS_BYTES_MAX as u32;
    let payload = if payload_bytes_max > words { payload_bytes_max } else { words };
    payload.saturating_add(CALL_HEADER_BYTES_MAX as u32)
}

/// Names a call among those of its socket. The asking side chooses it, from 1 on, and doesn't reuse it in this
/// generation. 0 names no call, so that it can stand for none.
pub type CallId = u64;

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub enum Header<'a> {
    /// Asks. The payload is the argument.
    Request(Request<'a>),
    /// Answers. The payload is the answer.
    Reply {
        /// Which call.
        call: CallId,
    },
    /// Answers that it failed. The payload is words for people, at most [`WORDS_BYTES_MAX`]. They should be UTF-8, and
    /// what isn't is replaced by the reader, because a call has failed either way.
    Failure {
        /// Which call.
        call: CallId,
        /// How.
        fault: Fault,
    },
    /// The asking side has gone; an answer would be dropped. No payload. An unknown call is no error.
    Cancel {
        /// Which call.
        call: CallId,
    },
}

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub struct Request<'a> {
    /// Its name.
    pub call: CallId,
    /// When the asking side stops waiting: `CLOCK_MONOTONIC`, in ns.
    pub deadline_ns: u64,
    /// The public key of the actor: the caller on `down`, the callee on `up`.
    pub actor: &'a str,
    /// The operation, such as `Get`.
    pub operation: &'a str,
}

impl Request<'_> {
    /// Whether it may be sent.
    pub fn check(&self) -> Result<(), DecodeError> {
        self.check_names().map_err(|broken| broken.ours("call header"))
    }

    fn check_names(&self) -> Result<(), Broken> {
        Broken::unless_length("actor bytes", self.actor.len(), ACTOR_BYTES_MAX)?;
        Broken::unless_length("operation bytes", self.operation.len(), OPERATION_BYTES_MAX)
    }
}

/// How a call failed. The same numbers as the statuses of the provider ABI, one less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub enum Fault {
    /// The callee answered with an error.
    Failed,
    /// The callee's code panicked.
    Panicked,
    /// Not linked or not authorized.
    Denied,
    /// The deadline passed.
    Late,
    /// Not delivered; may be tried again.
    Unavailable,
    /// The request breaks a rule or a limit.
    Invalid,
    /// The answering side is wrong.
    Internal,
}

impl<'a> Header<'a> {
    /// Writes it to the front of `buffer` and returns its length.
    pub fn write(&self, buffer: &mut [u8; CALL_HEADER_BYTES_MAX]) -> Result<usize, DecodeError> {
        self.check().map_err(|broken| broken.ours("call header"))?;
        codec::write_header(self, buffer)
    }

    /// Reads it from the front of a frame's body and returns it with its length; what follows is the payload, of which
    /// no more is believed than [`Header::check_payload`] allows to any hello.
    pub fn read(body: &'a [u8]) -> Result<(Self, usize), DecodeError> {
        let (header, used) = codec::read_header::<Self>(&body[..body.len().min(CALL_HEADER_BYTES_MAX)])?;
        header.check()?;
        header.check_payload(body.len() - used, PAYLOAD_BYTES_MAX)?;
        Ok((header, used))
    }

    /// Whether a frame with this header may carry so long a payload, where the hello states `payload_bytes_max`.
    pub fn check_payload(&self, payload_bytes: usize, payload_bytes_max: u32) -> Result<(), DecodeError> {
        let (what, max) = match self {
            Self::Request(_) => ("argument bytes", payload_bytes_max as usize),
            Self::Reply { .. } => ("answer bytes", payload_bytes_max as usize),
            Self::Failure { .. } => ("words of failure bytes", WORDS_BYTES_MAX),
            Self::Cancel { .. } => ("payload bytes of a cancel", 0),
        };
        Ok(Broken::unless_length(what, payload_bytes, max)?)
    }

    fn check(&self) -> Result<(), Broken> {
        Broken::unless("call", self.call(), 1, CallId::MAX)?;
        if let Self::Request(request) = self { request.check_names() } else { Ok(()) }
    }

    /// The call it is about.
    pub const fn call(&self) -> CallId {
        match self {
            Self::Request(Request { call, .. })
            | Self::Reply { call }
            | Self::Failure { call, .. }
            | Self::Cancel { call } => *call,
        }
    }
}
