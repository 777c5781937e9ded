//! The last calls of a provider, for the case that it dies: without their payloads, unless its operator asked for the beginning
//! of each. Noting one takes no lock that another call may hold for long, and after a while no memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::gate::ProviderGate;
use crate::crash::{Call, CallEnd, PAYLOADS_BYTES_MAX, Payload};
use crate::words::{CallError, Callee, Deadline, Invocation, Outcome};

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
    /// What is kept of a payload. Nothing, unless somebody asked for it.
    payload_bytes_max: usize,
}

#[derive(Default)]
struct Slot {
    number: u64,
    actor: String,
    operation: String,
    began: Option<Deadline>,
    deadline: Option<Deadline>,
    end: Option<End>,
    /// The beginning of the payload, and how long all of it is.
    payload: Vec<u8>,
    payload_bytes: usize,
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
    /// By its caller; whether it was answered later is not known.
    GivenUp,
    /// With the process, so it was in flight when that died.
    Lost,
}

impl CallLog {
    /// Keeps so many bytes of each payload.
    pub(super) fn new(payload_bytes_max: u32) -> Self {
        let slots = (0..CALLS_MAX).map(|_| Mutex::default()).collect();
        Self { next: AtomicU64::new(0), slots, payload_bytes_max: payload_bytes_max as usize }
    }

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
            if self.payload_bytes_max > 0 {
                slot.payload.clear();
                slot.payload.extend_from_slice(&call.payload[..call.payload.len().min(self.payload_bytes_max)]);
                slot.payload_bytes = call.payload.len();
            }
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

    /// Calls since `born` that are in flight or were given up, the oldest first, and the last others, the latest first.
    pub(super) fn tell(&self, born: Deadline, now: Deadline) -> (Vec<Call>, Vec<Call>) {
        let told = self.slots.iter().filter_map(|slot| told(&slot.lock(), born, now));
        let (mut in_flight, mut before): (Vec<_>, Vec<_>) =
            told.partition(|(_, call)| call.ended.as_ref().is_none_or(|end| end.given_up));
        in_flight.sort_by_key(|(number, _)| *number);
        before.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        before.truncate(BEFORE_MAX);
        if self.payload_bytes_max > 0 {
            self.add_payloads(&mut in_flight);
        }
        let calls = |numbered: Vec<(u64, Call)>| numbered.into_iter().map(|(_, call)| call).collect();
        (calls(in_flight), calls(before))
    }

    /// What was kept of the payloads, those of the oldest calls first, as far as a report has room.
    fn add_payloads(&self, calls: &mut [(u64, Call)]) {
        let mut room = PAYLOADS_BYTES_MAX;
        for (number, call) in calls {
            let slot = self.slot(*number).lock();
            // A later call may have taken the place.
            if slot.number == *number {
                let start = slot.payload[..slot.payload.len().min(room)].to_vec();
                room -= start.len();
                let left_out = (slot.payload_bytes - start.len()) as u64;
                call.payload = Some(Payload { start, bytes: slot.payload_bytes as u64, left_out });
            }
        }
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
        ended: ended.map(|end| CallEnd {
            took_ms: ms(end.at.since(began)),
            ok: end.how == How::Answered,
            given_up: end.how == How::GivenUp,
        }),
        payload: None,
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
        Err(
            CallError::ProviderCrashed { .. }
            | CallError::ProviderHung { .. }
            | CallError::ProviderBroke { .. }
            | CallError::ProviderStopped { .. },
        ) => How::Lost,
        Err(CallError::CallerGone { .. } | CallError::DeadlineExceeded { outcome: Outcome::Unknown, .. }) => {
            How::GivenUp
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

    fn begin(log: &CallLog, operation: &str, payload: &[u8]) -> u64 {
        let origin = WasmCloudEntity::Actor("MCALLER".to_owned());
        let (target, deadline) = (&origin, Deadline::now().plus(Duration::from_secs(2)));
        let cancelled = Cancelled::never();
        log.begin(&Invocation { origin: &origin, target, operation, payload, deadline, cancelled, depth: 0 })
    }

    #[test]
    fn the_beginnings_of_payloads_are_told_of_calls_in_flight_where_they_were_asked_for() {
        let check = |bytes_max: u32, payloads: &[&[u8]], expected: &[(&[u8], u64)]| {
            let log = CallLog::new(bytes_max);
            let born = Deadline::now();
            log.end(begin(&log, "Ended", b"of no interest"), How::Answered);
            for payload in payloads {
                begin(&log, "Get", payload);
            }
            let (in_flight, before) = log.tell(born, Deadline::now());
            assert!(before.iter().all(|call| call.payload.is_none()), "{before:?}");
            let told = in_flight.iter().filter_map(|call| call.payload.as_ref());
            let told: Vec<(&[u8], u64)> = told.map(|payload| (&*payload.start, payload.left_out)).collect();
            assert_eq!(told, expected, "{bytes_max} of {payloads:?}");
        };
        check(0, &[b"secret"], &[]);
        check(6, &[b"secret", b"", b"secret!"], &[(b"secret", 0), (b"", 0), (b"secret", 1)]);
        let (large, most) = (vec![7; PAYLOADS_BYTES_MAX - 3], PAYLOADS_BYTES_MAX as u32);
        check(most, &[&large, b"abcde", b"x"], &[(&large, 0), (b"abc", 2), (b"", 1)]);
    }

    #[test]
    fn the_last_calls_are_told_and_those_of_an_earlier_process_are_not() {
        let log = CallLog::new(0);
        let call = |operation: &str| begin(&log, operation, b"secret");
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
