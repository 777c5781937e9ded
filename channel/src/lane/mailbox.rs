//! The calls of one event loop. It begins them here and takes their ends; `mailbox/` has where they are (`calls.rs`), what callees
//! say of them (`heard.rs`), and what nobody says (`due.rs`).

mod calls;
mod due;
mod heard;

use std::collections::{HashMap, VecDeque};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::claims::NoLane;
use super::client::LaneClient;
use super::futex::RealFence;
use super::mailboxes::Shared;
use super::post::Post;
use super::turns::Waiter;
use crate::alarm::Alarm;
use crate::{CallFailure, Completed, Completions, Deadline, Outgoing};
use calls::{At, Calls, Queued};

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
