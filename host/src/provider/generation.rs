//! One process of a provider: from its spawn to its end.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::time::Duration;

use cofferdam_channel::protocol::HostHello;
use cofferdam_channel::protocol::control::{Dir, HostMessage, Refusal, ShimMessage, Want};
use cofferdam_channel::protocol::limits::{CALLS_MAX, clip};
use cofferdam_channel::socket::{self, Broken, ClientConfig, ServerConfig, SocketClient, SocketServer};
use cofferdam_channel::{Client, Deadline};
use nix::sys::socket::{Shutdown, shutdown};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

use super::actor_calls::ActorCalls;
use super::child::{Alive, Child};
use super::control::{self, Receiver};
use super::exit::Exit;
use super::greeting::{self, Delivery};
use super::spawner::Spawned;
use super::{ProviderSpec, Surroundings, grants, output};
use crate::supervision::Generation;

/// What a process that died has closed, the kernel closes a moment before it tells that the process ended.
const EXIT_AFTER_EOF: Duration = Duration::from_millis(500);

/// How long the rest of what a process said may take to be read after its end: it has been sent already.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// Messages that are read after the end of a process.
const LAST_WORDS_MAX: u32 = 256;

/// Requests of a provider that the host works on at once, each on a thread.
const ASKS_RUNNING_MAX: usize = 16;

/// Requests of a provider that are not answered yet, each with the descriptor that waits to be sent: more are refused.
const ASKS_MAX: usize = 64;

/// The name under which a provider finds the directory of its own.
const STATE_DIR_NAME: &str = "state";

/// One process of a provider. Dropping it kills the process and reaps it.
pub(super) struct Process {
    child: Child,
    control: Arc<UnixStream>,
    outbox: mpsc::Sender<Waiting>,
    receiver: Receiver,
    /// The end on which calls are going to be made, until it is known how many at once.
    down: Option<StdStream>,
    client: Option<Arc<SocketClient>>,
    server: Arc<SocketServer>,
    broken: mpsc::Receiver<String>,
    broken_to: mpsc::Sender<String>,
    asks: Arc<Semaphore>,
    asks_running: Arc<Semaphore>,
    calls_max: u32,
    payload_bytes_max: u32,
    /// Why it is of no more use, and until when its end is waited for: most often that is the cause.
    ending: Option<(String, Instant)>,
    /// How it ended, once it has.
    ended: Option<Exit>,
    last_words_left: u32,
}

/// What a process did.
pub(super) enum Happened {
    Said(ShimMessage),
    Exited(Exit),
    Broke(String),
}

/// What waits to be sent on the control socket.
struct Waiting {
    frame: Vec<u8>,
    descriptor: Option<OwnedFd>,
    /// Of the ask that this answers: free once it was sent.
    _turn: Option<OwnedSemaphorePermit>,
}

/// Messages that may wait: each link may be bound again at once.
const OUTBOX_MAX: usize = 8192;

