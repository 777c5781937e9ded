//! Two ends, and a service that does as its caller says.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use cofferdam_channel::lane::{self, Class, LaneClient, LaneLoopClient, Layout, Region};
use cofferdam_channel::socket::{self, ClientConfig, SocketClient, SocketLoopClient, pair};
use cofferdam_channel::{
    Answer, Broken, CallFailure, Cancelled, Client, Deadline, Incoming, LoopClient, OnBroken, Outgoing, Server,
    ServerConfig, Service,
};
use cofferdam_protocol::call::Fault;
use cofferdam_protocol::limits::WORDS_BYTES_MAX;

pub(super) const PAYLOAD_BYTES_MAX: u32 = 1 << 20;
/// The slab of most lanes: some answers are longer than the lane that was asked.
const SLAB_BYTES: u32 = 1000;
pub(super) const LONG: Duration = Duration::from_secs(20);

/// Answers by the operation's name; `Hold` tells that it began and waits to be let go.
pub(super) struct Script {
    began: Mutex<Sender<u64>>,
    release: Mutex<Receiver<()>>,
}

impl Service for Script {
    fn serve(&self, call: &Incoming<'_>, answer: &mut Answer<'_>) -> Result<(), Fault> {
        match call.operation {
            "Echo" => answer.write(call.payload),
            "Who" => answer.write(call.actor.as_bytes()),
            "Fail" => {
                answer.write(b"no such key");
                return Err(Fault::Failed);
            }
            "Wordy" => {
                answer.grow(100_000).unwrap().fill(b'w');
                return Err(Fault::Panicked);
            }
            "Size" => answer.grow(std::str::from_utf8(call.payload).unwrap().parse().unwrap()).unwrap().fill(b'x'),
            "LateLarge" => {
                self.release.lock().unwrap().recv().unwrap();
                answer.grow(PAYLOAD_BYTES_MAX as usize).unwrap().fill(b'x');
            }
            "Panic" => panic!("as the test wants"),
            "Hold" => {
                self.began.lock().unwrap().send(call.call).unwrap();
                self.release.lock().unwrap().recv().unwrap();
                answer.write(&[u8::from(call.is_cancelled())]);
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

/// Both ends, with what the service says and waits for.
pub(super) struct Rig {
    pub(super) client: Arc<dyn LoopClient>,
    pub(super) server: Server,
    pub(super) began: Receiver<u64>,
    pub(super) release: Sender<()>,
}

/// Makes both ends, for so many calls at once.
type Make = fn(usize) -> Rig;

/// The tiers in which a provider calls actors.
pub(super) const UP: [(&str, Make); 2] = [("socket", on_socket), ("lanes", in_lanes)];

/// All tiers, in both directions: the callee believes its host, and nobody else.
pub(super) const TIERS: [(&str, Make); 3] = [UP[0], UP[1], ("lanes of the host", in_lanes_of_the_host)];

fn on_socket(in_flight_max: usize) -> Rig {
    let (client, server) = pair().unwrap();
    let (script, began, release) = script();
    let server = socket::serve(server, script, config(in_flight_max), Box::new(|_| {})).unwrap();
    let client = SocketLoopClient::new(socket_client(client, in_flight_max).0);
    Rig { client: Arc::new(client), server, began, release }
}

fn in_lanes(in_flight_max: usize) -> Rig {
    let [host, shim] = regions();
    let mailboxes = host.clone();
    lanes_between(shim, host, in_flight_max, move |number| mailboxes.open_mailbox(number))
}

fn in_lanes_of_the_host(in_flight_max: usize) -> Rig {
    let [host, shim] = regions();
    lanes_between(host, shim, in_flight_max, |_| Err(io::Error::other("hosts call on threads")))
}

pub(super) fn lanes_between(
    caller: Arc<Region>,
    callee: Arc<Region>,
    in_flight_max: usize,
    open: impl Fn(u32) -> io::Result<OwnedFd> + Send + Sync + 'static,
) -> Rig {
    let no_matter = || Box::new(|broken: &Broken| panic!("{broken}"));
    let (script, began, release) = script();
    let server = lane::serve(callee, script, config(in_flight_max), no_matter()).unwrap();
    let client = LaneClient::new(caller, in_flight_max, PAYLOAD_BYTES_MAX, no_matter());
    Rig { client: Arc::new(LaneLoopClient::new(client, Box::new(open))), server, began, release }
}

/// The host's, and the shim's.
pub(super) fn regions() -> [Arc<Region>; 2] {
    let classes = [Class { lanes: 6, slab_bytes: SLAB_BYTES }, Class { lanes: 2, slab_bytes: PAYLOAD_BYTES_MAX }];
    let host = Region::make(Layout::new(&classes).unwrap()).unwrap();
    let shim = Region::open(host.memory().unwrap().try_clone_to_owned().unwrap()).unwrap();
    [Arc::new(host), Arc::new(shim)]
}

pub(super) fn script() -> (Arc<Script>, Receiver<u64>, Sender<()>) {
    let (began_to, began) = channel();
    let (release, release_from) = channel();
    (Arc::new(Script { began: Mutex::new(began_to), release: Mutex::new(release_from) }), began, release)
}

pub(super) fn config(running_max: usize) -> ServerConfig {
    ServerConfig { running_max, payload_bytes_max: PAYLOAD_BYTES_MAX, name: "test".into(), run_in: |run| run() }
}

/// The client, and why its connection broke.
pub(super) fn socket_client(stream: UnixStream, in_flight_max: usize) -> (SocketClient, Receiver<String>) {
    let (broken_to, broken) = channel();
    let broken_to = Mutex::new(broken_to);
    let on_broken: OnBroken = Box::new(move |broken: &Broken| {
        let _ = broken_to.lock().unwrap().send(broken.to_string());
    });
    let config = ClientConfig { in_flight_max, payload_bytes_max: PAYLOAD_BYTES_MAX };
    (SocketClient::new(stream, config, on_broken).unwrap(), broken)
}

pub(super) fn outgoing<'a>(operation: &'a str, payload: &'a [u8], timeout: Duration) -> Outgoing<'a> {
    Outgoing { actor: "MACTOR", operation, payload, deadline: Deadline::after(timeout), cancelled: Cancelled::never() }
}

pub(super) fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let deadline = Deadline::after(LONG);
    while !reached() {
        assert!(!deadline.expired(), "it did not come to that: {what}");
        thread::yield_now();
    }
}

/// Makes the call, and looks at the words of a failure.
pub(super) fn make(client: &dyn Client, call: &Outgoing<'_>) -> Result<Vec<u8>, CallFailure> {
    let mut answer = Vec::new();
    let result = client.call(call, &mut answer);
    match result {
        Err(CallFailure::Answered(Fault::Internal)) => assert_eq!(answer, b"the service panicked"),
        Err(CallFailure::Answered(Fault::Late)) => assert_eq!(answer, b""),
        Err(CallFailure::Answered(Fault::Panicked)) => assert_eq!(answer.len(), WORDS_BYTES_MAX),
        Err(CallFailure::Answered(Fault::Failed)) => assert_eq!(answer, b"no such key"),
        Err(CallFailure::Answered(Fault::Invalid)) => {
            let words = "the answer of 1048577 bytes exceeds the limit of 1048576 bytes";
            assert_eq!(String::from_utf8_lossy(&answer), words);
        }
        _ => {}
    }
    result.map(|()| answer)
}

impl Rig {
    pub(super) fn call(&self, operation: &str, payload: &[u8], timeout: Duration) -> Result<Vec<u8>, CallFailure> {
        make(self.client.blocking(), &outgoing(operation, payload, timeout))
    }

    /// Calls beside everything else.
    pub(super) fn begin(&self, operation: &'static str, timeout: Duration) -> JoinHandle<Result<Vec<u8>, CallFailure>> {
        let client = self.client.clone();
        thread::spawn(move || make(client.blocking(), &outgoing(operation, b"", timeout)))
    }

    /// Calls beside everything else, until its caller goes.
    pub(super) fn begin_cancellable(
        &self,
        operation: &'static str,
    ) -> (JoinHandle<Result<Vec<u8>, CallFailure>>, Cancelled) {
        let (client, cancelled) = (self.client.clone(), Cancelled::new());
        let theirs = cancelled.clone();
        let call = move || make(client.blocking(), &Outgoing { cancelled: &theirs, ..outgoing(operation, b"", LONG) });
        (thread::spawn(call), cancelled)
    }

    /// Waits until such a call runs.
    pub(super) fn wait_until_begun(&self) {
        self.began.recv_timeout(LONG).unwrap();
    }
}
