//! Two ends, and a service that does as its caller says.

use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use cofferdam_channel::lane::{self, Class, LaneClient, Layout, Region};
use cofferdam_channel::socket::{self, ClientConfig, SocketClient, pair};
use cofferdam_channel::{
    Answer, Broken, CallFailure, Cancelled, Client, Deadline, Incoming, OnBroken, Outgoing, Server, ServerConfig,
    Service,
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
pub(super) struct Ends<C: ?Sized> {
    pub(super) client: Arc<C>,
    pub(super) server: Server,
    pub(super) began: Receiver<u64>,
    pub(super) release: Sender<()>,
}

pub(super) type Rig = Ends<dyn Client>;

/// Makes both ends, for so many calls at once.
type Make = fn(usize) -> Rig;

/// How they are made.
pub(super) const TIERS: [(&str, Make); 2] = [("socket", on_socket), ("lanes", in_lanes)];

fn on_socket(in_flight_max: usize) -> Rig {
    let (client, server) = pair().unwrap();
    let (script, began, release) = script();
    let server = socket::serve(server, script, config(in_flight_max), Box::new(|_| {})).unwrap();
    Ends { client: Arc::new(socket_client(client, in_flight_max).0), server, began, release }
}

fn in_lanes(in_flight_max: usize) -> Rig {
    let classes = [Class { lanes: 6, slab_bytes: SLAB_BYTES }, Class { lanes: 2, slab_bytes: PAYLOAD_BYTES_MAX }];
    let ours = Region::make(Layout::new(&classes).unwrap()).unwrap();
    let theirs = Region::open(ours.memory().unwrap().try_clone_to_owned().unwrap()).unwrap();
    let no_matter = || Box::new(|broken: &Broken| panic!("{broken}"));
    let (script, began, release) = script();
    let server = lane::serve(Arc::new(theirs), script, config(in_flight_max), no_matter()).unwrap();
    let client = LaneClient::new(Arc::new(ours), in_flight_max, PAYLOAD_BYTES_MAX, no_matter());
    Ends { client: Arc::new(client), server, began, release }
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
        make(&*self.client, &outgoing(operation, payload, timeout))
    }

    /// Calls beside everything else.
    pub(super) fn begin(&self, operation: &'static str, timeout: Duration) -> JoinHandle<Result<Vec<u8>, CallFailure>> {
        let client = self.client.clone();
        thread::spawn(move || make(&*client, &outgoing(operation, b"", timeout)))
    }

    /// Calls beside everything else, until its caller goes.
    pub(super) fn begin_cancellable(
        &self,
        operation: &'static str,
    ) -> (JoinHandle<Result<Vec<u8>, CallFailure>>, Cancelled) {
        let (client, cancelled) = (self.client.clone(), Cancelled::new());
        let theirs = cancelled.clone();
        let call = move || make(&*client, &Outgoing { cancelled: &theirs, ..outgoing(operation, b"", LONG) });
        (thread::spawn(call), cancelled)
    }

    /// Waits until such a call runs.
    pub(super) fn wait_until_begun(&self) {
        self.began.recv_timeout(LONG).unwrap();
    }
}
