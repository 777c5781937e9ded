//! Counting what somebody could repeat at will, so that nobody can fill the log, or push out of it what others did. Pure.
//!
//! Within a window, the first event of a key becomes a record at once, and those that follow become one more record with
//! their count, at the window's end. An actor, provider or operator has so many keys of its own in a window; the rest of
//! what it does is counted under one key. So is what comes from more of them than are told apart.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use crate::words::{AuditEvent, Brief, Denied, DeniedBecause};

/// How long events are counted before their count is written.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// Keys of one party in a window.
pub(super) const KEYS_MAX: u32 = 8;

/// Parties that are told apart in a window.
pub(super) const PARTIES_MAX: usize = 64;

/// What stands for all that has no key of its own.
const OTHERS: &str = "(others)";

/// What was counted in the present window.
pub(super) struct Tally {
    window: Duration,
    hasher: RandomState,
    rows: HashMap<u64, Row>,
    parties: HashMap<u64, u32>,
    ends: Option<Instant>,
}

struct Row {
    event: AuditEvent,
    repeats: u64,
}

/// How much of an event is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    All,
    Party,
    Nothing,
}

impl Tally {
    pub(super) fn new(window: Duration) -> Self {
        let (hasher, rows, parties) = (RandomState::new(), HashMap::new(), HashMap::new());
        Self { window, hasher, rows, parties, ends: None }
    }

    /// Counts a denial. The first of its key is returned, to be written at once.
    pub(super) fn denied(&mut self, denied: Denied<'_>, now: Instant) -> Option<AuditEvent> {
        let Denied { origin, target, operation, reason } = denied;
        let (party, key) = (("denied", origin), (target, operation, reason as u8));
        self.count([self.hasher.hash_one(party), self.hasher.hash_one((party, key))], now, |detail| {
            let all = |text: &str| Brief::from(if detail == Detail::All { text } else { OTHERS });
            AuditEvent::Denied {
                origin: Brief::from(if detail == Detail::Nothing { OTHERS } else { origin }),
                target: all(target),
                operation: all(operation),
                reason: if detail == Detail::All { reason } else { DeniedBecause::Various },
                count: 1,
            }
        })
    }

    /// Counts the event, if its kind is one that is counted. Returns what is to be written at once.
    pub(super) fn event(&mut self, event: AuditEvent, now: Instant) -> Option<AuditEvent> {
        let hash = |parts: &[&str]| self.hasher.hash_one((event.kind(), parts));
        let keys = match &event {
            AuditEvent::Granted { provider, link, want, subject, .. } => {
                let party = [provider.as_str(), link.as_str()];
                [hash(&party), hash(&[party[0], party[1], want.as_str(), subject.as_str()])]
            }
            AuditEvent::GrantRefused { provider, link, want, subject, reason, .. } => {
                let party = [provider.as_str(), link.as_str()];
                [hash(&party), hash(&[party[0], party[1], want.as_str(), subject.as_str(), reason.as_str()])]
            }
            // Whoever stops the host does so once; only calls are repeated.
            AuditEvent::OperatorCommand { uid, pid, command, subject, .. } if command.as_str() == "call" => {
                let (uid, pid) = (uid.to_string(), format!("{pid:?}"));
                [hash(&[&uid]), hash(&[&uid, &pid, subject.as_str()])]
            }
            AuditEvent::OperatorRefused { uid, .. } => [hash(&[]), hash(&[&format!("{uid:?}")])],
            _ => return Some(event),
        };
        self.count(keys, now, |detail| with_less(event, detail))
    }

    /// When the window ends, if anything was counted in it.
    pub(super) fn ends(&self) -> Option<Instant> {
        self.ends
    }

    /// Ends the window: what was repeated in it, with counts, in no order.
    pub(super) fn end(&mut self) -> Vec<AuditEvent> {
        self.ends = None;
        self.parties.clear();
        let repeated = self.rows.drain().filter(|(_, row)| row.repeats > 0);
        repeated.map(|(_, row)| with_count(row.event, row.repeats)).collect()
    }

    fn count(
        &mut self,
        [party, key]: [u64; 2],
        now: Instant,
        event: impl FnOnce(Detail) -> AuditEvent,
    ) -> Option<AuditEvent> {
        if let Some(row) = self.rows.get_mut(&key) {
            row.repeats += 1;
            return None;
        }
        self.ends.get_or_insert(now + self.window);
        let is_known = self.parties.contains_key(&party);
        let (key, detail) = if !is_known && self.parties.len() >= PARTIES_MAX {
            (0, Detail::Nothing)
        } else {
            let keys = self.parties.entry(party).or_default();
            *keys = keys.saturating_add(1);
            if *keys <= KEYS_MAX { (key, Detail::All) } else { (party, Detail::Party) }
        };
        if let Some(row) = self.rows.get_mut(&key) {
            row.repeats += 1;
            return None;
        }
        let event = event(detail);
        self.rows.insert(key, Row { event: event.clone(), repeats: 0 });
        Some(event)
    }
}

fn with_count(mut event: AuditEvent, n: u64) -> AuditEvent {
    match &mut event {
        AuditEvent::Denied { count, .. }
        | AuditEvent::Granted { count, .. }
        | AuditEvent::GrantRefused { count, .. }
        | AuditEvent::OperatorCommand { count, .. }
        | AuditEvent::OperatorRefused { count, .. } => *count = n,
        _ => {}
    }
    event
}

fn with_less(mut event: AuditEvent, detail: Detail) -> AuditEvent {
    let others = || Brief::from(OTHERS);
    if detail != Detail::All {
        match &mut event {
            AuditEvent::Granted { want, subject, .. } => (*want, *subject) = (others(), others()),
            AuditEvent::GrantRefused { want, subject, reason, .. } => {
                (*want, *subject, *reason) = (others(), others(), others());
            }
            AuditEvent::OperatorCommand { pid, subject, .. } => (*pid, *subject) = (None, others()),
            AuditEvent::OperatorRefused { uid, .. } => *uid = None,
            _ => {}
        }
    }
    if detail == Detail::Nothing
        && let AuditEvent::Granted { provider, link, .. } | AuditEvent::GrantRefused { provider, link, .. } = &mut event
    {
        (*provider, *link) = (others(), others());
    }
    event
}
