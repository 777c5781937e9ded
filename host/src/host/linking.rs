//! Links: set and removed here, bound whenever both sides run.

use std::collections::HashMap;
use std::sync::Arc;

use super::auditing;
use super::state::Standing;
use super::telling::Tell;
use super::{Host, HostError, Result};
use crate::links::{Change, Link};
use crate::words::{LinkKey, ProviderKey};

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
        let (told, provider) = (auditing::names(&link.values), link.provider.clone());
        let set = self.link(key.clone(), link).await;
        self.inner.link_set(&key, &provider, told, &set);
        set
    }

    async fn link(&self, key: LinkKey, link: Link) -> Result<()> {
        let (actor, contract_id) = (&*key.actor.clone(), &*key.contract_id.clone());
        let policy = self.inner.broker.policy();
        let moved = {
            let mut state = self.inner.state.lock();
            state.check_contract(contract_id)?;
            if let Standing::Denied(denial) = state.standing(policy, &key, &link) {
                return Err(HostError::LinkDenied { key, denial });
            }
            let change = state.links.set(key.clone(), link.clone());
            state.publish(&self.inner.broker);
            match change {
                Change::Moved { from } => state.tell(policy, &from, actor, Tell::Difference),
                Change::New | Change::Same | Change::Values => None,
            }
        };
        // First: the new provider may need what the old one holds, such as a port.
        if let Some(moved) = moved {
            moved.answered_or_logged().await;
        }
        let bound = {
            let mut state = self.inner.state.lock();
            match state.standing(policy, &key, &link) {
                Standing::Bindable(_) => state.tell(policy, &link.provider, actor, Tell::Again),
                Standing::OtherContract(serves) => return Err(HostError::OtherContract { key, serves }),
                Standing::Denied(denial) => return Err(HostError::LinkDenied { key, denial }),
                Standing::BuiltIn | Standing::NoActor | Standing::NoProvider => None,
            }
        };
        match bound {
            Some(bound) => bound.answered().await,
            None => Ok(()),
        }
    }

    /// Removes a link and tells the provider. One that is not set is no error.
    pub async fn remove_link(&self, actor: &str, contract_id: &str, link_name: Option<String>) -> Result<()> {
        self.inner.running()?;
        let key = LinkKey::new(actor, contract_id, link_name.as_deref());
        let unbound = {
            let mut state = self.inner.state.lock();
            let Some(removed) = state.links.remove(&key) else { return Ok(()) };
            state.publish(&self.inner.broker);
            self.inner.link_removed(&key, &removed.provider);
            state.tell(self.inner.broker.policy(), &removed.provider, actor, Tell::Difference)
        };
        if let Some(unbound) = unbound {
            unbound.answered_or_logged().await;
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
}
