//! Making what a manifest says true.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::state::Standing;
use super::{Actor, Host, HostError, NativeCapability, Result};
use crate::links::Link;
use crate::manifest::{HostManifest, LinkEntry, Source};
use crate::words::{LinkKey, ProviderKey};
use cofferdam_claims::ProviderArchive;

impl Host {
    /// Starts what the manifest names and does not run yet, and sets its links. Applying it again changes nothing. Stops
    /// at the first error; what was started before it runs on.
    pub async fn apply_manifest(&self, manifest: HostManifest) -> Result<()> {
        self.inner.running()?;
        self.inner.state.lock().add_labels(&manifest.labels);
        for entry in &manifest.actors {
            let source = entry.source(&manifest.base_dir).map_err(HostError::Source)?;
            let mut actor = match source {
                Source::File(path) => self.actor_from_file(path).await?,
                // What it means may have changed since, and what runs by it runs on.
                Source::Registry(reference) if self.runs_actor_of(&reference) => continue,
                Source::Registry(reference) => self.actor_from_registry(&reference).await?,
            };
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
            let link_name = entry.link_name.clone();
            let capability = match source {
                Source::File(path) => self.capability_from_file(path, link_name).await?,
                Source::Registry(reference) if self.runs_provider_of(&reference, link_name.as_deref()) => continue,
                Source::Registry(reference) => self.capability_from_registry(&reference, link_name).await?,
            };
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

    async fn actor_from_file(&self, path: PathBuf) -> Result<Actor> {
        let image = path.display().to_string();
        let actor = blocking(move || Actor::from_file(path)).await;
        actor.inspect_err(|error| self.inner.image_refused(&image, true, error))
    }

    async fn capability_from_file(&self, path: PathBuf, link_name: Option<String>) -> Result<NativeCapability> {
        let image = path.display().to_string();
        let source = image.clone();
        let load = move || {
            let archive = ProviderArchive::try_load_file(&path).map_err(HostError::Claims)?;
            NativeCapability::from_named_archive(&source, &archive, link_name)
        };
        let capability = blocking(load).await;
        capability.inspect_err(|error| self.inner.image_refused(&image, false, error))
    }

    fn runs_actor_of(&self, reference: &str) -> bool {
        self.inner.state.lock().actors.values().any(|actor| actor.from_registry && actor.image == reference)
    }

    fn runs_provider_of(&self, reference: &str, link_name: Option<&str>) -> bool {
        let wanted = ProviderKey::new("", link_name).link_name;
        let state = self.inner.state.lock();
        let mut of_registries = state.providers.iter().filter(|(_, running)| running.from_registry);
        of_registries.any(|(key, running)| running.image == reference && key.link_name == wanted)
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

pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| HostError::Internal { message: error.to_string() })?
}
