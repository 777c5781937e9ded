//! The socket tier, both ends in one process: what callers see when the other end is slow, dead, full or hostile.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use cofferdam_channel::socket::{
    Broken, ClientConfig, CompletingClient, OnBroken, ServerConfig, SocketClient, SocketServer, pair,
};
use cofferdam_channel::{CallFailure, Cancelled, Client, Deadline, Incoming, Outgoing, Service};
use cofferdam_protocol::call::Fault;
use cofferdam_protocol::limits::WORDS_BYTES_MAX;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

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
            "Huge" => answer.resize(PAYLOAD_BYTES_MAX as usize + 1, 0),
            "LateLarge" => {
                self.release.lock().unwrap().recv().unwrap();
                answer.resize(PAYLOAD_BYTES_MAX as usize, b'x');
            }
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
    client: Arc<CompletingClient>,
    server: Arc<SocketServer>,
    began: Receiver<u64>,
    release: Sender<()>,
    broken: Receiver<String>,
}

fn rig(in_flight_max: usize) -> Rig {
    let (ours, theirs) = pair().unwrap();
    let (began_to, began) = channel();
    let (release, release_from) = channel();
    let (client, broken) = client(ours, in_flight_max);
    let script = Script { began: Mutex::new(began_to), release: Mutex::new(release_from) };
    let config = ServerConfig {
        running_max: in_flight_max,
        payload_bytes_max: PAYLOAD_BYTES_MAX,
        name: "test".into(),
        run_in: |run| run(),
    };
    let server = SocketServer::start(theirs, Arc::new(script), config, Box::new(|_| {})).unwrap();
    Rig { client: Arc::new(CompletingClient::new(client)), server, began, release, broken }
}

fn client(stream: UnixStream, in_flight_max: usize) -> (SocketClient, Receiver<String>) {
    let (broken_to, broken) = channel();
    let broken_to = Mutex::new(broken_to);
    let on_broken: OnBroken = Box::new(move |broken: &Broken| {
        let _ = broken_to.lock().unwrap().send(broken.to_string());
    });
    let config = ClientConfig { in_flight_max, payload_bytes_max: PAYLOAD_BYTES_MAX };
    (SocketClient::new(stream, config, on_broken).unwrap(), broken)
}

fn outgoing<'a>(operation: &'a str, payload: &'a [u8], timeout: Duration) -> Outgoing<'a> {
    Outgoing { actor: "MACTOR", operation, payload, deadline: Deadline::after(timeout), cancelled: Cancelled::never() }
}

fn until(reached: impl Fn() -> bool) {
    let deadline = Deadline::after(LONG);
    while !reached() {
        assert!(!deadline.expired(), "it did not come to that");
        thread::yield_now();
    }
}

impl Rig {
    fn call(&self, operation: &str, payload: &[u8], timeout: Duration) -> Result<Vec<u8>, CallFailure> {
        call(&self.client, operation, payload, timeout)
    }
}

fn call(client: &CompletingClient, operation: &str, payload: &[u8], timeout: Duration) -> Result<Vec<u8>, CallFailure> {
    let mut answer = Vec::new();
    let result = client.blocking().call(&outgoing(operation, payload, timeout), &mut answer);
    match result {
        Err(CallFailure::Answered(Fault::Internal)) => assert_eq!(answer, b"the service panicked"),
        Err(CallFailure::Answered(Fault::Late)) => assert_eq!(answer, b""),
        Err(CallFailure::Answered(Fault::Panicked)) => assert_eq!(answer.len(), WORDS_BYTES_MAX),
        Err(CallFailure::Answered(_)) => assert_eq!(answer, b"no such key"),
        _ => {}
    }
    result.map(|()| answer)
}

#[test]
fn answers_of_every_size_come_back() {
    let rig = rig(4);
    for bytes in [0, 1, 1023, 1024, 65_000, 65_535, 65_536, 65_537, 300_000, PAYLOAD_BYTES_MAX as usize] {
        let payload: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
        assert_eq!(rig.call("Echo", &payload, LONG).unwrap(), payload, "{bytes} bytes");
    }
    assert_eq!(rig.call("Who", b"", LONG).unwrap(), b"MACTOR");
}

