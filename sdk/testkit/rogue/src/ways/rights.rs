//! Being somebody else, or being allowed more.

use libc::{PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, PR_SET_DUMPABLE, PR_SET_PTRACER, PR_SET_SECCOMP};

use crate::Scene;
use crate::outcome::{Outcome, each};
use crate::raw::{Tried, call, int, of};

pub(crate) fn user(_scene: &Scene<'_>) -> Outcome {
    each([
        ("setuid", call(libc::SYS_setuid, [0])),
        ("setreuid", call(libc::SYS_setreuid, [0, 0])),
        ("setresuid", call(libc::SYS_setresuid, [0, 0, 0])),
        ("setfsuid", call(libc::SYS_setfsuid, [0])),
    ])
}

pub(crate) fn group(_scene: &Scene<'_>) -> Outcome {
    each([
        ("setgid", call(libc::SYS_setgid, [0])),
        ("setresgid", call(libc::SYS_setresgid, [0, 0, 0])),
        ("setgroups", call(libc::SYS_setgroups, [1, of(&[0_u32])])),
        ("setfsgid", call(libc::SYS_setfsgid, [0])),
    ])
}

fn prctl(option: i32, values: [usize; 2]) -> Tried {
    call(libc::SYS_prctl, [int(option), values[0], values[1], 0, 0])
}

pub(crate) fn capabilities(_scene: &Scene<'_>) -> Outcome {
    // `_LINUX_CAPABILITY_VERSION_3`, for this thread; every capability there is.
    let (header, all) = ([0x2008_0522_u32, 0], [u32::MAX; 6]);
    each([
        ("capset", call(libc::SYS_capset, [of(&header), of(&all)])),
        ("PR_CAP_AMBIENT", prctl(PR_CAP_AMBIENT, [PR_CAP_AMBIENT_RAISE as usize, 0])),
        ("PR_SET_SECUREBITS", prctl(libc::PR_SET_SECUREBITS, [0, 0])),
        ("PR_SET_KEEPCAPS", prctl(libc::PR_SET_KEEPCAPS, [1, 0])),
    ])
}

/// So that another process may read it.
pub(crate) fn show_memory(_scene: &Scene<'_>) -> Outcome {
    each([
        ("PR_SET_DUMPABLE", prctl(PR_SET_DUMPABLE, [1, 0])),
        ("PR_SET_PTRACER", prctl(PR_SET_PTRACER, [usize::MAX, 0])),
        ("PR_SET_MM", prctl(libc::PR_SET_MM, [1, 0])),
    ])
}

/// A filter of its own could not allow more, but hide what is refused, or hand calls to somebody else.
pub(crate) fn own_filter(_scene: &Scene<'_>) -> Outcome {
    // `PR_SET_SYSCALL_USER_DISPATCH` of `linux/prctl.h`.
    const SYSCALL_USER_DISPATCH: i32 = 59;
    each([
        ("PR_SET_SECCOMP", prctl(PR_SET_SECCOMP, [1, 0])),
        ("seccomp", call(libc::SYS_seccomp, [0, 0, 0])),
        ("landlock_create_ruleset", call(libc::SYS_landlock_create_ruleset, [0, 0, 1])),
        ("PR_SET_NO_NEW_PRIVS", prctl(libc::PR_SET_NO_NEW_PRIVS, [0, 0])),
        ("PR_SET_MDWE", prctl(libc::PR_SET_MDWE, [0, 0])),
        ("PR_SET_SYSCALL_USER_DISPATCH", prctl(SYSCALL_USER_DISPATCH, [0, 0])),
    ])
}
