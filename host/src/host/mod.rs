//! The composition root: the one place that knows actors, providers, links and the operator, and the only writer of what
//! the broker reads.
//!
//! Everything that changes goes through [`State`] under one short lock that is never held across an await; each change
//! ends in a new set of routes. What takes long (compiling, starting a process, waiting for a provider's answer) happens
//! outside of the lock, on a key that was reserved under it.

mod actor;
mod actors;
mod attending;
mod auditing;
mod builder;
mod capability;
mod doctor;
mod error;
mod explaining;
mod granting;
mod identity;
mod linking;
mod manifest;
mod nobody;
mod operations;
mod providers;
mod registry;
mod state;
mod telling;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use cofferdam_channel::Cancelled;
use cofferdam_claims::{ActorMetadata, Claims, KeyPair, Trust};
use cofferdam_registry::Registry;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};

pub use actor::Actor;
pub use builder::HostBuilder;
pub use capability::NativeCapability;
pub use doctor::{Diagnosis, Measure, diagnose};
pub use error::HostError;
pub use explaining::explain_packaged;

use crate::actor::{ActorRuntime, ActorRuntimeConfig, ArtifactCacheConfig};
use crate::audit::Audit;
use crate::broker::Broker;
use crate::control::Server;
use crate::provider::{self, Crashes, Spawner, Surroundings};
use crate::router::Routes;
use crate::words::{ActorCall, ActorLimits, Auditor, CallError, Deadline, Outcome};
use builder::Config;
use operations::Operator;
use state::State;

/// Answers of this library.
pub type Result<T, E = HostError> = std::result::Result<T, E>;

/// Threads that carry calls of [`Host::call_actor`] at once: so many, or four for each processor, and no more than leave
/// the program some of the threads that tokio has for what blocks.
const OUTSIDE_CALLS: std::ops::RangeInclusive<u32> = 64..=384;

/// A call that ran into its deadline says so itself, a moment later.
const LATE_GRACE: Duration = Duration::from_millis(250);

/// A host: runs actors and providers, and brokers every call between them. Cheap to clone; all clones are one host.
///
/// ```no_run
/// use std::collections::HashMap;
/// use cofferdam_host::{Actor, HostBuilder, NativeCapability, ProviderArchive};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let host = HostBuilder::new().build();
/// host.start().await?;
///
/// let echo = Actor::from_file("echo.wasm")?;
/// let actor_id = echo.public_key();
/// host.start_actor(echo).await?;
///
/// let arc = ProviderArchive::try_load_file("httpserver.par.gz")?;
/// let websrv = NativeCapability::from_archive(&arc, None)?;
/// let websrv_id = websrv.id();
/// host.start_native_capability(websrv).await?;
///
/// let values = HashMap::from([("PORT".to_string(), "8080".to_string())]);
/// host.set_link(&actor_id, "wasmcloud:httpserver", None, websrv_id, values).await?;
/// // GET http://localhost:8080/demo?test=kthxbye
/// host.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    /// Made by `start`, once.
    running: OnceLock<Running>,
    starting: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    broker: Arc<Broker>,
    outside_calls: Arc<Semaphore>,
    /// Somebody asked the host to stop, over the operator's socket.
    stop_wanted: Notify,
    host_key: OnceLock<KeyPair>,
}

/// What a started host has.
struct Running {
    host_id: String,
    state_dir: PathBuf,
    auditor: Arc<dyn Auditor>,
    /// Taken when the host has stopped. Before the claim: when both are dropped, the log is closed first.
    audit: Mutex<Option<Audit>>,
    /// Held as long as the host lives: two hosts never share a state directory.
    _claim: identity::Claim,
    actors: Arc<ActorRuntime>,
    surroundings: Surroundings,
    registry: Registry,
    server: Mutex<Option<Server>>,
    since: Instant,
}

