//! Seeing, signalling, reading and making processes.

use std::ffi::CStr;

use libc::{O_DIRECTORY, O_RDONLY, O_RDWR, SIGKILL};

use super::descriptors::sealed;
use crate::Scene;
use crate::outcome::{Outcome, each, survived};
use crate::raw::{HERE, Tried, at, call, int, of, opens, pid};

/// The first process of its own namespace.
const INIT: usize = 1;

pub(crate) fn list(scene: &Scene<'_>) -> Outcome {
    let looks = |path: &CStr| {
        let mut facts = [0_u64; 32];
        call(libc::SYS_newfstatat, [HERE, at(path), facts.as_mut_ptr() as usize, 0])
    };
    let host = super::path(format!("/proc/{}", scene.outside.host_pid));
    each([
        ("/proc", opens(c"/proc", O_RDONLY | O_DIRECTORY)),
        ("the host's", looks(&host)),
        ("the parent", call(libc::SYS_getppid, [])),
        ("the system's load", opens(c"/proc/loadavg", O_RDONLY)),
    ])
}

pub(crate) fn read_init(_scene: &Scene<'_>) -> Outcome {
    let of_init = [c"/proc/1/root", c"/proc/1/environ", c"/proc/1/fd", c"/proc/1/mem", c"/proc/1/cmdline"];
    each(of_init.map(|path| (path.to_string_lossy(), opens(path, O_RDONLY))))
}

