//! System calls by their number. This file is the only one here that hands numbers and addresses to the kernel.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use libc::c_long;
use nix::errno::Errno;

/// What the kernel answered.
pub(crate) type Tried = Result<usize, Errno>;

/// Calls the kernel. The attempts pass numbers, or addresses of what lives until they end; what a call that must be
/// refused would do to this process if it weren't, is its own fault.
pub(crate) fn call<const N: usize>(number: c_long, arguments: [usize; N]) -> Tried {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&arguments);
    let [a, b, c, d, e, f] = all;
    // SAFETY: by the promise of the callers, above.
    let answer = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if answer == -1 { Err(Errno::last()) } else { Ok(answer as usize) }
}

/// A C `int` as the kernel's register has it.
pub(crate) const fn int(value: i32) -> usize {
    value as isize as usize
}

/// The address of a text.
pub(crate) fn at(text: &CStr) -> usize {
    text.as_ptr() as usize
}

/// The address of a value.
pub(crate) fn of<T: ?Sized>(value: &T) -> usize {
    std::ptr::from_ref(value).cast::<u8>() as usize
}

/// The number of a descriptor, as an argument.
pub(crate) fn fd(descriptor: &impl AsRawFd) -> usize {
    int(descriptor.as_raw_fd())
}

/// Opens below a directory, or below none.
pub(crate) fn open_at(dir: usize, path: &CStr, flags: i32, mode: usize) -> Result<OwnedFd, Errno> {
    let opened = call(libc::SYS_openat, [dir, at(path), int(flags), mode])?;
    Ok(owned(opened))
}

/// Opens a path.
pub(crate) fn open(path: &CStr, flags: i32) -> Result<OwnedFd, Errno> {
    open_at(HERE, path, flags, 0o600)
}

/// What only has to be refused.
pub(crate) fn opens(path: &CStr, flags: i32) -> Tried {
    open(path, flags).map(|opened| fd(&opened))
}

/// `AT_FDCWD`.
pub(crate) const HERE: usize = int(libc::AT_FDCWD);

/// Takes a descriptor that the kernel has just made.
pub(crate) fn owned(descriptor: usize) -> OwnedFd {
    // SAFETY: callers pass what a call that makes descriptors has just answered.
    unsafe { OwnedFd::from_raw_fd(descriptor as i32) }
}

/// Maps memory, and unmaps it again when that was possible.
pub(crate) fn maps(length: usize, protection: i32, flags: i32, descriptor: usize) -> Tried {
    let address = map(length, protection, flags, descriptor)?;
    call(libc::SYS_munmap, [address, length])?;
    Ok(address)
}

/// Maps memory.
pub(crate) fn map(length: usize, protection: i32, flags: i32, descriptor: usize) -> Tried {
    call(libc::SYS_mmap, [0, length, int(protection), int(flags), descriptor, 0])
}

/// The kernel's number for a process as an `int`.
pub(crate) fn pid(pid: u32) -> usize {
    pid as usize
}
