//! What a host is made with. The names are the reference's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cofferdam_claims::{Accounts, ActorMetadata, Trust, Verified};
use cofferdam_registry::{Credentials, Latest};

use super::registry::RegistrySettings;
use super::{Host, HostError, Result};
use crate::audit::AuditSizes;
use crate::control::paths::Place;
use crate::policy::Authorizer;
use crate::provider::{Sandbox, Tier};
use crate::supervision::{HealthPolicy, RestartPolicy, Timing};
use crate::words::{ActorLimits, CallLimits, Metering};

/// Calls that a provider gets at once, if it declares more, and calls it may make at once.
const PROVIDER_CALLS_MAX: u32 = 128;

/// Makes a [`Host`].
#[derive(Clone, Default)]
pub struct HostBuilder {
    config: Config,
}

/// How a host was configured.
#[derive(Clone)]
pub(super) struct Config {
    pub(super) namespace: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) authorizer: Option<Arc<dyn Authorizer>>,
    pub(super) trust: Trust,
    pub(super) unmetered: Accounts,
    pub(super) state_dir: Option<PathBuf>,
    pub(super) socket: Option<PathBuf>,
    pub(super) shim: Option<PathBuf>,
    pub(super) limits: CallLimits,
    pub(super) actor_limits: ActorLimits,
    pub(super) timing: Timing,
    pub(super) tier: Tier,
    pub(super) sandbox: Sandbox,
    pub(super) provider_calls_max: u32,
    pub(super) audit_sizes: AuditSizes,
    pub(super) registry: RegistrySettings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            namespace: "default".to_owned(),
            labels: BTreeMap::new(),
            authorizer: None,
            trust: Trust::Any,
            unmetered: Accounts::default(),
            state_dir: None,
            socket: None,
            shim: None,
            limits: CallLimits::default(),
            actor_limits: ActorLimits::for_processors(processors()),
            timing: Timing::default(),
            tier: Tier::default(),
            sandbox: Sandbox::default(),
            provider_calls_max: PROVIDER_CALLS_MAX,
            audit_sizes: AuditSizes::default(),
            registry: RegistrySettings::default(),
        }
    }
}

impl HostBuilder {
    /// The defaults: namespace `default`, any issuer, a time-out of two seconds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hosts of different namespaces share neither state nor socket.
    #[must_use]
    pub fn with_namespace(mut self, namespace: &str) -> Self {
        namespace.clone_into(&mut self.config.namespace);
        self
    }

    /// Adds a label. The first writer of a name wins, and those that begin with `hostcore.` are the host's own.
    #[must_use]
    pub fn with_label(mut self, name: &str, value: &str) -> Self {
        self.config.labels.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        self
    }

    /// Asked on every call and every load, after the claims have passed.
    #[must_use]
    pub fn with_authorizer(mut self, authorizer: impl Authorizer + 'static) -> Self {
        self.config.authorizer = Some(Arc::new(authorizer));
        self
    }

    /// Whose signatures are accepted. Any, unless this is called.
    #[must_use]
    pub fn with_trust(mut self, trust: Trust) -> Self {
        self.config.trust = trust;
        self
    }

    /// Actors that these accounts have signed run without a meter: faster where they compute, and nothing ends one that
    /// loops; `docs/actors.md` says what bounds it. None, unless this is called.
    #[must_use]
    pub fn with_unmetered_issuers(mut self, issuers: Accounts) -> Self {
        self.config.unmetered = issuers;
        self
    }

    /// How long a call may take.
    #[must_use]
    pub fn with_rpc_timeout(mut self, timeout: Duration) -> Self {
        self.config.limits.timeout = timeout;
        self
    }

