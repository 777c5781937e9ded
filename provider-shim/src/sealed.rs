//! A library's bytes as the host sealed them, looked at where they lie: a copy would cost a start more than its whole
//! check does.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::fs::File;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;

use cofferdam_channel::protocol::control::LoadFault;
use cofferdam_library::LibraryFault;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use crate::fault::ShimFault;

/// A library larger than this is no provider.
const LIBRARY_BYTES_MAX: u64 = 512 << 20;

/// A library that nobody can change any more, mapped to be read.
pub(crate) struct SealedLibrary {
    start: NonNull<c_void>,
    length: NonZeroUsize,
}

impl SealedLibrary {
    /// Maps it. The seals make sure that what is checked is what will be opened.
    pub(crate) fn map(memfd: &OwnedFd) -> Result<Self, ShimFault> {
        let shim = |reason: String| ShimFault::load(LoadFault::Shim, reason);
        let wanted = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
        let seals = fcntl(memfd, FcntlArg::F_GET_SEALS).map_err(|errno| shim(format!("reading its seals: {errno}")))?;
        if !SealFlag::from_bits_truncate(seals).contains(wanted) {
            return Err(shim("the host sent a library that is not sealed".to_owned()));
        }
        let file = memfd.try_clone().map_err(|error| shim(format!("duplicating its descriptor: {error}")))?;
        let facts = File::from(file).metadata().map_err(|error| shim(format!("asking for its size: {error}")))?;
        if facts.len() > LIBRARY_BYTES_MAX {
            return Err(shim(format!("it is larger than {LIBRARY_BYTES_MAX} bytes")));
        }
        let empty = || LibraryFault::NotALibrary { reason: "it is empty".to_owned() };
        let length = NonZeroUsize::new(facts.len() as usize).ok_or_else(empty)?;
        let start = read_only(memfd, length).map_err(|errno| shim(format!("mapping it: {errno}")))?;
        Ok(Self { start, length })
    }
}

fn read_only(memfd: impl AsFd, length: NonZeroUsize) -> Result<NonNull<c_void>, Errno> {
    // SAFETY: a new mapping, at a place that the kernel chooses, takes nothing from anybody.
    unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_PRIVATE, memfd, 0) }
}

impl Deref for SealedLibrary {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: as many bytes are mapped until this is dropped. The seals keep everybody from writing to them and from
        // making the file shorter, so they neither change nor go.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.length.get()) }
    }
}

impl Drop for SealedLibrary {
    fn drop(&mut self) {
        // SAFETY: whoever borrows the bytes has given them back. That it fails is out of the question, and without harm.
        let _ = unsafe { munmap(self.start, self.length.get()) };
    }
}
