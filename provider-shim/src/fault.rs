//! Why the shim ended by itself. The host sees the exit code and reads the words on standard error.

use std::io;

use cofferdam_channel::control::ControlError;
use cofferdam_channel::protocol::control::LoadFault;
use cofferdam_library::LibraryFault;
use thiserror::Error;

/// Why the shim ended by itself.
#[derive(Debug, Error)]
pub(crate) enum ShimFault {
    /// Somebody ran it by hand.
    #[error("standard input is not a socket: this program is started by a cofferdam host, never by hand")]
    NotAShim,
    /// The inherited descriptors could not be used.
    #[error("taking over the control socket failed: {0}")]
    Inherit(#[source] io::Error),
    /// It has no room for a thread.
    #[error("starting a thread failed: {0}; the limit of threads may be too low")]
    Thread(#[source] io::Error),
    /// It could not give up its authority. It must not go on.
    #[error("confining this process failed at {act}{}: {source}", for_measures(measures))]
    Confine {
        /// What is not in force for it.
        measures: String,
        /// Which act.
        act: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The host is gone or broke the protocol.
    #[error("talking to the host failed: {0}")]
    Control(#[from] ControlError),
    /// The host sent something else than what has to come now.
    #[error("the host sent {0} where it must not")]
    OutOfOrder(&'static str),
    /// The library is no provider that can be run. The host has been told.
    #[error("loading the provider failed: {reason}")]
    Load {
        /// Which step.
        fault: LoadFault,
        /// Why, for people.
        reason: String,
    },
}

impl ShimFault {
    /// 64 usage, 71 the system refused, 76 the protocol, 65 the library: the codes of `sysexits.h`.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::NotAShim => 64,
            Self::Inherit(_) | Self::Thread(_) | Self::Confine { .. } => 71,
            Self::Control(_) | Self::OutOfOrder(_) => 76,
            Self::Load { .. } => 65,
        }
    }

    pub(crate) fn load(fault: LoadFault, reason: impl Into<String>) -> Self {
        Self::Load { fault, reason: reason.into() }
    }
}

impl From<LibraryFault> for ShimFault {
    fn from(fault: LibraryFault) -> Self {
        let step = match fault {
            LibraryFault::NotALibrary { .. } => LoadFault::NotALibrary,
            LibraryFault::NoEntry => LoadFault::Symbol,
            LibraryFault::OtherAbi { .. } => LoadFault::Abi,
        };
        Self::load(step, fault.to_string())
    }
}

fn for_measures(measures: &str) -> String {
    if measures == "none" { String::new() } else { format!(" (for: {measures})") }
}