impl Host {
    fn new(config: Config) -> Self {
        let policy = crate::policy::Policy::new(config.authorizer.clone());
        let broker = Arc::new(Broker::new(policy, config.limits));
        let outside_calls = (4 * builder::processors()).clamp(*OUTSIDE_CALLS.start(), *OUTSIDE_CALLS.end());
        let inner = Inner {
            config,
            running: OnceLock::new(),
            starting: tokio::sync::Mutex::default(),
            state: Mutex::new(State::default()),
            broker,
            outside_calls: Arc::new(Semaphore::new(outside_calls as usize)),
            stop_wanted: Notify::new(),
            host_key: OnceLock::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Takes the state directory, makes the host key at the first start, and opens the operator's socket if one was
    /// configured. A second call does nothing. One that failed has left nothing behind and may be tried again. A host that
    /// was stopped does not start again: make another.
    pub async fn start(&self) -> Result<()> {
        let _turn = self.inner.starting.lock().await;
        if self.inner.running.get().is_some() {
            return if self.inner.state.lock().is_open() { Ok(()) } else { Err(HostError::Stopping) };
        }
        let config = &self.inner.config;
        let state_dir = config.state_dir()?;
        let claim = identity::claim(&state_dir)?;
        let key = identity::host_key(&state_dir)?;
        let shim = provider::find_shim(
            config.shim.as_deref(),
            |name| std::env::var(name).ok(),
            std::env::current_exe().ok().as_deref(),
        )?;
        let shim = builder::absolute(shim)?;
        let cache = ArtifactCacheConfig { dir: state_dir.join("artifacts"), key: identity::artifact_key(&key)? };
        let actors = ActorRuntime::new(ActorRuntimeConfig { cache: Some(cache) })
            .map_err(|source| HostError::Actor { image: "the actor runtime".to_owned(), source })?;
        let spawner = Arc::new(
            Spawner::start(config.sandbox).map_err(HostError::system("starting the thread that starts shims"))?,
        );
        let registry = config.registry.registry(&state_dir)?;
        warn_of(config);
        let audit = auditing::begin(config, &state_dir, &key)?;
        // The last that can fail. Whoever asks before the rest is done is told that the host has not been started.
        let server = match &config.socket {
            Some(path) => match Server::start(path, Arc::new(Operator::new(self))).await {
                Ok(server) => Some(server),
                Err(error) => {
                    audit.close(&error.to_string());
                    return Err(error.into());
                }
            },
            None => None,
        };
        let auditor = audit.auditor();
        self.inner.broker.tell(auditor.clone());
        let crashes = Arc::new(Crashes::new(&state_dir));
        let running = Running {
            host_id: key.public_key(),
            state_dir,
            auditor,
            audit: Mutex::new(Some(audit)),
            _claim: claim,
            actors: Arc::new(actors),
            surroundings: Surroundings {
                shim,
                spawner,
                crashes,
                inbound: self.inner.broker.clone(),
                tier: self.inner.config.tier,
            },
            registry,
            server: Mutex::new(server),
            since: Instant::now(),
        };
        let _ = self.inner.host_key.set(key);
        let _ = self.inner.running.set(running);
        self.inner.state.lock().open(&self.inner.broker);
        Ok(())
    }

    /// Stops in this order: refuses new calls, waits for those on their way (as long as a call may take), drains every
    /// provider, ends the actors, and closes the operator's socket and the audit log. A host does not start again.
    pub async fn stop(&self) {
        self.stop_because("stopped").await;
    }

    /// The same, with another reason in the audit log.
    pub async fn stop_because(&self, why: &str) {
        let why = why.to_owned();
        let Some(running) = self.inner.running.get() else { return };
        let broker = &self.inner.broker;
        broker.refuse_new_calls();
        let providers = self.inner.state.lock().close();
        let timeout = self.inner.config.limits.timeout;
        if tokio::time::timeout(timeout, broker.calls_ended()).await.is_err() {
            tracing::warn!(calls = broker.calls_in_flight(), "calls did not end in time");
        }
        let draining: Vec<_> =
            providers.into_iter().map(|provider| tokio::spawn(async move { provider.stop().await })).collect();
        for drained in draining {
            // A panic of the task is in the log already; the process dies with its handle.
            let _ = drained.await;
        }
        let actors = self.inner.state.lock().clear(broker);
        // What still runs in them has had its time.
        let retire = move || actors.iter().map(|actor| actor.retire(Deadline::now())).sum::<u32>();
        let left = tokio::task::spawn_blocking(retire).await.unwrap_or(0);
        if left > 0 {
            tracing::warn!(calls = left, "calls of actors did not end with their providers");
        }
        let server = running.server.lock().take();
        if let Some(server) = server {
            server.stop().await;
        }
        let audit = running.audit.lock().take();
        if let Some(audit) = audit {
            // A panic of the thread is in the log already.
            let _ = tokio::task::spawn_blocking(move || audit.close(&why)).await;
        }
    }

    /// Waits until somebody asks the host to stop over the operator's socket.
    pub async fn stop_wanted(&self) {
        self.inner.stop_wanted.notified().await;
    }

    /// The host's public key: 56 characters that begin with N. Empty before the first `start`.
    pub fn id(&self) -> String {
        self.inner.running.get().map(|running| running.host_id.clone()).unwrap_or_default()
    }

    /// The labels, those of the core among them.
    pub fn labels(&self) -> BTreeMap<String, String> {
        self.inner.state.lock().labels(&self.inner.config.labels)
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.inner.config.namespace
    }

    /// The claims of all running actors.
    pub async fn actor_claims(&self) -> Result<Vec<Claims<ActorMetadata>>> {
        self.inner.running()?;
        Ok(self.inner.state.lock().actors.values().map(|actor| actor.claims.claims().clone()).collect())
    }

    /// Calls an actor, by public key or call alias, in the host's own name. Takes at most the configured time-out.
    pub async fn call_actor(&self, actor: &str, operation: &str, payload: &[u8]) -> Result<Vec<u8>> {
        let timeout = self.inner.config.limits.timeout;
        Ok(self.inner.call_actor(actor, operation, payload.to_owned(), timeout).await?)
    }
}

/// Says at each start what an operator chose that others should know of.
fn warn_of(config: &Config) {
    if matches!(config.trust, Trust::Any) {
        tracing::warn!(
            "no trusted issuers are configured: actors and providers signed by ANYONE are accepted; \
             name yours by `host.trust` in the manifest or `--trust`"
        );
    }
    if config.sandbox == provider::Sandbox::Off {
        tracing::warn!(
            "the sandbox is off: providers run with the user, the files and the network of the host; \
             this is for debugging only"
        );
    }
    if !config.unmetered.is_empty() {
        tracing::warn!(
            issuers = %config.unmetered.iter().collect::<Vec<_>>().join(" "),
            "actors of these issuers run unmetered: nothing ends one that loops"
        );
    }
}

impl Drop for Inner {
    /// Routes hold actors, and actors hold the broker that holds the routes.
    fn drop(&mut self) {
        self.broker.publish(Routes::default());
    }
}

/// Says that nobody waits for a call any more when it is dropped.
struct Leaving(Cancelled);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.set();
    }
}

