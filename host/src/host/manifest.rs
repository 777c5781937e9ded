//! Making what a manifest says true.

use super::{Actor, Host, HostError, NativeCapability, Result};
use crate::manifest::{HostManifest, Source};
use cofferdam_claims::ProviderArchive;

impl Host {
    /// Starts what the manifest names and does not run yet, and sets its links. Applying it again changes nothing. Stops
    /// at the first error; what was started before it runs on.
    pub async fn apply_manifest(&self, manifest: HostManifest) -> Result<()> {
        self.inner.running()?;
        self.inner.state.lock().add_labels(&manifest.labels);
        for entry in &manifest.actors {
            let source = entry.source(&manifest.base_dir).map_err(HostError::Source)?;
            let path = file(source)?;
            let mut actor = blocking(move || Actor::from_file(path)).await?;
            if let Some(limits) = &entry.limits {
                actor = actor.with_limits(limits.over(self.inner.actor_limits()));
            }
            let runs = self.inner.state.lock().actors.contains_key(&actor.public_key());
            if !runs {
                self.start_actor(actor).await?;
            }
        }
        for entry in &manifest.capabilities {
            let source = entry.source(&manifest.base_dir).map_err(HostError::Source)?;
            let (path, link_name) = (file(source)?, entry.link_name.clone());
            let load = move || {
                let archive = ProviderArchive::try_load_file(&path).map_err(HostError::Claims)?;
                NativeCapability::from_named_archive(&path.display().to_string(), &archive, link_name)
            };
            let capability = blocking(load).await?;
            let runs = self.inner.state.lock().providers.contains_key(&capability.key());
            if !runs {
                self.start_native_capability(capability).await?;
            }
        }
        for entry in &manifest.links {
            let values = entry.values.clone().into_iter().collect();
            let (provider, link_name) = (entry.provider_id.clone(), entry.link_name.clone());
            self.set_link(&entry.actor, &entry.contract_id, link_name, provider, values).await?;
        }
        Ok(())
    }
}

fn file(source: Source) -> Result<std::path::PathBuf> {
    match source {
        Source::File(path) => Ok(path),
        Source::Registry(reference) => Err(HostError::Registry { reference }),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| HostError::Internal { message: error.to_string() })?
}
