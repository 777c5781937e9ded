//! Restarting, holding and releasing providers, by the embedding program or an operator.

use std::sync::Arc;

use super::state::{RunningProvider, State};
use super::{Host, HostError, Result};
use crate::provider::{Provider, Want};
use crate::words::ProviderKey;

/// Candidates that an error names.
const CANDIDATES_SHOWN: usize = 8;

impl Host {
    /// Drains a provider and starts another process of it, at once, also if it was held. Waits until that takes calls.
    /// `provider` is its public key, its name, or where it came from.
    pub async fn restart_provider(&self, provider: &str, link_name: Option<&str>) -> Result<()> {
        self.attend(provider, link_name, Want::Restart).await
    }

    /// Drains a provider and keeps it from running until it is released; its links stay. Waits until its process has
    /// ended. Calls are told that it is held.
    pub async fn hold_provider(&self, provider: &str, link_name: Option<&str>) -> Result<()> {
        self.attend(provider, link_name, Want::Hold).await
    }

    /// Starts a provider that is held, by whomever and for whatever reason. One that isn't held is no error. Waits until
    /// it takes calls.
    pub async fn release_provider(&self, provider: &str, link_name: Option<&str>) -> Result<()> {
        self.attend(provider, link_name, Want::Release).await
    }

    async fn attend(&self, name: &str, link_name: Option<&str>, want: Want) -> Result<()> {
        Ok(self.find_provider(name, link_name)?.attend(want).await?)
    }

    /// The one running provider that goes by this name.
    pub(super) fn find_provider(&self, name: &str, link_name: Option<&str>) -> Result<Arc<Provider>> {
        self.inner.running()?;
        self.inner.state.lock().find_provider(name, link_name)
    }
}

impl State {
    fn find_provider(&self, name: &str, link_name: Option<&str>) -> Result<Arc<Provider>> {
        // Providers choose their names, and none chooses another's key.
        let is_key = self.providers.keys().any(|key| key.id == name);
        let goes_by = |(key, running): &(&ProviderKey, &RunningProvider)| {
            let names = [running.claims.metadata().name.clone(), Some(running.provider.status().name)];
            let by_name = names.iter().flatten().any(|own| !own.is_empty() && own.eq_ignore_ascii_case(name));
            let is_named = if is_key { key.id == name } else { running.image == name || by_name };
            is_named && link_name.is_none_or(|link| key.link_name == link)
        };
        let mut found = self.providers.iter().filter(goes_by);
        let no_such = || HostError::NoSuchProvider { name: name.to_owned(), link: link_name.map(str::to_owned) };
        let (first, running) = found.next().ok_or_else(no_such)?;
        let others: Vec<String> = found.take(CANDIDATES_SHOWN).map(|(key, _)| key.to_string()).collect();
        if others.is_empty() {
            return Ok(running.provider.clone());
        }
        let candidates = std::iter::once(first.to_string()).chain(others).collect();
        Err(HostError::AmbiguousProvider { name: name.to_owned(), candidates })
    }
}
