//! The handler of the signals by which faults end a process. It calls nothing but system calls, takes no memory and no
//! lock, and believes no pointer: what it reads, it has the kernel copy.
//!
//! The first thread to fault writes the record; others wait for it. Then the signal gets whatever it had before: the
//! host is to see by which signal the process really ended.
//!
//! Threads of the shim that run foreign code have a second stack (`stack.rs`). Those that a library starts by itself may
//! have none: when such a thread's stack overflows, there is no place to run the handler, and no record.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use cofferdam_channel::protocol::crash::{
    END, FAULT, FAULT_BYTES, Fault, MODULE, MODULE_PATH_BYTES_MAX, PART_BYTES, STACK, STACK_PIECE_BYTES,
    STACK_PIECES_MAX,
};
use cofferdam_channel::protocol::limits::MODULES_MAX;
use nix::errno::Errno;

use super::memory;
use crate::fault::ShimFault;

/// What is watched.
const SIGNALS: [c_int; 7] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT, libc::SIGSYS, libc::SIGTRAP];

/// What the signals had before.
static BEFORE: OnceLock<[libc::sigaction; SIGNALS.len()]> = OnceLock::new();

/// Where the record goes.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// The dynamic linker's list of what is loaded.
static LINKER: AtomicU64 = AtomicU64::new(0);

static STATE: AtomicU32 = AtomicU32::new(IDLE);
const IDLE: u32 = 0;
const RECORDING: u32 = 1;
const RECORDED: u32 = 2;

/// The thread that writes the record.
static RECORDER: AtomicI32 = AtomicI32::new(0);

/// How long other threads wait for it: so often, so many nanoseconds.
const WAITS_MAX: u32 = 100;
const WAIT_NS: i64 = 5_000_000;

const PAGE_BYTES: u64 = 4096;

/// Where parts are put together: the stack that the handler runs on is small.
struct Desk(UnsafeCell<[u8; 2048]>);

// SAFETY: only the thread that moved `STATE` from `IDLE` uses it.
unsafe impl Sync for Desk {}

static DESK: Desk = Desk(UnsafeCell::new([0; 2048]));

/// From now on a signal that ends this process leaves a record in `pipe`.
pub(crate) fn watch(pipe: &OwnedFd) -> Result<(), ShimFault> {
    // It stays open as long as the process lives, at a number of its own.
    let pipe = pipe.try_clone().map_err(ShimFault::Inherit)?;
    PIPE.store(pipe.as_raw_fd(), Ordering::Release);
    std::mem::forget(pipe);
    memory::prepare().map_err(ShimFault::Inherit)?;
    // SAFETY: the name ends with a zero. What is found is only read by the kernel's hand.
    let linker = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_r_debug".as_ptr()) };
    LINKER.store(linker as u64, Ordering::Release);
    // SAFETY: a `sigaction` of zeros is a good one.
    let mut ours: libc::sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_signal;
    ours.sa_sigaction = handler as usize;
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    let mut before = [ours; SIGNALS.len()];
    for signal in SIGNALS {
        // SAFETY: the set is ours.
        unsafe { libc::sigaddset(&raw mut ours.sa_mask, signal) };
    }
    for (signal, before) in SIGNALS.into_iter().zip(&mut before) {
        // SAFETY: the handler has the form that `SA_SIGINFO` asks for, and lives for ever.
        let result = unsafe { libc::sigaction(signal, &raw const ours, before) };
        Errno::result(result).map_err(|errno| ShimFault::Inherit(errno.into()))?;
    }
    // Set once, here.
    let _ = BEFORE.set(before);
    Ok(())
}

extern "C" fn on_signal(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes both, and they live until we return.
    let (info, context) = unsafe { (&*info, &*context.cast::<libc::ucontext_t>()) };
    if STATE.compare_exchange(IDLE, RECORDING, Ordering::AcqRel, Ordering::Acquire).is_ok() {
        RECORDER.store(thread_id(), Ordering::Release);
        record(&fault(info, context));
        STATE.store(RECORDED, Ordering::Release);
    } else {
        wait_for_the_recorder();
    }
    hand_on(signal, info);
}

/// Gives the signal what it had before, and sends it again where returning would not bring it back.
fn hand_on(signal: c_int, info: &libc::siginfo_t) {
    // SAFETY: a `sigaction` of zeros is the default one.
    let default: libc::sigaction = unsafe { std::mem::zeroed() };
    let faulted = info.si_code > 0 && !matches!(signal, libc::SIGSYS | libc::SIGTRAP);
    let at = SIGNALS.iter().position(|watched| *watched == signal);
    // Whatever was there before expects a real fault.
    let next = BEFORE.get().zip(at).and_then(|(before, at)| before.get(at)).filter(|_| faulted).unwrap_or(&default);
    // SAFETY: it takes what the system gave, or the default.
    unsafe { libc::sigaction(signal, next, std::ptr::null_mut()) };
    if !faulted {
        // Blocked until we return.
        // SAFETY: it takes numbers only.
        unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread_id(), signal) };
    }
}

fn wait_for_the_recorder() {
    let pause = libc::timespec { tv_sec: 0, tv_nsec: WAIT_NS };
    for _ in 0..WAITS_MAX {
        let over = STATE.load(Ordering::Acquire) != RECORDING;
        if over || RECORDER.load(Ordering::Acquire) == thread_id() {
            return;
        }
        // SAFETY: the time is ours.
        unsafe { libc::nanosleep(&raw const pause, std::ptr::null_mut()) };
    }
}

