//! All interleavings of a caller and a callee, by loom: no wake-up is lost, nothing is read before it was written, and a
//! lane that was left comes back once.

use loom::cell::Cell;
use loom::sync::atomic::AtomicU32;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use super::*;

/// A word with the kernel's queue of sleepers: the value is looked at under the lock that wakers take, too.
struct Modelled {
    value: AtomicU32,
    queue: Mutex<()>,
    woken: Condvar,
}

impl Modelled {
    fn new() -> Self {
        Self { value: AtomicU32::new(0), queue: Mutex::new(()), woken: Condvar::new() }
    }
}

impl Word for Modelled {
    fn load(&self, order: Ordering) -> u32 {
        self.value.load(order)
    }

    fn store(&self, value: u32, order: Ordering) {
        self.value.store(value, order);
    }

    fn swap(&self, value: u32, order: Ordering) -> u32 {
        self.value.swap(value, order)
    }

    fn fetch_or(&self, bits: u32, order: Ordering) -> u32 {
        self.value.fetch_or(bits, order)
    }

    fn fetch_and(&self, bits: u32, order: Ordering) -> u32 {
        self.value.fetch_and(bits, order)
    }

    fn sleep(&self, value: u32, _: Deadline) {
        let queue = self.queue.lock().unwrap();
        if self.value.load(Ordering::SeqCst) == value {
            drop(self.woken.wait(queue).unwrap());
        }
    }

    fn wake(&self) {
        let _queue = self.queue.lock().unwrap();
        self.woken.notify_all();
    }
}

struct Modelling;

impl Fence for Modelling {
    fn full() {
        loom::sync::atomic::fence(Ordering::SeqCst);
    }
}

/// One direction with two lanes.
struct Shared {
    lanes: [(Modelled, Cell<u32>); 2],
    asked: [Modelled; 1],
    asleep: Modelled,
}

impl Shared {
    fn new() -> Arc<Self> {
        let lane = || (Modelled::new(), Cell::new(0));
        Arc::new(Self { lanes: [lane(), lane()], asked: [Modelled::new()], asleep: Modelled::new() })
    }

    fn bell(&self) -> Bell<'_, Modelled> {
        Bell { asked: &self.asked, asleep: &self.asleep }
    }

    fn ask(&self, lane: usize, argument: u32) {
        let (word, slab) = &self.lanes[lane];
        slab.set(argument);
        ask(word);
        self.bell().ring::<Modelling>(lane);
    }

    fn wait(&self, lane: usize) -> Progress {
        let word = &self.lanes[lane].0;
        loop {
            match look(word) {
                Progress::Asked => sleep(word, Deadline::NEVER),
                progress => return progress,
            }
        }
    }

    fn answer_of(&self, lane: usize) -> u32 {
        self.lanes[lane].1.get()
    }

    /// Takes so many requests, each whenever it comes, and answers with the double.
    fn serve(&self, count: usize) {
        let mut from = 0;
        for _ in 0..count {
            let lane = loop {
                match self.bell().take(from) {
                    Some(lane) => break lane,
                    None => self.bell().sleep_unless::<Modelling>(Deadline::NEVER, || false),
                }
            };
            from = lane + 1;
            let (word, slab) = &self.lanes[lane];
            assert!(is_asked(word));
            slab.set(slab.get() * 2);
            answer(word);
        }
    }
}

fn model(test: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(if cfg!(debug_assertions) { 2 } else { 3 });
    builder.check(test);
}

#[test]
fn a_call_is_answered_however_both_sides_sleep() {
    model(|| {
        let shared = Shared::new();
        let callee = {
            let shared = shared.clone();
            thread::spawn(move || shared.serve(1))
        };
        shared.ask(0, 21);
        assert_eq!(shared.wait(0), Progress::Answered);
        assert_eq!(shared.answer_of(0), 42);
        callee.join().unwrap();
    });
}

#[test]
fn a_lane_is_used_again() {
    model(|| {
        let shared = Shared::new();
        let callee = {
            let shared = shared.clone();
            thread::spawn(move || shared.serve(2))
        };
        for argument in [1, 2] {
            shared.ask(0, argument);
            assert_eq!(shared.wait(0), Progress::Answered);
            assert_eq!(shared.answer_of(0), 2 * argument);
            rest(&shared.lanes[0].0);
        }
        callee.join().unwrap();
    });
}

#[test]
fn two_callers_are_both_served() {
    model(|| {
        let shared = Shared::new();
        let callee = {
            let shared = shared.clone();
            thread::spawn(move || shared.serve(2))
        };
        let other = {
            let shared = shared.clone();
            thread::spawn(move || {
                shared.ask(1, 5);
                assert_eq!(shared.wait(1), Progress::Answered);
                assert_eq!(shared.answer_of(1), 10);
            })
        };
        shared.ask(0, 7);
        assert_eq!(shared.wait(0), Progress::Answered);
        assert_eq!(shared.answer_of(0), 14);
        other.join().unwrap();
        callee.join().unwrap();
    });
}

#[test]
fn an_answer_that_needs_more_room_gets_it() {
    model(|| {
        let shared = Shared::new();
        let callee = {
            let shared = shared.clone();
            thread::spawn(move || {
                let lane = loop {
                    match shared.bell().take(0) {
                        Some(lane) => break lane,
                        None => shared.bell().sleep_unless::<Modelling>(Deadline::NEVER, || false),
                    }
                };
                assert!(want_more(&shared.lanes[lane].0, Deadline::NEVER, (|| (), || false)));
                shared.lanes[1].1.set(42);
                answer(&shared.lanes[lane].0);
            })
        };
        shared.ask(0, 1);
        assert_eq!(shared.wait(0), Progress::More);
        // The room is the caller's until it grants it.
        shared.lanes[1].1.set(7);
        grant(&shared.lanes[0].0);
        assert_eq!(shared.wait(0), Progress::Answered);
        assert_eq!(shared.answer_of(1), 42);
        callee.join().unwrap();
    });
}

