//! What travels on the two call sockets. On `down` the host asks and the provider answers; on `up` the provider asks and
//! the host answers. The grammar is one and the same.
//!
//! A frame is `u32 length | header | payload`: the header ends itself, and the payload is what is left of the frame, raw.

use crate::codec::{BorrowDecode, Encode};

use crate::limits::{CALL_HEADER_BYTES_MAX, OPERATION_BYTES_MAX};
use crate::{DecodeError, codec};

/// Names a call among those in flight on its socket. The asking side chooses it, and doesn't reuse it.
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
    /// Answers that it failed. The payload is words for people, in UTF-8.
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
        codec::write_header(self, buffer)
    }

    /// Reads it from the front of a frame's body and returns it with its length; what follows is the payload.
    pub fn read(body: &'a [u8]) -> Result<(Self, usize), DecodeError> {
        let (header, used) = codec::read_header(&body[..body.len().min(CALL_HEADER_BYTES_MAX)])?;
        if let Self::Request(Request { operation, .. }) = header
            && operation.len() > OPERATION_BYTES_MAX
        {
            let value = operation.len() as u64;
            return Err(DecodeError::OutOfRange { what: "operation bytes", value, allowed: "0 to 512" });
        }
        Ok((header, used))
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
