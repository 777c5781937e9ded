//! Making what a manifest says true.

use std::collections::BTreeSet;

use super::state::Standing;
use super::{Actor, Host, HostError, NativeCapability, Result};
use crate::links::Link;
use crate::manifest::{HostManifest, LinkEntry, Source};
use crate::words::LinkKey;
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
            let image = path.display().to_string();
            let actor = blocking(move || Actor::from_file(path)).await;
            let mut actor = actor.inspect_err(|error| self.inner.image_refused(&image, true, error))?;
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
            let image = path.display().to_string();
            let load = move || {
                let archive = ProviderArchive::try_load_file(&path).map_err(HostError::Claims)?;
                NativeCapability::from_named_archive(&path.display().to_string(), &archive, link_name)
            };
            let capability = blocking(load).await;
            let capability = capability.inspect_err(|error| self.inner.image_refused(&image, false, error))?;
            let capability = capability.with_restart_policy(entry.restart.over(self.inner.config.timing.restart));
            let capability = capability.with_limits(entry.limits).with_crash_payloads(entry.crash_payload_bytes_max);
            let capability = match &entry.grants {
                Some(grants) => capability.with_grants(grants.clone()),
                None => capability,
            };
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
        self.warn_of_loose_links(&manifest.links);
        Ok(())
    }

    /// A link may come before its sides, so it is no error that one is missing; it is a slip more often than not.
    fn warn_of_loose_links(&self, links: &[LinkEntry]) {
        let policy = self.inner.broker.policy();
        let loose = {
            let state = self.inner.state.lock();
            let missing = |key: &LinkKey, link: &Link| match state.standing(policy, key, link) {
                Standing::NoActor => Some("no such actor runs here"),
                Standing::NoProvider => Some("no such provider runs here under this link name"),
                Standing::BuiltIn | Standing::Denied(_) | Standing::OtherContract(_) | Standing::Bindable(_) => None,
            };
            let keys: BTreeSet<LinkKey> = links.iter().map(LinkEntry::key).collect();
            let set = state.links.iter().filter(|(key, _)| keys.contains(key));
            set.filter_map(|(key, link)| Some((key.clone(), link.provider.id.clone(), missing(key, link)?)))
                .collect::<Vec<_>>()
        };
        for (LinkKey { actor, contract_id, link_name }, provider, missing) in loose {
            tracing::warn!(
                actor,
                provider,
                contract = contract_id,
                link = link_name,
                "the manifest links what does not run: {missing}; the link waits until it does"
            );
        }
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
