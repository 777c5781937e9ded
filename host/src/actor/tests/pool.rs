//! The pool by itself, with numbers in place of instances; then with real ones.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use super::super::pool::{Pool, Refused};
use super::faults::calls_the_host;
use super::*;

const SOON: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(20);

#[test]
fn it_takes_the_last_one_put_back_and_makes_no_more_than_its_limit() {
    let pool = Pool::new(&limits(2));
    let (a, b) = (pool.acquire(Deadline::NEVER).unwrap(), pool.acquire(Deadline::NEVER).unwrap());
    assert!(a.instance.is_none() && b.instance.is_none());
    assert_eq!(pool.acquire(Deadline::after(SOON)).unwrap_err(), Refused::Full);
    let _ = a.put_back("a", Deadline::now());
    let _ = b.put_back("b", Deadline::now());
    assert_eq!(pool.counts(), (2, 0));
    let lease = pool.acquire(Deadline::NEVER).unwrap();
    assert_eq!(lease.instance, Some("b"));
    drop(lease);
    assert_eq!(pool.counts(), (1, 0), "a dropped lease discards its instance");
}

#[test]
fn what_lies_idle_for_long_is_given_back_but_for_a_few() {
    let (idle_kept, idle_max) = (2, Duration::from_secs(10));
    let pool = Pool::new(&ActorLimits { idle_kept, idle_max, ..limits(8) });
    let at = |second: u64| Deadline::from_monotonic_ns(second * 1_000_000_000);
    // Put back one a second: the first that is too many says when to come, and the others need nobody else.
    let leases: Vec<_> = (0..6).map(|_| pool.acquire(Deadline::NEVER).unwrap()).collect();
    let told: Vec<_> = (100..).zip(leases).map(|(second, lease)| lease.put_back((), at(second))).collect();
    assert_eq!(told, [None, None, Some(at(110)), None, None, None]);
    for (second, next, idle) in
        [(109, Some(110), 6), (110, Some(111), 5), (112, Some(113), 3), (113, None, 2), (999, None, 2)]
    {
        assert_eq!((pool.sweep(at(second)), pool.counts()), (next.map(at), (idle, 0)), "at {second} s");
    }
    // The last one put back is taken first, so those that a lighter load leaves idle are the oldest.
    let leases: Vec<_> = (0..3).map(|_| pool.acquire(Deadline::NEVER).unwrap()).collect();
    let told: Vec<_> = leases.into_iter().map(|lease| lease.put_back((), at(1_000))).collect();
    assert_eq!(told, [None, None, Some(at(1_010))], "somebody is asked again");
    assert_eq!(pool.acquire(Deadline::NEVER).unwrap().put_back((), at(1_009)), None);
    assert_eq!((pool.sweep(at(1_010)), pool.counts()), (None, (2, 0)));
}

#[test]
fn waiters_are_bounded_and_woken() {
    let pool = Pool::new(&limits(1));
    let held = pool.acquire(Deadline::NEVER).unwrap();
    let served = AtomicU32::new(0);
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let lease = pool.acquire(Deadline::after(LONG)).unwrap();
                    served.fetch_add(1, Ordering::Relaxed);
                    let _ = lease.put_back((), Deadline::now());
                })
            })
            .collect();
        // The fifth is refused at once, though its deadline is far, as soon as four wait.
        while pool.waiting() < 4 {
            thread::yield_now();
        }
        assert_eq!(pool.acquire(Deadline::NEVER).unwrap_err(), Refused::Full);
        let _ = held.put_back((), Deadline::now());
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    });
    assert_eq!((served.into_inner(), pool.counts()), (4, (1, 0)));
}

#[test]
fn retiring_refuses_waiters_and_waits_for_what_is_busy() {
    let pool = Pool::new(&limits(1));
    let held = pool.acquire(Deadline::NEVER).unwrap();
    assert_eq!(pool.retire(Deadline::after(SOON)), 1);
    assert_eq!(pool.acquire(Deadline::NEVER).unwrap_err(), Refused::Retired);
    thread::scope(|scope| {
        let retiring = scope.spawn(|| pool.retire(Deadline::after(LONG)));
        let _ = held.put_back((), Deadline::now());
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

/// Host calls that end when so many are made at once.
struct Together(Barrier);

impl Outbound for Together {
    fn host_call(&self, _: &HostCall<'_>, _: &mut Vec<u8>) -> Result<(), CallError> {
        self.0.wait();
        Ok(())
    }
}

#[test]
fn many_callers_at_once_have_an_instance_each_and_idle_ones_are_given_back() {
    const CALLERS: u32 = 32;
    let wasm = calls_the_host();
    let limits = ActorLimits { idle_kept: 3, idle_max: Duration::from_millis(1), ..limits(CALLERS) };
    let runtime = ActorRuntime::new(ActorRuntimeConfig::default()).unwrap();
    for metering in [Metering::On, Metering::Off] {
        let spec = ActorSpec { metering, ..spec(&wasm, limits) };
        let actor = runtime.load(spec, Arc::new(Together(Barrier::new(CALLERS as usize)))).unwrap();
        thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| assert_eq!(show(call_within(&actor, "Any", b"", LONG)), "ok "));
            }
        });
        // Nobody calls any more, and they go all the same.
        let patience = Deadline::after(LONG);
        while actor.instances() != (3, 0) {
            assert!(!patience.expired(), "{:?} of {CALLERS} lie idle", actor.instances());
            thread::yield_now();
        }
    }
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