impl Inner {
    fn running(&self) -> Result<&Running> {
        self.running.get().ok_or(HostError::NotStarted)
    }

    fn actor_limits(&self) -> ActorLimits {
        self.config.actor_limits
    }

    /// On a thread of its own: guests and the providers they call may block.
    async fn call_actor(
        &self,
        actor: &str,
        operation: &str,
        payload: Vec<u8>,
        timeout: Duration,
    ) -> Result<Vec<u8>, CallError> {
        let deadline = Deadline::after(timeout);
        let late = |outcome| CallError::DeadlineExceeded {
            target: format!("actor {actor}"),
            operation: operation.to_owned(),
            waited: timeout,
            outcome,
        };
        if self.running.get().is_none() {
            return Err(CallError::HostNotStarted);
        }
        let acquire = tokio::time::timeout(timeout, self.outside_calls.clone().acquire_owned());
        let Ok(Ok(permit)) = acquire.await else { return Err(late(Outcome::NotDelivered)) };
        // Whoever waits for this may stop waiting: then nobody does.
        let leaving = Leaving(Cancelled::new());
        let (cancelled, broker) = (leaving.0.clone(), self.broker.clone());
        let (actor_name, operation_name) = (actor.to_owned(), operation.to_owned());
        let call = tokio::task::spawn_blocking(move || {
            // The thread counts until it is free, whether or not its caller still waits.
            let _permit = permit;
            let (actor, operation, payload, cancelled) = (&*actor_name, &*operation_name, &*payload, &cancelled);
            broker.call_actor(&ActorCall { actor, operation, payload, deadline, cancelled })
        });
        match tokio::time::timeout(deadline.remaining() + LATE_GRACE, call).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(CallError::Internal { message: format!("the thread of the call failed: {error}") }),
            Err(_) => Err(late(Outcome::Unknown)),
        }
    }
}
