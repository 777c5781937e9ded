//! What calls find at the gate, with real sockets behind it: no call runs twice, and none waits longer than it may.

use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use cofferdam_channel::socket::{ClientConfig, SocketClient, pair, serve};
use cofferdam_channel::{Answer, Cancelled, Incoming, Server, ServerConfig, Service};

use super::*;
use crate::words::WasmCloudEntity;

const LONG: Duration = Duration::from_secs(20);

/// Counts what reaches it; `Hang` never ends while anybody waits.
#[derive(Default)]
struct Counting {
    reached: AtomicUsize,
}

impl Service for Counting {
    fn serve(&self, call: &Incoming<'_>, answer: &mut Answer<'_>) -> Result<(), Fault> {
        self.reached.fetch_add(1, Ordering::SeqCst);
        while call.operation == "Hang" && !call.is_cancelled() {
            thread::yield_now();
        }
        answer.write(b"done");
        Ok(())
    }
}

/// A process of a provider, as far as the gate knows one: it runs one call at once.
struct Process {
    service: Arc<Counting>,
    server: Server,
    line: Arc<Line>,
}

impl Process {
    fn start() -> Self {
        let (ours, theirs): (UnixStream, UnixStream) = pair().unwrap();
        let service = Arc::new(Counting::default());
        let config =
            ServerConfig { running_max: 1, payload_bytes_max: 1 << 16, name: "test".to_owned(), run_in: |run| run() };
        let server = serve(theirs, service.clone(), config, Box::new(|_| {})).unwrap();
        let config = ClientConfig { in_flight_max: 1, payload_bytes_max: 1 << 16 };
        let line = Line::new(Box::new(SocketClient::new(ours, config, Box::new(|_| {})).unwrap()));
        Self { service, server, line }
    }

    fn reached(&self) -> usize {
        self.service.reached.load(Ordering::SeqCst)
    }

    fn end(&self, gate: &ProviderGate, then: Passage, end: LineEnd) {
        gate.set(then);
        self.line.end(end, "killed by signal 9 (SIGKILL)");
        self.server.shut_down();
    }
}

fn gate(while_down: WhileDown) -> Arc<ProviderGate> {
    Arc::new(ProviderGate::new(ProviderKey::new("VP", None), while_down, CallLog::new(0)))
}

fn call(gate: &ProviderGate, operation: &str, within: Duration, cancelled: &Cancelled) -> Result<Vec<u8>, CallError> {
    let (origin, target) = (WasmCloudEntity::system(), WasmCloudEntity::system());
    let mut reply = Vec::new();
    let deadline = Deadline::after(within);
    let invocation =
        Invocation { origin: &origin, target: &target, operation, payload: b"", deadline, cancelled, depth: 0 };
    gate.call(&invocation, &mut reply).map(|()| reply)
}

type Calling = thread::JoinHandle<Result<Vec<u8>, CallError>>;

fn begin(gate: &Arc<ProviderGate>, operation: &'static str) -> Calling {
    let gate = gate.clone();
    thread::spawn(move || call(&gate, operation, LONG, Cancelled::never()))
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Deadline::now();
    while !is_so() {
        assert!(Deadline::now().since(began) < LONG, "waited in vain for: {what}");
        thread::yield_now();
    }
}

fn kind(ended: Result<Vec<u8>, CallError>) -> (&'static str, Outcome, Blame) {
    ended.map_err(|error| (error.kind(), error.outcome(), error.blame())).expect_err("it fails")
}

fn down() -> Passage {
    Passage::Down("it is being restarted".to_owned())
}

#[test]
fn a_gate_that_is_not_open_says_why_at_once() {
    use Outcome::NotDelivered;
    for while_down in [WhileDown::Fail, WhileDown::Wait] {
        let gate = gate(while_down);
        let held = |blame| Passage::Held { why: "it died too often".to_owned(), blame };
        for (passage, expected) in [
            (None, ("provider_not_running", NotDelivered, Blame::Operator)),
            (Some(Passage::Closed("it was stopped")), ("provider_not_running", NotDelivered, Blame::Operator)),
            (Some(Passage::Draining), ("provider_draining", NotDelivered, Blame::Operator)),
            (Some(held(Blame::Provider)), ("provider_held", NotDelivered, Blame::Provider)),
            (Some(held(Blame::Operator)), ("provider_held", NotDelivered, Blame::Operator)),
        ] {
            if let Some(passage) = passage {
                gate.set(passage);
            }
            assert_eq!(kind(call(&gate, "Echo", LONG, Cancelled::never())), expected);
        }
    }
    let gate = gate(WhileDown::Fail);
    gate.set(down());
    let ended = call(&gate, "Echo", LONG, Cancelled::never());
    assert_eq!(kind(ended), ("provider_unavailable", NotDelivered, Blame::Provider));
}

