//! The one task that owns a provider: performs what [`crate::supervision`] decides, and binds its links on every start.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cofferdam_channel::protocol::control::{HostMessage, Setting, ShimMessage};
use cofferdam_channel::socket::SocketClient;
use tokio::sync::{mpsc, oneshot, watch};

use super::gate::{Passage, ProviderGate};
use super::generation::{Happened, Process, instant};
use super::output::{self, Limiter, printable, tell_dropped, without_values};
use super::{BindError, Binding, Command, LINKS_MAX, ProviderSpec, Settings, StartError, Status, Surroundings};
use crate::supervision::{Effect, Event, Generation, State, Supervision};
use crate::words::Deadline;

/// After the provider has drained, answers may still be on their way: how often to look whether the last has come.
const LAST_ANSWERS: Duration = Duration::from_millis(5);

/// Why there is no process when nobody wants one.
const STOPPED: &str = "it was stopped";

/// A killed process that hasn't ended after this long hangs in the kernel, and is not waited for any longer.
const KILLED_TIMEOUT: Duration = Duration::from_secs(2);

type Launching = Pin<Box<dyn Future<Output = Result<Process, String>> + Send>>;
type Done<T> = oneshot::Sender<T>;

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
    links: BTreeMap<String, BoundLink>,
    /// What the process owes an answer to.
    awaited: HashMap<u64, Awaited>,
    last_request: u64,
    /// The process said that it has drained, and answers are still on their way.
    drained: bool,
    /// Why the present or last process ended, for people.
    cause: String,
    ready: Option<Done<Result<(), String>>>,
    stopped: Vec<Done<()>>,
    log: Limiter,
}

struct BoundLink {
    settings: Settings,
    binding: Binding,
    waiter: Option<Done<Result<(), BindError>>>,
}

