//! What the asking end notes of each lane for itself: the peer could change what lies in the lane.

use std::sync::atomic::{AtomicU64, Ordering};

use cofferdam_protocol::call::CallId;

use crate::Deadline;

/// Of each lane.
pub(super) struct Notes {
    lanes: Vec<Note>,
}

/// Of one, which whoever has the lane writes. Apart from the next, which another thread writes.
#[repr(align(64))]
#[derive(Default)]
struct Note {
    /// When the caller stops waiting, or has stopped. 0 while the lane is free.
    deadline: AtomicU64,
    /// Calls that were made in it.
    calls: AtomicU64,
}

impl Notes {
    pub(super) fn new(lanes: usize) -> Self {
        Self { lanes: (0..lanes).map(|_| Note::default()).collect() }
    }

    /// Whoever has the lane begins a call. Its number is that of no other call of any lane.
    pub(super) fn begin(&self, lane: usize, deadline: Deadline) -> CallId {
        let (note, lanes) = (&self.lanes[lane], self.lanes.len() as u64);
        note.deadline.store(deadline.as_monotonic_ns(), Ordering::Relaxed);
        let calls = note.calls.load(Ordering::Relaxed);
        note.calls.store(calls + 1, Ordering::Relaxed);
        calls * lanes + lane as u64 + 1
    }

    /// Nobody's call is in the lane.
    pub(super) fn free(&self, lane: usize) {
        self.lanes[lane].deadline.store(0, Ordering::Relaxed);
    }

    /// By lane: when its caller stops waiting, or has stopped. 0 for one that is free.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = u64> {
        self.lanes.iter().map(|note| note.deadline.load(Ordering::Relaxed))
    }

    /// How many calls were to be over at a moment, and are not.
    pub(super) fn overdue(&self, moment: Deadline) -> usize {
        self.deadlines().filter(|deadline| (1..moment.as_monotonic_ns()).contains(deadline)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_calls_have_one_number() {
        let notes = Notes::new(3);
        let numbers = [0, 1, 2, 1, 0, 1].map(|lane| notes.begin(lane, Deadline::NEVER));
        assert_eq!(numbers, [1, 2, 3, 5, 4, 8]);
    }

    #[test]
    fn who_is_late_is_counted_until_the_lane_is_free() {
        let notes = Notes::new(2);
        let deadline = |ns| Deadline::from_monotonic_ns(ns);
        notes.begin(0, deadline(5));
        notes.begin(1, deadline(9));
        assert_eq!([5, 6, 10].map(|at| notes.overdue(deadline(at))), [0, 1, 2]);
        notes.free(0);
        assert_eq!(notes.overdue(deadline(10)), 1);
    }
}
