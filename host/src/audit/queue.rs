//! What waits to be written: bounded, and filled by whoever has something to tell, which waits for nothing.

use std::collections::BTreeMap;
use std::mem;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::{Condvar, Mutex};

use super::log::Stamped;
use super::record::{Note, Told};
use super::tally::Tally;
use crate::words::{AuditEvent, Auditor, Denied};

/// Events that may wait, about 2 MiB. Further ones are lost, and counted.
pub(super) const WAITING_MAX: usize = 4096;

/// Between those who tell and the thread that writes.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    tally: Mutex<Tally>,
    health: Mutex<Health>,
}

#[derive(Default)]
struct Waiting {
    events: Vec<Stamped>,
    lost: BTreeMap<&'static str, u64>,
    end: Option<End>,
}

/// How the log is closed.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// With a last word.
    With(AuditEvent),
    /// Without: what owns the log is dropped.
    Silent,
}

/// How the log does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Health {
    /// Why nothing can be written, since when.
    pub(super) behind: Option<(Instant, String)>,
    /// Events that were lost since the start.
    pub(super) lost: u64,
}

/// What the writer takes.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) events: Vec<Stamped>,
    pub(super) end: Option<End>,
}

impl Queue {
    pub(super) fn new(window: Duration) -> Self {
        let tally = Mutex::new(Tally::new(window));
        Self { waiting: Mutex::default(), wake: Condvar::new(), tally, health: Mutex::default() }
    }

    /// Takes no more events, and lets the writer end.
    pub(super) fn close(&self, end: End) {
        self.waiting.lock().end.get_or_insert(end);
        self.wake.notify_one();
    }

    /// Waits until something is to be done: until `until`, the end, or, with [`Until::Events`], events.
    pub(super) fn wait(&self, until: Option<Instant>, what: Until) {
        let mut waiting = self.waiting.lock();
        let window = || self.tally.lock().ends();
        while waiting.end.is_none() && (what == Until::Due || waiting.events.is_empty()) {
            let due = if what == Until::Due { until } else { until.into_iter().chain(window()).min() };
            match due {
                Some(due) if due <= Instant::now() => return,
                Some(due) => drop(self.wake.wait_until(&mut waiting, due)),
                None => self.wake.wait(&mut waiting),
            }
        }
    }

    /// What waits, in its order, and after it what was counted and what was lost.
    pub(super) fn take(&self) -> Taken {
        let mut taken = Taken::default();
        let lost = {
            let mut waiting = self.waiting.lock();
            taken.events = mem::take(&mut waiting.events);
            taken.end.clone_from(&waiting.end);
            mem::take(&mut waiting.lost)
        };
        let counted = {
            let mut tally = self.tally.lock();
            let is_over = tally.ends().is_some_and(|ends| ends <= Instant::now());
            if is_over || taken.end.is_some() { tally.end() } else { Vec::new() }
        };
        let lost = lost.into_iter().map(|(of, count)| Told::Note(Note::Lost { of, count }));
        let last = match &taken.end {
            Some(End::With(event)) => Some(Told::Event(event.clone())),
            Some(End::Silent) | None => None,
        };
        let time = SystemTime::now();
        let told = counted.into_iter().map(Told::Event).chain(lost).chain(last);
        taken.events.extend(told.map(|told| Stamped { time, told }));
        taken
    }

    pub(super) fn is_closed(&self) -> bool {
        self.waiting.lock().end.is_some()
    }

    pub(super) fn health(&self) -> Health {
        self.health.lock().clone()
    }

    pub(super) fn set_behind(&self, behind: Option<(Instant, String)>) {
        self.health.lock().behind = behind;
    }

    fn push(&self, event: AuditEvent) {
        let time = SystemTime::now();
        let is_lost = {
            let mut waiting = self.waiting.lock();
            // What comes after the last word has no place in the log.
            if waiting.end.is_some() {
                return;
            }
            let is_full = waiting.events.len() >= WAITING_MAX;
            if is_full {
                *waiting.lost.entry(event.kind()).or_default() += 1;
            } else {
                waiting.events.push(Stamped { time, told: Told::Event(event) });
            }
            is_full
        };
        if is_lost {
            self.health.lock().lost += 1;
        }
        self.wake.notify_one();
    }
}

/// What ends a wait before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    Events,
    Due,
}

impl Auditor for Queue {
    fn record(&self, event: AuditEvent) {
        let event = self.tally.lock().event(event, Instant::now());
        if let Some(event) = event {
            self.push(event);
        }
    }

    fn denied(&self, denied: Denied<'_>) {
        let event = self.tally.lock().denied(denied, Instant::now());
        if let Some(event) = event {
            self.push(event);
        }
    }
}
