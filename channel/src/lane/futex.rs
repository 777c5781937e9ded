//! Words in shared memory, and sleeping on them by the kernel's futex: shared ones, because the other side is another
//! process.
#![allow(unsafe_code)]

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use nix::libc;

use super::word::{Fence, Word};
use crate::Deadline;

/// A word that both sides see.
#[repr(transparent)]
pub(super) struct SharedWord(AtomicU32);

impl SharedWord {
    /// Of mapped memory.
    ///
    /// # Safety
    ///
    /// `place` is a multiple of 4, lies in memory that is mapped for `'a`, and is used by atomic accesses alone.
    pub(super) unsafe fn at<'a>(place: *mut u8) -> &'a Self {
        // SAFETY: by the promise above; the layout is that of `u32`.
        unsafe { &*place.cast::<Self>() }
    }

    fn futex(&self, operation: libc::c_int, value: u32, until: *const libc::timespec) {
        // SAFETY: the address is that of a live word. What the kernel answers is of no use: the word is looked at again.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                operation,
                value,
                until,
                ptr::null::<u32>(),
                libc::FUTEX_BITSET_MATCH_ANY,
            );
        }
    }
}

impl Word for SharedWord {
    fn load(&self, order: Ordering) -> u32 {
        self.0.load(order)
    }

    fn store(&self, value: u32, order: Ordering) {
        self.0.store(value, order);
    }

    fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.0.swap(value, order)
    }

    fn fetch_or(&self, bits: u32, order: Ordering) -> u32 {
        self.0.fetch_or(bits, order)
    }

    fn fetch_and(&self, bits: u32, order: Ordering) -> u32 {
        self.0.fetch_and(bits, order)
    }

    fn sleep(&self, value: u32, deadline: Deadline) {
        // Of the clock that deadlines are of, and not how long.
        let ns = deadline.as_monotonic_ns();
        let until = libc::timespec {
            tv_sec: i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: (ns % 1_000_000_000) as i64,
        };
        let until = if deadline == Deadline::NEVER { ptr::null() } else { &raw const until };
        self.futex(libc::FUTEX_WAIT_BITSET, value, until);
    }

    fn wake(&self) {
        self.futex(libc::FUTEX_WAKE, i32::MAX.cast_unsigned(), ptr::null());
    }
}

/// The processor's.
pub(super) struct RealFence;

impl Fence for RealFence {
    fn full() {
        fence(Ordering::SeqCst);
    }
}
