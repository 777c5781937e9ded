//! Whether whoever manages the control groups has left one to others. systemd says so by an extended attribute.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::libc;

/// Since version 251 of systemd; and before, for those who may read it.
const MARKS: [&CStr; 2] = [c"user.delegate", c"trusted.delegate"];

pub(super) fn is_delegated(group: &Path) -> bool {
    let Ok(path) = CString::new(group.as_os_str().as_bytes()) else { return false };
    MARKS.iter().any(|mark| has(&path, mark))
}

fn has(path: &CStr, mark: &CStr) -> bool {
    let mut value = [0_u8; 8];
    // SAFETY: both texts end with a zero, and the kernel writes no more than so many bytes to the place, which lives.
    let read = unsafe { libc::getxattr(path.as_ptr(), mark.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    usize::try_from(read).is_ok_and(|read| value.get(..read) == Some(b"1"))
}