#[test]
fn whoever_waits_for_room_hears_that_the_caller_has_gone() {
    model(|| {
        let shared = Shared::new();
        let callee = {
            let shared = shared.clone();
            thread::spawn(move || {
                let word = &shared.lanes[0].0;
                let granted = want_more(word, Deadline::NEVER, (|| (), || false));
                answer(word);
                granted
            })
        };
        let left = leave(&shared.lanes[0].0);
        assert!(matches!(left, Progress::Asked | Progress::More), "{left:?}");
        assert!(!callee.join().unwrap());
        assert_eq!(look(&shared.lanes[0].0), Progress::Answered);
    });
}

/// Whoever leaves has the lane back at once, or when the callee has ended the call: one of both, and never both.
#[test]
fn a_lane_that_was_left_comes_back_once() {
    model(|| {
        let shared = Shared::new();
        let callee = {
            let shared = shared.clone();
            thread::spawn(move || {
                let Some(lane) = shared.bell().take(0) else { return false };
                let (word, slab) = &shared.lanes[lane];
                slab.set(slab.get() + 1);
                let _ = is_given_up(word);
                answer(word);
                true
            })
        };
        shared.ask(0, 1);
        let untaken = shared.bell().unring(0);
        if untaken {
            // It is the caller's again, and nobody else's.
            shared.lanes[0].1.set(9);
        } else if leave(&shared.lanes[0].0) == Progress::Answered {
            assert_eq!(shared.answer_of(0), 2);
        }
        assert_eq!(callee.join().unwrap(), !untaken);
        if !untaken {
            assert_eq!((look(&shared.lanes[0].0), shared.answer_of(0)), (Progress::Answered, 2));
        }
    });
}

/// The end is said to all lanes once. Whoever asks at that moment hears of it by the flag, or by the lane.
#[test]
fn whoever_asks_or_sleeps_is_told_of_the_end() {
    model(|| {
        let (shared, over) = (Shared::new(), Arc::new(AtomicU32::new(0)));
        let closer = {
            let (shared, over) = (shared.clone(), over.clone());
            thread::spawn(move || {
                over.store(1, Ordering::Relaxed);
                Modelling::full();
                close(&shared.lanes[0].0);
            })
        };
        ask(&shared.lanes[0].0);
        Modelling::full();
        if over.load(Ordering::Relaxed) == 0 {
            assert_eq!(shared.wait(0), Progress::Closed);
        }
        closer.join().unwrap();
    });
}

/// A loop that waits for two answers. It is told by a pipe when it sleeps, and finds the others by itself.
#[test]
fn whoever_is_full_takes_the_next_when_there_is_room() {
    model(|| {
        let (shared, busy) = (Shared::new(), Arc::new(AtomicU32::new(1)));
        let leader = {
            let (shared, busy) = (shared.clone(), busy.clone());
            thread::spawn(move || {
                while busy.load(Ordering::Relaxed) > 0 {
                    shared.bell().sleep_full::<Modelling>(|| busy.load(Ordering::Relaxed) == 0);
                }
                shared.serve(1);
            })
        };
        let worker = {
            let (shared, busy) = (shared.clone(), busy);
            thread::spawn(move || {
                busy.fetch_sub(1, Ordering::Relaxed);
                shared.bell().has_room::<Modelling>();
            })
        };
        shared.ask(0, 21);
        assert_eq!(shared.wait(0), Progress::Answered);
        leader.join().unwrap();
        worker.join().unwrap();
    });
}

#[test]
fn whoever_is_full_hears_who_has_gone() {
    model(|| {
        let shared = Shared::new();
        let leader = {
            let shared = shared.clone();
            thread::spawn(move || {
                while !shared.bell().is_rung() {
                    shared.bell().sleep_full::<Modelling>(|| shared.bell().is_rung());
                }
            })
        };
        shared.bell().ring_loudly::<Modelling>(1);
        leader.join().unwrap();
    });
}

#[test]
fn a_loop_sleeps_through_no_answer() {
    model(|| {
        let (shared, pipe) = (Shared::new(), Arc::new((Mutex::new(false), Condvar::new())));
        let callees: Vec<_> = [0, 1]
            .map(|lane| {
                let (shared, pipe) = (shared.clone(), pipe.clone());
                thread::spawn(move || {
                    let (word, slab) = &shared.lanes[lane];
                    slab.set(42);
                    answer(word);
                    shared.bell().ring_and::<Modelling>(lane, || {
                        *pipe.0.lock().unwrap() = true;
                        pipe.1.notify_one();
                    });
                })
            })
            .into();
        for _ in 0..2 {
            let lane = loop {
                if let Some(lane) = shared.bell().take(0) {
                    break lane;
                }
                *pipe.0.lock().unwrap() = false;
                if shared.bell().fall_asleep::<Modelling>() {
                    let mut told = pipe.0.lock().unwrap();
                    while !*told {
                        told = pipe.1.wait(told).unwrap();
                    }
                }
            };
            assert_eq!((look(&shared.lanes[lane].0), shared.answer_of(lane)), (Progress::Answered, 42));
        }
        callees.into_iter().for_each(|callee| callee.join().unwrap());
    });
}