#[test]
fn what_was_delivered_is_never_sent_again() {
    for (end, expected) in [
        (LineEnd::Crashed, ("provider_crashed", Outcome::Unknown, Blame::Provider)),
        (LineEnd::Hung, ("provider_hung", Outcome::Unknown, Blame::Provider)),
        (LineEnd::Stopped, ("provider_stopped", Outcome::Unknown, Blame::Operator)),
    ] {
        for while_down in [WhileDown::Fail, WhileDown::Wait] {
            let (gate, first, second) = (gate(while_down), Process::start(), Process::start());
            gate.set(Passage::Open(first.line.clone()));
            let delivered = begin(&gate, "Hang");
            until("the call is delivered", || first.reached() == 1);
            // It waits for its turn, with nothing sent.
            let queued = begin(&gate, "Echo");
            until("another waits its turn", || first.line.in_flight() == 2);
            first.end(&gate, down(), end);
            assert_eq!(kind(delivered.join().unwrap()), expected);
            let queued = if while_down == WhileDown::Wait {
                until("it waits at the gate", || *gate.waiting.lock() == 1);
                gate.set(Passage::Open(second.line.clone()));
                assert_eq!(queued.join().unwrap().unwrap(), b"done");
                1
            } else {
                let ended = kind(queued.join().unwrap());
                assert_eq!(ended, ("provider_unavailable", Outcome::NotDelivered, Blame::Provider));
                0
            };
            assert_eq!((first.reached(), second.reached()), (1, queued));
            assert_eq!(*gate.waiting.lock(), 0);
        }
    }
}

#[test]
fn those_who_wait_are_woken_at_once_and_are_not_too_many() {
    let (gate, process) = (gate(WhileDown::Wait), Process::start());
    gate.set(down());
    let waiting = |many| until("all wait", || *gate.waiting.lock() == many);
    let calls: Vec<Calling> = (0..WAITING_MAX).map(|_| begin(&gate, "Echo")).collect();
    waiting(WAITING_MAX);
    let ended = call(&gate, "Echo", LONG, Cancelled::never());
    assert_eq!(kind(ended), ("provider_unavailable", Outcome::NotDelivered, Blame::Provider));
    gate.set(Passage::Held { why: "an operator holds it".to_owned(), blame: Blame::Operator });
    for call in calls {
        assert_eq!(kind(call.join().unwrap()).0, "provider_held");
    }
    gate.set(down());
    let calls: Vec<Calling> = (0..8).map(|_| begin(&gate, "Echo")).collect();
    waiting(8);
    gate.set(Passage::Open(process.line.clone()));
    for call in calls {
        assert_eq!(call.join().unwrap().unwrap(), b"done");
    }
    assert_eq!(process.reached(), 8);
}

#[test]
fn nobody_waits_beyond_the_deadline_or_for_a_caller_that_has_gone() {
    let gate = gate(WhileDown::Wait);
    gate.set(down());
    let late = call(&gate, "Echo", Duration::from_millis(30), Cancelled::never());
    assert_eq!(kind(late), ("deadline_exceeded", Outcome::NotDelivered, Blame::Provider));
    let cancelled = Cancelled::new();
    let leaving = {
        let (gate, cancelled) = (gate.clone(), cancelled.clone());
        thread::spawn(move || call(&gate, "Echo", LONG, &cancelled))
    };
    until("it waits", || *gate.waiting.lock() == 1);
    cancelled.set();
    assert_eq!(kind(leaving.join().unwrap()).0, "caller_gone");
    assert_eq!(*gate.waiting.lock(), 0);
}
