//! Where calls go. One immutable [`Routes`] holds all that a call needs to find its target; the only writer of the host
//! makes a new one for each change, readers take what is there. Pure.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use cofferdam_claims::{ActorMetadata, Verified, normalize_call_alias};

use crate::words::{Callee, LinkKey, ProviderKey, WasmCloudEntity};

/// Every public key is so long.
const PUBLIC_KEY_BYTES: usize = 56;

/// Everything that can be called at one moment.
#[derive(Debug, Default)]
pub struct Routes {
    actors: HashMap<String, Arc<ActorRoute>>,
    aliases: HashMap<String, Arc<ActorRoute>>,
    /// Actors that do not run, and the providers they are linked to.
    absent: HashMap<String, Vec<WasmCloudEntity>>,
}

/// A running actor, and where its links lead.
pub struct ActorRoute {
    /// Who it is.
    pub entity: WasmCloudEntity,
    /// What it may do.
    pub claims: Arc<Verified<ActorMetadata>>,
    /// What answers its calls.
    pub callee: Arc<dyn Callee>,
    /// Few: an actor has a link or two for each of its contracts.
    pub links: Vec<LinkRoute>,
}

/// One link of an actor.
pub struct LinkRoute {
    /// The contract it is for.
    pub contract_id: String,
    /// Its name.
    pub link_name: String,
    /// The provider's process.
    pub provider: ProviderKey,
    /// The provider, as the target of a call.
    pub target: WasmCloudEntity,
    /// What answers. None while the provider has not been started.
    pub callee: Option<Arc<dyn Callee>>,
}

/// What a name stands for.
#[derive(Clone, Copy)]
pub enum Target<'a> {
    /// An actor, by public key or alias.
    Actor(&'a Arc<ActorRoute>),
    /// A provider, by a link of the calling actor.
    Link(&'a LinkRoute),
}

impl Routes {
    /// Puts together what runs and what is linked, `absent` being the links of actors that do not run. No two actors
    /// have the same alias.
    pub fn new(
        actors: impl IntoIterator<Item = ActorRoute>,
        absent: impl IntoIterator<Item = (String, WasmCloudEntity)>,
    ) -> Self {
        let mut routes = Self::default();
        for actor in actors {
            let (public_key, route) = (actor.entity.public_key().to_owned(), Arc::new(actor));
            if let Some(alias) = call_alias(&route.claims) {
                routes.aliases.entry(alias).or_insert_with(|| route.clone());
            }
            routes.actors.insert(public_key, route);
        }
        for (actor, provider) in absent {
            routes.absent.entry(actor).or_default().push(provider);
        }
        routes
    }

    /// Whether the actor does not run, and is linked to the provider all the same.
    pub fn is_absent(&self, actor: &str, provider: &WasmCloudEntity) -> bool {
        self.absent.get(actor).is_some_and(|linked| linked.contains(provider))
    }

    /// A running actor by public key.
    pub fn actor(&self, public_key: &str) -> Option<&Arc<ActorRoute>> {
        self.actors.get(public_key)
    }

    /// A running actor by public key or alias, the latter as it is or as it was signed.
    pub fn actor_or_alias(&self, name: &str) -> Option<&Arc<ActorRoute>> {
        self.actor(name).or_else(|| self.aliases.get(name)).or_else(|| self.as_signed(name))
    }

    fn as_signed(&self, alias: &str) -> Option<&Arc<ActorRoute>> {
        self.aliases.get(&normalize_call_alias(alias))
    }

    /// What `namespace` and `binding` stand for when `origin` says them: a public key, an alias, a contract that it is
    /// linked for, or an alias as it was signed, in this order.
    pub fn resolve<'a>(&'a self, origin: &'a ActorRoute, namespace: &str, binding: &str) -> Option<Target<'a>> {
        if is_actor_key(namespace) {
            return self.actor(namespace).map(Target::Actor);
        }
        if let Some(actor) = self.aliases.get(namespace) {
            return Some(Target::Actor(actor));
        }
        let link = origin.link(namespace, binding).map(Target::Link);
        link.or_else(|| self.as_signed(namespace).map(Target::Actor))
    }
}

impl ActorRoute {
    /// The link for a contract and a name. A blank name is the default.
    pub fn link(&self, contract_id: &str, binding: &str) -> Option<&LinkRoute> {
        let binding = if binding.is_empty() { crate::words::DEFAULT_LINK_NAME } else { binding };
        self.links.iter().find(|link| link.contract_id == contract_id && link.link_name == binding)
    }

    /// Whether any link leads to the provider, for the contract that it serves.
    pub fn is_linked_to(&self, provider: &WasmCloudEntity) -> bool {
        self.links.iter().any(|link| link.target == *provider)
    }
}

impl LinkRoute {
    /// The route of a link to a provider that may or may not run.
    pub fn new(key: &LinkKey, provider: &ProviderKey, callee: Option<Arc<dyn Callee>>) -> Self {
        let target = WasmCloudEntity::Capability {
            id: provider.id.clone(),
            contract_id: key.contract_id.clone(),
            link_name: provider.link_name.clone(),
        };
        let (contract_id, link_name) = (key.contract_id.clone(), key.link_name.clone());
        Self { contract_id, link_name, provider: provider.clone(), target, callee }
    }
}

/// The call alias of an actor in the form that calls name it by. An empty one is none.
pub fn call_alias(claims: &Verified<ActorMetadata>) -> Option<String> {
    claims.metadata().call_alias.as_deref().map(normalize_call_alias).filter(|alias| !alias.is_empty())
}

/// Why a normalized call alias can't be used: calls would take it for what they take other names for. None when it can.
pub fn alias_fault(alias: &str) -> Option<&'static str> {
    let is_key = alias.len() == PUBLIC_KEY_BYTES && alias.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if alias.contains(':') {
        return Some("has a colon, like a contract");
    }
    is_key.then_some("looks like a public key")
}

/// 56 characters that begin with M.
fn is_actor_key(namespace: &str) -> bool {
    namespace.len() == PUBLIC_KEY_BYTES && namespace.starts_with('M')
}

impl fmt::Debug for ActorRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActorRoute").field("entity", &self.entity).field("links", &self.links).finish_non_exhaustive()
    }
}

impl fmt::Debug for LinkRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) -> {}", self.contract_id, self.link_name, self.provider)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_nothing_else() {
        for (alias, fault) in [
            ("first_actor", None),
            ("wasmcloud:keyvalue", Some("has a colon, like a contract")),
            (&"m".repeat(56), Some("looks like a public key")),
            (&"m".repeat(55), None),
            (&"m".repeat(57), None),
        ] {
            assert_eq!(alias_fault(alias), fault, "{alias}");
        }
    }
}
