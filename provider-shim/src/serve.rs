//! Serves until the host says drain, or goes away.
//!
//! ```text
//! this thread    hears the host; never waits for the provider
//! "provider"     makes the provider, binds and unbinds in the host's order, shuts it down
//! "health"       asks the provider how it is
//! "log"          sends lines of log; started with the first one, or when the provider has its links
//! "call-N"       run calls
//! ```
#![allow(unsafe_code)]

use std::convert::Infallible;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use cofferdam_abi::Status;
use cofferdam_channel::control::{ControlError, ControlReceiver, ControlSender};
use cofferdam_channel::protocol::HostHello;
use cofferdam_channel::protocol::control::{Dir, HostMessage, LoadFault, Setting, ShimMessage};
use cofferdam_channel::protocol::limits::clip;
use cofferdam_channel::{Broken, Deadline, LoopClient, Server, ServerConfig};
use parking_lot::Mutex;

use crate::asks::Asks;
use crate::calls::Calls;
use crate::crash;
use crate::exports::Parts;
use crate::fault::ShimFault;
use crate::jobs::{self, Job, JobReceiver, JobSender};
use crate::library::LoadedLibrary;
use crate::load::{self, Delivery};
use crate::logging::Log;
use crate::sink;
use crate::ways::Ways;

/// How long a provider may take to be freed, once it has drained.
const DESTROY_TIMEOUT: Duration = Duration::from_secs(1);

/// The provider's own thread, before there is a provider. It is made while the host looks at the hello.
pub(crate) struct Serving {
    shared: Shared,
    deliveries: SyncSender<Delivery>,
    jobs: JobSender,
    /// Whoever explains a death may have no thread, and needs none.
    started: io::Result<()>,
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
    log: Arc<Log>,
    asks: Arc<Asks>,
    dirs: Arc<[Dir]>,
    rules: HostHello,
    /// How it calls actors.
    calls: Arc<OnceLock<Arc<dyn LoopClient>>>,
    /// Set once the provider was made.
    library: Arc<OnceLock<Arc<LoadedLibrary>>>,
    /// Set once the provider was made.
    server: Arc<OnceLock<Server>>,
    /// Set once nothing is in flight any more.
    drained: Arc<OnceLock<()>>,
    /// Held while the provider is asked how it is.
    checking: Arc<Mutex<()>>,
}

impl Serving {
    /// Starts the thread. It touches nothing of the host's and nothing foreign before [`Serving::serve`].
    pub(crate) fn prepare(sender: ControlSender, kept: Kept) -> Self {
        let sender = Arc::new(sender);
        let Kept { dirs, rules } = kept;
        let shared = Shared {
            asks: Arc::new(Asks::new(sender.clone())),
            dirs: dirs.into(),
            rules,
            calls: Arc::default(),
            library: Arc::default(),
            server: Arc::default(),
            drained: Arc::default(),
            checking: Arc::default(),
            log: Arc::new(Log::to(sender.clone())),
            sender,
        };
        let (deliveries, delivered) = sync_channel(1);
        let (jobs_to, jobs) = jobs::queue();
        let provider = shared.clone();
        let run = move || {
            // The other end goes only with this process.
            let Ok(delivery) = delivered.recv() else { return };
            let fault = provider.run_provider(delivery, &jobs);
            eprintln!("cofferdam-shim: {fault}");
            exit(fault.exit_code());
        };
        let mut run = Some(run);
        let run = move || crash::with_second_stack(&mut || run.take().into_iter().for_each(|run| run()));
        let started = thread::Builder::new().name("provider".into()).spawn(run).map(drop);
        Self { shared, deliveries, jobs: jobs_to, started }
    }

    /// What sends to the host, for who has something else to say than a provider.
    pub(crate) fn sender(&self) -> &ControlSender {
        &self.shared.sender
    }

    /// Makes the provider and serves until the end of the control socket. Does not return but for an error.
    pub(crate) fn serve(self, receiver: &mut ControlReceiver, delivery: Delivery) -> Result<Infallible, ShimFault> {
        self.started.map_err(ShimFault::Thread)?;
        set_environment(&delivery.env);
        // It is the first, and there is room for it.
        let _ = self.deliveries.try_send(delivery);
        // Made while the library is loaded: what the library starts must not take its place.
        let (health, asked) = sync_channel(1);
        let checked = self.shared.clone();
        let answer = move || crash::with_second_stack(&mut || checked.answer_health(&asked));
        thread::Builder::new().name("health".into()).spawn(answer).map_err(ShimFault::Thread)?;
        self.shared.hear(receiver, &self.jobs, &health)
    }
}

