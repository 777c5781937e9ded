//! Comes for what lies idle when its time has come: one thread for all actors, which sleeps while there is nothing to do.
//!
//! It decides nothing: whoever has something says when, and then what to do and when to come again.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use parking_lot::{Condvar, Mutex};

use crate::words::Deadline;

/// Something with a time to be visited.
pub(super) trait Visited: Send + Sync {
    /// Does what is to be done now, and says when to come again.
    fn visit(&self, now: Deadline) -> Option<Deadline>;
}

/// The janitor of one runtime. Dropping it ends the thread.
#[derive(Default)]
pub(super) struct Janitor {
    rounds: Arc<Rounds>,
}

#[derive(Default)]
struct Rounds {
    plan: Mutex<Plan>,
    changed: Condvar,
}

#[derive(Default)]
struct Plan {
    /// By time, and by a number that tells two of one time apart.
    visits: BTreeMap<(Deadline, u64), Weak<dyn Visited>>,
    numbered: u64,
    has_thread: bool,
    ended: bool,
}

impl std::fmt::Debug for Janitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Janitor").field("visits", &self.rounds.plan.lock().visits.len()).finish()
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        self.rounds.plan.lock().ended = true;
        self.rounds.changed.notify_one();
    }
}

impl Janitor {
    /// Plans a visit. Each who is visited has one at a time, so there are as many as there are actors.
    pub(super) fn visit_at(&self, at: Deadline, whom: Weak<dyn Visited>) {
        let mut plan = self.rounds.plan.lock();
        plan.add(at, whom);
        if !plan.has_thread {
            let rounds = self.rounds.clone();
            let started = std::thread::Builder::new().name("janitor".to_owned()).spawn(move || rounds.go());
            match started {
                Ok(_) => plan.has_thread = true,
                Err(error) => tracing::warn!("idle instances stay for now: no thread can be started for them: {error}"),
            }
        }
        drop(plan);
        self.rounds.changed.notify_one();
    }
}

impl Plan {
    fn add(&mut self, at: Deadline, whom: Weak<dyn Visited>) {
        self.numbered += 1;
        self.visits.insert((at, self.numbered), whom);
    }
}

impl Rounds {
    fn go(&self) {
        let mut plan = self.plan.lock();
        while !plan.ended {
            let Some(first) = plan.visits.first_entry() else {
                self.changed.wait(&mut plan);
                continue;
            };
            let remaining = first.key().0.remaining();
            if !remaining.is_zero() {
                self.changed.wait_for(&mut plan, remaining);
                continue;
            }
            let whom = first.remove();
            // Who has gone has nothing that lies idle.
            let Some(visited) = whom.upgrade() else { continue };
            drop(plan);
            let next = visited.visit(Deadline::now());
            // It may be the last of an actor, with all that this has; not under the lock.
            drop(visited);
            plan = self.plan.lock();
            if let Some(at) = next {
                plan.add(at, whom);
            }
        }
    }
}
