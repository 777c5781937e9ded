//! What runs and what is linked, and the routes that follow from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use cofferdam_claims::{ActorMetadata, ProviderMetadata, Verified};

use super::{HostError, Result};
use crate::actor::ActorModule;
use crate::broker::Broker;
use crate::extras::{self, Extras};
use crate::links::{Link, Links};
use crate::policy::Policy;
use crate::provider::{Authority, Provider, SandboxSpec, Settings};
use crate::router::{ActorRoute, LinkRoute, Routes, call_alias};
use crate::words::{Callee, Denial, LinkKey, ProviderKey, WasmCloudEntity};

/// A running actor.
pub(super) struct RunningActor {
    pub(super) claims: Arc<Verified<ActorMetadata>>,
    pub(super) module: Arc<ActorModule>,
    pub(super) image: String,
    /// Whether that is a reference to a registry.
    pub(super) from_registry: bool,
}

impl RunningActor {
    /// The alias by which calls name it.
    pub(super) fn call_alias(&self) -> Option<String> {
        call_alias(&self.claims)
    }
}

/// A running provider.
pub(super) struct RunningProvider {
    pub(super) claims: Arc<Verified<ProviderMetadata>>,
    pub(super) provider: Arc<Provider>,
    pub(super) image: String,
    /// Whether that is a reference to a registry.
    pub(super) from_registry: bool,
    /// What it may have of the world.
    pub(super) authority: Authority,
    /// How its process is confined.
    pub(super) sandbox: SandboxSpec,
    /// Calls at once, each way.
    pub(super) calls_max: u32,
    /// The actors it was told to bind, with what it was told of them.
    pub(super) told: BTreeMap<String, Settings>,
}

/// All that changes in a host.
#[derive(Default)]
pub(super) struct State {
    pub(super) actors: BTreeMap<String, RunningActor>,
    pub(super) providers: BTreeMap<ProviderKey, RunningProvider>,
    pub(super) links: Links,
    pub(super) extras: Arc<Extras>,
    /// From manifests, beside those of the builder.
    manifest_labels: BTreeMap<String, String>,
    /// What is being started: nobody else may start it meanwhile.
    starting: BTreeSet<String>,
    accepting: bool,
}

/// A link between two that both run, ready to be bound.
pub(super) struct Bindable {
    pub(super) provider: Arc<Provider>,
    pub(super) settings: Settings,
}

/// How a link stands, before its provider has been asked.
pub(super) enum Standing {
    /// The provider is the one to ask.
    Bindable(Bindable),
    /// The provider is built in and asks nothing.
    BuiltIn,
    /// The actor does not run.
    NoActor,
    /// The provider does not run.
    NoProvider,
    /// The provider runs and serves another contract.
    OtherContract(String),
    /// The policy refuses it.
    Denied(Denial),
}

impl State {
    pub(super) fn open(&mut self, broker: &Broker) {
        self.accepting = true;
        self.publish(broker);
    }

    /// Whether it was opened and not closed again.
    pub(super) fn is_open(&self) -> bool {
        self.accepting
    }

    /// Nothing can be started any more. What runs stays routed: calls on their way still need it.
    pub(super) fn close(&mut self) -> Vec<Arc<Provider>> {
        self.accepting = false;
        self.providers.values().map(|running| running.provider.clone()).collect()
    }

    /// Takes out everything that ran, and with it all routes.
    pub(super) fn clear(&mut self, broker: &Broker) -> Vec<Arc<ActorModule>> {
        self.providers.clear();
        let actors = std::mem::take(&mut self.actors).into_values().map(|running| running.module).collect();
        self.publish(broker);
        actors
    }

    /// Reserves a key, or says that it is taken.
    pub(super) fn reserve(&mut self, key: &str, taken: HostError) -> Result<()> {
        if !self.accepting {
            return Err(HostError::Stopping);
        }
        let running = self.actors.contains_key(key) || self.providers.keys().any(|other| other.to_string() == key);
        if running || !self.starting.insert(key.to_owned()) {
            return Err(taken);
        }
        Ok(())
    }

    /// Ends the reservation. False when the host has begun to stop meanwhile: then nothing may be added.
    pub(super) fn release(&mut self, key: &str) -> bool {
        self.starting.remove(key);
        self.accepting
    }

