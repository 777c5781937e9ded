//! Making more of a descriptor than it was meant for.

use std::fs;
use std::os::fd::OwnedFd;

use cofferdam_provider::Access;
use libc::{O_DIRECTORY, O_RDONLY, O_RDWR, O_WRONLY};
use nix::errno::Errno;

use super::{OWN, path};
use crate::Scene;
use crate::outcome::{Outcome, each, survived};
use crate::raw::{Tried, at, call, fd, int, of, open, open_at, opens, owned};

/// Above the directory that was granted lies whatever the host has there, if the descriptor is the host's.
pub(crate) fn directory_parent(scene: &Scene<'_>) -> Outcome {
    let own = scene.host.open_dir("state", Access::WRITE);
    let other = scene.host.open_dir(&scene.outside.readable_dir, Access::READ);
    let (state, readable) = match (own, other) {
        (Ok(state), Ok(readable)) => (state, readable),
        (Err(why), _) | (_, Err(why)) => return Outcome::Out(format!("no directory to begin with: {why:?}")),
    };
    let write = |name: &std::ffi::CStr, flags| open_at(fd(&readable), name, flags, 0o600).map(|opened| fd(&opened));
    let below = |path: &std::ffi::CStr| open_at(fd(&state), path, O_RDONLY, 0).map(|opened| fd(&opened));
    let looks = |path: &std::ffi::CStr| {
        let mut facts = [0_u64; 32];
        call(libc::SYS_newfstatat, [fd(&state), at(path), facts.as_mut_ptr() as usize, 0])
    };
    each([
        ("../..", below(c"../..")),
        ("../../etc/passwd", below(c"../../etc/passwd")),
        ("../../../../../../etc/passwd", below(c"../../../../../../etc/passwd")),
        ("looking at ../../etc/passwd", looks(c"../../etc/passwd")),
        ("looking at ../../../host.nk", looks(c"../../../host.nk")),
        ("writing to what was granted for reading", write(c"file", O_WRONLY)),
        ("making something in it", write(c"made", libc::O_CREAT | O_WRONLY)),
    ])
}

/// A descriptor for reading leads, by way of `/proc`, to the file itself.
pub(crate) fn reopen_for_writing(scene: &Scene<'_>) -> Outcome {
    let file = match scene.host.open_file(&scene.outside.readable_file, Access::READ) {
        Ok(file) => file,
        Err(why) => return Outcome::Out(format!("no file to begin with: {why:?}")),
    };
    let library = libc_path().and_then(|library| open(&library, O_RDONLY));
    let again = |opened: usize, flags| opens(&path(format!("/proc/self/fd/{opened}")), flags);
    let mut ways = vec![
        ("a granted file", again(fd(&file), O_WRONLY)),
        ("a granted file, to cut it", again(fd(&file), O_RDWR | libc::O_TRUNC)),
        ("a granted file, written as it is", call(libc::SYS_pwrite64, [fd(&file), at(c"x"), 1, 0])),
        ("a library of the system", library.and_then(|opened| again(fd(&opened), O_WRONLY))),
    ];
    ways.extend(sealed().into_iter().map(|number| ("the library of this provider", overwrite(number))));
    each(ways)
}

/// The numbers of descriptors of memory files: the library that was loaded.
pub(super) fn sealed() -> Vec<usize> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let leads_to_memory =
        |entry: &fs::DirEntry| fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().contains("memfd:"));
    let numbers =
        entries.flatten().filter(leads_to_memory).filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.collect()
}

/// More descriptors of them, for as long as they are there: while the library is opened.
pub(crate) fn library_again() -> Vec<OwnedFd> {
    sealed().into_iter().filter_map(|number| call(libc::SYS_dup, [number]).ok()).map(owned).collect()
}

