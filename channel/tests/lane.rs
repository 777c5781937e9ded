//! The lane tier, both ends in one process: what callers see when the other end is slow, gone, full or hostile.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use cofferdam_channel::lane::{Class, LaneClient, LaneServer, Layout, Region};
use cofferdam_channel::socket::{Broken, OnBroken, ServerConfig};
use cofferdam_channel::{CallFailure, Cancelled, Client, Deadline, Incoming, Outgoing, Service};
use cofferdam_protocol::call::Fault;
use cofferdam_protocol::limits::WORDS_BYTES_MAX;

const PAYLOAD_BYTES_MAX: u32 = 1 << 20;
const LONG: Duration = Duration::from_secs(20);

/// Answers by the operation's name; `Hold` tells that it began and waits to be let go.
struct Script {
    began: Mutex<Sender<u64>>,
    release: Mutex<Receiver<()>>,
}

impl Service for Script {
    fn serve(&self, call: &Incoming<'_>, answer: &mut Vec<u8>) -> Result<(), Fault> {
        match call.operation {
            "Echo" => answer.extend_from_slice(call.payload),
            "Who" => answer.extend_from_slice(call.actor.as_bytes()),
            "Fail" => {
                answer.extend_from_slice(b"no such key");
                return Err(Fault::Failed);
            }
            "Wordy" => {
                answer.resize(100_000, b'w');
                return Err(Fault::Panicked);
            }
            "Size" => answer.resize(std::str::from_utf8(call.payload).unwrap().parse().unwrap(), b'x'),
            "Panic" => panic!("as the test wants"),
            "Hold" => {
                self.began.lock().unwrap().send(call.call).unwrap();
                self.release.lock().unwrap().recv().unwrap();
                answer.push(u8::from(call.is_cancelled()));
            }
            "Spin" => {
                self.began.lock().unwrap().send(call.call).unwrap();
                while !call.is_cancelled() {
                    thread::yield_now();
                }
            }
            other => panic!("no script for {other}"),
        }
        Ok(())
    }
}

struct Rig {
    client: Arc<LaneClient>,
    server: Arc<LaneServer>,
    began: Receiver<u64>,
    release: Sender<()>,
}

fn no_matter() -> OnBroken {
    Box::new(|broken: &Broken| panic!("{broken}"))
}

fn rig(in_flight_max: usize) -> Rig {
    let classes = [Class { lanes: 6, slab_bytes: 1000 }, Class { lanes: 2, slab_bytes: PAYLOAD_BYTES_MAX }];
    let ours = Region::make(Layout::new(&classes).unwrap()).unwrap();
    let theirs = Region::open(ours.memory().unwrap().try_clone_to_owned().unwrap()).unwrap();
    let (began_to, began) = channel();
    let (release, release_from) = channel();
    let script = Script { began: Mutex::new(began_to), release: Mutex::new(release_from) };
    let config =
        ServerConfig { running_max: 8, payload_bytes_max: PAYLOAD_BYTES_MAX, name: "test".into(), run_in: |run| run() };
    let server = LaneServer::start(Arc::new(theirs), Arc::new(script), config, no_matter()).unwrap();
    let client = LaneClient::new(Arc::new(ours), in_flight_max, PAYLOAD_BYTES_MAX, no_matter());
    Rig { client: Arc::new(client), server, began, release }
}

fn outgoing<'a>(operation: &'a str, payload: &'a [u8], timeout: Duration) -> Outgoing<'a> {
    Outgoing { actor: "MACTOR", operation, payload, deadline: Deadline::after(timeout), cancelled: Cancelled::never() }
}

fn call(client: &LaneClient, operation: &str, payload: &[u8], timeout: Duration) -> Result<Vec<u8>, CallFailure> {
    let mut answer = Vec::new();
    let result = client.call(&outgoing(operation, payload, timeout), &mut answer);
    match result {
        Err(CallFailure::Answered(Fault::Internal)) => assert_eq!(answer, b"the service panicked"),
        Err(CallFailure::Answered(Fault::Panicked)) => assert_eq!(answer.len(), WORDS_BYTES_MAX),
        Err(CallFailure::Answered(Fault::Failed)) => assert_eq!(answer, b"no such key"),
        _ => {}
    }
    result.map(|()| answer)
}

impl Rig {
    fn call(&self, operation: &str, payload: &[u8]) -> Result<Vec<u8>, CallFailure> {
        call(&self.client, operation, payload, LONG)
    }

