//! A peer that writes anything anywhere into the shared memory, all the while: whatever it costs, it costs its own calls.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use cofferdam_channel::lane::{Class, LaneClient, LaneLoopClient, Layout, Region, serve};
use cofferdam_channel::{
    Answer, Broken, CallFailure, Cancelled, Client, Deadline, Incoming, LoopClient, OnBroken, Outgoing, Server,
    ServerConfig, Service,
};
use cofferdam_protocol::call::Fault;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

const PAYLOAD_BYTES_MAX: u32 = 8000;
const LANES: usize = 6;
/// Description, bell and lanes; slabs lie behind it, with headers and bytes.
const WORDS_END: usize = 4096 + 64 * LANES;
/// How often is written before it says anything.
const WRITES_MIN: usize = 2000;
const DEADLINE: Duration = Duration::from_millis(5);
/// The end of what a call may take on a busy machine.
const LONG: Duration = Duration::from_secs(10);

struct Echo;

impl Service for Echo {
    fn serve(&self, call: &Incoming<'_>, answer: &mut Answer<'_>) -> Result<(), Fault> {
        assert!(call.payload.len() <= PAYLOAD_BYTES_MAX as usize);
        if call.operation == "Long" {
            answer.write(&[7; PAYLOAD_BYTES_MAX as usize]);
        }
        answer.write(call.payload);
        Ok(())
    }
}

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A word as a peer would choose it who knows what hurts.
    fn word(&mut self) -> u32 {
        let states = [0, 1, 2, 3, 4, 0x101, 0x102, 0x103, 0x201, 0x202, 0x400, 0x401, 7, 1000, 1001, 8000, 8001];
        match self.next() % 4 {
            0 => self.next() as u32,
            1 => 1 << (self.next() % 32),
            _ => states[self.next() as usize % states.len()],
        }
    }
}

/// Writes until it is told to stop, and says how often it has.
fn corrupt(memory: &OwnedFd, seed: u64, stop: &AtomicBool, count: &AtomicUsize) {
    let mut chance = Chance(seed);
    while !stop.load(Ordering::Relaxed) {
        let at = 4 * (chance.next() as usize % (WORDS_END / 4));
        nix::sys::uio::pwrite(memory.as_fd(), &chance.word().to_le_bytes(), at as i64).unwrap();
        if count.fetch_add(1, Ordering::Relaxed).is_multiple_of(16) {
            thread::yield_now();
        }
    }
}

fn region() -> Region {
    let classes = [Class { lanes: 4, slab_bytes: 1000 }, Class { lanes: 2, slab_bytes: PAYLOAD_BYTES_MAX }];
    Region::make(Layout::new(&classes).unwrap()).unwrap()
}

fn server(region: Arc<Region>, on_broken: OnBroken) -> Server {
    serve(region, Arc::new(Echo), config(), on_broken).unwrap()
}

fn config() -> ServerConfig {
    ServerConfig { running_max: 4, payload_bytes_max: PAYLOAD_BYTES_MAX, name: "test".into(), run_in: |run| run() }
}

/// Calls from several threads while somebody writes into the memory. Each call ends, in time.
fn call_meanwhile(client: &Arc<LaneClient>, memory: &OwnedFd, seed: u64, rounds: usize) {
    let (stop, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| corrupt(memory, seed, &stop, &count));
        let callers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut answer = Vec::new();
                    let enough = |round| round >= rounds && count.load(Ordering::Relaxed) > WRITES_MIN;
                    for round in (0..).take_while(|round| !enough(*round)) {
                        let payload = vec![round as u8; [10, 1000, 3000][round % 3]];
                        let call = Outgoing {
                            actor: "M",
                            operation: "Echo",
                            payload: &payload,
                            deadline: Deadline::after(DEADLINE),
                            cancelled: Cancelled::never(),
                        };
                        let began = Instant::now();
                        let result = client.call(&call, &mut answer);
                        assert!(began.elapsed() < LONG, "{result:?}");
                        assert!(answer.len() <= PAYLOAD_BYTES_MAX as usize);
                        assert!(!matches!(result, Err(CallFailure::Closed { .. })), "nobody has closed it");
                    }
                })
            })
            .collect();
        let ended: Vec<_> = callers.into_iter().map(|caller| caller.join()).collect();
        stop.store(true, Ordering::Relaxed);
        ended.into_iter().for_each(|ended| ended.unwrap());
    });
}

#[test]
fn a_hostile_callee_costs_its_callers_their_deadlines() {
    for seed in 1..4 {
        let ours = Arc::new(region());
        let memory = ours.memory().unwrap().try_clone_to_owned().unwrap();
        let broken = Arc::new(Mutex::new(Vec::new()));
        let noted = broken.clone();
        let on_broken: OnBroken = Box::new(move |why: &Broken| noted.lock().unwrap().push(why.to_string()));
        let client = Arc::new(LaneClient::new(ours, LANES, PAYLOAD_BYTES_MAX, on_broken));
        call_meanwhile(&client, &memory, seed, 300);
        assert!(broken.lock().unwrap().len() <= 1, "told once");
        client.close("enough");
        let call = Outgoing {
            actor: "M",
            operation: "Echo",
            payload: b"",
            deadline: Deadline::after(LONG),
            cancelled: Cancelled::never(),
        };
        let closed = client.call(&call, &mut Vec::new());
        assert!(matches!(closed, Err(CallFailure::Closed { .. })), "{closed:?}");
    }
}

