//! What callers see that must not block.

use std::time::Duration;

use cofferdam_channel::{CallFailure, Completions};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::rig::{LONG, Rig, UP, make, outgoing, until};

/// Does it on each tier in which a provider calls actors, and says on which it is.
fn on_each(in_flight_max: usize, test: impl Fn(&Rig, Box<dyn Completions>)) {
    for (tier, ends) in UP {
        eprintln!("on {tier}");
        let rig = ends(in_flight_max);
        let completions = rig.client.completions().unwrap();
        test(&rig, completions);
    }
}

/// Waits for the descriptor, as an event loop does, and takes one completion. It may be readable for no reason.
fn next(completions: &dyn Completions) -> (u64, Result<(), CallFailure>, Vec<u8>) {
    loop {
        if let Some(completed) = completions.take_next() {
            return (completed.token, completed.result, completed.bytes);
        }
        let mut descriptors = [PollFd::new(completions.fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut descriptors, PollTimeout::try_from(20_000).unwrap()).unwrap(), 1, "no completion came");
    }
}

#[test]
fn completions_come_once_each_by_answer_deadline_and_cancel() {
    on_each(8, |rig, completions| {
        completions.start(1, &outgoing("Echo", b"one", LONG)).unwrap();
        assert_eq!(next(&*completions), (1, Ok(()), b"one".to_vec()));

        completions.start(2, &outgoing("Hold", b"", Duration::from_millis(30))).unwrap();
        assert_eq!(next(&*completions), (2, Err(CallFailure::Late { delivered: true }), Vec::new()));

        completions.start(3, &outgoing("Hold", b"", LONG)).unwrap();
        rig.began.recv_timeout(LONG).unwrap();
        rig.began.recv_timeout(LONG).unwrap();
        completions.cancel(3);
        completions.cancel(77);
        assert_eq!(next(&*completions), (3, Err(CallFailure::Cancelled), Vec::new()));
        (0..2).for_each(|_| rig.release.send(()).unwrap());

        // Threads call beside it, while the reader of the mailboxes reads for them.
        assert_eq!(make(rig.client.blocking(), &outgoing("Echo", b"beside", LONG)).unwrap(), b"beside");
        assert!(completions.take_next().is_none());
        completions.start(4, &outgoing("Hold", b"", LONG)).unwrap();
        drop(completions);
        rig.release.send(()).unwrap();
        assert_eq!(make(rig.client.blocking(), &outgoing("Echo", b"after", LONG)).unwrap(), b"after");
    });
}

#[test]
fn more_waiting_than_may_wait_is_refused_at_once() {
    on_each(1, |rig, completions| {
        let mut tokens = 0..;
        let refused = loop {
            let Err(refused) = completions.start(tokens.start, &outgoing("Hold", b"", LONG)) else {
                tokens.next();
                continue;
            };
            break refused;
        };
        assert_eq!(refused, CallFailure::Overloaded { limit: 1 });
        let count = tokens.start;
        assert!((17..=18).contains(&count), "one runs, sixteen wait, and in lanes one lies ready: {count}");
        assert_eq!(
            make(rig.client.blocking(), &outgoing("Echo", b"", LONG)),
            Err(CallFailure::Overloaded { limit: 1 })
        );
        assert_eq!(completions.start(99, &outgoing("Hold", b"", LONG)), Err(CallFailure::Overloaded { limit: 1 }));
        (0..count).for_each(|_| rig.release.send(()).unwrap());
        let mut tokens: Vec<u64> = (0..count).map(|_| next(&*completions).0).collect();
        tokens.sort_unstable();
        assert_eq!(tokens, (0..count).collect::<Vec<_>>());
    });
}

#[test]
fn closing_ends_those_that_wait_for_a_completion() {
    on_each(1, |rig, completions| {
        completions.start(1, &outgoing("Hold", b"", LONG)).unwrap();
        rig.began.recv_timeout(LONG).unwrap();
        completions.start(2, &outgoing("Hold", b"", LONG)).unwrap();
        rig.client.blocking().close("killed by SIGKILL");
        let closed = |delivered| Err(CallFailure::Closed { delivered, cause: "killed by SIGKILL".into() });
        let mut ended = [next(&*completions), next(&*completions)].map(|(token, result, _)| (token, result));
        ended.sort_by_key(|(token, _)| *token);
        assert_eq!(ended, [(1, closed(true)), (2, closed(false))]);
        rig.release.send(()).unwrap();
        rig.server.shut_down();
    });
}

