//! The one task that owns a provider: performs what [`crate::supervision`] decides, and binds its links on every start.
//!
//! `commands.rs` is what its handle wants, `attending.rs` what an operator does, `hearing.rs` what its process says,
//! `deaths.rs` how a process ends, `reports.rs` what is told of it, `recording.rs` what the audit log is told, and `showing.rs`
//! what calls and operators see of it.

mod attending;
mod commands;
mod deaths;
mod hearing;
mod recording;
mod reports;
mod showing;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cofferdam_channel::protocol::control::HostMessage;
use tokio::sync::{mpsc, watch};

use super::bindings::{Bindings, Done, LINKS_MAX};
use super::exit::Exit;
use super::gate::{Line, LineEnd, Passage, ProviderGate};
use super::generation::{Happened, NotLaunched, Process, instant};
use super::hidden::Hidden;
use super::log::ProviderLog;
use super::tail::Tail;
use super::{Command, ProviderSpec, Settings, StartError, Status, Surroundings};
use crate::supervision::{Beat, Burden, Effect, End, Event, Generation, Heartbeat, State, Supervision};
use crate::words::Deadline;
use attending::Attending;
use deaths::Cause;
use reports::Writing;

/// After the provider has drained, answers may still be on their way: how often to look whether the last has come.
const LAST_ANSWERS: Duration = Duration::from_millis(5);

/// Why there is no process when nobody wants one.
const STOPPED: &str = "it was stopped";

/// A killed process that hasn't ended after this long hangs in the kernel, and is not waited for any longer.
const KILLED_TIMEOUT: Duration = Duration::from_secs(2);

type Launching = Pin<Box<dyn Future<Output = Launched> + Send>>;
type Launched = Result<Process, NotLaunched>;

/// Owns a provider.
pub(super) struct Runner {
    spec: Arc<ProviderSpec>,
    surroundings: Surroundings,
    gate: Arc<ProviderGate>,
    status: watch::Sender<Status>,
    supervision: Supervision,
    launching: Option<Launching>,
    process: Option<Process>,
    /// Closed while no process of this provider lives: a killed one does until the system has ended it.
    alive: Arc<watch::Sender<()>>,
    /// The way to the present process, once it was loaded.
    line: Option<Arc<Line>>,
    heartbeat: Heartbeat,
    bindings: Bindings,
    hidden: Hidden,
    /// The process said that it has drained, and answers are still on their way.
    drained: bool,
    /// The process said that it could not load, and why: its end is awaited.
    not_loaded: Option<String>,
    /// Why the last process ended.
    cause: Option<Cause>,
    /// What its calls in flight are told.
    line_end: LineEnd,
    ready: Option<Done<Result<(), String>>>,
    stopped: Vec<Done<()>>,
    attending: Vec<Attending>,
    log: ProviderLog,
    /// The last lines of the present or last process.
    tail: Tail,
    writing: Writing,
}

impl Runner {
    pub(super) fn new(
        spec: ProviderSpec,
        bindings: Vec<(String, Settings)>,
        surroundings: Surroundings,
        gate: Arc<ProviderGate>,
        status: watch::Sender<Status>,
    ) -> Result<Self, StartError> {
        if bindings.len() > LINKS_MAX {
            let reason = format!("it has {} links, the most it may have is {LINKS_MAX}", bindings.len());
            return Err(StartError::NotReady { provider: spec.key, reason });
        }
        std::fs::create_dir_all(&spec.state_dir).map_err(|source| StartError::Host {
            provider: spec.key.clone(),
            act: "making its directory",
            source,
        })?;
        let hidden = Hidden::default();
        spec.authority.env().iter().for_each(|(_, value)| hidden.hide_text(value));
        Ok(Self {
            bindings: Bindings::new(bindings, hidden.clone(), spec.authority.clone()),
            log: ProviderLog::new(spec.key.clone(), hidden.clone()),
            tail: Tail::default(),
            writing: Writing::default(),
            heartbeat: Heartbeat::new(spec.timing.health),
            hidden,
            spec: Arc::new(spec),
            surroundings,
            gate,
            status,
            supervision: Supervision::default(),
            launching: None,
            process: None,
            alive: Arc::new(watch::Sender::new(())),
            line: None,
            drained: false,
            not_loaded: None,
            cause: None,
            line_end: LineEnd::Crashed,
            ready: None,
            stopped: Vec::new(),
            attending: Vec::new(),
        })
    }