/// Nobody waits for it, and nobody calls after it: it is no call in flight all the same.
#[test]
fn an_answer_that_comes_too_late_is_noticed_by_whoever_asks() {
    let rig = rig(2);
    assert_eq!(rig.call("Hold", b"", Duration::from_millis(20)), Err(CallFailure::Late { delivered: true }));
    let client = rig.client.blocking();
    assert_eq!((client.in_flight(), client.overdue(Deadline::now()).0), (1, 1), "it runs");
    rig.release.send(()).unwrap();
    until(|| client.overdue(Deadline::now()).0 == 0);
    assert_eq!(client.in_flight(), 0);
}

#[test]
fn failures_are_told_apart() {
    let rig = rig(1);
    assert_eq!(rig.call("Fail", b"", LONG), Err(CallFailure::Answered(Fault::Failed)));
    let mut words = Vec::new();
    let huge = rig.client.blocking().call(&outgoing("Huge", b"", LONG), &mut words);
    assert_eq!(huge, Err(CallFailure::Answered(Fault::Invalid)));
    assert_eq!(String::from_utf8(words).unwrap(), "the answer of 1048577 bytes exceeds the limit of 1048576 bytes");
    let bytes = PAYLOAD_BYTES_MAX as usize + 1;
    let too_large = rig.call("Echo", &vec![0; bytes], LONG);
    assert_eq!(too_large, Err(CallFailure::TooLarge { bytes, limit: PAYLOAD_BYTES_MAX as usize }));
    let unsendable = rig.call(&"x".repeat(513), b"", LONG);
    assert!(matches!(unsendable, Err(CallFailure::Unsendable { .. })), "{unsendable:?}");
    assert_eq!(rig.call("Wordy", b"", LONG), Err(CallFailure::Answered(Fault::Panicked)));
    assert_eq!(rig.call("Echo", b"still", LONG).unwrap(), b"still");
}

#[test]
fn a_late_call_is_cancelled_and_its_place_comes_back_with_its_answer() {
    let rig = rig(1);
    let late = rig.call("Hold", b"", Duration::from_millis(30));
    assert_eq!(late, Err(CallFailure::Late { delivered: true }));
    rig.began.recv_timeout(LONG).unwrap();
    assert_eq!(rig.client.blocking().in_flight(), 1, "the peer still owes the answer");

    // The only place is taken, so a further call waits for it and is never sent.
    assert_eq!(rig.call("Echo", b"", Duration::from_millis(30)), Err(CallFailure::Late { delivered: false }));
    rig.release.send(()).unwrap();
    assert_eq!(rig.call("Echo", b"again", LONG).unwrap(), b"again");
    assert_eq!(rig.client.blocking().in_flight(), 0);
}

#[test]
fn a_call_ends_when_its_caller_goes_wherever_it_is() {
    let rig = rig(1);
    let start = |operation: &'static str| {
        let (client, cancelled) = (rig.client.clone(), Cancelled::new());
        let theirs = cancelled.clone();
        let waits = thread::spawn(move || {
            let mut answer = Vec::new();
            let outgoing = Outgoing { cancelled: &theirs, ..outgoing(operation, b"", LONG) };
            client.blocking().call(&outgoing, &mut answer).map(|()| answer)
        });
        (waits, cancelled)
    };
    let (sent, sent_cancelled) = start("Hold");
    rig.began.recv_timeout(LONG).unwrap();
    let (waiting, waiting_cancelled) = start("Echo");
    until(|| rig.client.blocking().in_flight() == 2);
    waiting_cancelled.set();
    assert_eq!(waiting.join().unwrap(), Err(CallFailure::Cancelled), "it was never sent");
    sent_cancelled.set();
    assert_eq!(sent.join().unwrap(), Err(CallFailure::Cancelled));
    rig.release.send(()).unwrap();
    assert_eq!(rig.call("Echo", b"again", LONG).unwrap(), b"again");
}

#[test]
fn a_call_that_may_be_cancelled_is_answered_as_fast() {
    let rig = rig(2);
    let cancelled = Cancelled::new();
    for _ in 0..1000 {
        let mut answer = Vec::new();
        let outgoing = Outgoing { cancelled: &cancelled, ..outgoing("Echo", b"fast", LONG) };
        rig.client.blocking().call(&outgoing, &mut answer).unwrap();
        assert_eq!(answer, b"fast");
    }
}

