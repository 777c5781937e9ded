//! Calls that end without an answer: their callers leave, the callee breaks a rule, or the connection is over. And the lanes that
//! were left, when they come back.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{LaneClient, Lanes};
use crate::lane::futex::RealFence;
use crate::lane::word::{self, Progress};
use crate::{Broken, CallFailure, Outgoing};

/// What becomes of a call that its caller leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::lane) enum Left {
    /// Its callee has not seen it, and does not.
    Unseen,
    /// Its callee may be running it.
    Running,
    /// It is answered.
    Answered,
}

impl LaneClient {
    /// The caller leaves. Ok when the answer has come after all.
    pub(super) fn give_up(&self, lanes: Lanes, call: &Outgoing<'_>) -> Result<(), CallFailure> {
        match self.leave(lanes) {
            Left::Answered => Ok(()),
            Left::Unseen => Err(call.given_up(false)),
            Left::Running => Err(call.given_up(true)),
        }
    }

    /// Leaves the lanes to the callee, if it has them.
    pub(in crate::lane) fn leave(&self, lanes: Lanes) -> Left {
        if self.region.bell().unring(lanes.asked) {
            self.release(lanes);
            return Left::Unseen;
        }
        if word::leave(self.region.word(lanes.asked)) == Progress::Answered {
            return Left::Answered;
        }
        self.claims.leave(lanes.asked, lanes.more);
        self.region.gone().ring_loudly::<RealFence>(lanes.asked);
        Left::Running
    }

    /// The callee broke a rule. Why the connection ends is not for us to say: whoever closes the client does. The lanes of
    /// the call are nobody's from now on.
    pub(super) fn report(&self, broken: &Broken, call: &Outgoing<'_>) -> CallFailure {
        self.tell_broken(broken);
        let (lock, changed) = &self.closed;
        let mut waiting = lock.lock();
        while !self.is_over() && !call.is_over() {
            changed.wait_for(&mut waiting, call.next_look().remaining());
        }
        if self.is_over() { self.failed(true) } else { call.given_up(true) }
    }

    pub(in crate::lane) fn tell_broken(&self, broken: &Broken) {
        if !self.broken.swap(true, Ordering::AcqRel) {
            (self.on_broken)(broken);
        }
    }

    /// The connection is over, and what was asked in this lane has no answer. That it was not taken is the callee's word: one that
    /// has run the call and rings for it again would have it run twice.
    pub(super) fn cut_off(&self, asked: usize) -> CallFailure {
        let was_waiting = self.region.bell().unring(asked);
        self.failed(!was_waiting || self.broken.load(Ordering::Acquire))
    }

    pub(in crate::lane) fn failed(&self, delivered: bool) -> CallFailure {
        let cause = self.cause.get().cloned().unwrap_or_else(|| Arc::from("the connection is closed"));
        CallFailure::Closed { delivered, cause }
    }

    pub(in crate::lane) fn came_back(&self, lane: usize) -> bool {
        let came_back = word::look(self.region.word(lane)) == Progress::Answered;
        if came_back {
            self.notes.free(lane);
        }
        came_back
    }

    /// Whatever was left and has come back is for who waits.
    pub(in crate::lane) fn take_back(&self) {
        if self.claims.take_back(&|lane| self.came_back(lane)) {
            self.claims.rouse_next();
        }
    }
}
