//! Starting what is in registries. What is fetched is handed on as bytes and goes the way of a file's: the registry's word
//! is good for which bytes these are, and for nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cofferdam_claims::{ArchiveLimits, MODULE_BYTES_MAX, ProviderArchive};
use cofferdam_registry::{
    Credentials, Kind, Latest, Progress, Pulled, Registry, RegistryConfig, RegistryError, Silent, SizeLimits, Wanted,
};

use super::manifest::blocking;
use super::{Actor, Host, HostError, NativeCapability, Result};

/// The folder of the cache, in the state directory.
const CACHE: &str = "registry";

/// What an operator decides of registries.
#[derive(Clone, Debug, Default)]
pub(super) struct RegistrySettings {
    pub(super) latest: Latest,
    pub(super) insecure: Vec<String>,
    pub(super) cache_dir: Option<PathBuf>,
    pub(super) authorities: Option<PathBuf>,
    pub(super) credentials: Option<Credentials>,
}

impl RegistrySettings {
    pub(super) fn registry(&self, state_dir: &Path) -> Result<Registry> {
        let from_environment = || Credentials::from_environment(&|name| std::env::var_os(name));
        let credentials = match &self.credentials {
            Some(credentials) => credentials.clone(),
            None => from_environment().map_err(RegistryError::Credentials)?,
        };
        let cache_dir = self.cache_dir.clone().unwrap_or_else(|| state_dir.join(CACHE));
        let sizes = SizeLimits {
            actor_bytes_max: MODULE_BYTES_MAX,
            provider_bytes_max: ArchiveLimits::default().total_bytes_max,
        };
        let (latest, insecure, authorities) = (self.latest, self.insecure.clone(), self.authorities.clone());
        let config =
            RegistryConfig { latest, insecure, authorities, credentials, sizes, ..RegistryConfig::new(cache_dir) };
        Ok(Registry::new(config)?)
    }
}

impl Host {
    /// Fetches an actor by its reference and starts it, as [`Self::start_actor`] does.
    pub async fn start_actor_from_registry(&self, reference: &str) -> Result<()> {
        let actor = self.actor_from_registry(reference).await?;
        self.start_actor(actor).await
    }

    /// Fetches an archive by its reference and starts it, as [`Self::start_native_capability`] does. A blank link name is
    /// the default.
    pub async fn start_capability_from_registry(&self, reference: &str, link_name: Option<String>) -> Result<()> {
        let capability = self.capability_from_registry(reference, link_name).await?;
        self.start_native_capability(capability).await
    }

    /// The references by which something was started that runs, each with its public key, in order.
    pub async fn oci_references(&self) -> Result<Vec<(String, String)>> {
        self.inner.running()?;
        let state = self.inner.state.lock();
        let actors = state.actors.iter().filter(|(_, actor)| actor.from_registry);
        let actors = actors.map(|(key, actor)| (actor.image.clone(), key.clone()));
        let providers = state.providers.iter().filter(|(_, provider)| provider.from_registry);
        let providers = providers.map(|(key, provider)| (provider.image.clone(), key.id.clone()));
        let mut references: Vec<_> = actors.chain(providers).collect();
        references.sort();
        // One archive may run under several link names.
        references.dedup();
        Ok(references)
    }

    pub(super) async fn actor_from_registry(&self, reference: &str) -> Result<Actor> {
        let pulled = self.pull(reference, Kind::Actor).await?;
        let source = reference.to_owned();
        let read = blocking(move || {
            let mut actor = Actor::new(&source, pulled.bytes.into())?;
            actor.from_registry = true;
            Ok(actor)
        });
        read.await.inspect_err(|error| self.inner.image_refused(reference, true, error))
    }

    pub(super) async fn capability_from_registry(
        &self,
        reference: &str,
        link_name: Option<String>,
    ) -> Result<NativeCapability> {
        let pulled = self.pull(reference, Kind::Provider).await?;
        let source = reference.to_owned();
        let read = blocking(move || {
            let archive = ProviderArchive::try_load(&pulled.bytes).map_err(HostError::Claims)?;
            let mut capability = NativeCapability::from_named_archive(&source, &archive, link_name)?;
            capability.from_registry = true;
            Ok(capability)
        });
        read.await.inspect_err(|error| self.inner.image_refused(reference, false, error))
    }

    async fn pull(&self, reference: &str, kind: Kind) -> Result<Pulled> {
        let registry = &self.inner.running()?.registry;
        let progress: Arc<dyn Progress> = Arc::new(Silent);
        let pulled = registry.pull(reference, Wanted::Only(kind), progress).await.map_err(HostError::Registry);
        let pulled = pulled.inspect_err(|error| self.inner.image_refused(reference, kind == Kind::Actor, error))?;
        tracing::info!(reference, manifest = %pulled.manifest, digest = %pulled.digest, "pulled from a registry");
        Ok(pulled)
    }
}