/// All ways to send a signal to one process.
fn signals(process: usize) -> [(&'static str, Tried); 5] {
    let (signal, info) = (int(SIGKILL), [0_u64; 16]);
    [
        ("kill", call(libc::SYS_kill, [process, signal])),
        ("tkill", call(libc::SYS_tkill, [process, signal])),
        ("tgkill", call(libc::SYS_tgkill, [process, process, signal])),
        ("rt_sigqueueinfo", call(libc::SYS_rt_sigqueueinfo, [process, signal, of(&info)])),
        ("rt_tgsigqueueinfo", call(libc::SYS_rt_tgsigqueueinfo, [process, process, signal, of(&info)])),
    ]
}

pub(crate) fn signal_host(scene: &Scene<'_>) -> Outcome {
    each(signals(pid(scene.outside.host_pid)))
}

/// The whole group, and everybody. With signal 0, which only asks: this process is one of them.
pub(crate) fn signal_all(_scene: &Scene<'_>) -> Outcome {
    each([("kill(0)", call(libc::SYS_kill, [0, 0])), ("kill(-1)", call(libc::SYS_kill, [int(-1), 0]))])
}

pub(crate) fn signal_init(_scene: &Scene<'_>) -> Outcome {
    each(signals(INIT))
}

pub(crate) fn signal_by_handle(scene: &Scene<'_>) -> Outcome {
    let host = pid(scene.outside.host_pid);
    each([
        ("pidfd_open of the host", call(libc::SYS_pidfd_open, [host, 0])),
        ("pidfd_open of init", call(libc::SYS_pidfd_open, [INIT, 0])),
        ("pidfd_send_signal", call(libc::SYS_pidfd_send_signal, [0, int(SIGKILL), 0, 0])),
    ])
}

/// A descriptor sends signals to its owner when something can be read from it.
pub(crate) fn signal_by_owner(scene: &Scene<'_>) -> Outcome {
    // Constants of `asm-generic/fcntl.h` and `sockios.h` that not every C library names.
    const F_SETSIG: i32 = 10;
    const F_SETOWN_EX: i32 = 15;
    const FIOSETOWN: usize = 0x8901;
    const SIOCSPGRP: usize = 0x8902;
    let host = pid(scene.outside.host_pid);
    let (socket, kind_and_pid) = (0, [1_u32, scene.outside.host_pid]);
    each([
        ("F_SETOWN", call(libc::SYS_fcntl, [socket, int(libc::F_SETOWN), host])),
        ("F_SETOWN_EX", call(libc::SYS_fcntl, [socket, int(F_SETOWN_EX), of(&kind_and_pid)])),
        ("F_SETSIG", call(libc::SYS_fcntl, [socket, int(F_SETSIG), int(SIGKILL)])),
        ("F_NOTIFY", call(libc::SYS_fcntl, [socket, int(libc::F_NOTIFY), 1])),
        ("F_SETLEASE", call(libc::SYS_fcntl, [socket, int(libc::F_SETLEASE), 0])),
        ("FIOSETOWN", call(libc::SYS_ioctl, [socket, FIOSETOWN, of(&scene.outside.host_pid)])),
        ("SIOCSPGRP", call(libc::SYS_ioctl, [socket, SIOCSPGRP, of(&scene.outside.host_pid)])),
        ("FIOASYNC", call(libc::SYS_ioctl, [socket, libc::FIOASYNC as usize, of(&1_i32)])),
        ("timer_create", call(libc::SYS_timer_create, [0, 0, of(&0_u64)])),
    ])
}

pub(crate) fn ptrace(scene: &Scene<'_>) -> Outcome {
    survived("ptrace", call(libc::SYS_ptrace, [libc::PTRACE_ATTACH as usize, pid(scene.outside.host_pid), 0, 0]))
}

pub(crate) fn read_process(_scene: &Scene<'_>) -> Outcome {
    survived("process_vm_readv", call(libc::SYS_process_vm_readv, [INIT, 0, 0, 0, 0, 0]))
}

pub(crate) fn write_process(scene: &Scene<'_>) -> Outcome {
    survived("process_vm_writev", call(libc::SYS_process_vm_writev, [pid(scene.outside.host_pid), 0, 0, 0, 0, 0]))
}

pub(crate) fn advise_process(_scene: &Scene<'_>) -> Outcome {
    survived("process_madvise", call(libc::SYS_process_madvise, [0, 0, 0, 0, 0]))
}

/// Through `/proc`, even code that is not writable can be written.
pub(crate) fn write_own_memory(_scene: &Scene<'_>) -> Outcome {
    each(
        [c"/proc/self/mem", c"/proc/thread-self/mem", c"/proc/self/task/2/mem"]
            .map(|path| (path.to_string_lossy(), opens(path, O_RDWR))),
    )
}

/// A child of ours must not go on in our place.
fn end_if_child(made: Tried) -> Tried {
    if made == Ok(0) {
        let _ = call(libc::SYS_exit_group, [0]);
    }
    made
}

pub(crate) fn fork(_scene: &Scene<'_>) -> Outcome {
    #[cfg(target_arch = "x86_64")]
    let ways = [
        ("fork", end_if_child(call(libc::SYS_fork, []))),
        ("vfork", end_if_child(call(libc::SYS_vfork, []))),
        ("clone3", clone3(0)),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let ways = [("clone3", clone3(0))];
    each(ways)
}

fn clone3(flags: u64) -> Tried {
    // `struct clone_args`: flags first, the signal at its end fifth.
    let arguments: [u64; 11] = [flags, 0, 0, 0, libc::SIGCHLD as u64, 0, 0, 0, 0, 0, 0];
    end_if_child(call(libc::SYS_clone3, [of(&arguments), size_of_val(&arguments)]))
}

fn clone(flags: i32) -> Tried {
    end_if_child(call(libc::SYS_clone, [flags as u32 as usize, 0, 0, 0, 0]))
}

pub(crate) fn clone_process(_scene: &Scene<'_>) -> Outcome {
    each([
        ("clone", clone(libc::SIGCHLD)),
        ("clone(CLONE_PARENT)", clone(libc::SIGCHLD | libc::CLONE_PARENT)),
        ("clone(CLONE_VFORK)", clone(libc::SIGCHLD | libc::CLONE_VFORK)),
        ("clone3(CLONE_PARENT)", clone3(libc::CLONE_PARENT as u64)),
    ])
}

const THREAD: i32 = libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_SIGHAND;

/// Threads with descriptors of their own would have as many times their limit. Such a thread would run on our stack, so
/// it is asked for with two flags that go together for no kernel: where it says `EINVAL`, the filter has let it through.
pub(crate) fn clone_apart(_scene: &Scene<'_>) -> Outcome {
    const INVALID: i32 = libc::CLONE_PIDFD | libc::CLONE_PARENT_SETTID;
    each([
        ("without CLONE_FILES", clone(THREAD | libc::CLONE_FS | INVALID)),
        ("without CLONE_FS", clone(THREAD | libc::CLONE_FILES | INVALID)),
        ("without CLONE_SIGHAND", clone(libc::CLONE_THREAD | libc::CLONE_VM | INVALID)),
    ])
}

pub(crate) fn clone_namespace(_scene: &Scene<'_>) -> Outcome {
    let shared = THREAD | libc::CLONE_FILES | libc::CLONE_FS;
    each([
        ("clone(CLONE_NEWUSER)", clone(libc::SIGCHLD | libc::CLONE_NEWUSER)),
        ("clone(CLONE_THREAD | CLONE_NEWUSER)", clone(shared | libc::CLONE_NEWUSER)),
        ("clone(CLONE_THREAD | CLONE_NEWNET)", clone(shared | libc::CLONE_NEWNET | libc::CLONE_NEWUSER)),
    ])
}

pub(crate) fn execute(_scene: &Scene<'_>) -> Outcome {
    survived("execve", call(libc::SYS_execve, [at(c"/proc/self/exe"), 0, 0]))
}

pub(crate) fn execute_descriptor(_scene: &Scene<'_>) -> Outcome {
    let library = sealed().first().copied().unwrap_or(0);
    survived("execveat", call(libc::SYS_execveat, [library, at(c""), 0, 0, int(libc::AT_EMPTY_PATH)]))
}

/// Whoever leaves the group of its processes is not ended with it.
pub(crate) fn leave_group(_scene: &Scene<'_>) -> Outcome {
    each([("setsid", call(libc::SYS_setsid, [])), ("setpgid", call(libc::SYS_setpgid, [0, 0]))])
}

pub(crate) fn outlive_host(_scene: &Scene<'_>) -> Outcome {
    let prctl = |option: i32, value: usize| call(libc::SYS_prctl, [int(option), value, 0, 0, 0]);
    each([
        ("PR_SET_PDEATHSIG", prctl(libc::PR_SET_PDEATHSIG, 0)),
        ("PR_SET_CHILD_SUBREAPER", prctl(libc::PR_SET_CHILD_SUBREAPER, 1)),
    ])
}

/// Does something while nobody hears of `SIGSYS`.
#[allow(unsafe_code)]
fn with_handler(act: impl FnOnce() -> Tried) -> Tried {
    extern "C" fn nothing(_signal: libc::c_int) {}
    // SAFETY: actions of zeros are good ones, and the handler does nothing.
    unsafe {
        let (mut ours, mut before): (libc::sigaction, libc::sigaction) = std::mem::zeroed();
        ours.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
        libc::sigaction(libc::SIGSYS, &raw const ours, &raw mut before);
        let tried = act();
        libc::sigaction(libc::SIGSYS, &raw const before, std::ptr::null_mut());
        tried
    }
}

/// An alarming call ends the process by a signal; whoever handled it could go on trying.
pub(crate) fn catch_alarm(_scene: &Scene<'_>) -> Outcome {
    let caught = with_handler(|| call(libc::SYS_ptrace, [libc::PTRACE_TRACEME as usize, 0, 0, 0]));
    match caught {
        // The kernel leaves the number where the answer would be.
        Ok(answer) if answer == libc::SYS_ptrace as usize => {
            Outcome::Bounded("this process lives on, and the call was not made".to_owned())
        }
        other => survived("ptrace", other),
    }
}
