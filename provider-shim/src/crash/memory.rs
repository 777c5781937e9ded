//! Reading memory that may not be there, in a signal handler: the kernel is asked to write it into a pipe, and says so
//! when it can't. Reading another process's memory by a system call is not let through here, not even one's own.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::fcntl::OFlag;

/// Both ends of the pipe: to read, and to write. Only one thread uses it, once.
static PIPE: [AtomicI32; 2] = [AtomicI32::new(-1), AtomicI32::new(-1)];

/// Makes the pipe. It lives as long as the process.
pub(super) fn prepare() -> io::Result<()> {
    let (reading, writing) = nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    PIPE[0].store(reading.into_raw_fd(), Ordering::Release);
    PIPE[1].store(writing.into_raw_fd(), Ordering::Release);
    Ok(())
}

/// Copies what lies at `address`, as much as `into` holds, which is at most a page. Whether all of it was there.
pub(super) fn copy(address: u64, into: &mut [u8]) -> bool {
    let wanted = into.len();
    // SAFETY: the kernel reads from the address and answers with an error where nothing can be read.
    let written = unsafe { libc::write(PIPE[1].load(Ordering::Acquire), address as *const libc::c_void, wanted) };
    let Ok(written @ 1..) = usize::try_from(written) else { return false };
    // SAFETY: `into` has room for as many bytes as were asked for, and no more are in the pipe.
    let read = unsafe { libc::read(PIPE[0].load(Ordering::Acquire), into.as_mut_ptr().cast(), written.min(wanted)) };
    usize::try_from(read) == Ok(wanted)
}

/// Copies a text that ends with a zero, as far as it fits. Returns its length.
pub(super) fn copy_text(address: u64, into: &mut [u8]) -> usize {
    for at in 0..into.len() {
        let Some(place) = into.get_mut(at..=at) else { return at };
        if !copy(address.wrapping_add(at as u64), place) || place == [0] {
            return at;
        }
    }
    into.len()
}

/// A word, if it is there.
pub(super) fn word(address: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    copy(address, &mut bytes).then(|| u64::from_le_bytes(bytes))
}
