//! What the callees say of the calls of a loop: that they are answered, or that there is no room for the answer.

use parking_lot::MutexGuard;

use super::Mailbox;
use super::calls::{Asked, Calls};
use crate::lane::client::Corrupt;
use crate::lane::word::{self, Progress};
use crate::{CallFailure, Completed};

impl Mailbox {
    /// The callee has said something of a lane.
    pub(super) fn look(&self, lane: usize, calls: &mut MutexGuard<'_, Calls>) {
        let client = self.client();
        let Some(asked) = calls.asked.get(lane).and_then(Option::as_ref) else {
            // One that was left.
            client.take_back();
            return;
        };
        match word::look(client.region.word(lane)) {
            Progress::Answered => self.answered(lane, calls),
            Progress::More => {
                let lanes = asked.lanes;
                match client.wanted(lanes) {
                    Ok(_) => calls.want_more.push(lane),
                    Err(Corrupt(broken)) => client.tell_broken(&broken),
                }
                self.give_more(calls);
            }
            // Of an earlier call, or for no reason.
            Progress::Asked | Progress::Closed => {}
        }
    }

    pub(super) fn answered(&self, lane: usize, calls: &mut MutexGuard<'_, Calls>) {
        let Some(Asked { token, lanes, .. }) = calls.take(lane) else { return };
        let mut bytes = Vec::new();
        match self.client().take(lanes, &mut bytes) {
            Ok(result) => calls.ended.push_back(Completed { token, result, bytes }),
            Err(Corrupt(broken)) => {
                self.client().tell_broken(&broken);
                calls.end(token, CallFailure::Late { delivered: true });
            }
        }
    }

    pub(super) fn give_more(&self, calls: &mut MutexGuard<'_, Calls>) {
        let client = self.client();
        let wanting = std::mem::take(&mut calls.want_more);
        for lane in wanting {
            let Some(asked) = &mut calls.asked[lane] else { continue };
            let wants = word::look(client.region.word(lane)) == Progress::More;
            let Ok(among) = client.wanted(asked.lanes) else { continue };
            if !wants {
                continue;
            }
            match client.claims.claim_more_now(&among, &|lane| client.came_back(lane)) {
                Some(more) => client.grant(&mut asked.lanes, more),
                None => calls.want_more.push(lane),
            }
        }
    }
}
