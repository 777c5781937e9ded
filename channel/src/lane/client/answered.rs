//! What the callee hands back: an answer, or the word that there is no room for it. Of what it says nothing is believed.

use std::ops::Range;
use std::sync::atomic::Ordering;

use cofferdam_protocol::call::Fault;
use cofferdam_protocol::limits::WORDS_BYTES_MAX;

use super::{LaneClient, Lanes};
use crate::lane::region::Field;
use crate::lane::word;
use crate::{Broken, CallFailure, Outgoing};

/// What a lane says of its answer that no callee says who keeps to the rules.
pub(in crate::lane) struct Corrupt(pub(in crate::lane) Broken);

impl LaneClient {
    /// The answer is longer than the lane that was asked.
    pub(super) fn give_more(&self, lanes: &mut Lanes, call: &Outgoing<'_>) -> Result<(), CallFailure> {
        let among = self.wanted(*lanes).map_err(|Corrupt(broken)| self.report(&broken, call))?;
        let (is_over, next_look) = (|| self.is_over() || call.is_over(), || call.next_look());
        let claimed = self.claims.claim_more(among, &|lane| self.came_back(lane), (&is_over, &next_look));
        let Some(more) = claimed else {
            return if self.is_over() { Err(self.failed(true)) } else { self.give_up(*lanes, call) };
        };
        self.grant(lanes, more);
        Ok(())
    }

    /// The lanes with room for an answer that is longer than the one that was asked.
    pub(in crate::lane) fn wanted(&self, lanes: Lanes) -> Result<Range<usize>, Corrupt> {
        let bytes = self.region.get(lanes.asked, Field::Bytes) as usize;
        let among = self.region.layout().lanes_for(bytes);
        if lanes.more.is_some() || bytes > self.payload_bytes_max as usize || among.is_empty() {
            return Err(Corrupt(Broken::Lane("it asks for more room than there is")));
        }
        Ok(among)
    }

    /// Gives the callee the room.
    pub(in crate::lane) fn grant(&self, lanes: &mut Lanes, more: usize) {
        self.wear.used(more);
        lanes.more = Some(more);
        self.region.set(lanes.asked, Field::AnswerLane, more as u32);
        word::grant(self.region.word(lanes.asked));
    }

    /// Takes the answer out of the lanes, and lets go of them.
    pub(in crate::lane) fn take(&self, lanes: Lanes, answer: &mut Vec<u8>) -> Result<Result<(), CallFailure>, Corrupt> {
        let Lanes { asked, more } = lanes;
        let (outcome, bytes) = (self.region.get(asked, Field::Outcome), self.region.get(asked, Field::Bytes) as usize);
        let lane = more.unwrap_or(asked);
        let room = self.region.slab_bytes(lane);
        let (result, limit) = match outcome {
            0 => (Ok(()), room.min(self.payload_bytes_max as usize)),
            outcome => match fault(outcome - 1) {
                Some(fault) => (Err(CallFailure::Answered(fault)), room.min(WORDS_BYTES_MAX)),
                None => return Err(Corrupt(Broken::Lane("there is no such outcome"))),
            },
        };
        if bytes > limit {
            return Err(Corrupt(Broken::Lane("the answer is longer than may be")));
        }
        self.region.read_answer(lane, bytes, answer);
        // Others read it all the time.
        if !self.answered.load(Ordering::Relaxed) {
            self.answered.store(true, Ordering::Relaxed);
        }
        self.release(lanes);
        Ok(result)
    }

    pub(in crate::lane) fn release(&self, lanes: Lanes) {
        self.notes.free(lanes.asked);
        word::rest(self.region.word(lanes.asked));
        self.claims.release(lanes.asked);
        if let Some(more) = lanes.more {
            self.claims.release(more);
        }
    }
}

/// By the order in which the protocol has them.
fn fault(number: u32) -> Option<Fault> {
    [Fault::Failed, Fault::Panicked, Fault::Denied, Fault::Late, Fault::Unavailable, Fault::Invalid, Fault::Internal]
        .get(number as usize)
        .copied()
}
