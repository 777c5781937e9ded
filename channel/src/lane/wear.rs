//! Which slabs have been used, so that the memory of those that no call needs any more is given back. Who asks does so now and
//! then: what was not used since the last time is given back.

use std::sync::atomic::{AtomicU8, Ordering};

/// Lanes whose memory is kept: the lowest are claimed first.
const KEPT: usize = 4;

/// Nothing is in it.
const EMPTY: u8 = 0;
/// Nobody has used it since the last time.
const IDLE: u8 = 1;
const USED: u8 = 2;

/// Of each lane.
pub(super) struct Wear {
    lanes: Vec<AtomicU8>,
}

impl Wear {
    pub(super) fn new(lanes: usize) -> Self {
        Self { lanes: (0..lanes).map(|_| AtomicU8::new(EMPTY)).collect() }
    }

    /// A call uses it.
    pub(super) fn used(&self, lane: usize) {
        // Others look at their own beside it.
        if lane >= KEPT && self.lanes[lane].load(Ordering::Relaxed) != USED {
            self.lanes[lane].store(USED, Ordering::Relaxed);
        }
    }

    /// Gives back what nobody has used since the last time. `give_back` says whether it could: not while a call has the lane.
    pub(super) fn look(&self, mut give_back: impl FnMut(usize) -> bool) {
        for (lane, wear) in self.lanes.iter().enumerate() {
            match wear.load(Ordering::Relaxed) {
                USED => wear.store(IDLE, Ordering::Relaxed),
                IDLE if give_back(lane) => {
                    // Used again meanwhile, it stays so.
                    let _ = wear.compare_exchange(IDLE, EMPTY, Ordering::Relaxed, Ordering::Relaxed);
                }
                _ => {}
            }
        }
    }
}
