//! Serves until the host says drain, or goes away.
//!
//! ```text
//! this thread    hears the host; never waits for the provider
//! "provider"     makes the provider, binds and unbinds in the host's order, shuts it down
//! "health"       asks the provider how it is
//! "call-N"       run calls
//! ```
#![allow(unsafe_code)]

use std::convert::Infallible;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use cofferdam_abi::Status;
use cofferdam_channel::control::{ControlError, ControlReceiver, ControlSender};
use cofferdam_channel::protocol::HostHello;
use cofferdam_channel::protocol::call::Fault;
use cofferdam_channel::protocol::control::{Dir, HostMessage, LoadFault, Setting, ShimMessage};
use cofferdam_channel::protocol::limits::clip;
use cofferdam_channel::socket::{Broken, ServerConfig, SocketServer};
use cofferdam_channel::{Deadline, Incoming, Service};
use parking_lot::Mutex;

use crate::asks::Asks;
use crate::exports::Parts;
use crate::fault::ShimFault;
use crate::library::LoadedLibrary;
use crate::load::{self, Delivery};
use crate::logging::LogSender;
use crate::sink;

/// Binds and unbinds that wait for the provider: as many as a host may have links to it.
const JOBS_MAX: usize = 4096;

/// How long a provider may take to be freed, once it has drained.
const DESTROY_TIMEOUT: Duration = Duration::from_secs(1);

/// Work for the provider's own thread.
enum Job {
    Bind {
        request: u64,
        actor: String,
        values: Vec<Setting>,
    },
    Unbind {
        request: u64,
        actor: String,
    },
    Drain {
        deadline: Deadline,
    },
    /// The end of a good life.
    End,
}

/// What a provider is left with.
pub(crate) struct Kept {
    /// The directories that were granted, where it sees them.
    pub(crate) dirs: Vec<Dir>,
    /// The host's rules.
    pub(crate) rules: HostHello,
}

/// What the threads share.
#[derive(Clone)]
struct Shared {
    sender: Arc<ControlSender>,
    asks: Arc<Asks>,
    dirs: Arc<[Dir]>,
    rules: HostHello,
    /// Set once the provider was made.
    server: Arc<OnceLock<Arc<SocketServer>>>,
    /// Set once nothing is in flight any more.
    drained: Arc<OnceLock<()>>,
    /// Held while the provider is asked how it is.
    checking: Arc<Mutex<()>>,
}

/// Makes the provider and serves until the end of the control socket. Does not return but for an error.
pub(crate) fn serve(
    receiver: &mut ControlReceiver,
    sender: ControlSender,
    delivery: Delivery,
    kept: Kept,
) -> Result<Infallible, ShimFault> {
    let sender = Arc::new(sender);
    let asks = Arc::new(Asks::new(sender.clone()));
    let Kept { dirs, rules } = kept;
    set_environment(&delivery.env);
    let shared = Shared {
        sender,
        asks,
        dirs: dirs.into(),
        rules,
        server: Arc::default(),
        drained: Arc::default(),
        checking: Arc::default(),
    };
    let (jobs_to, jobs) = sync_channel(JOBS_MAX);
    let (health_to, health) = sync_channel(1);
    let provider = shared.clone();
    let run = move || {
        let fault = provider.run_provider(delivery, &jobs, health);
        eprintln!("cofferdam-shim: {fault}");
        exit(fault.exit_code());
    };
    thread::Builder::new().name("provider".into()).spawn(run).map_err(ShimFault::Inherit)?;
    shared.hear(receiver, &jobs_to, &health_to)
}

impl Shared {
    fn hear(
        &self,
        receiver: &mut ControlReceiver,
        jobs: &SyncSender<Job>,
        health: &SyncSender<u64>,
    ) -> Result<Infallible, ShimFault> {
        loop {
            let (message, mut descriptors) = match receiver.receive() {
                Ok(received) => received,
                Err(ControlError::Eof) => self.end(jobs),
                Err(error) => return Err(error.into()),
            };
            let job = match message {
                HostMessage::Load { .. } | HostMessage::Confine(_) | HostMessage::Explain { .. } => {
                    return Err(ShimFault::OutOfOrder("a second Load or Confine, or Explain"));
                }
                HostMessage::Granted { request } => {
                    let granted = descriptors.pop_front().ok_or(ShimFault::OutOfOrder("Granted without descriptor"))?;
                    self.asks.answered(request, Ok(granted));
                    continue;
                }
                HostMessage::Refused { request, refusal, reason } => {
                    self.asks.answered(request, Err((refusal, reason)));
                    continue;
                }
                HostMessage::Health { request } => {
                    // The host asks again only when answered; a full queue means that it did not wait.
                    let _ = health.try_send(request);
                    continue;
                }
                HostMessage::Bind { request, actor, values } => Job::Bind { request, actor, values },
                HostMessage::Unbind { request, actor } => Job::Unbind { request, actor },
                HostMessage::Drain { deadline_ns } => Job::Drain { deadline: Deadline::from_monotonic_ns(deadline_ns) },
            };
            if let Err(TrySendError::Full(_)) = jobs.try_send(job) {
                return Err(ShimFault::OutOfOrder("more binds than a provider may have links"));
            }
        }
    }

    /// The host closed the control socket: after a drain that is the end of a good life, else the host is dead.
    fn end(&self, jobs: &SyncSender<Job>) -> ! {
        if self.drained.get().is_some() && jobs.try_send(Job::End).is_ok() {
            // The provider's own thread ends the process, once it has done all else. It is not waited for for ever, and
            // nothing is lost by waking too early: the process ends all the same.
            thread::park_timeout(DESTROY_TIMEOUT);
        }
        exit(0)
    }

