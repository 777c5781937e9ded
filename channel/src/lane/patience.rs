//! How a caller waits for its answer. Each step costs more than the one before it, and saves more if it is in vain:
//!
//! 1. it looks, for as long as a short call takes, where the callee last ran on another processor: on this one it can't run
//!    while we look;
//! 2. it lets others run once, where other calls are in flight: one of them may be the callee's;
//! 3. it sleeps.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sched::sched_getcpu;

use crate::Deadline;

/// About what a short call takes.
const SHORT: Duration = Duration::from_micros(4);
/// What being woken on another processor takes, where that one slept.
const LONG: Duration = Duration::from_micros(100);
/// Looks in vain before one in `2^VAIN_MAX` waits is all that is left.
const VAIN_MAX: u32 = 8;
/// Between two looks at the clock.
const PAUSES: u32 = 16;

/// What all callers of one client have found looking worth.
#[derive(Default)]
pub(super) struct Patience {
    vain: AtomicU32,
    skip: AtomicU32,
}

impl Patience {
    /// What was found does not count any more: the other side is elsewhere now.
    pub(super) fn begin_anew(&self) {
        self.vain.store(0, Ordering::Relaxed);
        self.skip.store(0, Ordering::Relaxed);
    }

    /// Looks for a while. False when that was in vain.
    pub(super) fn look(&self, mut is_there: impl FnMut() -> bool) -> bool {
        let skip = self.skip.load(Ordering::Relaxed);
        let time = if skip == 0 { LONG } else { SHORT };
        if skip > 0 {
            self.skip.store(skip - 1, Ordering::Relaxed);
        }
        let until = Deadline::after(time);
        loop {
            for _ in 0..PAUSES {
                if is_there() {
                    self.vain.store(0, Ordering::Relaxed);
                    return true;
                }
                std::hint::spin_loop();
            }
            if until.expired() {
                break;
            }
        }
        if skip == 0 {
            let vain = (self.vain.load(Ordering::Relaxed) + 1).min(VAIN_MAX);
            self.vain.store(vain, Ordering::Relaxed);
            self.skip.store((1 << vain) - 1, Ordering::Relaxed);
        }
        false
    }
}

/// The one that this thread runs on, and may leave at any moment.
pub(super) fn processor() -> Option<u32> {
    sched_getcpu().ok().and_then(|processor| u32::try_from(processor).ok())
}
