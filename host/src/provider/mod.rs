//! Providers: each in a process of its own, started, greeted, loaded, watched and started again.
//!
//! ```text
//!  Provider (handle) --commands--> runner (one task for each provider; performs what supervision decides)
//!     |                              |  spawns by `spawner`, greets by `greeting`, talks by `control`
//!     |  ProviderGate (Callee) <-----+  opens and closes
//!     v                              |
//!  callers' threads ==down==> shim ==up==> `actor_calls` -> Inbound
//! ```
//! Everything that comes from a shim is a claim of a process that may be hostile. This module knows neither claims nor
//! links: it is told which library to run, whom to bind, and where calls to actors go.
//!
//! Start reading at `runner.rs`, then `bindings.rs` (its links) and `generation.rs` (its process).

mod actor_calls;
mod asks;
mod authority;
mod bindings;
mod calls;
mod cgroup;
mod child;
mod control;
mod error;
mod examination;
mod exit;
mod explain;
mod gate;
mod generation;
mod granted_files;
mod grants;
mod greeting;
mod group;
mod handed;
mod hidden;
mod library;
mod log;
mod obituary;
mod outbox;
mod output;
mod runner;
mod sandbox;
mod shim;
mod spawner;
mod tail;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cofferdam_channel::protocol::Confinement;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

pub use authority::Authority;
pub use cgroup::Bounds;
pub use error::{AttendError, BindError, StartError};
pub use examination::{Examination, ExaminationError, examine};
pub use exit::Exit;
pub use gate::ProviderGate;
pub use library::SealedLibrary;
pub use obituary::Crashes;
pub use sandbox::{RESOURCE_LIMITS, Sandbox, SandboxSpec};
pub use shim::{ShimNotFound, find_shim};
pub use spawner::Spawner;

use crate::supervision::{Generation, Timing};
use crate::words::{CallLimits, Callee, Deadline, Inbound, ProviderKey, WasmCloudEntity};

/// How many commands may wait for a runner: about one for each link, and links are set one at a time.
const COMMANDS_MAX: usize = 1024;

/// A provider to run. Whoever makes this has verified the library.
pub struct ProviderSpec {
    /// What it is kept under.
    pub key: ProviderKey,
    /// Who it is, as the origin of calls to actors.
    pub entity: WasmCloudEntity,
    /// The verified bytes.
    pub library: SealedLibrary,
    /// A directory of its own that survives its restarts.
    pub state_dir: PathBuf,
    /// How its process is confined.
    pub sandbox: SandboxSpec,
    /// What it may have of the world.
    pub authority: Authority,
    /// Calls at once, if it declares more.
    pub calls_max: u32,
    /// The bounds of a call.
    pub limits: CallLimits,
    /// The time-outs of its life.
    pub timing: Timing,
    /// How much of each payload in flight the reports of its deaths hold; 0: none of any.
    pub crash_payload_bytes_max: u32,
}

/// What every provider of a host needs of it.
#[derive(Clone)]
pub struct Surroundings {
    /// The program that becomes the shim.
    pub shim: PathBuf,
    /// The thread that starts processes.
    pub spawner: Arc<Spawner>,
    /// Where reports of their deaths go.
    pub crashes: Arc<Crashes>,
    /// Where calls to actors go.
    pub inbound: Arc<dyn Inbound>,
    /// How providers are called.
    pub tier: Tier,
}

/// How calls get to the process of a provider, if that has it, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tier {
    /// Over a socket, which every process has.
    Socket,
    /// In memory that both map.
    #[default]
    Lanes,
}

/// A supervised provider. Dropping it kills the process.
pub struct Provider {
    key: ProviderKey,
    gate: Arc<ProviderGate>,
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
}

/// What is known about a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Its state, as a word.
    pub state: &'static str,
    /// Why it is in that state, where that says something.
    pub why: Option<String>,
    /// When a start is tried next, while it waits for one.
    pub next_try: Option<Deadline>,
    /// Which start this is; 0 before the first.
    pub generation: Generation,
    /// The process, while there is one.
    pub pid: Option<u32>,
    /// How long the process took from the order to start it until it took calls, once it has.
    pub started_in: Option<Duration>,
    /// What of the sandbox is not in force for its process.
    pub unconfined: Confinement,
    /// How many times it was started again.
    pub restarts: u64,
    /// How its last process ended.
    pub last_exit: Option<String>,
    /// The provider's own name and version, by its own word.
    pub name: String,
    /// The links that were bound, with the provider's reason where it rejected one.
    pub bindings: BTreeMap<String, Binding>,
}

