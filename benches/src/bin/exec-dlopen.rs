//! The floor of starting a provider: a program that opens the library and says so. No sandbox, no protocol, no checks.
#![deny(unsafe_code)]

use std::io::Write;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

#[allow(unsafe_code, reason = "the floor is what opening the library takes")]
fn main() -> std::io::Result<()> {
    let path = std::env::args_os().nth(1).unwrap_or_default();
    // SAFETY: the library is this workspace's own provider, whose constructors do nothing.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
    std::mem::forget(library.map_err(std::io::Error::other)?);
    std::io::stdout().write_all(b".")
}
