//! Starting and stopping providers.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cofferdam_channel::protocol::control::Identity;

use super::actors::Reserved;
use super::auditing::Loaded;
use super::granting::warn_of_owners;
use super::state::RunningProvider;
use super::{Host, HostError, NativeCapability, Result, nobody};
use crate::extras;
use crate::provider::{Provider, ProviderSpec, SealedLibrary};
use crate::supervision::{HealthPolicy, Timing};
use crate::words::{AuditEvent, Brief, ProviderKey, WasmCloudEntity};

impl Host {
    /// Starts a provider in a process of its own and waits until it takes calls: checks its claims against what this host
    /// trusts, loads exactly the library that passed, and binds the links that are set.
    pub async fn start_native_capability(&self, capability: NativeCapability) -> Result<()> {
        let loaded = Loaded::from(&capability);
        let started = self.load_provider(capability).await;
        self.inner.provider_load(&loaded, &started);
        started
    }

    async fn load_provider(&self, capability: NativeCapability) -> Result<()> {
        let running = self.inner.running()?;
        let (verified, library) = capability.verify(&self.inner.config.trust)?;
        let (key, contract_id) = (capability.key(), verified.metadata().capid.clone());
        let (name, taken) = (key.to_string(), HostError::ProviderRuns { provider: key.clone() });
        {
            let mut state = self.inner.state.lock();
            state.check_contract(&contract_id)?;
            state.reserve(&name, taken)?;
        }
        let reserved = Reserved { host: self, key: &name };

        let state_dir = self.provider_state_dir(&key)?;
        let authority = self.authority(&capability, verified.metadata().needs.as_ref())?;
        let identity = self.identity(&state_dir)?;
        let calls_max = capability.limits.calls.unwrap_or(self.inner.config.provider_calls_max);
        warn_of_owners(&key, identity, authority.allowance().dirs());
        let sandbox = self.confinement(identity, capability.limits, authority.allowance());
        let library = SealedLibrary::new(library).map_err(HostError::system("copying the library to sealed memory"))?;
        let spec = ProviderSpec {
            entity: WasmCloudEntity::Capability {
                id: key.id.clone(),
                contract_id: contract_id.clone(),
                link_name: key.link_name.clone(),
            },
            library,
            sandbox: sandbox.clone(),
            authority: authority.clone(),
            state_dir,
            calls_max,
            limits: self.inner.config.limits,
            timing: self.timing(&capability),
            crash_payload_bytes_max: capability.crash_payload_bytes_max,
            key: key.clone(),
        };
        let bindings = self.inner.state.lock().bindings_of(self.inner.broker.policy(), &key, &contract_id);
        let told = bindings.iter().cloned().collect();
        let provider = Arc::new(Provider::start(spec, bindings, running.surroundings.clone()).await?);

        let entry = RunningProvider {
            claims: Arc::new(verified),
            provider: provider.clone(),
            image: capability.source.clone(),
            from_registry: capability.from_registry,
            authority,
            sandbox,
            calls_max,
            told,
        };
        let missed = {
            let mut state = self.inner.state.lock();
            let may_run = if state.release(&name) { Ok(()) } else { Err(HostError::Stopping) };
            // Again: an actor that was started meanwhile may have its contract for an alias.
            may_run.and_then(|()| state.check_contract(&contract_id)).map(|()| {
                state.providers.insert(key.clone(), entry);
                state.publish(&self.inner.broker);
                state.tell_started(self.inner.broker.policy(), &key)
            })
        };
        drop(reserved);
        let missed = match missed {
            Ok(missed) => missed,
            Err(error) => {
                provider.stop().await;
                return Err(error);
            }
        };
        tracing::info!(provider = %key, contract = %contract_id, "provider started");
        // Of links that were set or removed, and actors that were started or stopped, while the provider was started.
        for told in missed {
            told.answered_or_logged().await;
        }
        Ok(())
    }

    fn timing(&self, capability: &NativeCapability) -> Timing {
        let config = &self.inner.config;
        // What ignores its deadline for as long again as a call may take has no intention to heed it.
        let timing = config.timing;
        let stuck_after = timing.health.stuck_after.max(config.limits.timeout);
        let health = HealthPolicy { stuck_after, ..timing.health };
        Timing { restart: capability.restart.unwrap_or(timing.restart), health, ..timing }
    }

