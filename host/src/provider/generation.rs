//! One process of a provider: from its spawn to its end.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::time::Duration;

use cofferdam_channel::Deadline;
use cofferdam_channel::protocol::control::{Setting, ShimMessage, Want};
use cofferdam_channel::protocol::limits::CALLS_MAX;
use cofferdam_channel::protocol::{Confinement, HostHello};
use cofferdam_channel::socket::{self, ClientConfig, ServerConfig, SocketClient, SocketServer};
use nix::fcntl::OFlag;
use nix::sys::socket::{Shutdown, shutdown};
use nix::unistd::pipe2;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::actor_calls::ActorCalls;
use super::asks::Asks;
use super::child::{self, Alive, Child};
use super::control::{ControlError, Receiver};
use super::exit::Exit;
use super::gate::{Line, LineEnd};
use super::grants::Asker;
use super::greeting::{self, Delivery, Greeted, Rules};
use super::hidden::Hidden;
use super::obituary::Remains;
use super::outbox::{BrokenTo, Outbox};
use super::output::{self, Source};
use super::spawner::Spawned;
use super::tail::Tail;
use super::{ProviderSpec, Surroundings};
use crate::supervision::Generation;

/// What a process that died has closed, the kernel closes a moment before it tells that the process ended.
const EXIT_AFTER_EOF: Duration = Duration::from_millis(500);

/// How long the rest of what a process said may take to be read after its end: it has been sent already.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// Messages that are read after the end of a process.
const LAST_WORDS_MAX: u32 = 256;

/// One process of a provider. Dropping it kills the process and reaps it.
pub(super) struct Process {
    child: Child,
    /// When it was started.
    born: Deadline,
    /// How long it took until it was ready.
    started_in: Option<Duration>,
    /// The pipe into which it writes when a signal ends it.
    record: Option<OwnedFd>,
    /// What does not confine it, by its own word.
    missing: Confinement,
    control: Arc<UnixStream>,
    outbox: Outbox,
    receiver: Receiver,
    /// The end on which calls are going to be made, until it is known how many at once.
    down: Option<StdStream>,
    line: Option<Arc<Line>>,
    server: Arc<SocketServer>,
    broken: mpsc::Receiver<String>,
    broken_to: BrokenTo,
    asks: Asks,
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

impl Process {
    /// Starts a process, greets it and tells it what to load. The error says what happened, for people.
    pub(super) async fn launch(
        spec: &ProviderSpec,
        surroundings: &Surroundings,
        (hidden, tail): (&Hidden, &Tail),
        (generation, alive): (Generation, Alive),
    ) -> Result<Self, String> {
        let system = |act: &'static str| move |error: io::Error| format!("{act}: {error}");
        let born = Deadline::now();
        let (ours, theirs) = socket::pair().map_err(system("making its control socket"))?;
        let mut stream = greeting::prepare(ours).map_err(system("preparing its control socket"))?;
        let spawned = surroundings.spawner.spawn(&surroundings.shim, theirs.into()).await;
        let Spawned { group, stdout, stderr } =
            spawned.map_err(|error| format!("starting {}: {error}", surroundings.shim.display()))?;

        let (down, down_theirs) = socket::pair().map_err(system("making its socket for calls"))?;
        let (up, up_theirs) = socket::pair().map_err(system("making its socket for calls to actors"))?;
        let (broken_to, broken) = BrokenTo::channel();
        let server = start_server(spec, surroundings, up, &broken_to).map_err(system("serving its calls to actors"))?;
        let (record, crash) =
            pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).map_err(|errno| system("making a pipe")(errno.into()))?;

