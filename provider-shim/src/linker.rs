//! What the dynamic linker has loaded into this process.
#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The libraries, by the paths that it opened them by.
pub(crate) fn loaded() -> Vec<PathBuf> {
    unsafe extern "C" fn add(info: *mut libc::dl_phdr_info, _: usize, libraries: *mut c_void) -> c_int {
        // SAFETY: the linker passes a live entry, and the pointer that it was given.
        let (info, libraries) = unsafe { (&*info, &mut *libraries.cast::<Vec<PathBuf>>()) };
        if !info.dlpi_name.is_null() {
            // SAFETY: names end with a zero.
            let path = Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(info.dlpi_name) }.to_bytes()));
            // The program has no name, and what the kernel maps has no path.
            libraries.extend(path.is_absolute().then(|| path.to_owned()));
        }
        0
    }
    let mut libraries = Vec::new();
    // SAFETY: the function takes what it is given here, and does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(add), (&raw mut libraries).cast()) };
    libraries
}
