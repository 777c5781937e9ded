//! Starting and stopping actors.

use std::sync::Arc;

use cofferdam_claims::{ActorMetadata, Verified, normalize_call_alias};

use super::auditing::Loaded;
use super::state::RunningActor;
use super::{Actor, Host, HostError, Result};
use crate::actor::ActorSpec;
use crate::router::{alias_fault, call_alias};
use crate::words::{AuditEvent, Deadline, Metering, WasmCloudEntity};

impl Host {
    /// Starts an actor: checks its claims against what this host trusts, compiles it, and tells the providers it is
    /// linked to.
    pub async fn start_actor(&self, actor: Actor) -> Result<()> {
        let loaded = Loaded::from(&actor);
        let started = self.load_actor(actor).await;
        self.inner.actor_load(&loaded, &started);
        started.map(drop)
    }

    async fn load_actor(&self, actor: Actor) -> Result<Metering> {
        let running = self.inner.running()?;
        let verified = actor.verify(&self.inner.config.trust)?;
        if !self.inner.broker.policy().can_load(&verified) {
            return Err(HostError::ActorRefused { actor: verified.subject().to_owned() });
        }
        let public_key = verified.subject().to_owned();
        let taken = HostError::ActorRuns { actor: public_key.clone() };
        {
            let mut state = self.inner.state.lock();
            state.check_alias(&verified)?;
            state.reserve(&public_key, taken)?;
        }
        let reserved = Reserved { host: self, key: &public_key };

        let (runtime, outbound) = (running.actors.clone(), self.inner.broker.clone());
        let limits = actor.limits.unwrap_or(self.inner.actor_limits());
        let metering = self.inner.config.metering_of(&verified);
        let call_limits = self.inner.config.limits;
        let from_registry = actor.from_registry;
        let (name, image, entity) = (actor.name(), actor.source.clone(), WasmCloudEntity::Actor(public_key.clone()));
        let load = move || {
            let spec = ActorSpec { entity, name, wasm: &actor.wasm, metering, limits, call_limits };
            runtime.load(spec, outbound).map_err(|source| HostError::Actor { image: actor.source.clone(), source })
        };
        let loaded = tokio::task::spawn_blocking(load).await;
        let module = loaded.map_err(|error| HostError::Internal { message: error.to_string() })??;

        let entry = RunningActor { claims: Arc::new(verified), module: Arc::new(module), image, from_registry };
        let linked = {
            let mut state = self.inner.state.lock();
            if !state.release(&public_key) {
                return Err(HostError::Stopping);
            }
            // Again: another that was started meanwhile may have taken it.
            state.check_alias(&entry.claims)?;
            state.actors.insert(public_key.clone(), entry);
            state.publish(&self.inner.broker);
            state.tell_of_actor(self.inner.broker.policy(), &public_key)
        };
        drop(reserved);
        tracing::info!(actor = %public_key, metered = metering == Metering::On, "actor started");
        for bound in linked {
            bound.answered_or_logged().await;
        }
        Ok(metering)
    }

    /// Stops an actor: takes its links back from their providers, and waits for its calls. One that doesn't run is no
    /// error. Its links stay set.
    pub async fn stop_actor(&self, actor: &str) -> Result<()> {
        self.inner.running()?;
        let (stopped, linked) = {
            let mut state = self.inner.state.lock();
            let Some(public_key) = state.actor_key(actor) else { return Ok(()) };
            let stopped = state.actors.remove(&public_key);
            state.publish(&self.inner.broker);
            (stopped, state.tell_of_actor(self.inner.broker.policy(), &public_key))
        };
        for unbound in linked {
            unbound.answered_or_logged().await;
        }
        if let Some(RunningActor { module, claims, .. }) = stopped {
            let by = Deadline::after(self.inner.config.limits.timeout);
            let retire = move || module.retire(by);
            tokio::task::spawn_blocking(retire)
                .await
                .map_err(|error| HostError::Internal { message: error.to_string() })?;
            tracing::info!(actor = %claims.subject(), "actor stopped");
            self.inner.record(AuditEvent::ActorStopped { actor: claims.subject().into() });
        }
        Ok(())
    }

    /// The public keys of the actors that run.
    pub async fn actors(&self) -> Result<Vec<String>> {
        self.inner.running()?;
        Ok(self.inner.state.lock().actors.keys().cloned().collect())
    }

    /// Where a running actor came from, its name and its revision. None when it doesn't run.
    pub async fn get_actor_identity(&self, public_key: &str) -> Result<Option<(Option<String>, String, i32)>> {
        self.inner.running()?;
        let state = self.inner.state.lock();
        Ok(state.actors.get(public_key).map(|actor| {
            let metadata = actor.claims.metadata();
            let name = metadata.name.clone().unwrap_or_else(|| "Unnamed".to_owned());
            (Some(actor.image.clone()), name, metadata.rev.unwrap_or(0))
        }))
    }
}

impl super::state::State {
    /// An alias comes from the actor's author. It must not stand for a contract or for another actor.
    fn check_alias(&self, claims: &Verified<ActorMetadata>) -> Result<()> {
        let Some(alias) = call_alias(claims) else { return Ok(()) };
        let actor = claims.subject().to_owned();
        if let Some(why) = alias_fault(&alias) {
            return Err(HostError::AliasRefused { actor, alias, why });
        }
        let is_contract = |contract: &str| normalize_call_alias(contract) == alias;
        let served = self.providers.values().any(|running| is_contract(&running.claims.metadata().capid));
        if served || self.links.iter().any(|(key, _)| is_contract(&key.contract_id)) {
            let why = "is the contract of a provider or a link of this host";
            return Err(HostError::AliasRefused { actor, alias, why });
        }
        match self.actor_of_alias(&alias).filter(|by| **by != actor) {
            Some(by) => Err(HostError::AliasTaken { actor, alias, by: by.clone() }),
            None => Ok(()),
        }
    }

    /// That no actor that runs would get the calls for a contract.
    pub(super) fn check_contract(&self, contract_id: &str) -> Result<()> {
        match self.actor_of_alias(&normalize_call_alias(contract_id)) {
            Some(actor) => Err(HostError::ContractIsAlias { contract: contract_id.to_owned(), actor: actor.clone() }),
            None => Ok(()),
        }
    }

    fn actor_of_alias(&self, alias: &str) -> Option<&String> {
        let has_it = |actor: &RunningActor| actor.call_alias().is_some_and(|own| own == alias);
        self.actors.iter().find(|(_, actor)| has_it(actor)).map(|(key, _)| key)
    }

    /// The public key of a running actor that is named by it or by where it came from.
    fn actor_key(&self, name: &str) -> Option<String> {
        let by_image = || self.actors.iter().find(|(_, actor)| actor.image == name).map(|(key, _)| key.clone());
        self.actors.contains_key(name).then(|| name.to_owned()).or_else(by_image)
    }
}

/// A key that is being started. Dropping it, however that comes about, lets others start it.
pub(super) struct Reserved<'a> {
    pub(super) host: &'a Host,
    pub(super) key: &'a str,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.host.inner.state.lock().release(self.key);
    }
}
