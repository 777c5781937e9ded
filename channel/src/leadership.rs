//! Which worker takes requests, and when it lets another do so.
//!
//! Whoever owns the reader leads. Before running a request the leader either *frees* the reader, so that a
//! follower leads on while it runs, or *keeps* it, because handing over costs two wake-ups on two cores, several times
//! what a short handler takes. Which one is decided by how long handlers took of late.
//!
//! A kept reader can be taken away: one follower, the sentinel, looks every [`TICK`] while there is work, and takes the
//! reader of a leader that is still in the request it was in at the last look. So a handler that suddenly blocks holds up
//! the next request by two ticks at most, once: it counts as slow from then on. While there is no work nobody looks.

use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

/// Handlers that take less on average run with the reader kept. Preemption counts, so not much less.
const FAST: Duration = Duration::from_micros(200);
/// How often the sentinel looks.
const TICK: Duration = Duration::from_millis(1);
/// Looks without any work before the sentinel sleeps.
const QUIET_TICKS_MAX: u32 = 20;
/// The weight of the latest handler in the average, as a shift.
const AVERAGE_SHIFT: u32 = 3;

/// The place where the reader lies while nobody leads, or while its leader runs a request.
pub(crate) struct Leadership<R> {
    place: Mutex<Place<R>>,
    changed: Condvar,
}

struct Place<R> {
    reader: Option<Box<R>>,
    /// Whether the reader may be taken at once, or only by the sentinel.
    kept: bool,
    /// Counts requests that ran with the reader kept: tells a look that finds the same one again.
    runs: u64,
    followers: usize,
    sentinel: Sentinel,
    /// Of the time that handlers took.
    average_ns: u64,
    closed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sentinel {
    Asleep,
    /// Somebody should look.
    Wanted,
    Looking,
}

/// What a worker that waited has become.
pub(crate) enum Turn<R> {
    /// It leads.
    Lead(Box<R>),
    /// Nobody needed it for a long time.
    Unneeded,
    /// It is over.
    Closed,
}

/// What becomes of the reader while a request runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum While {
    /// Its leader takes it back afterwards.
    Kept,
    /// A follower leads.
    Freed,
}

impl<R> Leadership<R> {
    pub(crate) fn new(reader: R) -> Self {
        let place = Place {
            reader: Some(Box::new(reader)),
            kept: false,
            runs: 0,
            followers: 0,
            sentinel: Sentinel::Asleep,
            // Unknown handlers count as slow: the first one may block.
            average_ns: u64::MAX,
            closed: false,
        };
        Self { place: Mutex::new(place), changed: Condvar::new() }
    }

    /// Lays the reader down before a request runs. Returns also whether a further worker is needed to follow. `more` says
    /// that another request is there already.
    pub(crate) fn lay_down(&self, reader: Box<R>, more: bool) -> (While, bool) {
        let mut place = self.place.lock();
        let fast = u128::from(place.average_ns) < FAST.as_nanos() && !more;
        place.reader = Some(reader);
        place.kept = fast;
        let alone = place.followers == 0;
        if !fast {
            self.changed.notify_one();
            return (While::Freed, alone);
        }
        place.runs += 1;
        if place.sentinel == Sentinel::Asleep {
            place.sentinel = Sentinel::Wanted;
            self.changed.notify_one();
        }
        (While::Kept, alone)
    }

    /// Takes the reader back after a request. None when it has been taken by another.
    pub(crate) fn take_back(&self, was: While, took: Duration) -> Option<Box<R>> {
        let mut place = self.place.lock();
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        place.average_ns = match place.average_ns {
            u64::MAX => took_ns,
            average => average - (average >> AVERAGE_SHIFT) + (took_ns >> AVERAGE_SHIFT),
        };
        // Freed, it may still lie there; whoever was woken for it finds it gone and waits on.
        let mine = was == While::Freed || place.kept;
        if !mine || place.closed {
            return None;
        }
        place.kept = false;
        place.reader.take()
    }

    /// Waits to lead. A worker that nobody needed for `idle` is told so, unless it is the last that follows.
    pub(crate) fn follow(&self, idle: Duration) -> Turn<R> {
        let mut place = self.place.lock();
        place.followers += 1;
        let turn = self.wait(&mut place, idle);
        place.followers -= 1;
        turn
    }

    fn wait(&self, place: &mut MutexGuard<'_, Place<R>>, idle: Duration) -> Turn<R> {
        loop {
            if place.closed {
                return Turn::Closed;
            }
            if !place.kept
                && let Some(reader) = place.reader.take()
            {
                return Turn::Lead(reader);
            }
            if place.sentinel == Sentinel::Wanted {
                place.sentinel = Sentinel::Looking;
                let stolen = self.look(place);
                place.sentinel = Sentinel::Asleep;
                if let Some(reader) = stolen {
                    return Turn::Lead(reader);
                }
            } else if self.changed.wait_for(place, idle).timed_out() && place.followers > 1 {
                return Turn::Unneeded;
            }
        }
    }

    /// The sentinel's watch: until there is no work, or the leader is found stuck in one request.
    fn look(&self, place: &mut MutexGuard<'_, Place<R>>) -> Option<Box<R>> {
        let (mut seen, mut quiet) = (None, 0);
        while quiet < QUIET_TICKS_MAX && !place.closed {
            let runs_before = place.runs;
            self.changed.wait_for(place, TICK);
            if place.kept && seen == Some(place.runs) {
                place.kept = false;
                return place.reader.take();
            }
            if !place.kept
                && let Some(reader) = place.reader.take()
            {
                return Some(reader);
            }
            seen = place.kept.then_some(place.runs);
            quiet = if place.runs == runs_before && !place.kept { quiet + 1 } else { 0 };
        }
        None
    }

    /// Ends the wait of all.
    pub(crate) fn close(&self) {
        self.place.lock().closed = true;
        self.changed.notify_all();
    }
}
