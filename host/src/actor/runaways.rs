//! Runaways: calls of unmetered actors that go on after their deadline. Nothing ends them but themselves, so they are
//! counted, and who has too many is called no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::words::{RUNAWAYS_OF_ACTOR_MAX, RUNAWAYS_OF_HOST_MAX};

/// The count of one actor, in that of its host.
#[derive(Clone, Debug)]
pub(super) struct Runaways {
    own: Arc<AtomicU32>,
    own_max: u32,
    all: HostRunaways,
}

/// The count of a host. It lives on when an actor is stopped: its runaways do, too.
#[derive(Clone, Debug, Default)]
pub(super) struct HostRunaways(Arc<AtomicU32>);

/// One runaway, counted until this is dropped.
#[derive(Debug)]
pub(super) struct Runaway(Runaways);

/// Too many run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany {
    pub(super) whose: Whose,
    pub(super) count: u32,
}

/// Whose runaways are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Actor,
    Host,
}

impl Runaways {
    /// Of an actor with at most so many calls at once.
    pub(super) fn new(calls_max: u32, all: HostRunaways) -> Self {
        Self { own: Arc::default(), own_max: calls_max.min(RUNAWAYS_OF_ACTOR_MAX), all }
    }

    /// How many the actor has.
    pub(super) fn of_actor(&self) -> u32 {
        self.own.load(Ordering::Relaxed)
    }

    /// Whether another call may begin.
    pub(super) fn check(&self) -> Result<(), TooMany> {
        let (own, all) = (self.of_actor(), self.all.0.load(Ordering::Relaxed));
        if own >= self.own_max {
            return Err(TooMany { whose: Whose::Actor, count: own });
        }
        if all >= RUNAWAYS_OF_HOST_MAX {
            return Err(TooMany { whose: Whose::Host, count: all });
        }
        Ok(())
    }

    /// One more.
    pub(super) fn count(&self) -> Runaway {
        self.own.fetch_add(1, Ordering::Relaxed);
        self.all.0.fetch_add(1, Ordering::Relaxed);
        Runaway(self.clone())
    }
}

impl Drop for Runaway {
    fn drop(&mut self) {
        self.0.own.fetch_sub(1, Ordering::Relaxed);
        self.0.all.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_counts_and_comes_down() {
        let all = HostRunaways::default();
        let refused = |whose, count| Err(TooMany { whose, count });
        let actor = Runaways::new(64, all.clone());
        let own: Vec<_> = (0..RUNAWAYS_OF_ACTOR_MAX).map(|_| actor.check().map(|()| actor.count()).unwrap()).collect();
        assert_eq!(actor.check(), refused(Whose::Actor, RUNAWAYS_OF_ACTOR_MAX));
        let small = Runaways::new(1, all.clone());
        drop((small.check().unwrap(), small.count()));
        assert_eq!((small.check(), small.of_actor()), (Ok(()), 0));
        // Those of actors that were stopped count with the host as long as they run.
        let others: Vec<_> =
            (RUNAWAYS_OF_ACTOR_MAX..RUNAWAYS_OF_HOST_MAX).map(|_| Runaways::new(64, all.clone()).count()).collect();
        assert_eq!(small.check(), refused(Whose::Host, RUNAWAYS_OF_HOST_MAX));
        drop(own);
        assert_eq!((actor.check(), actor.of_actor(), small.check()), (Ok(()), 0, Ok(())));
        drop(others);
    }
}