#[test]
fn what_runs_hears_that_the_connection_has_gone() {
    let rig = rig(1);
    let (held, server) = (rig.client.clone(), rig.server.clone());
    let held = thread::spawn(move || call(&held, "Spin", b"", LONG));
    rig.began.recv_timeout(LONG).unwrap();
    server.shut_down();
    until(|| server.running() == 0);
    rig.client.blocking().close("gone");
    assert!(held.join().unwrap().is_err());
}

#[test]
fn a_handler_that_suddenly_blocks_holds_up_nobody_for_long() {
    let rig = rig(4);
    // Fast calls let the leader keep the socket while it runs them.
    (0..100).for_each(|_| assert_eq!(rig.call("Echo", b"fast", LONG).unwrap(), b"fast"));
    let held = {
        let client = rig.client.clone();
        thread::spawn(move || call(&client, "Hold", b"", LONG))
    };
    rig.began.recv_timeout(LONG).unwrap();
    assert_eq!(rig.call("Echo", b"beside", LONG).unwrap(), b"beside");
    rig.release.send(()).unwrap();
    assert_eq!(held.join().unwrap(), Ok(vec![0]));
}

#[test]
fn a_late_large_answer_does_not_cost_its_place_for_ever() {
    let rig = rig(1);
    for operation in ["LateLarge", "Panic", "LateLarge"] {
        let late = rig.call(operation, b"", Duration::from_millis(20));
        assert!(late.is_err(), "{late:?}");
        if operation == "LateLarge" {
            rig.release.send(()).unwrap();
        }
        assert_eq!(rig.call("Echo", b"next", LONG).unwrap(), b"next", "after {operation}");
    }
}

#[test]
fn callers_beyond_the_limit_wait_their_turn_and_all_are_served() {
    let rig = rig(2);
    let start = Arc::new(Barrier::new(32));
    let callers: Vec<_> = (0..32_u32)
        .map(|number| {
            let (client, start) = (rig.client.clone(), start.clone());
            thread::spawn(move || {
                start.wait();
                for round in 0..200_u32 {
                    let payload = [number.to_le_bytes(), round.to_le_bytes()].concat();
                    assert_eq!(call(&client, "Echo", &payload, LONG).unwrap(), payload);
                }
            })
        })
        .collect();
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    assert_eq!(rig.client.blocking().in_flight(), 0);
}

#[test]
fn more_waiting_than_may_wait_is_refused_at_once() {
    let rig = rig(1);
    let completions = rig.client.completions().unwrap();
    for token in 0..17 {
        completions.start(token, &outgoing("Hold", b"", LONG)).unwrap();
    }
    assert_eq!(rig.call("Echo", b"", LONG), Err(CallFailure::Overloaded { limit: 1 }));
    assert_eq!(completions.start(99, &outgoing("Hold", b"", LONG)), Err(CallFailure::Overloaded { limit: 1 }));
    (0..17).for_each(|_| rig.release.send(()).unwrap());
    let mut tokens: Vec<u64> = (0..17).map(|_| next(&completions).0).collect();
    tokens.sort_unstable();
    assert_eq!(tokens, (0..17).collect::<Vec<_>>());
}

/// Waits for the descriptor, as an event loop does, and takes one completion.
fn next(completions: &cofferdam_channel::socket::Completions) -> (u64, Result<(), CallFailure>, Vec<u8>) {
    let mut descriptors = [PollFd::new(completions.fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut descriptors, PollTimeout::try_from(20_000).unwrap()).unwrap(), 1, "no completion came");
    let completed = completions.take_next().expect("a readable descriptor means a completion");
    (completed.token, completed.result, completed.bytes)
}