fn thread_id() -> i32 {
    // SAFETY: it takes nothing. Thread ids are `int`.
    unsafe { libc::syscall(libc::SYS_gettid) as i32 }
}

fn fault(info: &libc::siginfo_t, context: &libc::ucontext_t) -> Fault {
    let mut thread_name = [0; 16];
    // SAFETY: the kernel writes up to 16 bytes.
    unsafe { libc::prctl(libc::PR_GET_NAME, thread_name.as_mut_ptr()) };
    let is_about_a_call = info.si_signo == libc::SIGSYS && info.si_code > 0;
    Fault {
        signal: info.si_signo.cast_unsigned(),
        code: info.si_code,
        address: if info.si_code > 0 { address(info) } else { 0 },
        system_call: if is_about_a_call { system_call(info) } else { -1 },
        thread: thread_id().cast_unsigned(),
        thread_name,
        ..registers(context)
    }
}

fn address(info: &libc::siginfo_t) -> u64 {
    // SAFETY: whatever lies there is a number.
    let address = unsafe { info.si_addr() };
    address as u64
}

/// `si_syscall`, which lies behind `si_call_addr`, which lies where `si_addr` does.
fn system_call(info: &libc::siginfo_t) -> i64 {
    const AT: usize = 16 + 8;
    // SAFETY: a `siginfo_t` has 128 bytes, whatever it is about.
    i64::from(unsafe { std::ptr::from_ref(info).cast::<u8>().add(AT).cast::<i32>().read_unaligned() })
}

#[cfg(target_arch = "x86_64")]
fn registers(context: &libc::ucontext_t) -> Fault {
    const X86_64: u32 = 62;
    let register = |name: c_int| context.uc_mcontext.gregs[name as usize].cast_unsigned();
    let (pc, sp, fp) = (register(libc::REG_RIP), register(libc::REG_RSP), register(libc::REG_RBP));
    Fault { machine: X86_64, pc, sp, fp, ..Fault::default() }
}

#[cfg(target_arch = "aarch64")]
fn registers(context: &libc::ucontext_t) -> Fault {
    const AARCH64: u32 = 183;
    let libc::mcontext_t { pc, sp, regs, .. } = &context.uc_mcontext;
    Fault { machine: AARCH64, pc: *pc, sp: *sp, fp: regs[29], lr: regs[30], ..Fault::default() }
}

/// Writes the record. What doesn't fit into the pipe is left out.
fn record(fault: &Fault) {
    // SAFETY: this thread moved `STATE`, so it is the only one.
    let desk = unsafe { &mut *DESK.0.get() };
    desk[PART_BYTES..PART_BYTES + FAULT_BYTES].copy_from_slice(&fault.to_bytes());
    if write_part(desk, FAULT, FAULT_BYTES) && write_modules(desk) && write_stack(desk, fault.sp) {
        write_part(desk, END, 0);
    }
}

/// Goes along the dynamic linker's list, which a library may have destroyed.
fn write_modules(desk: &mut [u8; 2048]) -> bool {
    // `struct r_debug` of `link.h`: a version, then the list. `struct link_map`: base, name, section, next.
    let mut next = memory::word(LINKER.load(Ordering::Acquire).wrapping_add(8)).unwrap_or(0);
    for _ in 0..MODULES_MAX {
        let field = |at: u64| memory::word(next.wrapping_add(at));
        let (Some(base), Some(name), Some(following)) = (field(0), field(8), field(24)) else { break };
        const PATH_AT: usize = PART_BYTES + 8;
        desk[PART_BYTES..PATH_AT].copy_from_slice(&base.to_le_bytes());
        let length = memory::copy_text(name, &mut desk[PATH_AT..PATH_AT + MODULE_PATH_BYTES_MAX]);
        if !write_part(desk, MODULE, 8 + length) {
            return false;
        }
        next = following;
    }
    true
}

/// From the stack pointer to the stack's other end, or as far as there is room.
fn write_stack(desk: &mut [u8; 2048], sp: u64) -> bool {
    const BYTES_AT: usize = PART_BYTES + 8;
    const SKIPPED_MAX: u32 = 16;
    let (mut address, mut skipped, mut written) = (sp, 0, 0);
    while written < STACK_PIECES_MAX {
        // Never over the end of a page that is there into one that is not.
        let until_page = (PAGE_BYTES - address % PAGE_BYTES) as usize;
        let wanted = until_page.min(STACK_PIECE_BYTES);
        if memory::copy(address, &mut desk[BYTES_AT..BYTES_AT + wanted]) {
            desk[PART_BYTES..BYTES_AT].copy_from_slice(&address.to_le_bytes());
            if !write_part(desk, STACK, 8 + wanted) {
                return false;
            }
            written += 1;
        } else if written == 0 && skipped < SKIPPED_MAX {
            // The stack has overflowed: what is there of it lies above.
            skipped += 1;
        } else {
            break;
        }
        address = address.wrapping_add(wanted as u64);
    }
    true
}

/// Writes one part, whose body lies on the desk already.
fn write_part(desk: &mut [u8; 2048], kind: u32, length: usize) -> bool {
    desk[..4].copy_from_slice(&kind.to_le_bytes());
    desk[4..PART_BYTES].copy_from_slice(&(length as u32).to_le_bytes());
    let bytes = PART_BYTES + length;
    // SAFETY: as many bytes lie on the desk: no part is longer than it.
    let written = unsafe { libc::write(PIPE.load(Ordering::Acquire), desk.as_ptr().cast(), bytes) };
    usize::try_from(written) == Ok(bytes)
}
