//! Numbers of the kernel in words.

use nix::libc;
use nix::sys::signal::Signal;

/// `SIGSEGV`, or the number where it has no name.
pub fn signal_name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.as_str().to_owned())
}

/// Whether a process leaves a record when it meets this signal: `provider-shim/src/crash/handler.rs`.
pub fn is_recorded(signal: i32) -> bool {
    let recorded =
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT, libc::SIGSYS, libc::SIGTRAP];
    recorded.contains(&signal)
}

/// Why a signal came, by its number and `si_code`.
pub fn why(signal: i32, code: i32) -> &'static str {
    const SI_KERNEL: i32 = 0x80;
    match (signal, code) {
        (libc::SIGABRT, ..=0) => "the process aborted itself",
        (_, ..=0) => "it was sent by a process",
        (libc::SIGSEGV, 1) => "nothing is mapped at the address",
        (libc::SIGSEGV, 2) => "the memory at the address does not allow it",
        (libc::SIGSEGV, SI_KERNEL) => "the address is none, or a protection of the processor",
        (libc::SIGBUS, 1) => "the address is not aligned",
        (libc::SIGBUS, 2) => "nothing is behind the address",
        (libc::SIGBUS, 3) => "the object of the address failed",
        (libc::SIGILL, _) => "no instruction of this processor",
        (libc::SIGFPE, 1) => "an integer was divided by zero",
        (libc::SIGFPE, 2) => "an integer overflowed",
        (libc::SIGFPE, _) => "arithmetic failed",
        (libc::SIGSYS, 1) => "the sandbox refused a system call",
        (libc::SIGTRAP, _) => "a trap of the code",
        _ => "for a reason of the kernel's",
    }
}

macro_rules! names {
    ($($name:ident),* $(,)?) => {
        &[$((libc::$name, stringify!($name))),*]
    };
}

/// Those that the sandbox answers with a signal: `provider-shim/src/confine/seccomp/alarming.rs`.
const ALARMING: &[(i64, &str)] = names![
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_pidfd_getfd,
    SYS_process_madvise,
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsmount,
    SYS_mount_setattr,
    SYS_unshare,
    SYS_setns,
    SYS_open_by_handle_at,
    SYS_bpf,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_syslog,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_io_uring_setup,
];

/// The name of a system call, if it is one of those that end a process.
pub fn system_call_name(number: i64) -> Option<&'static str> {
    let (_, name) = ALARMING.iter().find(|(alarming, _)| *alarming == number)?;
    name.strip_prefix("SYS_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_names() {
        assert_eq!(signal_name(libc::SIGSEGV), "SIGSEGV");
        assert_eq!(signal_name(1234), "signal 1234");
        assert_eq!(system_call_name(libc::SYS_execve), Some("execve"));
        assert_eq!(system_call_name(-1), None);
        assert_eq!(why(libc::SIGABRT, -6), "the process aborted itself");
        assert_eq!(why(libc::SIGSEGV, 1), "nothing is mapped at the address");
    }
}
