//! The last calls of a provider, without their payloads, for the case that it dies. Noting one takes no lock that another
//! call may hold for long, and after a while no memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::gate::ProviderGate;
use crate::crash::{Call, CallEnd};
use crate::words::{CallError, Callee, Deadline, Invocation};

/// Calls that are remembered.
const CALLS_MAX: usize = 64;
/// Ended ones that are told.
const BEFORE_MAX: usize = 16;
/// What is kept of a name.
const NAME_BYTES_MAX: usize = 128;

/// The last calls of one provider.
pub(super) struct CallLog {
    next: AtomicU64,
    slots: Box<[Mutex<Slot>]>,
}

#[derive(Default)]
struct Slot {
    number: u64,
    actor: String,
    operation: String,
    began: Option<Deadline>,
    deadline: Option<Deadline>,
    end: Option<End>,
}

/// How a call ended.
#[derive(Clone, Copy, PartialEq, Eq)]
struct End {
    at: Deadline,
    how: How,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Answered,
    Failed,
    /// With the process, so it was in flight when that died.
    Lost,
}

impl Default for CallLog {
    fn default() -> Self {
        Self { next: AtomicU64::new(0), slots: (0..CALLS_MAX).map(|_| Mutex::default()).collect() }
    }
}

impl CallLog {
    fn begin(&self, call: &Invocation<'_>) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        // Somebody who is just writing to the same slot is 64 calls away; then this one is not remembered.
        if let Some(mut slot) = self.slot(number).try_lock() {
            let slot = &mut *slot;
            slot.number = number;
            keep(&mut slot.actor, call.origin.public_key());
            keep(&mut slot.operation, call.operation);
            slot.began = Some(Deadline::now());
            slot.deadline = Some(call.deadline);
            slot.end = None;
        }
        number
    }

    fn end(&self, number: u64, how: How) {
        let mut slot = self.slot(number).lock();
        if slot.number == number {
            slot.end = Some(End { at: Deadline::now(), how });
        }
    }

    fn slot(&self, number: u64) -> &Mutex<Slot> {
        &self.slots[(number % CALLS_MAX as u64) as usize]
    }

    /// Calls since `born` that are in flight, the oldest first, and the last that ended, the latest first.
    pub(super) fn tell(&self, born: Deadline, now: Deadline) -> (Vec<Call>, Vec<Call>) {
        let told = self.slots.iter().filter_map(|slot| told(&slot.lock(), born, now));
        let (mut in_flight, mut before): (Vec<_>, Vec<_>) = told.partition(|(_, call)| call.ended.is_none());
        in_flight.sort_by_key(|(number, _)| *number);
        before.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        before.truncate(BEFORE_MAX);
        let calls = |numbered: Vec<(u64, Call)>| numbered.into_iter().map(|(_, call)| call).collect();
        (calls(in_flight), calls(before))
    }
}

fn told(slot: &Slot, born: Deadline, now: Deadline) -> Option<(u64, Call)> {
    // One that waited for this process began before it.
    let began = slot.began.filter(|began| *began >= born || slot.end.is_none())?;
    let ms = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let ended = slot.end.filter(|end| end.how != How::Lost);
    let call = Call {
        actor: slot.actor.clone(),
        operation: slot.operation.clone(),
        age_ms: ms(now.since(began)),
        deadline_ms: slot.deadline.filter(|deadline| *deadline != Deadline::NEVER).map(|due| ms(due.since(began))),
        ended: ended.map(|end| CallEnd { took_ms: ms(end.at.since(began)), ok: end.how == How::Answered }),
    };
    Some((slot.number, call))
}

/// Reuses the memory of the name before.
fn keep(place: &mut String, name: &str) {
    place.clear();
    place.push_str(&name[..name.floor_char_boundary(NAME_BYTES_MAX)]);
}

/// A gate whose calls are noted.
pub(super) struct Noted {
    pub(super) gate: Arc<ProviderGate>,
}

impl Callee for Noted {
    fn call(&self, invocation: &Invocation<'_>, reply: &mut Vec<u8>) -> Result<(), CallError> {
        let number = self.gate.calls.begin(invocation);
        let result = self.gate.call(invocation, reply);
        self.gate.calls.end(number, how(&result));
        result
    }
}

fn how(result: &Result<(), CallError>) -> How {
    match result {
        Ok(()) => How::Answered,
        Err(CallError::ProviderCrashed { .. } | CallError::ProviderHung { .. } | CallError::ProviderStopped { .. }) => {
            How::Lost
        }
        Err(_) => How::Failed,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cofferdam_channel::Cancelled;

    use super::*;
    use crate::words::WasmCloudEntity;

    #[test]
    fn the_last_calls_are_told_and_those_of_an_earlier_process_are_not() {
        let (log, cancelled) = (CallLog::default(), Cancelled::never());
        let origin = WasmCloudEntity::Actor("MCALLER".to_owned());
        let call = |operation: &str| {
            let (target, deadline) = (&origin, Deadline::now().plus(Duration::from_secs(2)));
            let payload = b"secret".as_slice();
            log.begin(&Invocation { origin: &origin, target, operation, payload, deadline, cancelled, depth: 0 })
        };
        log.end(call("Earlier"), How::Answered);
        let born = Deadline::now();
        for _ in 0..CALLS_MAX {
            log.end(call("Echo"), How::Answered);
        }
        log.end(call("Bad"), How::Failed);
        log.end(call("Lost"), How::Lost);
        call(&"x".repeat(2 * NAME_BYTES_MAX));
        let (in_flight, before) = log.tell(born, Deadline::now());
        let names = |calls: &[Call]| calls.iter().map(|call| call.operation.clone()).collect::<Vec<_>>();
        assert_eq!(names(&in_flight), ["Lost".to_owned(), "x".repeat(NAME_BYTES_MAX)]);
        assert_eq!((before.len(), &*before[0].operation, &*before[1].operation), (BEFORE_MAX, "Bad", "Echo"));
        assert_eq!(before.iter().filter(|call| call.ended.as_ref().is_some_and(|end| end.ok)).count(), BEFORE_MAX - 1);
        assert!(in_flight[0].deadline_ms.is_some_and(|ms| ms <= 2000), "{in_flight:?}");
    }
}