#[test]
fn completions_come_once_each_by_answer_deadline_and_cancel() {
    let rig = rig(8);
    let completions = rig.client.completions().unwrap();
    completions.start(1, &outgoing("Echo", b"one", LONG)).unwrap();
    assert_eq!(next(&completions), (1, Ok(()), b"one".to_vec()));

    completions.start(2, &outgoing("Hold", b"", Duration::from_millis(30))).unwrap();
    assert_eq!(next(&completions), (2, Err(CallFailure::Late { delivered: true }), Vec::new()));

    completions.start(3, &outgoing("Hold", b"", LONG)).unwrap();
    rig.began.recv_timeout(LONG).unwrap();
    rig.began.recv_timeout(LONG).unwrap();
    completions.cancel(3);
    completions.cancel(77);
    assert_eq!(next(&completions), (3, Err(CallFailure::Cancelled), Vec::new()));
    (0..2).for_each(|_| rig.release.send(()).unwrap());

    // Threads call beside it, while the reader of the mailboxes reads for them.
    assert_eq!(rig.call("Echo", b"beside", LONG).unwrap(), b"beside");
    assert!(completions.take_next().is_none());
    completions.start(4, &outgoing("Hold", b"", LONG)).unwrap();
    drop(completions);
    rig.release.send(()).unwrap();
    assert_eq!(rig.call("Echo", b"after", LONG).unwrap(), b"after");
}

#[test]
fn closing_ends_every_call_with_the_cause() {
    let rig = rig(1);
    let completions = rig.client.completions().unwrap();
    completions.start(1, &outgoing("Hold", b"", LONG)).unwrap();
    rig.began.recv_timeout(LONG).unwrap();
    let caller = {
        let client = rig.client.clone();
        thread::spawn(move || call(&client, "Echo", b"", LONG))
    };
    while rig.client.blocking().in_flight() < 2 {
        thread::yield_now();
    }
    rig.client.blocking().close("killed by SIGKILL");
    let cause: Arc<str> = Arc::from("killed by SIGKILL");
    assert_eq!(caller.join().unwrap(), Err(CallFailure::Closed { delivered: false, cause: cause.clone() }));
    assert_eq!(next(&completions).1, Err(CallFailure::Closed { delivered: true, cause: cause.clone() }));
    assert_eq!(rig.call("Echo", b"", LONG), Err(CallFailure::Closed { delivered: false, cause }));
    rig.release.send(()).unwrap();
    assert!(rig.broken.try_recv().is_err());
    rig.server.shut_down();
}

/// A peer that speaks bytes: what it sends, and what ends the connection.
fn check_hostile(bytes: &[u8], expected: &str) {
    let (ours, mut theirs) = pair().unwrap();
    let (client, broken) = client(ours, 1);
    let client = Arc::new(client);
    let caller = {
        let client = client.clone();
        thread::spawn(move || client.call(&outgoing("Echo", b"", LONG), &mut Vec::new()))
    };
    theirs.read_exact(&mut [0; 4]).unwrap();
    theirs.write_all(bytes).unwrap();
    theirs.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(broken.recv_timeout(LONG).unwrap(), expected);
    client.close("stopped by the host");
    let cause = Arc::from("stopped by the host");
    assert_eq!(caller.join().unwrap(), Err(CallFailure::Closed { delivered: true, cause }));
}

#[test]
fn a_peer_that_breaks_the_grammar_is_told_apart_from_one_that_died() {
    const TOO_LONG: u32 = PAYLOAD_BYTES_MAX + 1025;
    let reply = |call: u64| [&12_u32.to_le_bytes()[..], &1_u32.to_le_bytes(), &call.to_le_bytes()].concat();
    check_hostile(b"", "the peer closed the connection");
    check_hostile(b"\x05\0", "the peer closed the connection");
    check_hostile(&[0; 4], "the peer sent an empty frame");
    check_hostile(&TOO_LONG.to_le_bytes(), "the peer announced a frame of 1049601 bytes, the limit is 1049600");
    check_hostile(&reply(7), "the peer answered call 7, which is not in flight");
    check_hostile(
        &[&12_u32.to_le_bytes()[..], &3_u32.to_le_bytes(), &1_u64.to_le_bytes()].concat(),
        "the peer sent a cancel, which only this side may send",
    );
}

#[test]
fn a_peer_that_stops_reading_costs_its_callers_their_deadline() {
    let (ours, _theirs) = pair().unwrap();
    let (client, _broken) = client(ours, 64);
    let payload = vec![0; PAYLOAD_BYTES_MAX as usize];
    let call = |timeout| client.call(&outgoing("Echo", &payload, timeout), &mut Vec::new());
    assert_eq!(call(Duration::from_millis(50)), Err(CallFailure::Late { delivered: true }));
    assert_eq!(call(Duration::from_millis(50)), Err(CallFailure::Late { delivered: false }));
}
