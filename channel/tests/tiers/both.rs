//! What is the same of all tiers.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use cofferdam_channel::{CallFailure, Cancelled, Deadline, Outgoing};
use cofferdam_protocol::call::Fault;

use super::rig::{LONG, PAYLOAD_BYTES_MAX, Rig, TIERS, make, outgoing, until};

const SHORT: Duration = Duration::from_millis(30);
/// As many wait for each call that may be in flight.
const WAITING_PER_CALL: usize = 16;

/// Does it on each, and says on which it is.
fn on_each(in_flight_max: usize, test: impl Fn(&Rig)) {
    for (tier, ends) in TIERS {
        eprintln!("on {tier}");
        test(&ends(in_flight_max));
    }
}

#[test]
fn answers_of_every_size_come_back() {
    on_each(4, |rig| {
        for bytes in
            [0, 1, 999, 1000, 1001, 1023, 1024, 65_000, 65_535, 65_536, 65_537, 300_000, PAYLOAD_BYTES_MAX as usize]
        {
            let payload: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
            assert_eq!(rig.call("Echo", &payload, LONG).unwrap(), payload, "{bytes} bytes");
            assert_eq!(rig.call("Size", bytes.to_string().as_bytes(), LONG).unwrap().len(), bytes);
        }
        assert_eq!(rig.call("Who", b"", LONG).unwrap(), b"MACTOR");
        assert_eq!(rig.client.blocking().in_flight(), 0);
    });
}

#[test]
fn failures_are_told_apart() {
    on_each(1, |rig| {
        let huge = (PAYLOAD_BYTES_MAX + 1).to_string();
        for (operation, payload, fault) in [
            ("Fail", "", Fault::Failed),
            ("Wordy", "", Fault::Panicked),
            ("Panic", "", Fault::Internal),
            ("Size", &huge, Fault::Invalid),
        ] {
            let failed = rig.call(operation, payload.as_bytes(), LONG);
            assert_eq!(failed, Err(CallFailure::Answered(fault)), "{operation}");
        }
        let bytes = PAYLOAD_BYTES_MAX as usize + 1;
        let too_large = CallFailure::TooLarge { bytes, limit: PAYLOAD_BYTES_MAX as usize };
        assert_eq!(rig.call("Echo", &vec![0; bytes], LONG), Err(too_large));
        let unsendable = rig.call(&"x".repeat(513), b"", LONG);
        assert!(matches!(unsendable, Err(CallFailure::Unsendable { .. })), "{unsendable:?}");
        assert_eq!(rig.call("Echo", b"still", LONG).unwrap(), b"still");
    });
}

/// Nobody waits for it, and nobody calls after it: it is no call in flight all the same.
#[test]
fn an_answer_that_comes_too_late_is_noticed_by_whoever_asks() {
    on_each(2, |rig| {
        assert_eq!(rig.call("Hold", b"", SHORT), Err(CallFailure::Late { delivered: true }));
        assert_eq!(
            (rig.client.blocking().in_flight(), rig.client.blocking().overdue(Deadline::now())),
            (1, (1, 2)),
            "it runs"
        );
        rig.release.send(()).unwrap();
        until("it has ended", || rig.client.blocking().overdue(Deadline::now()).0 == 0);
        assert_eq!(rig.client.blocking().in_flight(), 0);
    });
}

#[test]
fn a_late_call_is_cancelled_and_its_place_comes_back_with_its_answer() {
    on_each(1, |rig| {
        assert_eq!(rig.call("Hold", b"", SHORT), Err(CallFailure::Late { delivered: true }));
        rig.wait_until_begun();
        assert_eq!(rig.client.blocking().in_flight(), 1, "the peer still owes the answer");

        // The only place is taken, so a further call waits for it and is never sent.
        assert_eq!(rig.call("Echo", b"", SHORT), Err(CallFailure::Late { delivered: false }));
        rig.release.send(()).unwrap();
        assert_eq!(rig.call("Echo", b"again", LONG).unwrap(), b"again");
        assert_eq!(rig.client.blocking().in_flight(), 0);
    });
}

/// It waits before there is anything that could come back by itself.
#[test]
fn whoever_waits_is_told_that_a_place_was_left() {
    on_each(1, |rig| {
        let holding = rig.begin("Hold", Duration::from_millis(300));
        rig.wait_until_begun();
        let waiting = rig.begin("Echo", LONG);
        until("it waits for its turn", || rig.client.blocking().in_flight() == 2);
        assert_eq!(holding.join().unwrap(), Err(CallFailure::Late { delivered: true }));
        rig.release.send(()).unwrap();
        assert_eq!(waiting.join().unwrap(), Ok(Vec::new()));
    });
}

#[test]
fn whoever_runs_a_call_hears_that_its_caller_has_gone() {
    on_each(2, |rig| {
        for _ in 0..10 {
            // Long enough for it to begin, on a busy machine.
            let late = rig.begin("Spin", Duration::from_millis(100));
            rig.wait_until_begun();
            assert_eq!(late.join().unwrap(), Err(CallFailure::Late { delivered: true }));
        }
        until("all have ended", || rig.server.running() == 0 && rig.client.blocking().in_flight() == 0);
    });
}

