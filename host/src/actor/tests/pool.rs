//! The pool by itself, with numbers in place of instances; then with real ones.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use super::super::pool::{Pool, Refused};
use super::*;

const SOON: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(20);

#[test]
fn it_takes_the_last_one_put_back_and_makes_no_more_than_its_limit() {
    let pool = Pool::new(2);
    let (a, b) = (pool.acquire(Deadline::NEVER).unwrap(), pool.acquire(Deadline::NEVER).unwrap());
    assert!(a.instance.is_none() && b.instance.is_none());
    assert_eq!(pool.acquire(Deadline::after(SOON)).unwrap_err(), Refused::Full);
    a.put_back("a", Deadline::now());
    b.put_back("b", Deadline::now());
    assert_eq!(pool.counts(), (2, 0));
    let lease = pool.acquire(Deadline::NEVER).unwrap();
    assert_eq!(lease.instance, Some("b"));
    drop(lease);
    assert_eq!(pool.counts(), (1, 0), "a dropped lease discards its instance");
}

#[test]
fn what_lies_idle_for_long_is_dropped_but_for_a_few() {
    let pool = Pool::new(8);
    let at = |second: u64| Deadline::from_monotonic_ns(second * 1_000_000_000);
    let leases: Vec<_> = (0..8).map(|_| pool.acquire(Deadline::NEVER).unwrap()).collect();
    leases.into_iter().for_each(|lease| lease.put_back((), at(100)));
    assert_eq!(pool.counts(), (8, 0), "a burst keeps its instances");
    for (second, idle) in [(110, 8), (111, 7), (112, 6), (113, 5), (114, 4), (115, 4)] {
        pool.acquire(Deadline::NEVER).unwrap().put_back((), at(second));
        assert_eq!(pool.counts(), (idle, 0), "at {second} s");
    }
}

#[test]
fn waiters_are_bounded_and_woken() {
    let pool = Pool::new(1);
    let held = pool.acquire(Deadline::NEVER).unwrap();
    let served = AtomicU32::new(0);
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let lease = pool.acquire(Deadline::after(LONG)).unwrap();
                    served.fetch_add(1, Ordering::Relaxed);
                    lease.put_back((), Deadline::now());
                })
            })
            .collect();
        // The fifth is refused at once, though its deadline is far, as soon as four wait.
        while pool.waiting() < 4 {
            thread::yield_now();
        }
        assert_eq!(pool.acquire(Deadline::NEVER).unwrap_err(), Refused::Full);
        held.put_back((), Deadline::now());
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    });
    assert_eq!((served.into_inner(), pool.counts()), (4, (1, 0)));
}

#[test]
fn retiring_refuses_waiters_and_waits_for_what_is_busy() {
    let pool = Pool::new(1);
    let held = pool.acquire(Deadline::NEVER).unwrap();
    assert_eq!(pool.retire(Deadline::after(SOON)), 1);
    assert_eq!(pool.acquire(Deadline::NEVER).unwrap_err(), Refused::Retired);
    thread::scope(|scope| {
        let retiring = scope.spawn(|| pool.retire(Deadline::after(LONG)));
        held.put_back((), Deadline::now());
        assert_eq!(retiring.join().unwrap(), 0);
    });
    assert_eq!(pool.counts(), (0, 0), "nothing is kept of a retired actor");
}

#[test]
fn sixteen_threads_share_four_instances() {
    let actor = load(&wat_guest("faults.wat"));
    let begin = Barrier::new(16);
    thread::scope(|scope| {
        for thread in 0..16_u32 {
            let (actor, begin) = (&actor, &begin);
            scope.spawn(move || {
                begin.wait();
                for turn in 0..200_u32 {
                    let payload = format!("{thread}:{turn}");
                    match turn % 40 {
                        7 => assert!(show(call_within(actor, "Unreachable", b"", LONG)).starts_with("actor_trapped")),
                        9 => assert!(show(call_within(actor, "Silent", b"", LONG)).starts_with("actor_failed")),
                        _ => {
                            let reply = call_within(actor, "Reread", payload.as_bytes(), LONG).unwrap();
                            assert_eq!(reply, payload.as_bytes());
                        }
                    }
                }
            });
        }
    });
    let (idle, busy) = actor.instances();
    assert!(busy == 0 && (1..=4).contains(&idle), "{idle} idle, {busy} busy");
}

#[test]
fn a_full_actor_makes_callers_wait_until_their_deadline() {
    let actor = try_load(&wat_guest("faults.wat"), limits(1)).unwrap();
    thread::scope(|scope| {
        let looping = scope.spawn(|| show(call_within(&actor, "Loop", b"", Duration::from_millis(400))));
        while actor.instances().1 == 0 {
            thread::yield_now();
        }
        let shown = show(call_within(&actor, "Ok", b"", SOON));
        assert_eq!(shown, "overloaded: actor MACTOR already serves its limit of 1 calls at once");
        assert_eq!(show(call_within(&actor, "Ok", b"", LONG)), "ok ok", "waited for the instance");
        assert!(looping.join().unwrap().starts_with("actor_trapped"));
    });
    assert_eq!(actor.retire(Deadline::after(SOON)), 0);
    assert!(show(call(&actor, "Ok", b"")).starts_with("no_such_actor"));
}