        let confine = spec.sandbox.order(Some(&spec.state_dir));
        let greeted = greeting::greet(&mut stream, Rules { generation, hello: rules(spec), confine }).await;
        let accepts = |greeted: &Greeted| spec.sandbox.accepts(spec.sandbox.missing(greeted.hello.confinement));
        let accepted = greeted.as_ref().is_ok_and(accepts);
        // First of all, because the process waits for it. Whoever is none of ours is refused when it is to be watched.
        let delivered = match &greeted {
            Ok(greeted) if accepted && group.has(greeted.pid) => {
                let (library, down, up) = (&spec.library, down_theirs, up_theirs);
                greeting::deliver(&stream, Delivery { env: env(spec), library, down, up, crash }).await
            }
            _ => Ok(()),
        };
        let pid = greeted.as_ref().map_or(group.leader(), |greeted| greeted.pid.as_raw().cast_unsigned());
        for (name, stream) in [("stdout", stdout.into()), ("stderr", stderr.into())] {
            let source = Source { name, provider: spec.key.clone(), pid, tail: tail.clone() };
            tail.read_by(tokio::spawn(output::drain(stream, source, hidden.clone())));
        }
        let Greeted { hello, pid } = match greeted {
            Ok(greeted) => greeted,
            Err(error) => return Err(not_greeted(child::end(group, alive).await, &error)),
        };
        let missing = spec.sandbox.missing(hello.confinement);
        let child = Child::watch(pid, group, alive).map_err(system("watching its process"))?;
        if !accepted {
            return Err(format!("its process is not confined by: {missing}"));
        }
        delivered.map_err(|error| format!("telling its process what to load failed: {error}"))?;
        let control = Arc::new(stream);
        let outbox = Outbox::open(control.clone(), broken_to.clone());
        Ok(Self {
            child,
            born,
            started_in: None,
            record: Some(record),
            missing,
            control,
            outbox,
            receiver: Receiver::new(),
            down: Some(down),
            line: None,
            server,
            broken,
            broken_to,
            asks: Asks::new(asker(spec, hidden, missing)),
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

    /// It takes calls from now on.
    pub(super) fn is_ready(&mut self) -> Duration {
        *self.started_in.insert(Deadline::now().since(self.born))
    }

    /// How long it took to be ready, once it is.
    pub(super) const fn started_in(&self) -> Option<Duration> {
        self.started_in
    }

    /// What it leaves, for the report of its death. Once.
    pub(super) fn remains(&mut self) -> Remains {
        Remains {
            pid: self.child.pid(),
            born: self.born,
            exit: self.ended,
            usage: self.child.usage(),
            unconfined: self.missing,
            record: self.record.take(),
        }
    }

    pub(super) const fn missing(&self) -> Confinement {
        self.missing
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
    pub(super) fn loaded(&mut self, concurrency: u32) -> Result<Arc<Line>, String> {
        let stream = self.down.take().ok_or("it said twice that it was loaded")?;
        let config = ClientConfig {
            in_flight_max: concurrency.min(self.calls_max).min(CALLS_MAX) as usize,
            payload_bytes_max: self.payload_bytes_max,
        };
        let client = SocketClient::new(stream, config, self.broken_to.on_broken())
            .map_err(|error| format!("preparing its socket for calls: {error}"))?;
        Ok(self.line.insert(Line::new(client)).clone())
    }

    pub(super) fn calls_in_flight(&self) -> usize {
        self.line.as_ref().map_or(0, |line| line.in_flight())
    }

    /// Sends in order, without waiting.
    pub(super) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// What the provider asks for, and has been handed.
    pub(super) const fn asks(&self) -> &Asks {
        &self.asks
    }

    /// Opens what the provider asks for, beside everything else, and hands it over.
    pub(super) fn answer(&self, request: u64, want: Want) {
        self.asks.answer(request, want, &self.outbox);
    }

    /// Nothing more comes from the host: a shim that has drained ends by itself.
    pub(super) fn say_goodbye(&self) {
        // The other end may be gone already.
        let _ = shutdown(self.control.as_raw_fd(), Shutdown::Write);
    }

    /// Ends every call in flight, in both directions.
    pub(super) fn fail_calls(&self, end: LineEnd, cause: &str) {
        self.server.shut_down();
        if let Some(line) = &self.line {
            line.end(end, cause);
        }
    }

    pub(super) fn kill(&self) {
        self.child.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.fail_calls(LineEnd::Stopped, "its process was ended by the host");
        self.asks.close();
    }
}

fn not_greeted(exit: Option<Exit>, error: &ControlError) -> String {
    match exit {
        Some(exit) => format!("its process {exit} before it was greeted"),
        None => format!("greeting its process failed: {error}"),
    }
}

/// The variables that were granted, and no others.
fn env(spec: &ProviderSpec) -> Vec<Setting> {
    let setting = |(name, value): &(String, String)| Setting { name: name.clone(), value: value.clone() };
    spec.authority.env().iter().map(setting).collect()
}

fn asker(spec: &ProviderSpec, hidden: &Hidden, missing: Confinement) -> Asker {
    let authority = spec.authority.clone();
    let landlock = !missing.contains(Confinement::LANDLOCK_FILES);
    Asker { handed: authority.begin(), authority, hidden: hidden.clone(), landlock }
}

fn rules(spec: &ProviderSpec) -> HostHello {
    HostHello {
        payload_bytes_max: spec.limits.payload_bytes_max,
        calls_max: spec.calls_max,
        actor_calls_max: spec.calls_max,
    }
}

fn start_server(
    spec: &ProviderSpec,
    surroundings: &Surroundings,
    up: StdStream,
    broken_to: &BrokenTo,
) -> io::Result<Arc<SocketServer>> {
    let service = ActorCalls { origin: spec.entity.clone(), inbound: surroundings.inbound.clone() };
    let config = ServerConfig {
        running_max: spec.calls_max as usize,
        payload_bytes_max: spec.limits.payload_bytes_max,
        name: "actor-call".to_owned(),
    };
    SocketServer::start(up, Arc::new(service), config, broken_to.on_broken())
}

/// The moment as the runtime's timer takes it.
pub(super) fn instant(deadline: Deadline) -> tokio::time::Instant {
    tokio::time::Instant::now() + deadline.remaining()
}
