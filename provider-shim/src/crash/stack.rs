//! A second stack for signals. Without one a stack that has overflowed has no room for the handler, and leaves no record.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ptr;

/// Room for the largest registers that the kernel saves there (11 KiB, with AMX), and for the handler. As little as that,
/// because each page of it is touched.
const BYTES: usize = 16 << 10;

/// Runs a thread with a second stack for signals. It lies where the thread's own stack begins, so it needs no memory of
/// its own, and is the last that an overflow could reach.
pub(crate) fn with_second_stack(run: &mut dyn FnMut()) {
    let mut room = [const { MaybeUninit::<u8>::uninit() }; BYTES];
    tell(libc::stack_t { ss_sp: room.as_mut_ptr().cast(), ss_flags: 0, ss_size: BYTES });
    let _room_is_ours = Told;
    run();
}

/// The kernel knows of a second stack, until this is dropped.
struct Told;

impl Drop for Told {
    fn drop(&mut self) {
        tell(libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 });
    }
}

/// When the kernel refuses, which is a matter of size only, there is no record of an overflow.
fn tell(stack: libc::stack_t) {
    // SAFETY: it is none, or room that this thread leaves only after it has told the kernel of none.
    unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) };
}
