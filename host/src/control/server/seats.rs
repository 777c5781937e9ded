//! Who is served at the operator's socket: so many connections at once, each with a seat. Where all are taken, whoever has kept
//! the host waiting the longest gives its seat to the newcomer, so that connections which say nothing, trickle or do not read
//! can't keep an operator out. Nobody loses a seat while a request of theirs is carried out, or before a short grace is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Mutex as Door, Notify, Semaphore};

use super::ServerLimits;

/// All seats of a server.
pub(super) struct Seats {
    limits: ServerLimits,
    taken: Mutex<Taken>,
    /// A seat was given back, or somebody is waited for. Told to whoever is at the door.
    changed: Notify,
    /// As many wait for a seat as there are.
    lobby: Semaphore,
    /// Who is next: they wait for it in the order in which they came.
    door: Door<()>,
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

impl Awaited {
    /// How long it may take while others want the seat.
    const fn grace(self, limits: &ServerLimits) -> Duration {
        match self {
            Self::Request => limits.idle_grace,
            Self::Transfer => limits.transfer_grace,
        }
    }
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
        Arc::new(Self { limits, taken: Mutex::default(), changed: Notify::new(), lobby, door: Door::default() })
    }

    /// A seat, at the latest when those who have one now are past their grace. None when they all work, or too many wait.
    pub(super) async fn take(self: &Arc<Self>) -> Option<Seat> {
        let _waiting = self.lobby.try_acquire().ok()?;
        // Those who came before get the seats of whoever is past its grace in the same moment.
        let patience = 2 * self.limits.transfer_grace.max(self.limits.idle_grace);
        tokio::time::timeout(patience, self.wait_at_the_door()).await.ok()
    }

    async fn wait_at_the_door(self: &Arc<Self>) -> Seat {
        let _next = self.door.lock().await;
        loop {
            let now = Instant::now();
            if let Some(seat) = self.try_take(now) {
                return seat;
            }
            let Some(due) = self.taken.lock().next_due(&self.limits) else {
                self.changed.notified().await;
                continue;
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = tokio::time::sleep(due.saturating_duration_since(now)) => {}
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
        let waited = self.chairs.iter().filter_map(|(id, chair)| chair.awaited.map(|awaited| (*id, awaited)));
        let slow = waited.filter(|(_, (awaited, since))| *since + awaited.grace(limits) <= now);
        slow.min_by_key(|(_, (_, since))| *since).map(|(id, _)| id)
    }

    /// When the next of them is past its grace, if one is waited for.
    fn next_due(&self, limits: &ServerLimits) -> Option<Instant> {
        let awaited = self.chairs.values().filter_map(|chair| chair.awaited);
        awaited.map(|(awaited, since)| since + awaited.grace(limits)).min()
    }
}

impl Seat {
    /// From now on the peer is waited for.
    pub(super) fn awaits(&self, awaited: Awaited) {
        if let Some(chair) = self.seats.taken.lock().chairs.get_mut(&self.id) {
            chair.awaited = Some((awaited, Instant::now()));
        }
        self.seats.changed.notify_one();
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
        self.seats.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

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

    /// What a future has come to by now.
    fn now<T>(future: &mut Pin<Box<impl Future<Output = T>>>) -> Option<T> {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn they_are_served_in_the_order_in_which_they_came() {
        let limits = ServerLimits { connections_max: 3, ..ServerLimits::default() };
        let seats = Seats::new(limits);
        let all: Vec<Seat> = (0..3).map(|_| seats.try_take(Instant::now()).expect("it is free")).collect();
        assert!(all.iter().all(Seat::works), "nobody gives way");
        let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(seats.take())).collect();
        // Each comes, and does not get in.
        for newcomer in &mut waiting[..3] {
            assert!(now(newcomer).is_none());
        }
        assert!(now(&mut waiting[3]).is_some_and(|seat| seat.is_none()), "the lobby is full");
        let mut kept = Vec::new();
        for (left, seat) in all.into_iter().enumerate() {
            drop(seat);
            for late in &mut waiting[left + 1..3] {
                assert!(now(late).is_none(), "another one is before it");
            }
            kept.push(now(&mut waiting[left]).flatten().expect("the first in the line gets it"));
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