    fn begin(&self, operation: &'static str, timeout: Duration) -> thread::JoinHandle<Result<Vec<u8>, CallFailure>> {
        let client = self.client.clone();
        thread::spawn(move || call(&client, operation, b"", timeout))
    }
}

#[test]
fn answers_of_every_size_come_back() {
    let rig = rig(8);
    for bytes in [0, 1, 999, 1000, 1001, 65_536, PAYLOAD_BYTES_MAX as usize] {
        let payload: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
        assert_eq!(rig.call("Echo", &payload).unwrap(), payload, "{bytes} bytes");
        // Longer than the lane that was asked.
        assert_eq!(rig.call("Size", bytes.to_string().as_bytes()).unwrap().len(), bytes);
    }
    assert_eq!(rig.call("Who", b"").unwrap(), b"MACTOR");
    assert_eq!(rig.client.in_flight(), 0);
}

#[test]
fn failures_are_told_apart() {
    let rig = rig(8);
    for (operation, fault) in [("Fail", Fault::Failed), ("Wordy", Fault::Panicked), ("Panic", Fault::Internal)] {
        assert_eq!(rig.call(operation, b""), Err(CallFailure::Answered(fault)), "{operation}");
    }
    let huge = (PAYLOAD_BYTES_MAX + 1).to_string();
    assert_eq!(rig.call("Size", huge.as_bytes()), Err(CallFailure::Answered(Fault::Invalid)));
    let long = vec![0; PAYLOAD_BYTES_MAX as usize + 1];
    assert!(matches!(rig.call("Echo", &long), Err(CallFailure::TooLarge { .. })));
    assert!(matches!(rig.call(&"x".repeat(600), b""), Err(CallFailure::Unsendable { .. })));
    assert_eq!(rig.client.in_flight(), 0);
}

#[test]
fn whoever_leaves_is_missed_and_its_lane_comes_back() {
    let rig = rig(2);
    for _ in 0..20 {
        let late = rig.begin("Spin", Duration::from_millis(20));
        rig.began.recv_timeout(LONG).unwrap();
        assert_eq!(late.join().unwrap(), Err(CallFailure::Late { delivered: true }));
    }
    assert_eq!(rig.call("Echo", b"and on").unwrap(), b"and on");
    let began = Instant::now();
    while rig.server.running() > 0 || rig.client.in_flight() > 0 {
        // Whoever claims takes back what was left.
        let _ = rig.call("Echo", b"");
        assert!(began.elapsed() < LONG, "{} run, {} in flight", rig.server.running(), rig.client.in_flight());
    }
}

#[test]
fn what_is_not_taken_was_not_delivered() {
    let rig = rig(1);
    let holding = rig.begin("Hold", LONG);
    rig.began.recv_timeout(LONG).unwrap();
    assert_eq!(call(&rig.client, "Echo", b"", Duration::from_millis(10)), Err(CallFailure::Late { delivered: false }));
    rig.release.send(()).unwrap();
    assert_eq!(holding.join().unwrap().unwrap(), [0]);
}

#[test]
fn the_end_is_told_to_all_at_once() {
    let rig = rig(8);
    let waiting: Vec<_> = (0..8).map(|_| rig.begin("Hold", LONG)).collect();
    for _ in 0..8 {
        rig.began.recv_timeout(LONG).unwrap();
    }
    // One more waits for a lane.
    let queued = rig.begin("Echo", LONG);
    let began = Instant::now();
    while rig.client.in_flight() < 9 {
        assert!(began.elapsed() < LONG);
        thread::yield_now();
    }
    rig.client.close("it was killed");
    let closed = |delivered| Err(CallFailure::Closed { delivered, cause: "it was killed".into() });
    for call in waiting {
        assert_eq!(call.join().unwrap(), closed(true));
    }
    assert_eq!(queued.join().unwrap(), closed(false));
    assert_eq!(rig.call("Echo", b""), closed(false));
    (0..8).for_each(|_| rig.release.send(()).unwrap());
}

#[test]
fn many_callers_lose_nothing() {
    let rig = rig(8);
    let threads: Vec<_> = (0..24u32)
        .map(|number| {
            let client = rig.client.clone();
            thread::spawn(move || {
                for turn in 0..500u32 {
                    let payload = [number.to_le_bytes(), turn.to_le_bytes()].concat().repeat(1 + (turn as usize % 40));
                    assert_eq!(call(&client, "Echo", &payload, LONG).unwrap(), payload);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(rig.client.in_flight(), 0);
}
