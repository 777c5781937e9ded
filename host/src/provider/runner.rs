//! The one task that owns a provider: performs what [`crate::supervision`] decides, and binds its links on every start.
//!
//! `commands.rs` is what its handle wants, `hearing.rs` what its process says.

mod commands;
mod hearing;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use cofferdam_channel::protocol::Confinement;
use cofferdam_channel::protocol::control::HostMessage;
use cofferdam_channel::socket::SocketClient;
use tokio::sync::{mpsc, watch};

use super::bindings::{Bindings, Done, LINKS_MAX};
use super::gate::{Passage, ProviderGate};
use super::generation::{Happened, Process, instant};
use super::hidden::Hidden;
use super::log::ProviderLog;
use super::output::printable;
use super::{Command, ProviderSpec, Settings, StartError, Status, Surroundings};
use crate::supervision::{Effect, Event, Generation, State, Supervision};
use crate::words::Deadline;

/// After the provider has drained, answers may still be on their way: how often to look whether the last has come.
const LAST_ANSWERS: Duration = Duration::from_millis(5);

/// Why there is no process when nobody wants one.
const STOPPED: &str = "it was stopped";

/// A killed process that hasn't ended after this long hangs in the kernel, and is not waited for any longer.
const KILLED_TIMEOUT: Duration = Duration::from_secs(2);