    /// Lives until it is stopped, its handle is dropped, or its first start fails.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>, ready: Done<Result<(), String>>) {
        self.ready = Some(ready);
        self.step(Event::Start);
        while self.supervision.state() != State::Stopped {
            let due = self.supervision.timer().into_iter().chain(self.heartbeat.timer()).min().map(instant);
            let timer = async move {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => {
                        self.gate.set(Passage::Closed(STOPPED));
                        return self.writing.finish().await;
                    }
                },
                launched = launched(&mut self.launching) => self.launched(launched),
                happened = happened(&mut self.process) => self.happened(happened),
                () = timer => self.time_came(),
                () = self.writing.next() => {}
                () = tokio::time::sleep(LAST_ANSWERS), if self.drained => self.say_goodbye(),
            }
            self.publish();
            self.settle();
        }
        gone(self.alive.clone()).await;
        self.writing.finish().await;
        if let Some(ready) = self.ready.take() {
            let _ = ready.send(Err(self.cause_in_words()));
        }
        for stopped in self.stopped {
            let _ = stopped.send(());
        }
    }

    fn step(&mut self, event: Event) {
        let jitter = rand::random::<f64>();
        let effects = self.supervision.step(event, Deadline::now(), &self.spec.timing, jitter);
        // First, so that calls which fail, or come now, find what follows.
        self.gate.set(self.passage());
        for effect in effects {
            self.perform(effect);
        }
        if matches!(self.supervision.state(), State::Held { .. }) {
            self.bindings.held();
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn(generation) => self.spawn(generation),
            Effect::Kill => {
                self.launching = None;
                if let Some(process) = &self.process {
                    process.kill();
                }
            }
            Effect::FailCalls => self.forget_process(),
            Effect::Open => {
                self.heartbeat.begin(Deadline::now());
                self.record_opening();
                if let Some(process) = &mut self.process {
                    let (provider, pid, took) = (&self.spec.key, process.pid(), process.is_ready());
                    tracing::debug!(%provider, pid, ?took, "ready");
                }
                if let Some(ready) = self.ready.take() {
                    // Whoever waits looks at it next.
                    self.publish();
                    let _ = ready.send(Ok(()));
                }
            }
            Effect::SendDrain { until } => {
                self.heartbeat.end();
                self.send(&HostMessage::Drain { deadline_ns: until.as_monotonic_ns() });
                self.process.iter().for_each(|process| process.asks().close_soon());
            }
        }
    }

    fn spawn(&mut self, generation: Generation) {
        tracing::debug!(provider = %self.spec.key, generation = generation.0, "starting");
        let (spec, surroundings) = (self.spec.clone(), self.surroundings.clone());
        self.tail = self.log.begin();
        let (hidden, tail) = (self.hidden.clone(), self.tail.clone());
        let (alive, gone) = (self.alive.clone(), gone(self.alive.clone()));
        self.launching = Some(Box::pin(async move {
            // Address, files and state of the last process are free only when it has ended.
            gone.await;
            Process::launch(&spec, &surroundings, (&hidden, &tail), (generation, alive.subscribe())).await
        }));
    }

    fn launched(&mut self, launched: Launched) {
        self.launching = None;
        match launched {
            Ok(process) => {
                self.process = Some(process);
                self.bindings.process_begins();
                // It is told of its links while it loads the library, and answers when it has.
                for actor in self.bindings.actors() {
                    self.send_bind(&actor);
                }
            }
            Err(NotLaunched { why, exit }) => self.end(Event::Failed, Cause::NotStarted { why, exit }),
        }
    }

    fn happened(&mut self, happened: Happened) {
        match happened {
            Happened::Said(message) => {
                if let Err(why) = self.said(message) {
                    self.end(Event::Broken, Cause::Broke(format!("it broke the protocol: {why}")));
                }
            }
            Happened::Exited(_) | Happened::Broke(_) if self.not_loaded.is_some() => {
                let why = self.not_loaded.take().unwrap_or_default();
                self.end(Event::Failed, Cause::NotStarted { why, exit: None });
            }
            Happened::Exited(exit) => {
                let end = if exit == Exit::Code(0) { End::Clean } else { End::Crash };
                self.end(Event::Exited(end), Cause::Exited(exit));
            }
            Happened::Broke(why) => self.end(Event::Broken, Cause::Broke(why)),
        }
    }

    /// The time of the state is over, or the process is to be looked at.
    fn time_came(&mut self) {
        let now = Deadline::now();
        let is_due = |timer: Option<Deadline>| timer.is_some_and(|due| due <= now);
        if is_due(self.heartbeat.timer()) {
            let line = self.line.clone();
            let burden = |by: Duration| line.map_or_else(Burden::default, |line| line.burden(now.minus(by)));
            let beat = self.heartbeat.beat(now, burden);
            if let (Beat::Ask(_), Some(line)) = (&beat, &self.line) {
                line.give_back();
            }
            self.follow(beat);
        }
        if is_due(self.supervision.timer()) {
            let timing = &self.spec.timing;
            let cause = match self.supervision.state() {
                State::Starting { .. } => Cause::NotReady { within: timing.start_timeout },
                State::Draining { .. } => Cause::NotDrained { within: timing.drain_timeout },
                _ => return self.step(Event::Timer),
            };
            self.end(Event::Timer, cause);
        }
    }

    /// What the heartbeat wants done.
    fn follow(&mut self, beat: Beat) {
        match beat {
            Beat::Rest => {}
            Beat::Ask(request) => self.send(&HostMessage::Health { request }),
            Beat::Sick(sick) => self.end(Event::Hung, Cause::Hung(sick)),
        }
    }

    fn forget_process(&mut self) {
        self.heartbeat.end();
        if let Some(process) = self.process.take() {
            process.fail_calls(self.line_end, &self.cause_in_words());
            let (server, gone) = (process.server().clone(), gone(self.alive.clone()));
            tokio::spawn(async move {
                // While it lives it can keep a thread of ours from hearing that it is over.
                gone.await;
                server.shut_down();
            });
        }
        (self.line, self.drained, self.not_loaded) = (None, false, None);
        self.bindings.process_ended();
    }

    fn send(&self, message: &HostMessage) {
        if let Some(process) = &self.process {
            process.outbox().send(message);
        }
    }
}

/// Waits until no process lives, for a bounded time.
async fn gone(alive: Arc<watch::Sender<()>>) {
    // One that won't end is reaped whenever it does.
    let _ = tokio::time::timeout(KILLED_TIMEOUT, alive.closed()).await;
}

async fn launched(launching: &mut Option<Launching>) -> Launched {
    match launching {
        Some(launching) => launching.await,
        None => std::future::pending().await,
    }
}

async fn happened(process: &mut Option<Process>) -> Happened {
    match process {
        Some(process) => process.next().await,
        None => std::future::pending().await,
    }
}
