//! The memory of one direction as bare bytes, of which any can be written at any time.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use nix::libc;
use nix::sys::mman::{MapFlags, ProtFlags, mmap};
use nix::sys::stat::fstat;

/// Mapped for as long as the process lives.
pub(crate) struct Memory {
    base: NonNull<u8>,
    bytes: usize,
    /// Kept, as no good shim does.
    pub(crate) file: OwnedFd,
}

// SAFETY: it is memory that the host changes as well. All access is by atomics.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Maps all of it.
    pub(crate) fn map(file: OwnedFd) -> io::Result<Self> {
        let bytes = usize::try_from(fstat(&file)?.st_size).map_err(io::Error::other)?;
        let length = NonZeroUsize::new(bytes).ok_or_else(|| io::Error::other("the lanes are empty"))?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice.
        let base = unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, &file, 0)? };
        Ok(Self { base: base.cast(), bytes, file })
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The word at a multiple of 4.
    pub(crate) fn word(&self, at: usize) -> &AtomicU32 {
        // SAFETY: the place is one of a word within the mapping, which is never taken away, and used by atomics alone.
        unsafe { &*self.place(at, 4).cast() }
    }

    /// The number at a multiple of 8.
    pub(crate) fn number(&self, at: usize) -> &AtomicU64 {
        // SAFETY: as for a word, twice as long.
        unsafe { &*self.place(at, 8).cast() }
    }

    /// The byte there.
    pub(crate) fn byte(&self, at: usize) -> &AtomicU8 {
        // SAFETY: as for a word, of one byte.
        unsafe { &*self.place(at, 1).cast() }
    }

    /// Wakes whoever sleeps on the word.
    pub(crate) fn wake(&self, at: usize) {
        let nothing = ptr::null::<c_void>();
        // SAFETY: the address is that of a mapped word. How many were woken is of no use.
        unsafe { libc::syscall(libc::SYS_futex, self.place(at, 4), libc::FUTEX_WAKE, i32::MAX, nothing, nothing, 0) };
    }

    fn place(&self, at: usize, bytes: usize) -> *mut u8 {
        assert!(at.is_multiple_of(bytes) && at + bytes <= self.bytes, "it is within the mapping");
        // SAFETY: it is.
        unsafe { self.base.as_ptr().add(at) }
    }
}