enum Awaited {
    Bind(String),
    Unbind(Done<()>),
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
        let unbound = |settings| BoundLink { settings, binding: Binding::Pending, waiter: None };
        Ok(Self {
            spec: Arc::new(spec),
            surroundings,
            gate,
            status,
            supervision: Supervision::default(),
            launching: None,
            process: None,
            alive: Arc::new(watch::Sender::new(())),
            client: None,
            links: bindings.into_iter().map(|(actor, settings)| (actor, unbound(settings))).collect(),
            awaited: HashMap::new(),
            last_request: 0,
            drained: false,
            cause: String::new(),
            ready: None,
            stopped: Vec::new(),
            log: Limiter::default(),
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
                    Some(command) => self.command(command).await,
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
                self.send(HostMessage::Drain { deadline_ns: until.as_monotonic_ns() });
            }
        }
    }

    fn spawn(&mut self, generation: Generation) {
        tracing::debug!(provider = %self.spec.key, generation = generation.0, "starting");
        self.cause.clear();
        let (spec, surroundings) = (self.spec.clone(), self.surroundings.clone());
        let (alive, gone) = (self.alive.clone(), gone(self.alive.clone()));
        self.launching = Some(Box::pin(async move {
            // Address, files and state of the last process are free only when it has ended.
            gone.await;
            Process::launch(&spec, &surroundings, generation, alive.subscribe()).await
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
        // Those who wait for an unbind are content: the process that knew the link is gone.
        self.awaited.clear();
        for link in self.links.values_mut() {
            link.binding = Binding::Pending;
        }
    }

    fn said(&mut self, message: ShimMessage) -> Result<(), String> {
        match message {
            ShimMessage::Loaded { name, concurrency } => self.loaded(&name, concurrency),
            ShimMessage::NotLoaded { reason, .. } => {
                self.end(Event::Failed, reason);
                Ok(())
            }
            ShimMessage::Bound { request, rejection } => self.bound(request, rejection),
            ShimMessage::Unbound { request } => match self.awaited.remove(&request) {
                Some(Awaited::Unbind(done)) => {
                    let _ = done.send(());
                    Ok(())
                }
                _ => Err(format!("it answered unbind {request}, which is not awaited")),
            },
            ShimMessage::HealthReport { request, .. } => {
                Err(format!("it answered health request {request}, which is not awaited"))
            }
            ShimMessage::Ask { request, want } => {
                if let Some(process) = &self.process {
                    process.answer(request, want);
                }
                Ok(())
            }
            ShimMessage::Log { level, line, dropped } => {
                self.log_line(level, &line, dropped);
                Ok(())
            }
            ShimMessage::Drained => {
                self.drained = matches!(self.supervision.state(), State::Draining { .. });
                self.say_goodbye();
                Ok(())
            }
        }
    }

    fn loaded(&mut self, name: &str, concurrency: u32) -> Result<(), String> {
        let State::Starting { .. } = self.supervision.state() else {
            return Err("it said that it was loaded, and it was loaded already".to_owned());
        };
        let Some(process) = &mut self.process else { return Ok(()) };
        self.client = Some(process.loaded(concurrency)?);
        let name = printable(name);
        self.status.send_modify(|status| status.name = name);
        for actor in self.links.keys().cloned().collect::<Vec<_>>() {
            self.send_bind(actor);
        }
        self.open_when_bound();
        Ok(())
    }

    /// Calls go through once every link has its answer: no call finds a provider that doesn't know its actor.
    fn open_when_bound(&mut self) {
        let starting = matches!(self.supervision.state(), State::Starting { .. });
        let pending = self.links.values().any(|link| link.binding == Binding::Pending);
        if starting && self.client.is_some() && !pending {
            self.step(Event::Loaded);
        }
    }

    fn bound(&mut self, request: u64, rejection: Option<String>) -> Result<(), String> {
        let Some(Awaited::Bind(actor)) = self.awaited.remove(&request) else {
            return Err(format!("it answered bind {request}, which is not awaited"));
        };
        // A later bind of the same actor supersedes this one.
        let superseded =
            self.awaited.values().any(|awaited| matches!(awaited, Awaited::Bind(other) if *other == actor));
        if !superseded {
            self.settle(actor, rejection);
        }
        self.open_when_bound();
        Ok(())
    }

    /// Notes what became of a link, and answers whoever waits for it.
    fn settle(&mut self, actor: String, rejection: Option<String>) {
        let Some(link) = self.links.get_mut(&actor) else { return };
        let rejection = rejection.map(|reason| output::words(&without_values(&reason, link.settings.values())));
        let waiter = link.waiter.take();
        link.binding = rejection.clone().map_or(Binding::Accepted, Binding::Rejected);
        let answer = match rejection {
            None => Ok(()),
            Some(reason) => {
                tracing::warn!(provider = %self.spec.key, %actor, %reason, "link rejected");
                Err(BindError::Rejected { provider: self.spec.key.clone(), actor, reason })
            }
        };
        if let Some(waiter) = waiter {
            let _ = waiter.send(answer);
        }
    }

    /// Once it has drained and the last answer has come, the process may end.
    fn say_goodbye(&mut self) {
        let Some(process) = &self.process else { return };
        if self.drained && process.calls_in_flight() == 0 {
            process.say_goodbye();
            self.drained = false;
        }
    }

    async fn command(&mut self, command: Command) {
        // Nothing is bound or unbound once the provider was told to drain.
        let draining = matches!(self.supervision.state(), State::Draining { .. });
        match command {
            Command::Bind { actor, done, .. } if draining => {
                let _ = done.send(Err(BindError::Ended { provider: self.spec.key.clone(), actor }));
            }
            Command::Bind { actor, done, .. } if self.links.len() >= LINKS_MAX && !self.links.contains_key(&actor) => {
                let _ = done.send(Err(BindError::TooMany { provider: self.spec.key.clone(), actor, limit: LINKS_MAX }));
            }
            Command::Bind { actor, settings, done } => {
                let link = BoundLink { settings, binding: Binding::Pending, waiter: Some(done) };
                self.links.insert(actor.clone(), link);
                if self.client.is_some() {
                    self.send_bind(actor);
                    self.open_when_bound();
                }
            }
            Command::Unbind { actor, done } => {
                self.links.remove(&actor);
                if self.client.is_some() && !draining {
                    let request = self.next_request();
                    self.awaited.insert(request, Awaited::Unbind(done));
                    self.send(HostMessage::Unbind { request, actor });
                } else {
                    let _ = done.send(());
                }
                self.open_when_bound();
            }
            Command::Stop { done } => {
                self.stopped.push(done);
                self.step(Event::Drain);
                if matches!(self.supervision.state(), State::Stopped) {
                    self.gate.set(Passage::Closed(STOPPED));
                }
            }
        }
    }

    fn send_bind(&mut self, actor: String) {
        let Some(link) = self.links.get(&actor) else { return };
        let setting = |(name, value): (&String, &String)| Setting { name: name.clone(), value: value.clone() };
        let values = link.settings.iter().map(setting).collect();
        let request = self.next_request();
        let bind = HostMessage::Bind { request, actor: actor.clone(), values };
        match bind.to_frame() {
            Ok(frame) => {
                self.awaited.insert(request, Awaited::Bind(actor));
                if let Some(process) = &self.process {
                    process.send(frame);
                }
            }
            // One link that can't be told is no reason to end a provider that others use.
            Err(why) => self.settle(actor, Some(why.to_string())),
        }
    }

    fn next_request(&mut self) -> u64 {
        self.last_request += 1;
        self.last_request
    }

    /// Sends in order, without holding up the loop that hears the process.
    fn send(&mut self, message: HostMessage) {
        if let Some(process) = &self.process {
            match message.to_frame() {
                Ok(frame) => process.send(frame),
                Err(why) => process.tell_broken(why.to_string()),
            }
        }
    }

    fn log_line(&mut self, level: u32, line: &str, dropped: u64) {
        let Some(dropped_here) = self.log.admit(Instant::now()) else { return };
        let (provider, line) = (&self.spec.key, printable(line));
        tell_dropped(provider, dropped + dropped_here);
        match level {
            0 => tracing::error!(target: "cofferdam::provider", %provider, "{line}"),
            1 => tracing::warn!(target: "cofferdam::provider", %provider, "{line}"),
            2 => tracing::info!(target: "cofferdam::provider", %provider, "{line}"),
            _ => tracing::debug!(target: "cofferdam::provider", %provider, "{line}"),
        }
    }

    fn publish(&self) {
        let (state, generation) = match self.supervision.state() {
            State::Stopped => ("stopped", Generation::default()),
            State::Starting { generation, .. } => ("starting", generation),
            State::Ready { generation, .. } => ("ready", generation),
            State::Draining { generation, .. } => ("draining", generation),
            State::Backoff { generation, .. } => ("backoff", generation),
        };
        let bindings = self.links.iter().map(|(actor, link)| (actor.clone(), link.binding.clone())).collect();
        self.status.send_if_modified(|status| {
            let next = Status {
                state,
                generation,
                pid: self.process.as_ref().map(Process::pid),
                restarts: self.supervision.restarts(),
                last_exit: (!self.cause.is_empty()).then(|| self.cause.clone()).or_else(|| status.last_exit.clone()),
                name: status.name.clone(),
                bindings,
            };
            let changed = *status != next;
            *status = next;
            changed
        });
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
