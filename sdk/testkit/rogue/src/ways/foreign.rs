//! System calls by other doors: another machine's, an older machine's, and all that nobody has thought of.

use nix::errno::Errno;

use crate::Scene;
use crate::outcome::{Outcome, each, survived};
use crate::raw::{Tried, call};

/// The numbers of x32, where the kernel may look other calls up.
pub(crate) fn old_calls(_scene: &Scene<'_>) -> Outcome {
    const X32: i64 = 0x4000_0000;
    // x32's own numbers of calls whose arguments look different there.
    const X32_EXECVE: i64 = 520;
    const X32_PTRACE: i64 = 521;
    each([
        ("getpid", call(X32 | libc::SYS_getpid, [])),
        ("socket", call(X32 | libc::SYS_socket, [1, 1, 0])),
        ("ptrace", call(X32 | X32_PTRACE, [0, 0, 0, 0])),
        ("execve", call(X32 | X32_EXECVE, [0, 0, 0])),
        ("unshare", call(X32 | libc::SYS_unshare, [0])),
    ])
}

/// `getpid` as programs of 32 bits call it.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
pub(crate) fn foreign_calls(_scene: &Scene<'_>) -> Outcome {
    const I386_GETPID: u64 = 20;
    let answer: u64;
    // SAFETY: the call takes nothing and writes only to the registers that are named here.
    unsafe {
        std::arch::asm!(
            "int 0x80",
            inlateout("rax") I386_GETPID => answer,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
            options(nostack),
        );
    }
    survived("int 0x80", if answer < 1 << 22 { Ok(answer as usize) } else { Err(Errno::ENOSYS) })
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn foreign_calls(_scene: &Scene<'_>) -> Outcome {
    survived("none on this machine", Err(Errno::ENOSYS))
}

/// The page of calls at a fixed address. Its `time` is the call `time`, which is let through.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
pub(crate) fn legacy_page(_scene: &Scene<'_>) -> Outcome {
    const TIME: usize = 0xffff_ffff_ff60_0400;
    if !std::fs::read_to_string("/proc/self/maps").unwrap_or_default().contains("[vsyscall]") {
        return Outcome::Refused("the kernel has none".to_owned());
    }
    // SAFETY: the page is there, and holds this function at this address.
    let time: extern "C" fn(*mut i64) -> i64 = unsafe { std::mem::transmute(TIME) };
    if time(std::ptr::null_mut()) > 0 {
        Outcome::Bounded("it tells the time, and calls nothing that is refused".to_owned())
    } else {
        Outcome::Refused("it answered nothing".to_owned())
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn legacy_page(_scene: &Scene<'_>) -> Outcome {
    Outcome::Refused("none on this machine".to_owned())
}

/// Calls that the attempts above make, and which end the process.
const ALARMING: &[i64] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_madvise,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_bpf,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
];

/// Calls that are let through and whose use here would end this thread or process.
const ENDING: &[i64] = &[libc::SYS_exit, libc::SYS_exit_group, libc::SYS_rt_sigreturn, libc::SYS_set_tid_address];

/// Every number, with arguments that nothing can be done with: what is on no list answers that there is no such call.
pub(crate) fn every_other_call(_scene: &Scene<'_>) -> Outcome {
    const BEYOND_ALL: i64 = 1024;
    const NONSENSE: [usize; 6] = [usize::MAX; 6];
    let left_out = |number: &i64| !ALARMING.contains(number) && !ENDING.contains(number);
    let there = |number: &i64| {
        let tried: Tried = call(*number, NONSENSE);
        tried != Err(Errno::ENOSYS)
    };
    let known: Vec<i64> = (0..BEYOND_ALL).filter(left_out).filter(there).collect();
    let shown: Vec<String> = known.iter().map(ToString::to_string).collect();
    Outcome::Bounded(format!("{} numbers answer: {}", shown.len(), shown.join(" ")))
}