#[test]
fn a_call_ends_when_its_caller_goes_wherever_it_is() {
    on_each(1, |rig| {
        let (sent, sent_cancelled) = rig.begin_cancellable("Hold");
        rig.wait_until_begun();
        let (waiting, waiting_cancelled) = rig.begin_cancellable("Echo");
        until("it waits for its turn", || rig.client.blocking().in_flight() == 2);
        waiting_cancelled.set();
        assert_eq!(waiting.join().unwrap(), Err(CallFailure::Cancelled), "it was never sent");
        sent_cancelled.set();
        assert_eq!(sent.join().unwrap(), Err(CallFailure::Cancelled));
        rig.release.send(()).unwrap();
        assert_eq!(rig.call("Echo", b"again", LONG).unwrap(), b"again");
    });
}

#[test]
fn a_call_that_may_be_cancelled_is_answered_as_well() {
    on_each(2, |rig| {
        let cancelled = Cancelled::new();
        for _ in 0..1000 {
            let call = Outgoing { cancelled: &cancelled, ..outgoing("Echo", b"fast", LONG) };
            assert_eq!(make(rig.client.blocking(), &call).unwrap(), b"fast");
        }
    });
}

#[test]
fn what_runs_hears_that_the_connection_has_gone() {
    on_each(1, |rig| {
        let held = rig.begin("Spin", LONG);
        rig.wait_until_begun();
        rig.server.shut_down();
        until("it has ended", || rig.server.running() == 0);
        rig.client.blocking().close("gone");
        // In lanes it may be answered, all the same.
        let _ = held.join().unwrap();
    });
}

#[test]
fn a_handler_that_suddenly_blocks_holds_up_nobody_for_long() {
    on_each(4, |rig| {
        // Fast calls let the leader go on leading while it runs them.
        (0..100).for_each(|_| assert_eq!(rig.call("Echo", b"fast", LONG).unwrap(), b"fast"));
        let held = rig.begin("Hold", LONG);
        rig.wait_until_begun();
        assert_eq!(rig.call("Echo", b"beside", LONG).unwrap(), b"beside");
        rig.release.send(()).unwrap();
        assert_eq!(held.join().unwrap(), Ok(vec![0]));
    });
}

#[test]
fn a_late_large_answer_does_not_cost_its_place_for_ever() {
    on_each(1, |rig| {
        for operation in ["LateLarge", "Panic", "LateLarge"] {
            let late = rig.call(operation, b"", SHORT);
            assert!(late.is_err(), "{late:?}");
            if operation == "LateLarge" {
                rig.release.send(()).unwrap();
            }
            assert_eq!(rig.call("Echo", b"next", LONG).unwrap(), b"next", "after {operation}");
        }
    });
}

#[test]
fn callers_beyond_the_limit_wait_their_turn_and_all_are_served() {
    on_each(2, |rig| {
        let start = Arc::new(Barrier::new(32));
        let callers: Vec<_> = (0..32_u32)
            .map(|number| {
                let (client, start) = (rig.client.clone(), start.clone());
                thread::spawn(move || {
                    start.wait();
                    for round in 0..200_u32 {
                        let times = 1 + round as usize % 150;
                        let payload = [number.to_le_bytes(), round.to_le_bytes()].concat().repeat(times);
                        assert_eq!(make(client.blocking(), &outgoing("Echo", &payload, LONG)).unwrap(), payload);
                    }
                })
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        assert_eq!(rig.client.blocking().in_flight(), 0);
    });
}

#[test]
fn more_waiting_than_may_wait_is_refused_at_once() {
    on_each(1, |rig| {
        let mut waiting = Vec::new();
        let refused = loop {
            let call = rig.begin("Hold", LONG);
            let all_wait = || rig.client.blocking().in_flight() == waiting.len() + 1;
            until("it waits, or is refused", || all_wait() || call.is_finished());
            if call.is_finished() {
                break call.join().unwrap();
            }
            waiting.push(call);
        };
        assert_eq!(refused, Err(CallFailure::Overloaded { limit: 1 }));
        // One runs, and in lanes one lies ready.
        let beside = waiting.len() - WAITING_PER_CALL;
        assert!((1..=2).contains(&beside), "{beside}");
        waiting.iter().for_each(|_| rig.release.send(()).unwrap());
        for call in waiting {
            assert_eq!(call.join().unwrap(), Ok(vec![0]));
        }
    });
}

#[test]
fn closing_ends_every_call_with_the_cause() {
    on_each(8, |rig| {
        let waiting: Vec<_> = (0..8).map(|_| rig.begin("Hold", LONG)).collect();
        (0..8).for_each(|_| rig.wait_until_begun());
        let queued = rig.begin("Echo", LONG);
        until("one more waits for its turn", || rig.client.blocking().in_flight() == 9);
        rig.client.blocking().close("killed by SIGKILL");
        rig.client.blocking().close("for another reason");
        let closed = |delivered| Err(CallFailure::Closed { delivered, cause: "killed by SIGKILL".into() });
        for call in waiting {
            assert_eq!(call.join().unwrap(), closed(true));
        }
        assert_eq!(queued.join().unwrap(), closed(false));
        assert_eq!(rig.call("Echo", b"", LONG), closed(false));
        (0..8).for_each(|_| rig.release.send(()).unwrap());
        rig.server.shut_down();
    });
}
