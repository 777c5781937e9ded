//! The calls of one event loop.

use std::collections::{HashMap, VecDeque};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::claims::NoLane;
use super::client::{Corrupt, LaneClient, Lanes, Left};
use super::futex::RealFence;
use super::mailboxes::Shared;
use super::post::Post;
use super::turns::{Turn, Waiter};
use super::word::{self, Progress};
use crate::alarm::Alarm;
use crate::{CallFailure, Cancelled, Completed, Completions, Deadline, Outgoing};

/// The calls of one loop.
pub(super) struct Mailbox {
    shared: Arc<Shared>,
    /// None once it was given back.
    post: Option<Post>,
    alarm: Arc<Alarm>,
    calls: Mutex<Calls>,
}

/// Whoever has it is the loop.
pub(super) struct Owned(pub(super) Arc<Mailbox>);

struct Calls {
    by_token: HashMap<u64, At>,
    /// By lane.
    asked: Vec<Option<Asked>>,
    /// Those that wait for a lane, in order.
    queued: VecDeque<Queued>,
    /// Lanes whose callees want more room, and there was none.
    want_more: Vec<usize>,
    ended: VecDeque<Completed>,
    /// No call is due earlier.
    due: Deadline,
    /// Which lane to look for first, so that none is passed over for ever.
    from: usize,
}

/// Where a call is.
#[derive(Clone, Copy)]
enum At {
    Lane(usize),
    Queue,
}

/// A call in a lane.
struct Asked {
    token: u64,
    lanes: Lanes,
    deadline: Deadline,
}

/// A call that waits for one.
struct Queued {
    token: u64,
    turn: Arc<Turn>,
    actor: String,
    operation: String,
    payload: Vec<u8>,
    deadline: Deadline,
}

impl Mailbox {
    pub(super) fn new(shared: Arc<Shared>, post: Post, alarm: Arc<Alarm>) -> Self {
        let calls = Calls {
            by_token: HashMap::new(),
            asked: (0..shared.client.region.layout().lanes()).map(|_| None).collect(),
            queued: VecDeque::new(),
            want_more: Vec::new(),
            ended: VecDeque::new(),
            due: Deadline::NEVER,
            from: 0,
        };
        let this = Self { shared, post: Some(post), alarm, calls: Mutex::new(calls) };
        // From the beginning on: nobody needs to have looked. What lies there of an earlier loop is looked at first.
        if !this.client().region.mailbox(this.number()).fall_asleep::<RealFence>() {
            this.tell();
        }
        this
    }

    fn client(&self) -> &LaneClient {
        &self.shared.client
    }

    fn post(&self) -> &Post {
        self.post.as_ref().expect("it is given back with the mailbox")
    }

    fn number(&self) -> usize {
        self.post().number
    }

    /// The loop is to look.
    pub(super) fn tell(&self) {
        self.post().own().tell();
    }

    fn start(&self, token: u64, call: &Outgoing<'_>) -> Result<(), CallFailure> {
        let client = self.client();
        client.check(call)?;
        let mut calls = self.calls.lock();
        if client.is_over() {
            return Err(client.failed(false));
        }
        let among = client.region.layout().lanes_for(call.payload.len());
        if let Some(lane) = client.claims.claim_now(&among, &|lane| client.came_back(lane)) {
            client.ask(lane, call, Some(self.number()));
            calls.put(lane, token, call.deadline);
        } else {
            let own = self.post().own().clone();
            let turn = client.claims.queue(among, call.deadline, Waiter::Loop(Arc::new(move || own.tell())));
            let turn = turn.map_err(|why| match why {
                NoLane::Crowded => CallFailure::Overloaded { limit: client.running_max },
                NoLane::Over => client.failed(false),
            })?;
            let (actor, operation) = (call.actor.to_owned(), call.operation.to_owned());
            let (payload, deadline) = (call.payload.to_owned(), call.deadline);
            calls.by_token.insert(token, At::Queue);
            calls.queued.push_back(Queued { token, turn, actor, operation, payload, deadline });
            // A lane may have come free in between, with nobody in the queue to be told.
            self.tell();
        }
        self.due(&mut calls, call.deadline);
        Ok(())
    }

    fn due(&self, calls: &mut MutexGuard<'_, Calls>, deadline: Deadline) {
        if deadline < calls.due {
            calls.due = deadline;
            self.alarm.set(deadline);
        }
    }

    fn take_next(&self) -> Option<Completed> {
        let bell = self.client().region.mailbox(self.number());
        let mut calls = self.calls.lock();
        let mut has_cleared = false;
        loop {
            if let Some(ended) = calls.ended.pop_front() {
                if has_cleared {
                    // There may be more, for who takes one at a time.
                    self.tell();
                }
                return Some(ended);
            }
            if let Some(lane) = bell.take(calls.from) {
                calls.from = lane + 1;
                self.look(lane, &mut calls);
                continue;
            }
            self.post().clear();
            has_cleared = true;
            self.go_on(&mut calls);
            if calls.ended.is_empty() && bell.fall_asleep::<RealFence>() {
                return None;
            }
        }
    }

    /// The callee has said something of a lane.
    fn look(&self, lane: usize, calls: &mut MutexGuard<'_, Calls>) {
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

    fn answered(&self, lane: usize, calls: &mut MutexGuard<'_, Calls>) {
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

    fn give_more(&self, calls: &mut MutexGuard<'_, Calls>) {
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

    /// What this side has to see to: turns, deadlines, the end.
    fn go_on(&self, calls: &mut MutexGuard<'_, Calls>) {
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
    fn ask_in_turn(&self, queued: Queued, calls: &mut MutexGuard<'_, Calls>) -> Option<Queued> {
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

    fn end_late(&self, calls: &mut MutexGuard<'_, Calls>) {
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

    fn give_up(&self, token: u64, why: impl Fn(bool) -> CallFailure, calls: &mut MutexGuard<'_, Calls>) {
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
    fn end_all(&self, calls: &mut MutexGuard<'_, Calls>) {
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

impl Calls {
    fn put(&mut self, lane: usize, token: u64, deadline: Deadline) {
        self.by_token.insert(token, At::Lane(lane));
        self.asked[lane] = Some(Asked { token, lanes: Lanes { asked: lane, more: None }, deadline });
    }

    fn take(&mut self, lane: usize) -> Option<Asked> {
        let asked = self.asked[lane].take()?;
        self.by_token.remove(&asked.token);
        self.want_more.retain(|other| *other != lane);
        Some(asked)
    }

    fn end(&mut self, token: u64, failure: CallFailure) {
        self.by_token.remove(&token);
        self.ended.push_back(Completed { token, result: Err(failure), bytes: Vec::new() });
    }
}

impl Completions for Owned {
    fn start(&self, token: u64, call: &Outgoing<'_>) -> Result<(), CallFailure> {
        self.0.start(token, call)
    }

    fn cancel(&self, token: u64) {
        let mut calls = self.0.calls.lock();
        self.0.give_up(token, |_| CallFailure::Cancelled, &mut calls);
        if !calls.ended.is_empty() {
            self.0.tell();
        }
    }

    fn take_next(&self) -> Option<Completed> {
        self.0.take_next()
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.0.post().fd()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let mut calls = self.0.calls.lock();
        for token in calls.by_token.keys().copied().collect::<Vec<_>>() {
            self.0.give_up(token, |_| CallFailure::Cancelled, &mut calls);
        }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        if let Some(post) = self.post.take() {
            self.shared.give_back(post);
        }
    }
}
