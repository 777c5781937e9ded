//! Links: set and removed here, bound whenever both sides run.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::state::{Bindable, Standing};
use super::{Host, HostError, Result};
use crate::links::{Change, Link};
use crate::provider::{BindError, Provider};
use crate::words::{LinkKey, ProviderKey};

/// How long a provider may take to answer a bind or an unbind.
const BIND_TIMEOUT: Duration = Duration::from_secs(10);

impl Host {
    /// Links an actor to a provider. May come before either runs; the provider is told as soon as both do. When both run
    /// already, this waits for the provider's answer: a rejected link stays set, shows as rejected, and is an error here.
    #[expect(clippy::too_many_arguments, reason = "the signature is the reference's")]
    pub async fn set_link(
        &self,
        actor: &str,
        contract_id: &str,
        link_name: Option<String>,
        provider_id: String,
        values: HashMap<String, String>,
    ) -> Result<()> {
        self.inner.running()?;
        let key = LinkKey::new(actor, contract_id, link_name.as_deref());
        let provider = ProviderKey::new(provider_id, link_name.as_deref());
        let link = Link { provider, values: Arc::new(values.into_iter().collect()) };
        let moved_from = {
            let mut state = self.inner.state.lock();
            if let Standing::Denied(denial) = state.standing(self.inner.broker.policy(), &key, &link) {
                return Err(HostError::LinkDenied { key, denial });
            }
            let change = state.links.set(key.clone(), link.clone());
            state.publish(&self.inner.broker);
            match change {
                Change::Moved { from } if !state.links.connects(actor, &from) => state.providers.get(&from).cloned(),
                _ => None,
            }
        };
        if let Some(old) = moved_from {
            self.unbind(&old.provider, actor).await;
        }
        self.bind(&key, &link).await
    }

    /// Removes a link and tells the provider. One that is not set is no error.
    pub async fn remove_link(&self, actor: &str, contract_id: &str, link_name: Option<String>) -> Result<()> {
        self.inner.running()?;
        let key = LinkKey::new(actor, contract_id, link_name.as_deref());
        let unbound = {
            let mut state = self.inner.state.lock();
            let removed = state.links.remove(&key);
            state.publish(&self.inner.broker);
            removed
                .filter(|link| !state.links.connects(actor, &link.provider))
                .and_then(|link| state.providers.get(&link.provider).cloned())
        };
        if let Some(running) = unbound {
            self.unbind(&running.provider, actor).await;
        }
        Ok(())
    }

    /// Actor, contract, link name and provider of all links. Their values are the operator's, and stay here.
    pub async fn link_definitions(&self) -> Result<Vec<(String, String, String, String)>> {
        self.inner.running()?;
        let state = self.inner.state.lock();
        let row = |(key, link): (&LinkKey, &Link)| {
            (key.actor.clone(), key.contract_id.clone(), key.link_name.clone(), link.provider.id.clone())
        };
        Ok(state.links.iter().map(row).collect())
    }

    /// Tells the provider of a link if both sides run.
    async fn bind(&self, key: &LinkKey, link: &Link) -> Result<()> {
        let standing = self.inner.state.lock().standing(self.inner.broker.policy(), key, link);
        match standing {
            Standing::Bindable(Bindable { provider, settings, key }) => {
                let bound = tokio::time::timeout(BIND_TIMEOUT, provider.bind(&key.actor, settings)).await;
                match bound {
                    Ok(Ok(())) => Ok(()),
                    // The next process is told again, by itself.
                    Ok(Err(error @ BindError::Ended { .. })) => {
                        tracing::warn!(%error, "link pending");
                        Ok(())
                    }
                    Ok(Err(error)) => Err(HostError::Bind(error)),
                    Err(_) => Err(HostError::BindTimeout { key, timeout: BIND_TIMEOUT }),
                }
            }
            Standing::OtherContract(serves) => Err(HostError::OtherContract { key: key.clone(), serves }),
            Standing::Denied(denial) => Err(HostError::LinkDenied { key: key.clone(), denial }),
            Standing::BuiltIn | Standing::NoActor | Standing::NoProvider => Ok(()),
        }
    }

    /// For links that became possible by the start of a side: a rejection is the link's, not the side's.
    pub(super) async fn bind_or_log(&self, key: &LinkKey, link: &Link) {
        if let Err(error) = self.bind(key, link).await {
            tracing::warn!(actor = %key.actor, contract = %key.contract_id, link = %key.link_name, %error, "link not bound");
        }
    }

    pub(super) async fn unbind(&self, provider: &Provider, actor: &str) {
        if tokio::time::timeout(BIND_TIMEOUT, provider.unbind(actor)).await.is_err() {
            tracing::warn!(provider = %provider.key(), %actor, "the provider did not answer that the link is gone");
        }
    }
}
