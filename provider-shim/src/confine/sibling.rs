//! New processes beside this one: children of our parent, which is the host, as this one is.
#![allow(unsafe_code)]

use std::arch::asm;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::ptr;

use libc::clone_args;
use nix::errno::Errno;

/// Who goes on here.
pub(super) enum Child {
    /// The new process.
    Here,
    /// This one. The new process is another, with this handle.
    There(OwnedFd),
}

/// A child of our parent, with a copy of our memory. There is one thread only, so the copy is whole.
pub(super) fn copy() -> io::Result<Child> {
    let mut pidfd: RawFd = -1;
    let mut args = sibling(thread_id_place());
    args.flags |= libc::CLONE_PIDFD as u64;
    args.pidfd = (&raw mut pidfd) as u64;
    // SAFETY: without CLONE_VM the child has its own copy of everything, as after a fork; the place for the thread id,
    // if any, is the one the kernel was told of when this process began, and the one for the handle is ours.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<clone_args>()) };
    if Errno::result(pid)? == 0 {
        return Ok(Child::Here);
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(Child::There(unsafe { OwnedFd::from_raw_fd(pidfd) }))
}

/// Returns in a child of our parent, and this process has ended.
///
/// The child takes our memory over instead of a copy of it, so that no page has to be copied, neither now nor when it is
/// written to, and none is given back when this process ends: a fifth of all that confining it takes. It finds all as it
/// was, but for one thing: the C library's idea of the processor that this thread runs on stays what it is now, because
/// the kernel ends that registration (`rseq`). This thread runs nothing that wants to know. A second stack for signals
/// would be gone, too: it has none.
pub(super) fn go_on() -> io::Result<()> {
    let place = thread_id_place();
    let args = clone_args { flags: sibling(place).flags | libc::CLONE_VM as u64, ..sibling(place) };
    // This process must not clear the thread id when it ends: it is the child's by then.
    set_thread_id_place(0);
    // SAFETY: there is one thread only, and the arguments are those of `copy` but for CLONE_VM.
    let result = unsafe { clone_and_end(&args) };
    if result != 0 {
        set_thread_id_place(place.unwrap_or(0));
        return Err(io::Error::from_raw_os_error(i32::try_from(-result).unwrap_or(libc::EINVAL)));
    }
    Ok(())
}

/// What makes a sibling. The C library keeps the thread id in its memory, and would go on to use ours.
fn sibling(thread_id_place: Option<u64>) -> clone_args {
    // SAFETY: a `clone_args` of zeros is a good one.
    let mut args: clone_args = unsafe { std::mem::zeroed() };
    args.flags = libc::CLONE_PARENT as u64;
    if let Some(place) = thread_id_place {
        args.flags |= (libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID) as u64;
        args.child_tid = place;
    }
    args
}

/// Where the C library keeps the id of this thread: it told the kernel, so that it is cleared at the end.
fn thread_id_place() -> Option<u64> {
    let mut place: u64 = 0;
    // SAFETY: the kernel writes one address to where the argument points.
    let result = unsafe { libc::prctl(libc::PR_GET_TID_ADDRESS, &raw mut place) };
    (result == 0 && place != 0).then_some(place)
}

fn set_thread_id_place(place: u64) {
    // SAFETY: it is none, or the one that the kernel was told of when this process began.
    unsafe { libc::syscall(libc::SYS_set_tid_address, place) };
}

/// Clones, and ends the process that called. Returns 0 in the child, or an error's number, negated, where there is none.
///
/// # Safety
///
/// As for `clone3`, for a process of one thread. Both processes are at the same place of the same stack: so between the
/// two system calls there must be nothing that writes to memory, and there is nothing but these instructions.
#[cfg(target_arch = "x86_64")]
unsafe fn clone_and_end(args: &clone_args) -> isize {
    let result: isize;
    // SAFETY: the child finds all registers but the clobbered ones as they were, and the caller never comes back.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jle 2f",
            "xor edi, edi",
            "mov eax, {exit}",
            "syscall",
            "ud2",
            "2:",
            exit = const libc::SYS_exit_group,
            inlateout("rax") libc::SYS_clone3 as isize => result,
            in("rdi") ptr::from_ref(args),
            in("rsi") size_of::<clone_args>(),
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// As above.
///
/// # Safety
///
/// As above.
#[cfg(target_arch = "aarch64")]
unsafe fn clone_and_end(args: &clone_args) -> isize {
    let result: isize;
    // SAFETY: the child finds all registers but the first as they were, and the caller never comes back.
    unsafe {
        asm!(
            "svc #0",
            "cmp x0, #0",
            "b.le 2f",
            "mov x0, #0",
            "mov x8, #{exit}",
            "svc #0",
            "brk #1",
            "2:",
            exit = const libc::SYS_exit_group,
            in("x8") libc::SYS_clone3,
            inlateout("x0") ptr::from_ref(args) as isize => result,
            in("x1") size_of::<clone_args>(),
            options(nostack),
        );
    }
    result
}
