//! Ways to die, for the tests of crash reports. Each has a function of its own, whose name a backtrace is to show.
//!
//! | operation | outcome |
//! |---|---|
//! | `Die` | the payload says which: `segfault`, `stack_overflow`, `double_free`, `forbidden_call`, `fault_in_thread`, `overflow_in_thread` |
//! | `Say` | writes the payload, a text, to stdout, to stderr and to the log |
//! | `PanicInThread` | a thread panics; the provider goes on |
#![allow(unsafe_code, reason = "dying is what the tests ask for")]

use std::ffi::{c_long, c_void};
use std::hint::black_box;
use std::thread;

use cofferdam_provider::{Failure, Host, Level};

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn malloc(bytes: usize) -> *mut c_void;
    fn free(memory: *mut c_void);
}

/// Dies as `way` says.
pub(crate) fn die(way: &str) -> Result<(), Failure> {
    match way {
        "segfault" => outer_of_a_fault(),
        "stack_overflow" => {
            overflow_the_stack(0);
        }
        "double_free" => free_twice(),
        "forbidden_call" => call_what_is_forbidden(),
        "fault_in_thread" => in_thread(outer_of_a_fault),
        "overflow_in_thread" => in_thread(|| {
            overflow_the_stack(0);
        }),
        other => return Err(Failure::new(format!("no way to die: {other}"))),
    }
    Err(Failure::new(format!("{way} did not end the process")))
}

/// Writes the words wherever a provider can.
pub(crate) fn say(host: &Host, words: &str) {
    println!("{words}");
    eprintln!("{words}");
    host.log(Level::INFO, words);
}

/// The provider outlives this.
pub(crate) fn panic_in_thread() {
    let worker = thread::Builder::new().name("worker".to_owned()).spawn(|| panic!("asked to panic in a thread"));
    assert!(worker.expect("a thread can be started").join().is_err(), "it panicked");
}

fn in_thread(dying: impl FnOnce() + Send + 'static) {
    let worker = thread::Builder::new().name("worker".to_owned()).spawn(dying).expect("a thread can be started");
    // It does not come back.
    let _ = worker.join();
}

#[inline(never)]
fn outer_of_a_fault() {
    black_box(inner_of_a_fault(black_box(0x18)));
}

#[inline(never)]
fn inner_of_a_fault(address: usize) -> u64 {
    // SAFETY: none; the kernel ends the process.
    unsafe { black_box(address as *const u64).read_volatile() }
}

#[inline(never)]
#[allow(unconditional_recursion, reason = "that is the point")]
fn overflow_the_stack(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    overflow_the_stack(room[7] + 1) + black_box(room)[9]
}

#[inline(never)]
fn free_twice() {
    // SAFETY: none; the C library notices and aborts.
    unsafe {
        let memory = black_box(malloc(100));
        free(memory);
        free(black_box(memory));
    }
}

#[inline(never)]
fn call_what_is_forbidden() {
    #[cfg(target_arch = "x86_64")]
    const SYS_EXECVE: c_long = 59;
    #[cfg(target_arch = "aarch64")]
    const SYS_EXECVE: c_long = 221;
    // SAFETY: the sandbox ends the process; if it didn't, the call would fail for want of a path.
    black_box(unsafe { syscall(SYS_EXECVE, 0_usize, 0_usize, 0_usize) });
}
