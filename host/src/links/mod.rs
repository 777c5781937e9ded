//! The links: which actor reaches which provider under which contract and name, and with what values. Pure.
//!
//! A link may be set before or after either side starts, and outlives both.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::words::{LinkKey, ProviderKey};

/// Values of links are the operator's, and may be secrets: shared, never shown.
pub type LinkValues = Arc<BTreeMap<String, String>>;

/// What an actor reaches under a [`LinkKey`].
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// The provider.
    pub provider: ProviderKey,
    /// What the provider is told when the link is bound.
    pub values: LinkValues,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("provider", &self.provider).field("values", &"…").finish()
    }
}

/// What setting a link changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// There was none.
    New,
    /// It was exactly this already.
    Same,
    /// The same provider, other values.
    Values,
    /// It led to another provider, which has to forget the actor.
    Moved {
        /// Where it led.
        from: ProviderKey,
    },
}

/// All links of a host.
#[derive(Clone, Debug, Default)]
pub struct Links {
    by_key: BTreeMap<LinkKey, Link>,
}

impl Links {
    /// Sets a link, in place of an earlier one under the same key.
    pub fn set(&mut self, key: LinkKey, link: Link) -> Change {
        match self.by_key.insert(key, link.clone()) {
            None => Change::New,
            Some(old) if old == link => Change::Same,
            Some(old) if old.provider == link.provider => Change::Values,
            Some(old) => Change::Moved { from: old.provider },
        }
    }

    /// Removes a link. None when there was none.
    pub fn remove(&mut self, key: &LinkKey) -> Option<Link> {
        self.by_key.remove(key)
    }

    /// All of them, in order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&LinkKey, &Link)> {
        self.by_key.iter()
    }

    /// Those of one actor.
    pub fn of_actor<'a>(&'a self, actor: &'a str) -> impl Iterator<Item = (&'a LinkKey, &'a Link)> {
        self.by_key.iter().filter(move |(key, _)| key.actor == actor)
    }

    /// Those that lead to one provider.
    pub fn of_provider<'a>(&'a self, provider: &'a ProviderKey) -> impl Iterator<Item = (&'a LinkKey, &'a Link)> {
        self.by_key.iter().filter(move |(_, link)| link.provider == *provider)
    }

    /// Whether the actor still has a link to the provider, under whatever key.
    pub fn connects(&self, actor: &str, provider: &ProviderKey) -> bool {
        self.of_actor(actor).any(|(_, link)| link.provider == *provider)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(provider: &str, port: &str) -> Link {
        let values = BTreeMap::from([("PORT".to_owned(), port.to_owned())]);
        Link { provider: ProviderKey::new(provider, None), values: Arc::new(values) }
    }

    #[test]
    fn each_change_is_told_apart() {
        let mut links = Links::default();
        let key = LinkKey::new("MA", "wasmcloud:httpserver", None);
        assert_eq!(links.set(key.clone(), link("VA", "1")), Change::New);
        assert_eq!(links.set(key.clone(), link("VA", "1")), Change::Same);
        assert_eq!(links.set(key.clone(), link("VA", "2")), Change::Values);
        let from = ProviderKey::new("VA", None);
        assert_eq!(links.set(key.clone(), link("VB", "2")), Change::Moved { from: from.clone() });
        assert!(links.connects("MA", &ProviderKey::new("VB", None)) && !links.connects("MA", &from));
        assert_eq!(links.remove(&key), Some(link("VB", "2")));
        assert_eq!(links.remove(&key), None);
    }

    #[test]
    fn values_are_never_shown() {
        assert!(!format!("{:?}", link("VA", "s3cret")).contains("s3cret"));
    }
}