    /// Where the host keeps its key, its compiled actors and its providers' data. Unless this is called:
    /// `COFFERDAM_STATE_DIR`, else a directory of the user's, as `docs/` states.
    #[must_use]
    pub fn with_state_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.config.state_dir = Some(dir.into());
        self
    }

    /// Opens the operator's socket there. None is opened unless this is called.
    #[must_use]
    pub fn with_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.config.socket = Some(path.into());
        self
    }

    /// The program that becomes the shim. Unless this is called: `COFFERDAM_SHIM`, else beside the running program.
    #[must_use]
    pub fn with_shim(mut self, path: impl AsRef<Path>) -> Self {
        self.config.shim = Some(path.as_ref().to_owned());
        self
    }

    /// What each call may use.
    #[must_use]
    pub fn with_call_limits(mut self, limits: CallLimits) -> Self {
        self.config.limits = limits;
        self
    }

    /// What each actor may use, unless the manifest says otherwise for one. Unless this is called: 64 calls at once, or four
    /// for each processor where that is more.
    #[must_use]
    pub fn with_actor_limits(mut self, limits: ActorLimits) -> Self {
        self.config.actor_limits = limits;
        self
    }

    /// How long a provider's process may take from its spawn until it takes calls. Without this, 15 seconds.
    #[must_use]
    pub fn with_start_timeout(mut self, timeout: Duration) -> Self {
        self.config.timing.start_timeout = timeout;
        self
    }

    /// How long a provider that is stopped may take to end what is in flight, before it is killed. Without this, 2 seconds.
    #[must_use]
    pub fn with_drain_timeout(mut self, timeout: Duration) -> Self {
        self.config.timing.drain_timeout = timeout;
        self
    }

    /// How calls get to providers: in shared memory, unless this says otherwise.
    #[must_use]
    pub fn with_tier(mut self, tier: Tier) -> Self {
        self.config.tier = tier;
        self
    }

    /// How often providers are asked how they are, and when they count as hung.
    #[must_use]
    pub fn with_health_policy(mut self, health: HealthPolicy) -> Self {
        self.config.timing.health = health;
        self
    }

    /// Whether and how soon providers are restarted, unless the manifest or [`super::NativeCapability`] says otherwise
    /// for one.
    #[must_use]
    pub fn with_restart_policy(mut self, restart: RestartPolicy) -> Self {
        self.config.timing.restart = restart;
        self
    }

    /// What to do about measures of the sandbox that this machine lacks. A provider is not started without them, unless
    /// this is called.
    #[must_use]
    pub fn with_sandbox(mut self, sandbox: Sandbox) -> Self {
        self.config.sandbox = sandbox;
        self
    }

    /// How much of the disk the audit log may take.
    #[must_use]
    pub fn with_audit_sizes(mut self, sizes: AuditSizes) -> Self {
        self.config.audit_sizes = sizes;
        self
    }

    /// Takes references to registries that mean `latest`, or have neither tag nor digest. Refused, unless this is called.
    #[must_use]
    pub fn oci_allow_latest(mut self) -> Self {
        self.config.registry.latest = Latest::Allowed;
        self
    }

    /// Speaks plain HTTP to these registries, each as references name it, with its port. None, unless this is called.
    #[must_use]
    pub fn oci_allow_insecure(mut self, registries: Vec<String>) -> Self {
        self.config.registry.insecure = registries;
        self
    }

    /// Keeps what comes from registries there. In the state directory, unless this is called.
    #[must_use]
    pub fn with_registry_cache(mut self, dir: impl Into<PathBuf>) -> Self {
        self.config.registry.cache_dir = Some(dir.into());
        self
    }

    /// Trusts the certificates in this file (PEM) for registries, beside the system's.
    #[must_use]
    pub fn with_registry_authorities(mut self, path: impl Into<PathBuf>) -> Self {
        self.config.registry.authorities = Some(path.into());
        self
    }

    /// Who to be at registries. Unless this is called: as the Docker configuration says for each, else as
    /// `OCI_REGISTRY_USER` and `OCI_REGISTRY_PASSWORD` say for all.
    #[must_use]
    pub fn with_registry_credentials(mut self, credentials: Credentials) -> Self {
        self.config.registry.credentials = Some(credentials);
        self
    }

    /// The host. Nothing happens before [`Host::start`].
    pub fn build(self) -> Host {
        Host::new(self.config)
    }
}

/// How many processors this process may use.
pub(super) fn processors() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX))
}

impl Config {
    /// By the issuer in the claims that were verified, and by nothing else.
    pub(super) fn metering_of(&self, actor: &Verified<ActorMetadata>) -> Metering {
        if self.unmetered.contains(actor.issuer()) { Metering::Off } else { Metering::On }
    }

    pub(super) fn state_dir(&self) -> Result<PathBuf> {
        let environment = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let environment: BTreeMap<_, _> = environment.collect();
        let uid = nix::unistd::geteuid().as_raw();
        let place = Place { namespace: &self.namespace, environment: &environment, uid };
        let state_dir = place.state_dir(self.state_dir.as_deref(), None).map_err(HostError::Paths)?;
        absolute(state_dir)
    }
}

/// Shims and those who look at what the host says are in other directories than this process.
pub(super) fn absolute(path: PathBuf) -> Result<PathBuf> {
    std::path::absolute(path).map_err(HostError::system("making a path absolute"))
}
