//! Ways to die, and what only C can do wrong. Each is a function of its own, whose name a backtrace is to show.
#![allow(unsafe_code, reason = "dying is what the tests ask for")]

use std::hint::black_box;

/// Reads where nothing is.
#[inline(never)]
pub fn segfault() -> ! {
    let found = black_box(read_at(black_box(0x18)));
    panic!("there is something at address 0x18: {found}")
}

#[inline(never)]
fn read_at(address: usize) -> u64 {
    // SAFETY: none; the kernel ends the process.
    unsafe { black_box(std::ptr::without_provenance::<u64>(address)).read_volatile() }
}

/// Recurses without end.
#[inline(never)]
#[allow(unconditional_recursion, reason = "that is the point")]
pub fn overflow_the_stack(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    overflow_the_stack(room[7] + 1) + black_box(room)[9]
}

/// Frees memory twice, which the C library notices.
#[inline(never)]
pub fn free_twice() -> String {
    // SAFETY: none; the C library aborts.
    unsafe {
        let memory = black_box(libc::malloc(100));
        libc::free(memory);
        libc::free(black_box(memory));
    }
    "the C library did not notice".to_owned()
}

/// Executes nothing: the sandbox ends the process for the attempt, and without it the call fails for want of a path.
#[inline(never)]
pub fn call_what_is_forbidden() -> String {
    // SAFETY: an `execve` of nothing fails.
    let answer = black_box(unsafe { libc::syscall(libc::SYS_execve, 0_usize, 0_usize, 0_usize) });
    format!("execve answered {answer}")
}

/// How the system refuses another process; an error if it does not. The other one ends at once.
pub(crate) fn fork() -> Result<String, String> {
    // SAFETY: the child calls only `_exit`.
    match unsafe { libc::fork() } {
        -1 => Ok(std::io::Error::last_os_error().to_string()),
        // SAFETY: it takes nothing and never returns.
        0 => unsafe { libc::_exit(0) },
        _ => Err("there are two of us".to_owned()),
    }
}