/// Two loops and threads beside each other: each gets its own.
#[test]
fn loops_and_threads_get_what_is_theirs() {
    on_each(3, |rig, completions| {
        let (client, other) = (rig.client.clone(), rig.client.completions().unwrap());
        std::thread::scope(|scope| {
            for (queue, name) in [(&completions, 0_u8), (&other, 1)] {
                scope.spawn(move || {
                    for round in 0..300_u64 {
                        // As many as may be in flight, and some that wait for their turn; some answers are long.
                        for token in 0..6 {
                            let bytes = if token == 5 { 3000 } else { 40 };
                            let payload = vec![name ^ (round as u8).wrapping_add(token as u8); bytes];
                            queue.start(8 * round + token, &outgoing("Echo", &payload, LONG)).unwrap();
                        }
                        for _ in 0..6 {
                            let (token, result, answer) = next(&**queue);
                            assert_eq!((token / 8, result), (round, Ok(())));
                            assert!(
                                answer.iter().all(|byte| *byte == name ^ (round as u8).wrapping_add((token % 8) as u8))
                            );
                        }
                    }
                });
            }
            scope.spawn(move || {
                for round in 0..300_u32 {
                    let payload = round.to_le_bytes();
                    assert_eq!(make(client.blocking(), &outgoing("Echo", &payload, LONG)).unwrap(), payload);
                }
            });
        });
        assert_eq!(rig.client.blocking().in_flight(), 0);
    });
}

#[test]
fn answers_of_every_size_come_to_loops() {
    on_each(2, |_, completions| {
        for bytes in [0, 1, 999, 1000, 1001, 65_536, 1 << 20] {
            for token in 0..4 {
                completions.start(token, &outgoing("Size", bytes.to_string().as_bytes(), LONG)).unwrap();
            }
            for _ in 0..4 {
                let (_, result, answer) = next(&*completions);
                assert_eq!((result, answer.len()), (Ok(()), bytes));
            }
        }
    });
}

/// It waits for its turn behind one that holds the only place, and ends by its deadline all the same.
#[test]
fn what_waits_for_its_turn_ends_by_its_deadline() {
    on_each(1, |rig, completions| {
        completions.start(1, &outgoing("Hold", b"", LONG)).unwrap();
        rig.began.recv_timeout(LONG).unwrap();
        completions.start(2, &outgoing("Echo", b"", Duration::from_millis(20))).unwrap();
        assert_eq!(next(&*completions), (2, Err(CallFailure::Late { delivered: false }), Vec::new()));
        rig.release.send(()).unwrap();
        assert_eq!(next(&*completions), (1, Ok(()), vec![0]));
    });
}

/// What is given up leaves its place when its callee has ended it, and whoever waits for that is told.
#[test]
fn a_place_that_was_left_comes_back_to_who_waits() {
    on_each(1, |rig, completions| {
        completions.start(1, &outgoing("Hold", b"", LONG)).unwrap();
        rig.began.recv_timeout(LONG).unwrap();
        completions.start(2, &outgoing("Echo", b"next", LONG)).unwrap();
        completions.cancel(1);
        assert_eq!(next(&*completions).1, Err(CallFailure::Cancelled));
        rig.release.send(()).unwrap();
        assert_eq!(next(&*completions), (2, Ok(()), b"next".to_vec()));
    });
}

/// Loops come and go: no place of theirs is lost.
#[test]
fn a_loop_that_has_gone_leaves_nothing_behind() {
    on_each(2, |rig, completions| {
        drop(completions);
        for _ in 0..40 {
            let completions = rig.client.completions().unwrap();
            completions.start(1, &outgoing("Spin", b"", LONG)).unwrap();
            // It may have to wait for the place of the one before, and then its loop asks.
            until("it runs", || completions.take_next().is_none() && rig.began.try_recv().is_ok());
            drop(completions);
        }
        until("all have ended", || rig.client.blocking().in_flight() == 0);
    });
}

#[test]
fn each_loop_is_told_of_its_own_deadlines() {
    on_each(4, |rig, completions| {
        let other = rig.client.completions().unwrap();
        for (queue, token, ms) in [(&completions, 1, 20), (&other, 2, 60), (&completions, 3, 90), (&other, 4, 120)] {
            queue.start(token, &outgoing("Hold", b"", Duration::from_millis(ms))).unwrap();
        }
        for (queue, token) in [(&completions, 1), (&other, 2), (&completions, 3), (&other, 4)] {
            assert_eq!(next(&**queue), (token, Err(CallFailure::Late { delivered: true }), Vec::new()));
        }
        (0..4).for_each(|_| rig.release.send(()).unwrap());
    });
}

/// As the ABI allows: it waits until the descriptor is readable, takes one, and waits again.
#[test]
fn the_descriptor_stays_readable_for_who_takes_one_at_a_time() {
    on_each(8, |rig, completions| {
        for token in 0..6 {
            let (operation, timeout) = if token < 3 { ("Hold", Duration::from_millis(20)) } else { ("Echo", LONG) };
            completions.start(token, &outgoing(operation, b"", timeout)).unwrap();
        }
        let mut tokens = Vec::new();
        while tokens.len() < 6 {
            let mut descriptors = [PollFd::new(completions.fd(), PollFlags::POLLIN)];
            assert_eq!(poll(&mut descriptors, PollTimeout::try_from(20_000).unwrap()).unwrap(), 1, "{tokens:?} came");
            tokens.extend(completions.take_next().map(|completed| completed.token));
        }
        tokens.sort_unstable();
        assert_eq!(tokens, [0, 1, 2, 3, 4, 5]);
        (0..3).for_each(|_| rig.release.send(()).unwrap());
    });
}
