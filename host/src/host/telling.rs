//! Telling providers of their links.
//!
//! What a provider was told is part of the state; what it has to know follows from the links, the actors that run and
//! the policy. The difference is sent under the lock of the state, so that a provider hears of changes in their order.
//! Answers are awaited without it.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::state::{Standing, State};
use super::{HostError, Result};
use crate::links::Link;
use crate::policy::Policy;
use crate::provider::{BindError, Settings};
use crate::words::{LinkKey, ProviderKey};

/// How long a provider may take to answer a bind or an unbind.
const BIND_TIMEOUT: Duration = Duration::from_secs(10);

type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a provider was told just now and has not answered yet.
#[must_use]
pub(super) enum Telling {
    Bind { key: LinkKey, answer: Answer<Result<(), BindError>> },
    Unbind { provider: ProviderKey, actor: String, answer: Answer<()> },
}

/// What to tell.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tell {
    /// What the provider doesn't know yet.
    Difference,
    /// The same link again, too: it may be accepted this time.
    Again,
}

impl State {
    /// Tells a provider, if it runs, how it stands with an actor.
    pub(super) fn tell(&mut self, policy: &Policy, provider: &ProviderKey, actor: &str, tell: Tell) -> Option<Telling> {
        let wanted = self.wanted(policy, provider, actor);
        let running = self.providers.get_mut(provider)?;
        match wanted {
            Some((key, settings)) if tell == Tell::Again || running.told.get(actor) != Some(&settings) => {
                let answer: Answer<_> = match running.provider.bind(actor, settings.clone()) {
                    Ok(answer) => {
                        running.told.insert(actor.to_owned(), settings);
                        Box::pin(answer)
                    }
                    Err(error) => Box::pin(std::future::ready(Err(error))),
                };
                Some(Telling::Bind { key, answer })
            }
            None if running.told.contains_key(actor) => match running.provider.unbind(actor) {
                Ok(answer) => {
                    running.told.remove(actor);
                    let (provider, actor, answer) = (provider.clone(), actor.to_owned(), Box::pin(answer));
                    Some(Telling::Unbind { provider, actor, answer })
                }
                // It stays among what was told, and is taken back with the next change.
                Err(error) => {
                    tracing::warn!(%error, "link not taken back");
                    None
                }
            },
            _ => None,
        }
    }

    /// Tells all providers of an actor that has just been started or stopped.
    pub(super) fn tell_of_actor(&mut self, policy: &Policy, actor: &str) -> Vec<Telling> {
        self.log_refused(policy, self.links.of_actor(actor));
        let providers: Vec<ProviderKey> = self.providers.keys().cloned().collect();
        providers.iter().filter_map(|provider| self.tell(policy, provider, actor, Tell::Difference)).collect()
    }

    /// Tells a provider of what has changed while it was being started.
    pub(super) fn tell_started(&mut self, policy: &Policy, provider: &ProviderKey) -> Vec<Telling> {
        self.log_refused(policy, self.links.of_provider(provider));
        let mut actors: BTreeSet<String> = self.links.of_provider(provider).map(|(key, _)| key.actor.clone()).collect();
        actors.extend(self.providers.get(provider).into_iter().flat_map(|running| running.told.keys().cloned()));
        actors.iter().filter_map(|actor| self.tell(policy, provider, actor, Tell::Difference)).collect()
    }

    /// The link between the two, with its settings, if the provider has to know of it.
    fn wanted(&self, policy: &Policy, provider: &ProviderKey, actor: &str) -> Option<(LinkKey, Settings)> {
        let between = self.links.of_actor(actor).filter(|(_, link)| link.provider == *provider);
        between
            .filter_map(|(key, link)| match self.standing(policy, key, link) {
                Standing::Bindable(bindable) => Some((key.clone(), bindable.settings)),
                _ => None,
            })
            .next()
    }

    /// Nobody waits for these: their actor or provider was started after the link was set.
    fn log_refused<'a>(&self, policy: &Policy, links: impl Iterator<Item = (&'a LinkKey, &'a Link)>) {
        for (key, link) in links {
            let error = match self.standing(policy, key, link) {
                Standing::OtherContract(serves) => HostError::OtherContract { key: key.clone(), serves },
                Standing::Denied(denial) => HostError::LinkDenied { key: key.clone(), denial },
                _ => continue,
            };
            log(key, &error);
        }
    }
}

impl Telling {
    /// Waits for the provider's answer.
    pub(super) async fn answered(self) -> Result<()> {
        match self {
            Self::Bind { key, answer } => match tokio::time::timeout(BIND_TIMEOUT, answer).await {
                Ok(Ok(())) => Ok(()),
                // It is told when it is started again.
                Ok(Err(error @ (BindError::Stopped { .. } | BindError::Held { .. }))) => {
                    tracing::warn!(%error, "link pending");
                    Ok(())
                }
                Ok(Err(error)) => Err(HostError::Bind(error)),
                Err(_) => Err(HostError::BindTimeout { key, timeout: BIND_TIMEOUT }),
            },
            Self::Unbind { provider, actor, answer } => {
                if tokio::time::timeout(BIND_TIMEOUT, answer).await.is_err() {
                    tracing::warn!(%provider, %actor, "the provider did not answer that the link is gone");
                }
                Ok(())
            }
        }
    }

    /// For links that became possible by the start of a side: a rejection is the link's, not the side's.
    pub(super) async fn answered_or_logged(self) {
        let key = match &self {
            Self::Bind { key, .. } => Some(key.clone()),
            Self::Unbind { .. } => None,
        };
        if let (Err(error), Some(key)) = (self.answered().await, key) {
            log(&key, &error);
        }
    }
}

fn log(key: &LinkKey, error: &HostError) {
    tracing::warn!(actor = %key.actor, contract = %key.contract_id, link = %key.link_name, %error, "link not bound");
}
