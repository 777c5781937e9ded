//! From the host's first message to a provider that was made: check the bytes, open them, call `create`.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
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
}

/// Waits for the host's first message.
pub(crate) fn confine_order(receiver: &mut ControlReceiver) -> Result<Confine, ShimFault> {
    match receiver.receive()? {
        (HostMessage::Confine(order), _) => Ok(order),
        _ => Err(ShimFault::OutOfOrder("another message than Confine")),
    }
}

/// Waits for `Load`.
pub(crate) fn receive(receiver: &mut ControlReceiver) -> Result<Delivery, ShimFault> {
    let (message, mut descriptors) = receiver.receive()?;
    let HostMessage::Load { env } = message else { return Err(ShimFault::OutOfOrder("another message than Load")) };
    let mut next = || descriptors.pop_front().ok_or(ShimFault::OutOfOrder("Load without its three descriptors"));
    Ok(Delivery { env, library: next()?, down: UnixStream::from(next()?), up: UnixStream::from(next()?) })
}

/// Makes the provider, on the thread that is going to be its own.
pub(crate) fn make(library: &OwnedFd, parts: Parts) -> Result<LoadedLibrary, ShimFault> {
    cofferdam_library::check(&read_sealed(library)?, Target::NATIVE)?;
    library::open(library, Exports::leak(parts)?.face())
}

/// Reads the library. The seals make sure that what is checked is what will be opened.
fn read_sealed(library: &OwnedFd) -> Result<Vec<u8>, ShimFault> {
    let shim = |reason: String| ShimFault::load(LoadFault::Shim, reason);
    let wanted = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
    let seals = fcntl(library, FcntlArg::F_GET_SEALS).map_err(|errno| shim(format!("reading its seals: {errno}")))?;
    if !SealFlag::from_bits_truncate(seals).contains(wanted) {
        return Err(shim("the host sent a library that is not sealed".to_owned()));
    }
    let mut bytes = Vec::new();
    let file = File::from(library.try_clone().map_err(|error| shim(format!("duplicating its descriptor: {error}")))?);
    // The host's descriptor and ours share one position, so it is wherever the host left it.
    let read = (&file).rewind().and_then(|()| file.take(LIBRARY_BYTES_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|error| shim(format!("reading it: {error}")))?;
    if bytes.len() as u64 > LIBRARY_BYTES_MAX {
        return Err(shim(format!("it is larger than {LIBRARY_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}
