//! Getting a caller and its callee apart when they share a processor. The kernel often lets them: each wakes the other on its
//! own processor, because that one sleeps next. Then every call is two switches, ten times what it takes when each has a
//! processor and looks.
//!
//! The caller moves away, and asks. The kernel may leave the callee where it was, or fetch it after the caller; then it does
//! not take the call while the caller looks, and the caller moves on. The callee is told that the caller is elsewhere, so
//! that it looks for the next call where it is, and is not fetched again.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use nix::sched::{sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::processor::processor;
use crate::Deadline;
use crate::patience::WAKE;

/// So many calls in a row on one processor say that it is not chance.
const TOGETHER_MIN: u32 = 32;
/// Each split that comes to nothing makes the next one wait twice as long, up to this.
const TOGETHER_MAX: u32 = 1 << 16;

/// What is remembered of one client's calls.
pub(super) struct Splitting {
    together: AtomicU32,
    enough: AtomicU32,
    /// The caller has moved away, and is to move back.
    moving: AtomicBool,
}

impl Default for Splitting {
    fn default() -> Self {
        Self { together: AtomicU32::new(0), enough: AtomicU32::new(TOGETHER_MIN), moving: AtomicBool::new(false) }
    }
}

impl Splitting {
    /// A call was answered from another processor.
    pub(super) fn apart(&self) {
        if self.together.load(Ordering::Relaxed) != 0 {
            self.together.store(0, Ordering::Relaxed);
        }
        // What was worth it once is so again.
        if self.enough.load(Ordering::Relaxed) != TOGETHER_MIN {
            self.enough.store(TOGETHER_MIN, Ordering::Relaxed);
        }
    }

    /// A call was answered on this very processor: after enough of them this thread goes to another one. Says whether it
    /// does.
    pub(super) fn together(&self) -> bool {
        let together = self.together.load(Ordering::Relaxed) + 1;
        let enough = self.enough.load(Ordering::Relaxed);
        if together < enough {
            self.together.store(together, Ordering::Relaxed);
            return false;
        }
        self.together.store(0, Ordering::Relaxed);
        self.enough.store((enough * 2).min(TOGETHER_MAX), Ordering::Relaxed);
        self.moving.store(true, Ordering::Relaxed);
        leave_processor();
        true
    }

    /// Whether the caller is about to move.
    pub(super) fn is_moving(&self) -> bool {
        self.moving.load(Ordering::Relaxed)
    }

    /// The callee has been woken. If we have just moved, and it does not take the call, it is behind us on this processor,
    /// where the kernel has fetched it: then we move on.
    pub(super) fn asked(&self, is_taken: impl Fn() -> bool) {
        if !self.is_moving() || !self.moving.swap(false, Ordering::Relaxed) {
            return;
        }
        let until = Deadline::after(WAKE);
        while !until.expired() {
            if is_taken() {
                return;
            }
            std::hint::spin_loop();
        }
        leave_processor();
    }
}

/// Moves this thread to another processor that it may use, if there is one. It may come back at any time.
fn leave_processor() {
    let this = Pid::from_raw(0);
    let (Ok(all), Some(own)) = (sched_getaffinity(this), processor()) else { return };
    let mut others = all;
    // Where there is no other, the kernel refuses the empty set, and nothing has happened.
    if others.unset(own as usize).is_ok() && sched_setaffinity(this, &others).is_ok() {
        // It was allowed a moment ago. If it is no more, somebody has taken the processor away.
        let _ = sched_setaffinity(this, &all);
    }
}

#[cfg(test)]
mod tests {
    use nix::sched::CpuSet;

    use super::*;

    fn processors() -> usize {
        let all = sched_getaffinity(Pid::from_raw(0)).unwrap();
        (0..CpuSet::count()).filter(|processor| all.is_set(*processor).unwrap()).count()
    }

    #[test]
    fn the_thread_moves_and_may_run_where_it_could() {
        let before = (processors(), processor());
        leave_processor();
        assert_eq!(processors(), before.0);
        if before.0 == 1 {
            assert_eq!(processor(), before.1, "there is no other");
        }
    }

    #[test]
    fn it_is_tried_ever_more_rarely() {
        let splitting = Splitting::default();
        let mut splits = 0;
        for _ in 0..TOGETHER_MIN * 15 {
            splits += u32::from(splitting.together());
        }
        assert_eq!(splits, 4, "after 32, 64, 128 and 256 more");
    }
}
