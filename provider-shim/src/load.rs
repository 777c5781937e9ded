//! From the host's first message to a provider that was made: check the bytes, open them, call `create`.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use cofferdam_channel::control::ControlReceiver;
use cofferdam_channel::protocol::control::{Confine, HostMessage, Setting};
use cofferdam_library::Target;

use crate::exports::{Exports, Parts};
use crate::fault::ShimFault;
use crate::library::{self, LoadedLibrary};
use crate::sealed::SealedLibrary;

/// What came with `Load`.
pub(crate) struct Delivery {
    pub(crate) env: Vec<Setting>,
    pub(crate) library: OwnedFd,
    pub(crate) down: UnixStream,
    pub(crate) up: UnixStream,
    /// The memory of both directions, instead of these.
    pub(crate) lanes: Option<[OwnedFd; 2]>,
    /// For what is left when a signal ends this process.
    pub(crate) crash: OwnedFd,
}

/// What a process is for, once it is confined.
pub(crate) enum Order {
    /// Loading a library, and serving.
    Load(Delivery),
    /// Saying where another process was that died.
    Explain { record: Vec<u8>, library: OwnedFd, program: OwnedFd },
}

/// Waits for the host's first message.
pub(crate) fn confine_order(receiver: &mut ControlReceiver) -> Result<Confine, ShimFault> {
    match receiver.receive()? {
        (HostMessage::Confine(order), _) => Ok(order),
        _ => Err(ShimFault::OutOfOrder("another message than Confine")),
    }
}

/// Waits for `Load` or `Explain`.
pub(crate) fn receive(receiver: &mut ControlReceiver) -> Result<Order, ShimFault> {
    let (mut message, mut descriptors) = receiver.receive()?;
    let mut lanes = None;
    if let HostMessage::Lanes = message {
        let mut next = || descriptors.pop_front().ok_or(ShimFault::OutOfOrder("lanes without their memory"));
        lanes = Some([next()?, next()?]);
        (message, descriptors) = receiver.receive()?;
    }
    let mut next = || descriptors.pop_front().ok_or(ShimFault::OutOfOrder("a message without its descriptors"));
    match message {
        HostMessage::Load { env } => {
            let (library, down, up) = (next()?, UnixStream::from(next()?), UnixStream::from(next()?));
            Ok(Order::Load(Delivery { env, library, down, lanes, up, crash: next()? }))
        }
        HostMessage::Explain { record } => Ok(Order::Explain { record, library: next()?, program: next()? }),
        _ => Err(ShimFault::OutOfOrder("another message than Load or Explain")),
    }
}

/// Makes the provider, on the thread that is going to be its own.
pub(crate) fn make(library: &OwnedFd, parts: Parts) -> Result<LoadedLibrary, ShimFault> {
    cofferdam_library::check(&SealedLibrary::map(library)?, Target::NATIVE)?;
    library::open(library, Exports::leak(parts).face())
}
