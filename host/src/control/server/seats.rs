//! Who is served at the operator's socket: so many connections at once, each with a seat. Where all are taken, whoever has kept
//! the host waiting the longest gives its seat to the newcomer, so that connections which say nothing, trickle or do not read
//! can't keep an operator out. Nobody loses a seat while a request of theirs is carried out, or before a short grace is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};

use super::ServerLimits;

/// How often those who wait for a seat look.
const LOOK: Duration = Duration::from_millis(20);

/// All seats of a server.
pub(super) struct Seats {
    limits: ServerLimits,
    taken: Mutex<Taken>,
    /// As many wait for a seat as there are.
    lobby: Semaphore,
}

#[derive(Default)]
struct Taken {
    next: u64,
    chairs: BTreeMap<u64, Chair>,
}

struct Chair {
    /// What its peer keeps the host waiting for, since when. None while a request is carried out.
    awaited: Option<(Awaited, Instant)>,
    displaced: Arc<Notify>,
}

/// What a peer is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// Ask for something.
    Request,
    /// Send the rest of a request, or take an answer.
    Transfer,
}

/// The right to be served. Dropping it gives it back.
pub(super) struct Seat {
    id: u64,
    seats: Arc<Seats>,
    displaced: Arc<Notify>,
}

impl Seats {
    pub(super) fn new(limits: ServerLimits) -> Arc<Self> {
        let lobby = Semaphore::new(limits.connections_max);
        Arc::new(Self { limits, taken: Mutex::default(), lobby })
    }

    /// A seat, at the latest when those who have one now are past their grace. None when they all work, or too many wait.
    pub(super) async fn take(self: &Arc<Self>) -> Option<Seat> {
        if let Some(seat) = self.try_take(Instant::now()) {
            return Some(seat);
        }
        let _waiting = self.lobby.try_acquire().ok()?;
        let until = Instant::now() + self.limits.transfer_grace.max(self.limits.idle_grace) + LOOK;
        loop {
            tokio::time::sleep(LOOK).await;
            let now = Instant::now();
            let seat = self.try_take(now);
            if seat.is_some() || now >= until {
                return seat;
            }
        }
    }

    fn try_take(self: &Arc<Self>, now: Instant) -> Option<Seat> {
        let mut taken = self.taken.lock();
        if taken.chairs.len() >= self.limits.connections_max {
            let id = taken.slowest(&self.limits, now)?;
            taken.chairs.remove(&id)?.displaced.notify_one();
        }
        let (id, displaced) = (taken.next, Arc::new(Notify::new()));
        taken.next += 1;
        taken.chairs.insert(id, Chair { awaited: Some((Awaited::Request, now)), displaced: displaced.clone() });
        Some(Seat { id, seats: self.clone(), displaced })
    }
}

impl Taken {
    /// Whoever has kept the host waiting the longest, and for longer than the grace.
    fn slowest(&self, limits: &ServerLimits, now: Instant) -> Option<u64> {
        let is_past_grace = |awaited: Awaited, since: Instant| {
            let grace = match awaited {
                Awaited::Request => limits.idle_grace,
                Awaited::Transfer => limits.transfer_grace,
            };
            now.saturating_duration_since(since) >= grace
        };
        let waited = self.chairs.iter().filter_map(|(id, chair)| chair.awaited.map(|awaited| (*id, awaited)));
        let slow = waited.filter(|(_, (awaited, since))| is_past_grace(*awaited, *since));
        slow.min_by_key(|(_, (_, since))| *since).map(|(id, _)| id)
    }
}

impl Seat {
    /// From now on the peer is waited for.
    pub(super) fn awaits(&self, awaited: Awaited) {
        if let Some(chair) = self.seats.taken.lock().chairs.get_mut(&self.id) {
            chair.awaited = Some((awaited, Instant::now()));
        }
    }

    /// From now on a request is carried out, and the seat is kept. False when it is lost already.
    #[must_use]
    pub(super) fn works(&self) -> bool {
        self.seats.taken.lock().chairs.get_mut(&self.id).map(|chair| chair.awaited = None).is_some()
    }

    /// Waits until somebody else has the seat.
    pub(super) async fn displaced(&self) {
        self.displaced.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken.lock().chairs.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_awaited_past_its_grace_gives_way() {
        let limits = ServerLimits { connections_max: 3, ..ServerLimits::default() };
        let (idle, transfer) = (limits.idle_grace, limits.transfer_grace);
        let began = Instant::now();
        // Since when each of three has been waited for, for what; when a fourth comes; which of them gives way.
        let (quiet, slow) = (Awaited::Request, Awaited::Transfer);
        let ms = Duration::from_millis;
        let cases = [
            ([Some((quiet, ms(0))), Some((quiet, ms(1))), Some((quiet, ms(2)))], idle, Some(0)),
            ([Some((quiet, ms(2))), Some((quiet, ms(1))), Some((quiet, ms(3)))], idle + ms(3), Some(1)),
            ([Some((quiet, ms(1))), Some((quiet, ms(1))), Some((quiet, ms(1)))], idle, None),
            ([None, Some((quiet, ms(0))), None], idle, Some(1)),
            ([None, None, None], transfer * 100, None),
            ([Some((slow, ms(0))), None, Some((quiet, ms(1)))], idle + ms(1), Some(2)),
            ([Some((slow, ms(0))), None, Some((slow, ms(1)))], transfer, Some(0)),
            ([Some((slow, ms(1))), None, Some((slow, ms(1)))], transfer, None),
        ];
        for (awaited, at, expected) in cases {
            let chair = |awaited: Option<(Awaited, Duration)>| {
                let awaited = awaited.map(|(what, since)| (what, began + since));
                Chair { awaited, displaced: Arc::new(Notify::new()) }
            };
            let chairs = (0..).zip(awaited.map(chair)).collect();
            let taken = Taken { next: 3, chairs };
            assert_eq!(taken.slowest(&limits, began + at), expected, "{awaited:?} at {at:?}");
        }
    }

    #[test]
    fn who_works_keeps_the_seat_and_who_lost_it_may_not_work() {
        let limits = ServerLimits { connections_max: 1, idle_grace: Duration::ZERO, ..ServerLimits::default() };
        let seats = Seats::new(limits);
        let first = seats.try_take(Instant::now()).expect("it is free");
        assert!(first.works() && seats.try_take(Instant::now()).is_none());
        first.awaits(Awaited::Request);
        let second = seats.try_take(Instant::now()).expect("the first one waits");
        assert!(!first.works() && second.works());
        drop(first);
        assert!(seats.try_take(Instant::now()).is_none(), "the first one had nothing to give back");
        drop(second);
        assert!(seats.try_take(Instant::now()).is_some());
    }
}
