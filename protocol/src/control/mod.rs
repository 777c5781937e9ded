//! What travels on the control socket, after preface and hello. A frame is `u32 length | message`.
//!
//! Messages that ask for an answer carry a `request` number, chosen by the asking side and not reused. Only the host
//! sends descriptors; those of a shim are never received. Every text and every list has a bound, the same on both
//! sides: what [`HostMessage::to_frame`] writes, [`HostMessage::from_body`] reads.

use std::fmt;

use crate::codec::{Decode, Encode};
use crate::limits::{CONTROL_FRAME_BYTES_MAX, DESCRIPTORS_MAX};
use crate::{DecodeError, codec, frame};

mod backtrace;
mod bounds;
mod confine;

pub use backtrace::{Backtrace, Frame};
pub use confine::{Confine, Identity, Network, ResourceLimits, Sandbox};

/// From the host to the shim.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum HostMessage {
    /// After [`HostMessage::Confine`]: open this library and make the provider. Four descriptors come with it: the
    /// library as a sealed memfd, the socket `down`, the socket `up`, and a pipe for what is left when a signal ends it
    /// ([`crate::crash`]).
    Load {
        /// Environment variables that were granted.
        env: Vec<Setting>,
    },
    /// An actor was linked.
    Bind {
        /// Its number.
        request: u64,
        /// The actor's public key.
        actor: String,
        /// The settings of the link.
        values: Vec<Setting>,
    },
    /// A link is gone.
    Unbind {
        /// Its number.
        request: u64,
        /// The actor's public key.
        actor: String,
    },
    /// How are you?
    Health {
        /// Its number.
        request: u64,
    },
    /// Here is what you asked for. One descriptor comes with it.
    Granted {
        /// The number of the [`ShimMessage::Ask`].
        request: u64,
    },
    /// You don't get what you asked for.
    Refused {
        /// The number of the [`ShimMessage::Ask`].
        request: u64,
        /// Why.
        refusal: Refusal,
        /// Why, for people.
        reason: String,
    },
    /// No new calls will come. End what is in flight, say [`ShimMessage::Drained`], and exit.
    Drain {
        /// When the process is killed: `CLOCK_MONOTONIC`, in ns.
        deadline_ns: u64,
    },
    /// The first one: give up everything but this.
    Confine(Confine),
    /// Instead of [`HostMessage::Load`]: say where another process was that died. Two descriptors come with it: the
    /// library that it had loaded, as a sealed memfd, and the program that it was, for reading.
    Explain {
        /// What it left: [`crate::crash`].
        record: Vec<u8>,
    },
    /// Before [`HostMessage::Load`], where both have [`crate::Features::LANES`]: the memory of the lanes in which the host
    /// calls, and of those in which the provider calls actors. Two descriptors come with it.
    Lanes,
}

/// From the shim to the host. All of it is the shim's own word.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ShimMessage {
    /// The provider was made and takes calls.
    Loaded {
        /// Its name and version, for people.
        name: String,
        /// How many calls it serves at once.
        concurrency: u32,
    },
    /// The provider could not be made. The process exits.
    NotLoaded {
        /// Which step failed.
        fault: LoadFault,
        /// Why, for people.
        reason: String,
    },
    /// The answer to a bind.
    Bound {
        /// The number of the bind.
        request: u64,
        /// None when it accepted, else why not.
        rejection: Option<String>,
    },
    /// The answer to an unbind.
    Unbound {
        /// The number of the unbind.
        request: u64,
    },
    /// The answer to a health request.
    HealthReport {
        /// The number of the request.
        request: u64,
        /// None when healthy, else why not.
        complaint: Option<String>,
    },
    /// The provider wants something of the world.
    Ask {
        /// Its number.
        request: u64,
        /// What.
        want: Want,
    },
    /// A line for the log.
    Log {
        /// How much it matters: 0 error, 1 warn, 2 info, 3 debug; more counts as debug.
        level: u32,
        /// The line.
        line: String,
        /// How many lines were dropped before it.
        dropped: u64,
    },
    /// Nothing is in flight any more.
    Drained,
    /// The answer to [`HostMessage::Explain`]. The process exits.
    Explained(Backtrace),
}

/// A directory that was granted.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Dir {
    /// The name that the provider asks for.
    pub name: String,
    /// Where it lies, as the host sees it.
    pub path: String,
    /// Whether it may be changed.
    pub writable: bool,
}

/// One setting of a link. Its value may be a secret, and is never shown.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=…", self.name)
    }
}

/// What a provider wants of the world.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Want {
    /// A listening TCP socket.
    Listen {
        /// `127.0.0.1:8080`
        address: String,
    },
    /// A connected TCP socket.
    Connect {
        /// `redis.example:6379`
        address: String,
        /// When the provider stops waiting.
        deadline_ns: u64,
    },
    /// An open file.
    File {
        /// The name it was granted under.
        name: String,
        /// Whether it may be changed.
        writable: bool,
    },
    /// The end of a socket by which the host wakes whoever waits for a mailbox of the lanes in which the provider calls
    /// actors.
    Mailbox {
        /// Which one. Each is wanted once.
        number: u32,
    },
}

/// Why the host refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Refusal {
    /// Not granted.
    Denied,
    /// Granted, and the world said no: address in use, no route, no such file.
    Failed,
    /// It took too long.
    Late,
    /// The request makes no sense.
    Invalid,
}

/// Which step of loading failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum LoadFault {
    /// It is not a shared library for this machine.
    NotALibrary,
    /// It could not be opened.
    Open,
    /// It does not export the symbol.
    Symbol,
    /// It speaks another ABI.
    Abi,
    /// It refused to be made, or panicked.
    Create,
    /// The shim could not do its own part.
    Shim,
}

macro_rules! message {
    ($type:ty) => {
        impl $type {
            /// The whole frame, length included.
            pub fn to_frame(&self) -> Result<Vec<u8>, DecodeError> {
                self.check().map_err(|broken| broken.ours("control message"))?;
                let body = codec::write_message(self)?;
                let mut bytes = frame::length(body.len(), CONTROL_FRAME_BYTES_MAX)?.to_vec();
                bytes.extend_from_slice(&body);
                Ok(bytes)
            }

            /// Reads it from the body of a frame, which it must fill.
            pub fn from_body(body: &[u8]) -> Result<Self, DecodeError> {
                let message = codec::read_message::<Self>(body)?;
                message.check()?;
                Ok(message)
            }
        }
    };
}

message!(HostMessage);
message!(ShimMessage);

impl HostMessage {
    /// How many descriptors come with it.
    pub const fn descriptors(&self) -> usize {
        match self {
            Self::Load { .. } => DESCRIPTORS_MAX,
            Self::Granted { .. } => 1,
            Self::Explain { .. } | Self::Lanes => 2,
            Self::Bind { .. }
            | Self::Unbind { .. }
            | Self::Health { .. }
            | Self::Refused { .. }
            | Self::Drain { .. }
            | Self::Confine(_) => 0,
        }
    }
}