    /// Drains a provider and ends its process. One that doesn't run is no error. Its links stay set. Until it has ended,
    /// calls find it draining, and it can't be started again.
    pub async fn stop_provider(&self, provider: &str, contract_id: &str, link_name: Option<String>) -> Result<()> {
        self.inner.running()?;
        let stopping = {
            let state = self.inner.state.lock();
            let key = state.provider_key(provider, contract_id, link_name.as_deref());
            key.and_then(|key| state.providers.get(&key).map(|running| running.provider.clone()))
        };
        match stopping {
            Some(provider) => self.stop_running(provider).await,
            None => Ok(()),
        }
    }

    /// Drains it, ends its process and forgets it.
    pub(super) async fn stop_running(&self, provider: Arc<Provider>) -> Result<()> {
        let host = self.clone();
        // A task: whoever asked may be gone before the provider is.
        let stopped = tokio::spawn(async move {
            provider.stop().await;
            let mut state = host.inner.state.lock();
            // Somebody else may have stopped it, too, and started it again.
            let is_same = |running: &RunningProvider| Arc::ptr_eq(&running.provider, &provider);
            if state.providers.get(provider.key()).is_some_and(is_same) {
                state.providers.remove(provider.key());
                state.publish(&host.inner.broker);
                tracing::info!(provider = %provider.key(), "provider stopped");
                let [id, link] = [&provider.key().id, &provider.key().link_name].map(Brief::from);
                host.inner.record(AuditEvent::ProviderStopped { provider: id, link });
            }
        });
        stopped.await.map_err(|error| HostError::Internal { message: error.to_string() })
    }

    /// Public key, contract and link name of the providers that run, the built-in one among them.
    pub async fn providers(&self) -> Result<Vec<(String, String, String)>> {
        self.inner.running()?;
        let built_in = extras::key();
        let built_in = (built_in.id, extras::CONTRACT_ID.to_owned(), built_in.link_name);
        let state = self.inner.state.lock();
        let started = state
            .providers
            .iter()
            .map(|(key, running)| (key.id.clone(), running.claims.metadata().capid.clone(), key.link_name.clone()));
        Ok(std::iter::once(built_in).chain(started).collect())
    }

    /// Where a running provider came from, its name and its revision. None when it doesn't run.
    pub async fn get_provider_identity(
        &self,
        public_key: &str,
        link_name: &str,
    ) -> Result<Option<(Option<String>, String, i32)>> {
        self.inner.running()?;
        let key = ProviderKey::new(public_key, Some(link_name));
        let state = self.inner.state.lock();
        Ok(state.providers.get(&key).map(|running| {
            let metadata = running.claims.metadata();
            let name = metadata.name.clone().unwrap_or_else(|| "Unnamed".to_owned());
            (Some(running.image.clone()), name, metadata.rev.unwrap_or(0))
        }))
    }

    /// Who it becomes, when the host is root.
    fn identity(&self, state_dir: &Path) -> Result<Option<Identity>> {
        let all = self.inner.running()?.state_dir.join("providers");
        let act = "giving a provider's directory to the user it runs as";
        nobody::for_directory(state_dir, &all).map_err(HostError::state(state_dir, act))
    }

    /// Each provider has a directory of its own, named by what no other provider can choose.
    fn provider_state_dir(&self, key: &ProviderKey) -> Result<PathBuf> {
        let link: String = key
            .link_name
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
                other => format!("%{other:02x}"),
            })
            .collect();
        let dir = self.inner.running()?.state_dir.join("providers").join(&key.id).join(link);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(HostError::state(&dir, "making a provider's directory"))?;
        Ok(dir)
    }
}

impl super::state::State {
    /// The key of a running provider that is named by its public key or by where it came from.
    fn provider_key(&self, name: &str, contract_id: &str, link_name: Option<&str>) -> Option<ProviderKey> {
        let wanted = ProviderKey::new(name, link_name);
        let matches = |key: &ProviderKey, running: &RunningProvider| {
            key.link_name == wanted.link_name
                && (key.id == wanted.id || running.image == name)
                && running.claims.metadata().capid == contract_id
        };
        self.providers.iter().find(|(key, running)| matches(key, running)).map(|(key, _)| key.clone())
    }
}