/// What became of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// The provider has not answered yet.
    Pending,
    /// It accepted.
    Accepted,
    /// It refused, did not answer, or could not be told, for this reason.
    Rejected(String),
}

/// Settings of a link, with those the host adds.
pub type Settings = Arc<BTreeMap<String, String>>;

/// What the handle tells the runner.
enum Command {
    Bind { actor: String, settings: Settings, done: oneshot::Sender<Result<(), BindError>> },
    Unbind { actor: String, done: oneshot::Sender<()> },
    Stop { done: oneshot::Sender<()> },
    Attend { want: Want, done: oneshot::Sender<Result<(), AttendError>> },
}

/// What an operator may want of a provider that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Another process, now. Ends a hold, too.
    Restart,
    /// No process, until it is released.
    Hold,
    /// A process, if it is held.
    Release,
}

impl Provider {
    /// Starts a provider and waits until it takes calls. One that can't be started the first time is not kept.
    pub async fn start(
        spec: ProviderSpec,
        bindings: Vec<(String, Settings)>,
        surroundings: Surroundings,
    ) -> Result<Self, StartError> {
        let key = spec.key.clone();
        let calls = calls::CallLog::new(spec.crash_payload_bytes_max);
        let gate = Arc::new(ProviderGate::new(key.clone(), spec.timing.restart.while_down, calls));
        let (commands, received) = mpsc::channel(COMMANDS_MAX);
        let (status_to, status) = watch::channel(Status { state: "stopped", ..Status::default() });
        let runner = runner::Runner::new(spec, bindings, surroundings, gate.clone(), status_to)?;
        let (ready_to, ready) = oneshot::channel();
        tokio::spawn(runner.run(received, ready_to));
        let ready = ready.await.unwrap_or_else(|_| Err("its supervisor ended".to_owned()));
        ready.map_err(|reason| StartError::NotReady { provider: key.clone(), reason })?;
        Ok(Self { key, gate, commands, status })
    }

    /// What answers its calls. Outlives restarts.
    pub fn callee(&self) -> Arc<dyn Callee> {
        Arc::new(calls::Noted { gate: self.gate.clone() })
    }

    /// What it is kept under.
    pub fn key(&self) -> &ProviderKey {
        &self.key
    }

    /// What is known about it now.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Links an actor. The provider is told before anything that comes after this call; what this returns waits for its
    /// answer. While the provider is being restarted, the answer comes with the new process. Bound again on every start
    /// from now on, whatever the answer.
    pub fn bind(
        &self,
        actor: &str,
        settings: Settings,
    ) -> Result<impl Future<Output = Result<(), BindError>> + Send + use<>, BindError> {
        let (done, answer) = oneshot::channel();
        self.command(actor, Command::Bind { actor: actor.to_owned(), settings, done })?;
        let ended = BindError::Stopped { provider: self.key.clone(), actor: actor.to_owned() };
        Ok(async move { answer.await.unwrap_or(Err(ended)) })
    }

    /// Takes the link back, in the same order; what this returns waits until the provider knows, or is gone.
    pub fn unbind(&self, actor: &str) -> Result<impl Future<Output = ()> + Send + use<>, BindError> {
        let (done, answer) = oneshot::channel();
        self.command(actor, Command::Unbind { actor: actor.to_owned(), done })?;
        Ok(async move {
            let _ = answer.await;
        })
    }

    fn command(&self, actor: &str, command: Command) -> Result<(), BindError> {
        let (provider, actor) = (self.key.clone(), actor.to_owned());
        self.commands.try_send(command).map_err(|refused| match refused {
            TrySendError::Closed(_) => BindError::Stopped { provider, actor },
            TrySendError::Full(_) => BindError::Overloaded { provider, actor },
        })
    }

    /// Does what an operator wants, and waits until it is done: the new process takes calls, or the old one has ended. A
    /// process that was ready is drained before.
    pub async fn attend(&self, want: Want) -> Result<(), AttendError> {
        let (done, ended) = oneshot::channel();
        self.commands.try_send(Command::Attend { want, done }).map_err(|refused| match refused {
            TrySendError::Closed(_) => AttendError::Stopped { provider: self.key.clone() },
            TrySendError::Full(_) => AttendError::Overloaded { provider: self.key.clone() },
        })?;
        ended.await.unwrap_or_else(|_| Err(AttendError::Stopped { provider: self.key.clone() }))
    }

    /// Drains it and waits for the end of its process.
    pub async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        if self.commands.send(Command::Stop { done }).await.is_ok() {
            let _ = ended.await;
        }
    }
}
