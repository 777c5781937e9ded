//! Running code that the host has not verified.

use std::ffi::CStr;
use std::fs;

use libc::{MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, O_CREAT, O_RDWR, O_WRONLY, PROT_EXEC, PROT_READ, PROT_WRITE};
use nix::errno::Errno;

use super::descriptors::sealed;
use crate::Scene;
use crate::outcome::{Outcome, each};
use crate::raw::{Tried, at, call, fd, int, map, maps, open, owned};

const PAGE: usize = 4096;
const NO_FILE: usize = usize::MAX;

pub(crate) fn writable(_scene: &Scene<'_>) -> Outcome {
    let all = PROT_READ | PROT_WRITE | PROT_EXEC;
    each([
        ("private", maps(PAGE, all, MAP_PRIVATE | MAP_ANONYMOUS, NO_FILE)),
        ("shared", maps(PAGE, all, MAP_SHARED | MAP_ANONYMOUS, NO_FILE)),
    ])
}

/// Maps with one protection and changes it to another.
fn changes(first: i32, then: i32, flags: i32, file: usize) -> Tried {
    let address = map(PAGE, first, flags, file)?;
    let changed = call(libc::SYS_mprotect, [address, PAGE, int(then)]);
    call(libc::SYS_munmap, [address, PAGE])?;
    changed
}

pub(crate) fn memory(_scene: &Scene<'_>) -> Outcome {
    let (private, code) = (MAP_PRIVATE | MAP_ANONYMOUS, PROT_READ | PROT_EXEC);
    each([
        ("written, then executable", changes(PROT_READ | PROT_WRITE, code, private, NO_FILE)),
        ("readable, then executable", changes(PROT_READ, code, private, NO_FILE)),
        ("nothing, then executable", changes(libc::PROT_NONE, code, private, NO_FILE)),
        ("executable, then writable", changes(code, code | PROT_WRITE, private, NO_FILE)),
        ("executable from the beginning, then written", executable_then_written()),
    ])
}

/// Memory may be executable from the beginning, when nothing can be written to it any more.
fn executable_then_written() -> Tried {
    let address = map(PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, NO_FILE)?;
    let written = call(libc::SYS_mprotect, [address, PAGE, int(PROT_READ | PROT_WRITE)])
        .and_then(|_| call(libc::SYS_mprotect, [address, PAGE, int(PROT_READ | PROT_EXEC)]));
    call(libc::SYS_munmap, [address, PAGE])?;
    written
}

/// Writes a file and maps it.
pub(crate) fn file(_scene: &Scene<'_>) -> Outcome {
    let made = open(c"/dirs/state/code", O_CREAT | O_RDWR);
    let made = match made.and_then(|made| call(libc::SYS_ftruncate, [fd(&made), PAGE]).map(|_| made)) {
        Ok(made) => made,
        Err(errno) => return Outcome::Out(format!("no file to begin with: {errno:?}")),
    };
    let code = PROT_READ | PROT_EXEC;
    each([
        ("private", maps(PAGE, code, MAP_PRIVATE, fd(&made))),
        ("shared", maps(PAGE, code, MAP_SHARED, fd(&made))),
        ("readable, then executable", changes(PROT_READ, code, MAP_PRIVATE, fd(&made))),
        ("written by sharing, then executable", changes(PROT_READ | PROT_WRITE, code, MAP_SHARED, fd(&made))),
    ])
}

/// Opens a library that it has written itself: its own, for that is a good one.
pub(crate) fn load_library(_scene: &Scene<'_>) -> Outcome {
    let Some(number) = sealed().first().copied() else {
        return Outcome::Out("no library to begin with".to_owned());
    };
    let copied = fs::read(format!("/proc/self/fd/{number}")).and_then(|bytes| fs::write("/dirs/state/copy.so", bytes));
    if let Err(error) = copied {
        return Outcome::Out(format!("no copy to begin with: {error}"));
    }
    let tried = if opens_library(c"/dirs/state/copy.so") { Ok(1) } else { Err(Errno::EPERM) };
    let _ = fs::remove_file("/dirs/state/copy.so");
    each([("dlopen", tried)])
}

#[allow(unsafe_code)]
fn opens_library(path: &CStr) -> bool {
    // SAFETY: the library is a copy of this one, whose constructors have run before.
    !unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) }.is_null()
}

pub(crate) fn memory_file(_scene: &Scene<'_>) -> Outcome {
    let memfd = call(libc::SYS_memfd_create, [at(c"rogue"), 0]).map(|made| fd(&owned(made)));
    // What is open for writing already: its own library, and pipes.
    let own = sealed().first().copied().unwrap_or(0);
    each([
        ("memfd_create", memfd),
        ("memfd_secret", call(libc::SYS_memfd_secret, [0])),
        ("writing to its own library, mapped", maps(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, own)),
        ("making its own library writable, mapped", changes(PROT_READ, PROT_READ | PROT_WRITE, MAP_SHARED, own)),
        ("shmget", call(libc::SYS_shmget, [0, PAGE, (libc::IPC_CREAT | 0o700) as usize])),
        ("writing to a library of the system", write_to_library()),
    ])
}

fn write_to_library() -> Tried {
    let library = open(&super::descriptors::libc_path()?, libc::O_RDONLY)?;
    maps(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd(&library))
        .or_else(|_| open(&super::descriptors::libc_path()?, O_WRONLY).map(|opened| fd(&opened)))
}

/// With this, everything that can be read can be executed.
pub(crate) fn personality(_scene: &Scene<'_>) -> Outcome {
    const READ_IMPLIES_EXEC: usize = 0x0040_0000;
    #[cfg(target_arch = "x86_64")]
    let segments = call(libc::SYS_modify_ldt, [0, 0, 0]);
    #[cfg(not(target_arch = "x86_64"))]
    let segments = Err(Errno::ENOSYS);
    each([
        ("personality", call(libc::SYS_personality, [READ_IMPLIES_EXEC])),
        ("modify_ldt", segments),
        ("pkey_mprotect", call(libc::SYS_pkey_mprotect, [0, 0, int(PROT_EXEC), int(-1)])),
        ("remap_file_pages", call(libc::SYS_remap_file_pages, [0, 0, 0, 0, 0])),
    ])
}
