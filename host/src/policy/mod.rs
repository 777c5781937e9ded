//! Who may call whom. Deny by default: a capability needs the contract in the actor's signed claims; a provider reaches
//! only actors that are linked to it; an installed [`Authorizer`] can narrow this and never widen it. Pure.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use cofferdam_claims::{ActorMetadata, Claims, Verified};

use crate::words::{Denial, WasmCloudEntity};

/// The operator's own rules, asked after the claims have passed.
pub trait Authorizer: Send + Sync {
    /// Whether an actor may be started.
    fn can_load(&self, claims: &Claims<ActorMetadata>) -> bool;

    /// Whether the actor may call `target`, or be linked to it (operation `""`). Asked on every call.
    fn can_invoke(&self, claims: &Claims<ActorMetadata>, target: &WasmCloudEntity, operation: &str) -> bool;
}

/// The rules in force.
#[derive(Clone, Default)]
pub struct Policy {
    authorizer: Option<Arc<dyn Authorizer>>,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("authorizer", &self.authorizer.is_some()).finish()
    }
}

impl Policy {
    /// The claims decide, and then `authorizer`, if there is one.
    pub fn new(authorizer: Option<Arc<dyn Authorizer>>) -> Self {
        Self { authorizer }
    }

    /// Whether an actor may be started.
    pub fn can_load(&self, actor: &Verified<ActorMetadata>) -> bool {
        self.authorizer.as_ref().is_none_or(|authorizer| authorizer.can_load(actor.claims()))
    }

    /// A call of an actor.
    pub fn check_call(
        &self,
        origin: &Verified<ActorMetadata>,
        target: &WasmCloudEntity,
        operation: &str,
        now: SystemTime,
    ) -> Result<(), Denial> {
        check_time(origin, now)?;
        if let WasmCloudEntity::Capability { contract_id, .. } = target
            && !origin.metadata().has_capability(contract_id)
        {
            return Err(Denial::Claims);
        }
        match &self.authorizer {
            Some(authorizer) if !authorizer.can_invoke(origin.claims(), target, operation) => Err(Denial::Authorizer),
            _ => Ok(()),
        }
    }

    /// A call of a provider to an actor: it needs a link between the two, one that may be made still.
    pub fn check_provider_call(
        &self,
        target: &Verified<ActorMetadata>,
        origin: &WasmCloudEntity,
        linked: Linked,
        now: SystemTime,
    ) -> Result<(), Denial> {
        match linked {
            Linked::Yes => self.check_link(target, origin, now),
            Linked::No => Err(Denial::NotLinked),
        }
    }

    /// A link of an actor to a provider.
    pub fn check_link(
        &self,
        actor: &Verified<ActorMetadata>,
        provider: &WasmCloudEntity,
        now: SystemTime,
    ) -> Result<(), Denial> {
        self.check_call(actor, provider, "", now)
    }
}

/// Whether an actor is linked to the provider that calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linked {
    /// It is.
    Yes,
    /// It is not.
    No,
}

fn check_time(actor: &Verified<ActorMetadata>, now: SystemTime) -> Result<(), Denial> {
    match actor.expires() {
        Some(expires) if expires <= now => Err(Denial::Expired),
        _ => Ok(()),
    }
}
