//! Using up memory. What the kernel has promised counts, so nothing has to be touched.

use libc::{MAP_ANONYMOUS, MAP_GROWSDOWN, MAP_HUGETLB, MAP_NORESERVE, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE};
use nix::errno::Errno;

use crate::Scene;
use crate::outcome::{Outcome, each};
use crate::raw::{at, call, int, map, maps};

/// Taken at once.
const PIECE: usize = 64 << 20;

/// More than any provider may have.
const PIECES_MAX: usize = 256;

const NO_FILE: usize = usize::MAX;

/// Maps until it is refused, and gives everything back.
fn fill(flags: i32) -> (usize, Result<(), Errno>) {
    let mut taken = Vec::with_capacity(PIECES_MAX);
    let mut ended = Ok(());
    while taken.len() < PIECES_MAX {
        match map(PIECE, PROT_READ | PROT_WRITE, flags, NO_FILE) {
            Ok(address) => taken.push(address),
            Err(errno) => {
                ended = Err(errno);
                break;
            }
        }
    }
    for address in &taken {
        let _ = call(libc::SYS_munmap, [*address, PIECE]);
    }
    (taken.len() * (PIECE >> 20), ended)
}

fn bounded(ways: &[(&str, i32)], most_mib: usize) -> Outcome {
    let mut said = Vec::new();
    for (name, flags) in ways {
        match fill(*flags) {
            (0, Err(errno)) => said.push(format!("{name} {errno:?}")),
            (taken, Err(errno)) if taken <= most_mib => {
                said.push(format!("{name} below {most_mib} MiB, then {errno:?}"))
            }
            (taken, ended) => return Outcome::Out(format!("{name} {taken} MiB, then {ended:?}")),
        }
    }
    Outcome::Bounded(said.join(", "))
}

pub(crate) fn private(_scene: &Scene<'_>) -> Outcome {
    let plain = MAP_PRIVATE | MAP_ANONYMOUS;
    bounded(&[("private", plain), ("never reserved", plain | MAP_NORESERVE)], 1024)
}

/// The limit of a process's data does not count it.
pub(crate) fn shared(_scene: &Scene<'_>) -> Outcome {
    let plain = MAP_SHARED | MAP_ANONYMOUS;
    let validated = libc::MAP_SHARED_VALIDATE | MAP_ANONYMOUS;
    bounded(&[("shared", plain), ("never reserved", plain | MAP_NORESERVE), ("validated", validated)], 0)
}

/// Nor this: it passes for a stack.
pub(crate) fn stack(_scene: &Scene<'_>) -> Outcome {
    bounded(&[("growing down", MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN)], 0)
}

/// They were set aside by the operator for something else.
pub(crate) fn huge_pages(_scene: &Scene<'_>) -> Outcome {
    let huge = |flags| maps(2 << 20, PROT_READ, flags | MAP_ANONYMOUS | MAP_HUGETLB, NO_FILE);
    each([("private", huge(MAP_PRIVATE)), ("shared", huge(MAP_SHARED))])
}

pub(crate) fn lock(_scene: &Scene<'_>) -> Outcome {
    let all = (libc::MCL_CURRENT | libc::MCL_FUTURE) as usize;
    let here = [0_u8; 1];
    each([
        ("mlock", call(libc::SYS_mlock, [here.as_ptr() as usize, 1])),
        ("mlock2", call(libc::SYS_mlock2, [here.as_ptr() as usize, 1, 0])),
        ("mlockall", call(libc::SYS_mlockall, [all])),
        ("MAP_LOCKED", maps(1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | libc::MAP_LOCKED, NO_FILE)),
    ])
}

/// Memory that no process has to hold, of which nobody knows whose it is.
pub(crate) fn system_v(_scene: &Scene<'_>) -> Outcome {
    let create = (libc::IPC_CREAT | 0o600) as usize;
    each([
        ("shmget", call(libc::SYS_shmget, [0, PIECE, create])),
        ("msgget", call(libc::SYS_msgget, [0, create])),
        ("semget", call(libc::SYS_semget, [0, 1, create])),
        ("mq_open", call(libc::SYS_mq_open, [at(c"rogue"), int(libc::O_CREAT | libc::O_RDWR), 0o600, 0])),
        ("memfd_create", call(libc::SYS_memfd_create, [at(c"rogue"), 0])),
    ])
}