impl Shared {
    fn hear(
        &self,
        receiver: &mut ControlReceiver,
        jobs: &JobSender,
        health: &SyncSender<u64>,
    ) -> Result<Infallible, ShimFault> {
        loop {
            let (message, mut descriptors) = match receiver.receive() {
                Ok(received) => received,
                Err(ControlError::Eof) => self.end(jobs),
                Err(error) => return Err(error.into()),
            };
            let job = match message {
                HostMessage::Load { .. }
                | HostMessage::Confine(_)
                | HostMessage::Explain { .. }
                | HostMessage::Lanes => {
                    return Err(ShimFault::OutOfOrder("a second Load or Confine, Explain or Lanes"));
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
            if jobs.send(job).is_err() {
                return Err(ShimFault::OutOfOrder("more binds than may be unanswered"));
            }
        }
    }

    /// The host closed the control socket: after a drain that is the end of a good life, else the host is dead.
    fn end(&self, jobs: &JobSender) -> ! {
        if self.drained.get().is_some() && jobs.send(Job::End).is_ok() {
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
    fn run_provider(&self, delivery: Delivery, jobs: &JobReceiver) -> ShimFault {
        match self.begin(delivery) {
            Ok(library) => {
                // What the host waits for, first.
                while let Some(job) = jobs.poll() {
                    self.run_job(&library, job);
                }
                self.log.start();
                while let Some(job) = jobs.receive() {
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

    fn begin(&self, delivery: Delivery) -> Result<Arc<LoadedLibrary>, ShimFault> {
        let Delivery { env: _, library, down, up, lanes, crash: _ } = delivery;
        // Before there is foreign code: it gets no descriptor of them.
        let ways = Ways::open(down, up, lanes)?;
        let (asks, dirs, log) = (self.asks.clone(), self.dirs.clone(), self.log.clone());
        let calls = ways.up.client(self.rules, asks.clone())?;
        let _ = self.calls.set(calls.clone());
        let parts = Parts { asks, calls, dirs, rules: self.rules, log };
        let library = Arc::new(load::make(&library, parts)?);

        let running_max = library.concurrency.min(self.rules.calls_max) as usize;
        let payload_bytes_max = self.rules.payload_bytes_max;
        let config =
            ServerConfig { running_max, payload_bytes_max, name: "call".to_owned(), run_in: crash::with_second_stack };
        let calls = Calls { library: library.clone(), payload_bytes_max: payload_bytes_max as usize };
        let no_thread = |error| ShimFault::load(LoadFault::Shim, format!("starting its threads: {error}"));
        let server = ways.down.serve(Arc::new(calls), config).map_err(no_thread)?;

        // Set once, here.
        let _ = (self.library.set(library.clone()), self.server.set(server));
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

    fn answer_health(&self, requests: &Receiver<u64>) {
        while let Ok(request) = requests.recv() {
            // The host asks no provider that is not ready.
            let Some(library) = self.library.get() else { continue };
            let complaint = {
                let _checking = self.checking.lock();
                rejection(library.health())
            };
            if self.sender.send(&ShimMessage::HealthReport { request, complaint }).is_err() {
                return;
            }
            // Now and then is often enough, and this comes now and then.
            self.calls.get().into_iter().for_each(|calls| calls.blocking().give_back());
        }
    }
}

/// The environment is empty but for what was granted. It lies in this process's memory and is not seen in `/proc`.
#[expect(clippy::disallowed_methods, reason = "the provider reads it there, and nobody else reads it yet")]
fn set_environment(env: &[Setting]) {
    for Setting { name, value } in env {
        // SAFETY: the other threads are ours, wait for what comes after this, and read no variable before.
        unsafe { std::env::set_var(name, value) };
    }
}

fn rejection((status, words): (Status, Vec<u8>)) -> Option<String> {
    (status != Status::OK).then(|| sink::words_or_status(status, &words))
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
