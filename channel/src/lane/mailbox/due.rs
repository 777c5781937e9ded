//! What a loop has to see to itself, because no callee tells of it: turns, deadlines, the end.

use parking_lot::MutexGuard;

use super::Mailbox;
use super::calls::{At, Calls, Queued};
use crate::lane::client::Left;
use crate::{CallFailure, Cancelled, Deadline, Outgoing};

impl Mailbox {
    /// What this side has to see to: turns, deadlines, the end.
    pub(super) fn go_on(&self, calls: &mut MutexGuard<'_, Calls>) {
        let client = self.client();
        if client.is_over() {
            return self.end_all(calls);
        }
        self.give_more(calls);
        if !calls.queued.is_empty() {
            let queued = std::mem::take(&mut calls.queued);
            calls.queued = queued.into_iter().filter_map(|queued| self.ask_in_turn(queued, calls)).collect();
        }
        if calls.due.expired() {
            self.end_late(calls);
        }
        // Whenever it rings, it rings for all and is set to nothing.
        let look = match (calls.want_more.is_empty(), calls.queued.is_empty()) {
            (false, _) => client.claims.soon(),
            (true, false) => client.claims.next_look(),
            (true, true) => Deadline::NEVER,
        };
        let next = calls.due.min(look);
        if next != Deadline::NEVER {
            self.alarm.set(next);
        }
    }

    /// Asks, if it is its turn; else it goes on waiting.
    pub(super) fn ask_in_turn(&self, queued: Queued, calls: &mut MutexGuard<'_, Calls>) -> Option<Queued> {
        let client = self.client();
        let Some(lane) = client.claims.claim_in_turn(&queued.turn, &|lane| client.came_back(lane)) else {
            return Some(queued);
        };
        let Queued { token, actor, operation, payload, deadline, .. } = queued;
        let cancelled = Cancelled::never();
        let call = Outgoing { actor: &actor, operation: &operation, payload: &payload, deadline, cancelled };
        client.ask(lane, &call, Some(self.number()));
        calls.put(lane, token, deadline);
        None
    }

    pub(super) fn end_late(&self, calls: &mut MutexGuard<'_, Calls>) {
        let now = Deadline::now();
        let late = |deadline: Deadline| deadline <= now;
        let asked = calls.asked.iter().flatten().filter(|asked| late(asked.deadline)).map(|asked| asked.token);
        let queued = calls.queued.iter().filter(|queued| late(queued.deadline)).map(|queued| queued.token);
        for token in asked.chain(queued).collect::<Vec<_>>() {
            self.give_up(token, |delivered| CallFailure::Late { delivered }, calls);
        }
        let asked = calls.asked.iter().flatten().map(|asked| asked.deadline);
        calls.due = asked.chain(calls.queued.iter().map(|queued| queued.deadline)).min().unwrap_or(Deadline::NEVER);
    }

    pub(super) fn give_up(&self, token: u64, why: impl Fn(bool) -> CallFailure, calls: &mut MutexGuard<'_, Calls>) {
        match calls.by_token.get(&token).copied() {
            Some(At::Lane(lane)) => {
                let Some(lanes) = calls.asked[lane].as_ref().map(|asked| asked.lanes) else { return };
                let left = self.client().leave(lanes);
                if left == Left::Answered {
                    return self.answered(lane, calls);
                }
                calls.take(lane);
                calls.end(token, why(left == Left::Running));
            }
            Some(At::Queue) => {
                let at = calls.queued.iter().position(|queued| queued.token == token);
                if let Some(queued) = at.and_then(|at| calls.queued.remove(at)) {
                    self.client().claims.give_up_turn(&queued.turn);
                }
                calls.end(token, why(false));
            }
            None => {}
        }
    }

    /// The connection is over: its lanes are nobody's.
    pub(super) fn end_all(&self, calls: &mut MutexGuard<'_, Calls>) {
        let client = self.client();
        let tokens: Vec<_> = calls.by_token.iter().map(|(token, at)| (*token, *at)).collect();
        for (token, at) in tokens {
            let delivered = match at {
                At::Lane(lane) => !client.region.bell().unring(lane),
                At::Queue => false,
            };
            calls.end(token, client.failed(delivered));
        }
        calls.asked.iter_mut().for_each(|asked| *asked = None);
        calls.queued.drain(..).for_each(|queued| client.claims.give_up_turn(&queued.turn));
        calls.want_more.clear();
    }
}