type Launching = Pin<Box<dyn Future<Output = Result<Process, String>> + Send>>;

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
    client: Option<Arc<SocketClient>>,
    bindings: Bindings,
    hidden: Hidden,
    /// The process said that it has drained, and answers are still on their way.
    drained: bool,
    /// Why the present or last process ended, for people.
    cause: String,
    ready: Option<Done<Result<(), String>>>,
    stopped: Vec<Done<()>>,
    log: ProviderLog,
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
        Ok(Self {
            bindings: Bindings::new(spec.key.clone(), bindings, hidden.clone()),
            log: ProviderLog::new(spec.key.clone(), hidden.clone()),
            hidden,
            spec: Arc::new(spec),
            surroundings,
            gate,
            status,
            supervision: Supervision::default(),
            launching: None,
            process: None,
            alive: Arc::new(watch::Sender::new(())),
            client: None,
            drained: false,
            cause: String::new(),
            ready: None,
            stopped: Vec::new(),
        })
    }

    /// Lives until it is stopped, its handle is dropped, or its first start fails.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>, ready: Done<Result<(), String>>) {
        self.ready = Some(ready);
        self.step(Event::Start);
        while !self.is_over() {
            let due = self.supervision.timer().map(instant);
            let timer = async move {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => return,
                },
                launched = launched(&mut self.launching) => self.launched(launched),
                happened = happened(&mut self.process) => self.happened(happened),
                () = timer => self.timer_came(),
                () = tokio::time::sleep(LAST_ANSWERS), if self.drained => self.say_goodbye(),
            }
            self.publish();
        }
        gone(self.alive.clone()).await;
        if let Some(ready) = self.ready {
            let _ = ready.send(Err(self.cause));
        }
        for stopped in self.stopped {
            let _ = stopped.send(());
        }
    }

    /// Whether there is nothing left to do: stopped, or never ready.
    fn is_over(&self) -> bool {
        match self.supervision.state() {
            State::Stopped => true,
            State::Backoff { .. } => self.ready.is_some(),
            State::Starting { .. } | State::Ready { .. } | State::Draining { .. } => false,
        }
    }

    fn step(&mut self, event: Event) {
        let jitter = rand::random::<f64>();
        let effects = self.supervision.step(event, Deadline::now(), &self.spec.timing, jitter);
        for effect in effects {
            self.perform(effect);
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
                if let Some(client) = &self.client {
                    self.gate.set(Passage::Open(client.clone()));
                }
                if let Some(ready) = self.ready.take() {
                    let _ = ready.send(Ok(()));
                }
            }
            Effect::SendDrain { until } => {
                self.gate.set(Passage::Draining);
                self.send(&HostMessage::Drain { deadline_ns: until.as_monotonic_ns() });
            }
        }
    }

    fn spawn(&mut self, generation: Generation) {
        tracing::debug!(provider = %self.spec.key, generation = generation.0, "starting");
        self.cause.clear();
        let (spec, surroundings, hidden) = (self.spec.clone(), self.surroundings.clone(), self.hidden.clone());
        let (alive, gone) = (self.alive.clone(), gone(self.alive.clone()));
        self.launching = Some(Box::pin(async move {
            // Address, files and state of the last process are free only when it has ended.
            gone.await;
            Process::launch(&spec, &surroundings, &hidden, (generation, alive.subscribe())).await
        }));
    }

    fn launched(&mut self, launched: Result<Process, String>) {
        self.launching = None;
        match launched {
            Ok(process) => self.process = Some(process),
            Err(why) => self.end(Event::Failed, why),
        }
    }

    fn happened(&mut self, happened: Happened) {
        match happened {
            Happened::Said(message) => {
                if let Err(why) = self.said(message) {
                    self.end(Event::Broken, format!("it broke the protocol: {why}"));
                }
            }
            Happened::Exited(exit) => self.end(Event::Exited, exit.to_string()),
            Happened::Broke(why) => self.end(Event::Broken, why),
        }
    }

    /// The time of the state is over.
    fn timer_came(&mut self) {
        let timing = &self.spec.timing;
        let cause = match self.supervision.state() {
            State::Starting { .. } => format!("it was not ready within {:?}", timing.start_timeout),
            State::Draining { .. } => format!("it did not end within {:?} of draining", timing.drain_timeout),
            State::Stopped | State::Ready { .. } | State::Backoff { .. } => return self.step(Event::Timer),
        };
        self.end(Event::Timer, cause);
    }

    /// The process is of no more use.
    fn end(&mut self, event: Event, cause: String) {
        let draining = matches!(self.supervision.state(), State::Draining { .. });
        self.cause = printable(&cause);
        if draining {
            tracing::info!(provider = %self.spec.key, cause = %self.cause, "provider ended");
        } else {
            tracing::warn!(provider = %self.spec.key, cause = %self.cause, "provider ended, its calls in flight fail");
        }
        self.step(event);
    }

    fn forget_process(&mut self) {
        let stopped = matches!(self.supervision.state(), State::Stopped);
        self.gate.set(Passage::Closed(if stopped { STOPPED } else { "it ended and is being restarted" }));
        if let Some(process) = self.process.take() {
            process.fail_calls(if self.cause.is_empty() { STOPPED } else { &self.cause });
        }
        self.client = None;
        self.bindings.process_ended();
    }

    fn send(&self, message: &HostMessage) {
        if let Some(process) = &self.process {
            process.outbox().send(message);
        }
    }

    fn publish(&self) {
        let (state, generation) = in_words(self.supervision.state());
        self.status.send_if_modified(|status| {
            let next = Status {
                state,
                generation,
                pid: self.process.as_ref().map(Process::pid),
                unconfined: self.process.as_ref().map_or(Confinement::NONE, Process::missing),
                restarts: self.supervision.restarts(),
                last_exit: (!self.cause.is_empty()).then(|| self.cause.clone()).or_else(|| status.last_exit.clone()),
                name: status.name.clone(),
                bindings: self.bindings.report(),
            };
            let changed = *status != next;
            *status = next;
            changed
        });
    }
}

fn in_words(state: State) -> (&'static str, Generation) {
    match state {
        State::Stopped => ("stopped", Generation::default()),
        State::Starting { generation, .. } => ("starting", generation),
        State::Ready { generation, .. } => ("ready", generation),
        State::Draining { generation, .. } => ("draining", generation),
        State::Backoff { generation, .. } => ("backoff", generation),
    }
}

/// Waits until no process lives, for a bounded time.
async fn gone(alive: Arc<watch::Sender<()>>) {
    // One that won't end is reaped whenever it does.
    let _ = tokio::time::timeout(KILLED_TIMEOUT, alive.closed()).await;
}

async fn launched(launching: &mut Option<Launching>) -> Result<Process, String> {
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