impl Process {
    /// Starts a process, greets it and tells it what to load. The error says what happened, for people.
    pub(super) async fn launch(
        spec: &ProviderSpec,
        surroundings: &Surroundings,
        generation: Generation,
        alive: Alive,
    ) -> Result<Self, String> {
        let system = |act: &'static str| move |error: io::Error| format!("{act}: {error}");
        let (ours, theirs) = socket::pair().map_err(system("making its control socket"))?;
        let spawned = surroundings.spawner.spawn(&surroundings.shim, theirs.into()).await;
        let Spawned { pid, unreaped, stdout, stderr } =
            spawned.map_err(|error| format!("starting {}: {error}", surroundings.shim.display()))?;
        let mut child = Child::watch(pid, unreaped, alive).map_err(system("watching its process"))?;
        tokio::spawn(output::drain(stdout.into(), "stdout", spec.key.clone(), pid));
        tokio::spawn(output::drain(stderr.into(), "stderr", spec.key.clone(), pid));

        let (down, down_theirs) = socket::pair().map_err(system("making its socket for calls"))?;
        let (up, up_theirs) = socket::pair().map_err(system("making its socket for calls to actors"))?;
        let (broken_to, broken) = mpsc::channel(4);
        let server =
            start_server(spec, surroundings, up, broken_to.clone()).map_err(system("serving its calls to actors"))?;

        let delivery = Delivery {
            generation,
            rules: rules(spec),
            dirs: dirs(spec),
            library: &spec.library,
            down: down_theirs,
            up: up_theirs,
        };
        ours.set_nonblocking(true).map_err(system("preparing its control socket"))?;
        let mut stream = UnixStream::from_std(ours).map_err(system("preparing its control socket"))?;
        if let Err(error) = greeting::greet(&mut stream, delivery).await {
            return Err(match child.exit_within(EXIT_AFTER_EOF).await {
                Some(exit) => format!("its process {exit} before it was greeted"),
                None => format!("greeting its process failed: {error}"),
            });
        }
        let control = Arc::new(stream);
        let (outbox, waiting) = mpsc::channel(OUTBOX_MAX);
        tokio::spawn(send_all(control.clone(), waiting, broken_to.clone()));
        Ok(Self {
            child,
            control,
            outbox,
            receiver: Receiver::new(),
            down: Some(down),
            client: None,
            server,
            broken,
            broken_to,
            asks: Arc::new(Semaphore::new(ASKS_MAX)),
            asks_running: Arc::new(Semaphore::new(ASKS_RUNNING_MAX)),
            calls_max: spec.calls_max,
            payload_bytes_max: spec.limits.payload_bytes_max,
            ending: None,
            ended: None,
            last_words_left: LAST_WORDS_MAX,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Waits for the next thing it does. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Happened {
        if self.ended.is_none() {
            match self.while_it_lives().await {
                Happened::Exited(exit) => self.ended = Some(exit),
                happened => return happened,
            }
        }
        // What it said before it ended comes first: it may say why. The end of the socket ends this, unless a child of
        // the process holds it open.
        if self.last_words_left > 0 {
            self.last_words_left -= 1;
            let last_words = self.receiver.receive(&self.control);
            if let Ok(Ok(message)) = tokio::time::timeout(LAST_WORDS, last_words).await {
                return Happened::Said(message);
            }
            self.last_words_left = 0;
        }
        Happened::Exited(self.ended.unwrap_or(Exit::Unknown))
    }

    async fn while_it_lives(&mut self) -> Happened {
        let Self { child, control, receiver, broken, ending, .. } = self;
        if ending.is_none() {
            let why = tokio::select! {
                exit = child.exit() => return Happened::Exited(exit),
                received = receiver.receive(control) => match received {
                    Ok(message) => return Happened::Said(message),
                    Err(error) => error.to_string(),
                },
                Some(why) = broken.recv() => why,
            };
            // Kept, for it is told once only, and this may be dropped while it waits.
            *ending = Some((why, Instant::now() + EXIT_AFTER_EOF));
        }
        let Some((why, until)) = ending else { return Happened::Exited(Exit::Unknown) };
        // Most often it died: then that is the cause, and the closed socket is only its shadow.
        match tokio::time::timeout_at(*until, child.exit()).await {
            Ok(exit) => Happened::Exited(exit),
            Err(_) => Happened::Broke(why.clone()),
        }
    }

    /// It takes this many calls at once: makes the client for them.
    pub(super) fn loaded(&mut self, concurrency: u32) -> Result<Arc<SocketClient>, String> {
        let stream = self.down.take().ok_or("it said twice that it was loaded")?;
        let config = ClientConfig {
            in_flight_max: concurrency.min(self.calls_max).min(CALLS_MAX) as usize,
            payload_bytes_max: self.payload_bytes_max,
        };
        let client = SocketClient::new(stream, config, tell(self.broken_to.clone()))
            .map_err(|error| format!("preparing its socket for calls: {error}"))?;
        Ok(self.client.insert(Arc::new(client)).clone())
    }

    pub(super) fn calls_in_flight(&self) -> usize {
        self.client.as_ref().map_or(0, |client| client.in_flight())
    }

    /// Sends in order, beside everything else: the loop that hears the process never waits for it to read.
    pub(super) fn send(&self, frame: Vec<u8>) {
        if self.outbox.try_send(Waiting { frame, descriptor: None, _turn: None }).is_err() {
            // It is full, so the process doesn't read, or the sender found the socket closed and has told so.
            self.tell_broken("the shim does not read its control socket".to_owned());
        }
    }

    /// It is of no more use.
    pub(super) fn tell_broken(&self, why: String) {
        // A full queue means that it is known already.
        let _ = self.broken_to.try_send(why);
    }

    /// Opens what the provider asks for, beside everything else, and hands it over.
    pub(super) fn answer(&self, request: u64, want: Want) {
        let Ok(turn) = self.asks.clone().try_acquire_owned() else {
            let reason = format!("{ASKS_MAX} requests wait already");
            match (HostMessage::Refused { request, refusal: Refusal::Failed, reason }).to_frame() {
                Ok(frame) => self.send(frame),
                Err(why) => self.tell_broken(why.to_string()),
            }
            return;
        };
        let (outbox, running, broken_to) = (self.outbox.clone(), self.asks_running.clone(), self.broken_to.clone());
        tokio::spawn(async move {
            let (message, descriptor) = match grant(want, running).await {
                Ok(granted) => (HostMessage::Granted { request }, Some(granted)),
                Err((refusal, reason)) => {
                    let reason = clip(&reason).to_owned();
                    (HostMessage::Refused { request, refusal, reason }, None)
                }
            };
            // A process that is gone needs no answer.
            let _ = match message.to_frame() {
                Ok(frame) => outbox.send(Waiting { frame, descriptor, _turn: Some(turn) }).await.is_ok(),
                Err(why) => broken_to.try_send(why.to_string()).is_ok(),
            };
        });
    }

    /// Nothing more comes from the host: a shim that has drained ends by itself.
    pub(super) fn say_goodbye(&self) {
        // The other end may be gone already.
        let _ = shutdown(self.control.as_raw_fd(), Shutdown::Write);
    }

    /// Ends every call in flight, in both directions.
    pub(super) fn fail_calls(&self, cause: &str) {
        self.server.shut_down();
        if let Some(client) = &self.client {
            client.close(cause);
        }
    }

    pub(super) fn kill(&self) {
        self.child.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.fail_calls("its process was ended by the host");
        // What it asked for and nobody has begun with is not opened any more.
        self.asks_running.close();
    }
}

/// Carries a request out on a thread that may block. Looking up a name can't be interrupted, so the thread keeps its
/// place among those that run even when the answer is late: a provider never has more of them.
async fn grant(want: Want, running: Arc<Semaphore>) -> grants::Granted {
    let time = grants::time_for(&want);
    let granting = async move {
        let Ok(place) = running.acquire_owned().await else {
            return Err((Refusal::Failed, "the process has ended".to_owned()));
        };
        let granted = tokio::task::spawn_blocking(move || {
            let granted = grants::grant(&want);
            drop(place);
            granted
        });
        granted.await.unwrap_or_else(|error| Err((Refusal::Failed, error.to_string())))
    };
    let late = |_| Err((Refusal::Late, format!("it could not be done within {time:?}")));
    tokio::time::timeout(time, granting).await.unwrap_or_else(late)
}

/// Sends what waits, one after the other, until the process has gone.
async fn send_all(stream: Arc<UnixStream>, mut waiting: mpsc::Receiver<Waiting>, broken_to: mpsc::Sender<String>) {
    while let Some(Waiting { frame, descriptor, _turn }) = waiting.recv().await {
        let descriptors: Vec<_> = descriptor.iter().map(AsFd::as_fd).collect();
        if let Err(error) = control::send(&stream, &frame, &descriptors).await {
            let _ = broken_to.try_send(error.to_string());
            return;
        }
    }
}

fn rules(spec: &ProviderSpec) -> HostHello {
    HostHello {
        payload_bytes_max: spec.limits.payload_bytes_max,
        calls_max: spec.calls_max,
        actor_calls_max: spec.calls_max,
    }
}

fn dirs(spec: &ProviderSpec) -> Vec<Dir> {
    let path = spec.state_dir.to_string_lossy().into_owned();
    vec![Dir { name: STATE_DIR_NAME.to_owned(), path, writable: true }]
}

fn start_server(
    spec: &ProviderSpec,
    surroundings: &Surroundings,
    up: StdStream,
    broken_to: mpsc::Sender<String>,
) -> io::Result<Arc<SocketServer>> {
    let service = ActorCalls { origin: spec.entity.clone(), inbound: surroundings.inbound.clone() };
    let config = ServerConfig {
        running_max: spec.calls_max as usize,
        payload_bytes_max: spec.limits.payload_bytes_max,
        name: "actor-call".to_owned(),
    };
    SocketServer::start(up, Arc::new(service), config, tell(broken_to))
}

fn tell(broken_to: mpsc::Sender<String>) -> socket::OnBroken {
    Box::new(move |broken: &Broken| {
        // A full queue means that it is known already.
        let _ = broken_to.try_send(broken.to_string());
    })
}

/// The moment as the runtime's timer takes it.
pub(super) fn instant(deadline: Deadline) -> tokio::time::Instant {
    tokio::time::Instant::now() + deadline.remaining()
}