/// Both ends are good, and somebody writes between them: that is a hostile caller for the one and a hostile callee for the
/// other.
#[test]
fn a_hostile_caller_costs_the_callee_nothing_but_the_connection() {
    for seed in 4..10 {
        let theirs = region();
        // Whoever answers may be made to believe that somebody waits there.
        let mailboxes: Vec<OwnedFd> = [0, 1, 15].map(|number| theirs.open_mailbox(number).unwrap()).into();
        let memory = theirs.memory().unwrap().try_clone_to_owned().unwrap();
        let ours = Region::open(memory.try_clone().unwrap()).unwrap();
        let broken = Arc::new(AtomicUsize::new(0));
        let counted = broken.clone();
        let server = server(
            Arc::new(theirs),
            Box::new(move |_: &Broken| {
                counted.fetch_add(1, Ordering::Relaxed);
            }),
        );
        let client = Arc::new(LaneClient::new(Arc::new(ours), LANES, PAYLOAD_BYTES_MAX, Box::new(|_: &Broken| {})));
        call_meanwhile(&client, &memory, seed, 100);
        assert!(broken.load(Ordering::Relaxed) <= 1, "told once");
        drop(mailboxes);
        server.shut_down();
        let began = Instant::now();
        while server.running() > 0 {
            assert!(began.elapsed() < LONG, "what runs ends");
            thread::yield_now();
        }
    }
}

/// A callee may take a call, run it, and ring for it as if it had never taken it: then another would run it, too.
#[test]
fn a_callee_that_has_broken_a_rule_is_not_believed_that_it_took_nothing() {
    for breaks in [false, true] {
        let ours = Arc::new(region());
        let memory = ours.memory().unwrap().try_clone_to_owned().unwrap();
        let client = Arc::new(LaneClient::new(ours, LANES, PAYLOAD_BYTES_MAX, Box::new(|_: &Broken| {})));
        let caller = client.clone();
        let called = thread::spawn(move || {
            let deadline = Deadline::after(LONG);
            let call =
                Outgoing { actor: "M", operation: "Echo", payload: b"", deadline, cancelled: Cancelled::never() };
            caller.call(&call, &mut Vec::new())
        });
        let began = Instant::now();
        while word_at(&memory, BELL) == 0 {
            assert!(began.elapsed() < LONG, "it rings");
            thread::yield_now();
        }
        if breaks {
            client.distrust();
        }
        client.close("enough");
        let ended = called.join().unwrap();
        assert_eq!(ended, Err(CallFailure::Closed { delivered: breaks, cause: "enough".into() }));
    }
}

/// The first lanes that were asked and not taken, as bits.
const BELL: i64 = 1024;
/// The word by which a callee says that it sleeps.
const ASLEEP: i64 = 1152;

fn word_at(memory: &OwnedFd, at: i64) -> u32 {
    let mut word = [0; 4];
    nix::sys::uio::pread(memory, &mut word, at).unwrap();
    u32::from_le_bytes(word)
}

/// What serves is dropped by the last of its threads.
fn ends(server: Server, service: &Weak<Echo>) {
    server.shut_down();
    drop(server);
    let began = Instant::now();
    while service.strong_count() > 0 {
        assert!(began.elapsed() < LONG, "all threads end");
        thread::yield_now();
    }
}

/// A caller may take back that the callee sleeps, and go before it wakes it.
#[test]
fn a_callee_that_nobody_wakes_hears_of_the_end() {
    let (theirs, service) = (region(), Arc::new(Echo));
    let memory = theirs.memory().unwrap().try_clone_to_owned().unwrap();
    let there = Arc::downgrade(&service);
    let server = serve(Arc::new(theirs), service, config(), Box::new(|_: &Broken| {})).unwrap();
    let began = Instant::now();
    while word_at(&memory, ASLEEP) == 0 {
        assert!(began.elapsed() < LONG, "it sleeps while there is nothing to do");
        thread::yield_now();
    }
    nix::sys::uio::pwrite(&memory, &0_u32.to_le_bytes(), ASLEEP).unwrap();
    ends(server, &there);
}

/// A caller may ask for what needs more room, give none, and say that it has all the time in the world.
#[test]
fn a_callee_that_waits_for_room_hears_of_the_end() {
    let (theirs, service) = (Arc::new(region()), Arc::new(Echo));
    let ours = Region::open(theirs.memory().unwrap().try_clone_to_owned().unwrap()).unwrap();
    let there = Arc::downgrade(&service);
    let server = serve(theirs.clone(), service, config(), Box::new(|_: &Broken| {})).unwrap();
    let client = LaneClient::new(Arc::new(ours), LANES, PAYLOAD_BYTES_MAX, Box::new(|_: &Broken| {}));
    let client = LaneLoopClient::new(client, Box::new(move |number| theirs.open_mailbox(number)));
    let completions = client.completions().unwrap();
    let call = Outgoing {
        actor: "M",
        operation: "Long",
        payload: b"",
        deadline: Deadline::NEVER,
        cancelled: Cancelled::never(),
    };
    completions.start(1, &call).unwrap();
    // It has said that it wants more, and nobody looks at it.
    let mut descriptors = [PollFd::new(completions.fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut descriptors, PollTimeout::try_from(10_000).unwrap()).unwrap(), 1);
    drop(client);
    ends(server, &there);
    drop(completions);
}
