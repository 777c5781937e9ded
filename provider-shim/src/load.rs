//! From the host's first message to a provider that was made: check the bytes, open them, call `create`.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;

use cofferdam_channel::control::ControlReceiver;
use cofferdam_channel::protocol::control::{Confine, HostMessage, LoadFault, Setting};
use cofferdam_library::Target;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};

use crate::exports::{Exports, Parts};
use crate::fault::ShimFault;
use crate::library::{self, LoadedLibrary};

/// A library larger than this is no provider.
const LIBRARY_BYTES_MAX: u64 = 512 << 20;

/// What came with `Load`.
pub(crate) struct Delivery {
    pub(crate) env: Vec<Setting>,
    pub(crate) library: OwnedFd,
    pub(crate) down: UnixStream,
    pub(crate) up: UnixStream,
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
    let (message, mut descriptors) = receiver.receive()?;
    let mut next = || descriptors.pop_front().ok_or(ShimFault::OutOfOrder("a message without its descriptors"));
    match message {
        HostMessage::Load { env } => {
            let (library, down, up) = (next()?, UnixStream::from(next()?), UnixStream::from(next()?));
            Ok(Order::Load(Delivery { env, library, down, up, crash: next()? }))
        }
        HostMessage::Explain { record } => Ok(Order::Explain { record, library: next()?, program: next()? }),
        _ => Err(ShimFault::OutOfOrder("another message than Load or Explain")),
    }
}

/// Makes the provider, on the thread that is going to be its own.
pub(crate) fn make(library: &OwnedFd, parts: Parts) -> Result<LoadedLibrary, ShimFault> {
    cofferdam_library::check(&read_sealed(library)?, Target::NATIVE)?;
    library::open(library, Exports::leak(parts)?.face())
}

/// Reads the library. The seals make sure that what is checked is what will be opened.
pub(crate) fn read_sealed(library: &OwnedFd) -> Result<Vec<u8>, ShimFault> {
    let shim = |reason: String| ShimFault::load(LoadFault::Shim, reason);
    let wanted = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
    let seals = fcntl(library, FcntlArg::F_GET_SEALS).map_err(|errno| shim(format!("reading its seals: {errno}")))?;
    if !SealFlag::from_bits_truncate(seals).contains(wanted) {
        return Err(shim("the host sent a library that is not sealed".to_owned()));
    }
    let file = File::from(library.try_clone().map_err(|error| shim(format!("duplicating its descriptor: {error}")))?);
    let length = file.metadata().map_err(|error| shim(format!("asking for its size: {error}")))?.len();
    if length > LIBRARY_BYTES_MAX {
        return Err(shim(format!("it is larger than {LIBRARY_BYTES_MAX} bytes")));
    }
    let mut bytes = vec![0; length as usize];
    // At places of our own: the position belongs to every process that has this descriptor, and another shim may be
    // reading the same library at this moment.
    file.read_exact_at(&mut bytes, 0).map_err(|error| shim(format!("reading it: {error}")))?;
    Ok(bytes)
}
