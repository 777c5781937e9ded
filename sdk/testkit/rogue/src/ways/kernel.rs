//! Talking to the kernel about itself, and to parts of it that have been ways in. With arguments that would do nothing.

use crate::Scene;
use crate::outcome::{Outcome, each, survived};
use crate::raw::{at, call, int, of};

const NOTHING: usize = usize::MAX;

pub(crate) fn io_uring(_scene: &Scene<'_>) -> Outcome {
    let settings = [0_u64; 16];
    each([
        ("io_uring_setup", call(libc::SYS_io_uring_setup, [1, of(&settings)])),
        ("io_uring_enter", call(libc::SYS_io_uring_enter, [0, 0, 0, 0, 0, 0])),
        ("io_uring_register", call(libc::SYS_io_uring_register, [0, 0, 0, 0])),
        ("io_setup", call(libc::SYS_io_setup, [1, of(&[0_u64; 1])])),
    ])
}

pub(crate) fn keys(_scene: &Scene<'_>) -> Outcome {
    let session = int(-3);
    each([
        ("keyctl", call(libc::SYS_keyctl, [0, session, 0, 0, 0])),
        ("add_key", call(libc::SYS_add_key, [at(c"user"), at(c"rogue"), at(c"x"), 1, session])),
        ("request_key", call(libc::SYS_request_key, [at(c"user"), at(c"rogue"), 0, 0])),
    ])
}

pub(crate) fn bpf(_scene: &Scene<'_>) -> Outcome {
    survived("bpf", call(libc::SYS_bpf, [0, 0, 0]))
}

pub(crate) fn performance(_scene: &Scene<'_>) -> Outcome {
    // `struct perf_event_attr`: a counter in software of the smallest size.
    let counter: [u64; 8] = [1 | 64 << 32, 0, 0, 0, 0, 0, 0, 0];
    each([("perf_event_open", call(libc::SYS_perf_event_open, [of(&counter), 0, NOTHING, NOTHING, 0]))])
}

pub(crate) fn page_faults(_scene: &Scene<'_>) -> Outcome {
    const USER_MODE_ONLY: usize = 1;
    each([("userfaultfd", call(libc::SYS_userfaultfd, [USER_MODE_ONLY]))])
}

pub(crate) fn init_module(_scene: &Scene<'_>) -> Outcome {
    survived("init_module", call(libc::SYS_init_module, [0, 0, at(c"")]))
}

pub(crate) fn finit_module(_scene: &Scene<'_>) -> Outcome {
    survived("finit_module", call(libc::SYS_finit_module, [NOTHING, at(c""), 0]))
}

pub(crate) fn delete_module(_scene: &Scene<'_>) -> Outcome {
    survived("delete_module", call(libc::SYS_delete_module, [at(c"no such module"), 0]))
}

pub(crate) fn kexec_load(_scene: &Scene<'_>) -> Outcome {
    survived("kexec_load", call(libc::SYS_kexec_load, [0, NOTHING, 0, 0]))
}

pub(crate) fn kexec_file_load(_scene: &Scene<'_>) -> Outcome {
    survived("kexec_file_load", call(libc::SYS_kexec_file_load, [NOTHING, NOTHING, 0, 0, 0]))
}

/// Without the numbers that the kernel wants to see before it does anything.
pub(crate) fn reboot(_scene: &Scene<'_>) -> Outcome {
    survived("reboot", call(libc::SYS_reboot, [0, 0, 0, 0]))
}

pub(crate) fn swapon(_scene: &Scene<'_>) -> Outcome {
    survived("swapon", call(libc::SYS_swapon, [at(c"/dirs/state/swap"), 0]))
}

pub(crate) fn swapoff(_scene: &Scene<'_>) -> Outcome {
    survived("swapoff", call(libc::SYS_swapoff, [at(c"/dirs/state/swap")]))
}

pub(crate) fn acct(_scene: &Scene<'_>) -> Outcome {
    survived("acct", call(libc::SYS_acct, [at(c"/dirs/state/no such file")]))
}

pub(crate) fn syslog(_scene: &Scene<'_>) -> Outcome {
    const READ_ALL: usize = 3;
    let text = [0_u8; 64];
    survived("syslog", call(libc::SYS_syslog, [READ_ALL, of(&text), text.len()]))
}

pub(crate) fn settimeofday(_scene: &Scene<'_>) -> Outcome {
    // More microseconds than a second has: invalid.
    survived("settimeofday", call(libc::SYS_settimeofday, [of(&[0_u64, u64::MAX]), 0]))
}

pub(crate) fn clock_settime(_scene: &Scene<'_>) -> Outcome {
    survived("clock_settime", call(libc::SYS_clock_settime, [0, of(&[0_u64, u64::MAX])]))
}

pub(crate) fn adjtimex(_scene: &Scene<'_>) -> Outcome {
    survived("adjtimex", call(libc::SYS_adjtimex, [0]))
}

pub(crate) fn host_name(_scene: &Scene<'_>) -> Outcome {
    each([
        ("sethostname", call(libc::SYS_sethostname, [at(c"rogue"), 5])),
        ("setdomainname", call(libc::SYS_setdomainname, [at(c"rogue"), 5])),
    ])
}

pub(crate) fn quota(_scene: &Scene<'_>) -> Outcome {
    each([
        ("quotactl", call(libc::SYS_quotactl, [0, 0, 0, 0])),
        ("quotactl_fd", call(libc::SYS_quotactl_fd, [0, 0, 0, 0])),
        ("sync", call(libc::SYS_sync, [])),
    ])
}

pub(crate) fn ports(_scene: &Scene<'_>) -> Outcome {
    #[cfg(target_arch = "x86_64")]
    let ways = [("iopl", call(libc::SYS_iopl, [3])), ("ioperm", call(libc::SYS_ioperm, [0x80, 1, 1]))];
    #[cfg(not(target_arch = "x86_64"))]
    let ways = [("none on this machine", Err(nix::errno::Errno::ENOSYS))];
    each(ways)
}

/// Types a letter into the terminal of whoever started the host, if a descriptor leads there.
pub(crate) fn terminal_input(_scene: &Scene<'_>) -> Outcome {
    let types = |number: usize| call(libc::SYS_ioctl, [number, libc::TIOCSTI as usize, of(b"\n")]);
    each([("stdin", types(0)), ("stdout", types(1)), ("stderr", types(2)), ("vhangup", call(libc::SYS_vhangup, []))])
}