/// Writes to it, cuts it, and makes it longer.
fn overwrite(number: usize) -> Tried {
    let again = open(&path(format!("/proc/self/fd/{number}")), O_RDWR)?;
    let shared = libc::MAP_SHARED;
    call(libc::SYS_pwrite64, [fd(&again), b"x".as_ptr() as usize, 1, 0])
        .or_else(|_| call(libc::SYS_ftruncate, [fd(&again), 0]))
        .or_else(|_| crate::raw::maps(4096, libc::PROT_READ | libc::PROT_WRITE, shared, fd(&again)))
}

/// The file of the C library, by the kernel's word.
pub(super) fn libc_path() -> Result<std::ffi::CString, Errno> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let found = maps.lines().filter_map(|line| line.split_once('/')).find(|(_, file)| file.contains("libc.so"));
    // Where the kernel does not say, the usual place.
    let file = found.map_or("usr/lib/x86_64-linux-gnu/libc.so.6", |(_, file)| file);
    Ok(path(format!("/{file}")))
}

/// Descriptors that arrive at the host have to be closed by it, and some take their time.
pub(crate) fn send_descriptors(_scene: &Scene<'_>) -> Outcome {
    let part = libc::iovec { iov_base: b"x".as_ptr().cast_mut().cast(), iov_len: 1 };
    // Length (16 of header and 4), level and type, one descriptor: standard output.
    let rights: [usize; 3] = [20, (libc::SCM_RIGHTS as usize) << 32 | libc::SOL_SOCKET as usize, 1];
    let header: [usize; 8] = [0, 0, of(&part), 1, rights.as_ptr() as usize, 24, 0, 0];
    let flags = int(libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT);
    let sockets: Vec<usize> = (0..64).filter(|number| is_socket(*number)).collect();
    if sockets.len() < 3 {
        return Outcome::Out(format!("found {} sockets, not control, down and up", sockets.len()));
    }
    each([
        (
            "sendmsg",
            sockets.iter().map(|socket| call(libc::SYS_sendmsg, [*socket, of(&header), flags])).collect_first(),
        ),
        (
            "sendmmsg",
            sockets.iter().map(|socket| call(libc::SYS_sendmmsg, [*socket, of(&header), 1, flags])).collect_first(),
        ),
    ])
}

/// The first that succeeded, else the first refusal.
trait CollectFirst {
    fn collect_first(self) -> Tried;
}

impl<I: Iterator<Item = Tried>> CollectFirst for I {
    fn collect_first(self) -> Tried {
        let tried: Vec<Tried> = self.collect();
        tried.iter().copied().find(Result::is_ok).or(tried.first().copied()).unwrap_or(Err(Errno::ENOTSOCK))
    }
}

fn is_socket(number: usize) -> bool {
    let (mut kind, mut length) = (0_i32, 4_u32);
    let arguments =
        [number, int(libc::SOL_SOCKET), int(libc::SO_TYPE), (&raw mut kind) as usize, (&raw mut length) as usize];
    call(libc::SYS_getsockopt, arguments).is_ok()
}

/// A socket knows who is at its other end: the host.
pub(crate) fn handle_of_peer(_scene: &Scene<'_>) -> Outcome {
    const SO_PEERPIDFD: i32 = 77;
    let handle = |number| {
        let (mut handle, mut length) = (0_i32, 4_u32);
        let place = [(&raw mut handle) as usize, (&raw mut length) as usize];
        call(libc::SYS_getsockopt, [number, int(libc::SOL_SOCKET), int(SO_PEERPIDFD), place[0], place[1]])
    };
    each([("getsockopt(SO_PEERPIDFD)", (0..64).filter(|number| is_socket(*number)).map(handle).collect_first())])
}

pub(crate) fn steal_descriptor(_scene: &Scene<'_>) -> Outcome {
    survived("pidfd_getfd", call(libc::SYS_pidfd_getfd, [0, 0, 0]))
}

/// A directory of its own, as a descriptor.
pub(super) fn own() -> Result<OwnedFd, Errno> {
    open(&path(OWN), O_RDONLY | O_DIRECTORY)
}