    pub(super) fn labels(&self, built: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let os_family = std::env::consts::FAMILY;
        let core = [("arch", std::env::consts::ARCH), ("os", std::env::consts::OS), ("osfamily", os_family)];
        let mut labels: BTreeMap<_, _> =
            core.into_iter().map(|(name, value)| (format!("hostcore.{name}"), value.to_owned())).collect();
        for (name, value) in built.iter().chain(&self.manifest_labels) {
            labels.entry(name.clone()).or_insert_with(|| value.clone());
        }
        labels
    }

    pub(super) fn add_labels(&mut self, labels: &BTreeMap<String, String>) {
        for (name, value) in labels {
            self.manifest_labels.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }

    /// Makes the routes that calls take from now on.
    pub(super) fn publish(&self, broker: &Broker) {
        let actors = self.actors.iter().map(|(public_key, actor)| ActorRoute {
            entity: WasmCloudEntity::Actor(public_key.clone()),
            claims: actor.claims.clone(),
            callee: actor.module.clone(),
            links: self
                .links
                .of_actor(public_key)
                .map(|(key, link)| LinkRoute::new(key, &link.provider, self.callee(key, &link.provider)))
                .collect(),
        });
        let absent = self.links.iter().filter(|(key, _)| !self.actors.contains_key(&key.actor));
        let absent = absent.map(|(key, link)| (key.actor.clone(), LinkRoute::new(key, &link.provider, None).target));
        broker.publish(Routes::new(actors, absent));
    }

    fn callee(&self, key: &LinkKey, provider: &ProviderKey) -> Option<Arc<dyn Callee>> {
        if *provider == extras::key() && key.contract_id == extras::CONTRACT_ID {
            return Some(self.extras.clone());
        }
        let running = self.providers.get(provider)?;
        (running.claims.metadata().capid == key.contract_id).then(|| running.provider.callee())
    }

    /// How a link stands: whether its provider can be told of it, and if not, why.
    pub(super) fn standing(&self, policy: &Policy, key: &LinkKey, link: &Link) -> Standing {
        let Some(actor) = self.actors.get(&key.actor) else { return Standing::NoActor };
        let target = LinkRoute::new(key, &link.provider, None).target;
        if let Err(denial) = policy.check_link(&actor.claims, &target, SystemTime::now()) {
            return Standing::Denied(denial);
        }
        if link.provider == extras::key() {
            return Standing::BuiltIn;
        }
        let Some(running) = self.providers.get(&link.provider) else { return Standing::NoProvider };
        let capid = &running.claims.metadata().capid;
        if *capid != key.contract_id {
            return Standing::OtherContract(capid.clone());
        }
        let settings = settings(&actor.claims, link);
        Standing::Bindable(Bindable { provider: running.provider.clone(), settings })
    }

    /// What a provider that is about to start has to be told, once it runs: the actors linked to it that run.
    pub(super) fn bindings_of(
        &self,
        policy: &Policy,
        provider: &ProviderKey,
        contract_id: &str,
    ) -> Vec<(String, Settings)> {
        let allowed = |key: &LinkKey, link: &Link| {
            let actor = self.actors.get(&key.actor)?;
            let target = LinkRoute::new(key, &link.provider, None).target;
            policy.check_link(&actor.claims, &target, SystemTime::now()).ok()?;
            Some((key.actor.clone(), settings(&actor.claims, link)))
        };
        let links = self.links.of_provider(provider).filter(|(key, _)| key.contract_id == contract_id);
        links.filter_map(|(key, link)| allowed(key, link)).collect()
    }
}

/// The values of a link, with those the host adds from the actor's claims.
fn settings(actor: &Verified<ActorMetadata>, link: &Link) -> Settings {
    let metadata = actor.metadata();
    let mut settings = (*link.values).clone();
    let expires = actor.claims().expires.unwrap_or(0).to_string();
    let own = [
        ("__wasmcloud_issuer", actor.issuer().to_owned()),
        ("__wasmcloud_capabilities", metadata.capabilities().join(",")),
        ("__wasmcloud_name", metadata.name.clone().unwrap_or_default()),
        ("__wasmcloud_expires", expires),
        ("__wasmcloud_tags", metadata.tags.clone().unwrap_or_default().join(",")),
    ];
    settings.extend(own.map(|(name, value)| (name.to_owned(), value)));
    Arc::new(settings)
}