    /// Frees the provider if nothing of ours runs in it: no job, for this thread does those, no call and no health check.
    fn destroy(&self, library: &LoadedLibrary) -> ! {
        if let Some(server) = self.server.get() {
            server.shut_down();
            // Kept while it is freed: no check begins any more.
            let no_check = self.checking.try_lock();
            if no_check.is_some() && server.running() == 0 {
                library.destroy();
            }
            // With the lock still held.
            exit(0);
        }
        exit(0)
    }

    /// The life of the provider's own thread. Returns only why it could not begin.
    fn run_provider(&self, delivery: Delivery, jobs: &Receiver<Job>, health: Receiver<u64>) -> ShimFault {
        match self.begin(delivery, health) {
            Ok(library) => {
                while let Ok(job) = jobs.recv() {
                    self.run_job(&library, job);
                }
                exit(0)
            }
            Err(fault) => {
                if let ShimFault::Load { fault, reason } = &fault {
                    let message = ShimMessage::NotLoaded { fault: *fault, reason: clip(reason).to_owned() };
                    // Without the message the host still has the exit code and the words on standard error.
                    let _ = self.sender.send(&message);
                }
                fault
            }
        }
    }

    fn begin(&self, delivery: Delivery, health: Receiver<u64>) -> Result<Arc<LoadedLibrary>, ShimFault> {
        let Delivery { env: _, library, down, up, crash: _ } = delivery;
        let log = LogSender::start(self.sender.clone());
        let parts = Parts { asks: self.asks.clone(), up, dirs: self.dirs.clone(), rules: self.rules, log };
        let library = Arc::new(load::make(&library, parts)?);

        let running_max = library.concurrency.min(self.rules.calls_max) as usize;
        let payload_bytes_max = self.rules.payload_bytes_max;
        let config = ServerConfig { running_max, payload_bytes_max, name: "call".to_owned() };
        let calls = Calls { library: library.clone(), payload_bytes_max: payload_bytes_max as usize };
        let no_thread = |error| ShimFault::load(LoadFault::Shim, format!("starting its threads: {error}"));
        let server = SocketServer::start(down, Arc::new(calls), config, Box::new(host_gone)).map_err(no_thread)?;
        let (shared, asked) = (self.clone(), library.clone());
        let answer_health = move || shared.answer_health(&health, &asked);
        thread::Builder::new().name("health".into()).spawn(answer_health).map_err(no_thread)?;

        // Set once, here.
        let _ = self.server.set(server);
        let loaded = ShimMessage::Loaded { name: library.name.clone(), concurrency: running_max as u32 };
        self.sender.send(&loaded)?;
        Ok(library)
    }

    fn run_job(&self, library: &LoadedLibrary, job: Job) {
        let answer = match job {
            Job::End => self.destroy(library),
            Job::Bind { request, actor, values } => {
                let rejection = rejection(library.bind(&actor, &values));
                ShimMessage::Bound { request, rejection }
            }
            Job::Unbind { request, actor } => {
                library.unbind(&actor);
                ShimMessage::Unbound { request }
            }
            Job::Drain { deadline } => {
                library.shutdown(deadline);
                let _ = self.drained.set(());
                ShimMessage::Drained
            }
        };
        if self.sender.send(&answer).is_err() {
            exit(0);
        }
    }

    fn answer_health(&self, requests: &Receiver<u64>, library: &LoadedLibrary) {
        while let Ok(request) = requests.recv() {
            let complaint = {
                let _checking = self.checking.lock();
                rejection(library.health())
            };
            if self.sender.send(&ShimMessage::HealthReport { request, complaint }).is_err() {
                return;
            }
        }
    }
}

/// The environment is empty but for what was granted. It lies in this process's memory and is not seen in `/proc`.
#[expect(clippy::disallowed_methods, reason = "this is the only thread, and the provider reads it there")]
fn set_environment(env: &[Setting]) {
    for Setting { name, value } in env {
        // SAFETY: this is still the only thread.
        unsafe { std::env::set_var(name, value) };
    }
}

fn rejection((status, words): (Status, Vec<u8>)) -> Option<String> {
    (status != Status::OK).then(|| sink::words_or_status(status, &words))
}

/// Calls of actors, run by the provider.
struct Calls {
    library: Arc<LoadedLibrary>,
    payload_bytes_max: usize,
}

impl Service for Calls {
    fn serve(&self, call: &Incoming<'_>, answer: &mut Vec<u8>) -> Result<(), Fault> {
        let (status, refused) = self.library.handle(call, self.payload_bytes_max, answer);
        let fault = match status {
            Status::OK => return Ok(()),
            Status::FAILED => Fault::Failed,
            Status::PANICKED => Fault::Panicked,
            Status::DENIED => Fault::Denied,
            Status::LATE => Fault::Late,
            Status::UNAVAILABLE => Fault::Unavailable,
            Status::INVALID => Fault::Invalid,
            _ => Fault::Internal,
        };
        let mut words = sink::words_or_status(status, answer);
        if let Some(bytes) = refused {
            let limit = self.payload_bytes_max;
            words.push_str(&format!(" (an answer of {bytes} bytes was refused, the limit is {limit} bytes)"));
        }
        *answer = words.into_bytes();
        Err(fault)
    }
}

/// The host's end of a socket is gone: nothing is left to do, and nobody to tell.
pub(crate) fn host_gone(_: &Broken) {
    exit(0)
}

/// Ends the process without running what foreign code registered for its exit.
pub(crate) fn exit(code: u8) -> ! {
    // SAFETY: it takes nothing and never returns.
    unsafe { libc::_exit(code.into()) }
}
