//! What this host tells its audit log of itself: starts and ends, refusals and links. How a provider lives, its runner tells.

use std::collections::BTreeMap;
use std::path::Path;

use cofferdam_claims::{KeyPair, Trust};

use super::builder::Config;
use super::{Actor, HostError, Inner, NativeCapability, Result};
use crate::audit::{Audit, FOLDER};
use crate::words::{AuditEvent, BRIEFS_MAX, Brief, LinkKey, Metering, ProviderKey};

/// Takes up the log of a state directory, and writes that this host starts.
pub(super) fn begin(config: &Config, state_dir: &Path, key: &KeyPair) -> Result<Audit> {
    let trust = match &config.trust {
        Trust::Any => Vec::new(),
        Trust::Only(accounts) => accounts.iter().take(BRIEFS_MAX).map(Brief::from).collect(),
    };
    let started = |previous| AuditEvent::HostStarted {
        version: env!("CARGO_PKG_VERSION").into(),
        namespace: Brief::from(&config.namespace),
        pid: std::process::id(),
        uid: nix::unistd::geteuid().as_raw(),
        sandbox: config.sandbox.word().into(),
        trust,
        previous,
    };
    Audit::start(&state_dir.join(FOLDER), key.clone(), config.audit_sizes, started).map_err(HostError::Audit)
}

impl Inner {
    /// Tells the audit log, if the host has been started.
    pub(super) fn record(&self, event: AuditEvent) {
        if let Some(running) = self.running.get() {
            running.auditor.record(event);
        }
    }

    /// What became of the start of an actor.
    pub(super) fn actor_load(&self, loaded: &Loaded, outcome: &Result<Metering>) {
        let Loaded { key, name, issuer, hash, image, .. } = loaded.clone();
        self.record(match outcome {
            Ok(metering) => {
                let metered = *metering == Metering::On;
                AuditEvent::ActorStarted { actor: key, name, issuer, hash, image, metered }
            }
            Err(error) => {
                let (error, reason) = told(error);
                AuditEvent::ActorRefused { actor: key, image, error, reason }
            }
        });
    }

    /// What became of the start of a provider.
    pub(super) fn provider_load(&self, loaded: &Loaded, outcome: &Result<()>) {
        let Loaded { key: provider, link, contract, name, issuer, hash, image } = loaded.clone();
        self.record(match outcome {
            Ok(()) => AuditEvent::ProviderStarted { provider, link, contract, name, issuer, hash, image },
            Err(error) => {
                let (error, reason) = told(error);
                AuditEvent::ProviderRefused { provider, link, image, error, reason }
            }
        });
    }

    /// A file of the manifest that is no actor or provider.
    pub(super) fn image_refused(&self, image: &str, is_actor: bool, error: &HostError) {
        let (error, reason) = told(error);
        let (image, none) = (Brief::from(image), Brief::default());
        self.record(match is_actor {
            true => AuditEvent::ActorRefused { actor: none, image, error, reason },
            false => AuditEvent::ProviderRefused { provider: none.clone(), link: none, image, error, reason },
        });
    }

    /// What became of a link. `values` are the names of its values.
    pub(super) fn link_set(&self, key: &LinkKey, provider: &ProviderKey, values: Vec<Brief>, outcome: &Result<()>) {
        let [actor, contract, link, provider] =
            [&key.actor, &key.contract_id, &key.link_name, &provider.id].map(Brief::from);
        self.record(match outcome {
            Ok(()) => AuditEvent::LinkSet { actor, contract, link, provider, values },
            Err(error) => {
                let (error, reason) = told(error);
                AuditEvent::LinkRefused { actor, contract, link, provider, error, reason }
            }
        });
    }

    pub(super) fn link_removed(&self, key: &LinkKey, provider: &ProviderKey) {
        let [actor, contract, link, provider] =
            [&key.actor, &key.contract_id, &key.link_name, &provider.id].map(Brief::from);
        self.record(AuditEvent::LinkRemoved { actor, contract, link, provider });
    }
}

/// What the log says of something that was to be started.
#[derive(Clone, Default)]
pub(super) struct Loaded {
    key: Brief,
    link: Brief,
    contract: Brief,
    name: Brief,
    issuer: Brief,
    hash: Brief,
    image: Brief,
}

impl From<&Actor> for Loaded {
    fn from(actor: &Actor) -> Self {
        let claims = actor.claims();
        let hash = claims.metadata.as_ref().map(|metadata| Brief::from(&metadata.module_hash));
        Self {
            key: actor.public_key().into(),
            name: actor.name().into(),
            issuer: actor.issuer().into(),
            hash: hash.unwrap_or_default(),
            image: Brief::from(&actor.source),
            ..Self::default()
        }
    }
}

impl From<&NativeCapability> for Loaded {
    fn from(capability: &NativeCapability) -> Self {
        let key = capability.key();
        let (metadata, hash) = capability.identity();
        Self {
            key: key.id.into(),
            link: key.link_name.into(),
            contract: Brief::from(&metadata.capid),
            name: metadata.name.as_deref().unwrap_or("Unnamed").into(),
            issuer: capability.issuer().into(),
            hash: hash.into(),
            image: Brief::from(&capability.source),
        }
    }
}

/// The names of a link's values, and never these.
pub(super) fn names<V>(values: &BTreeMap<String, V>) -> Vec<Brief> {
    values.keys().take(BRIEFS_MAX).map(Brief::from).collect()
}

/// The error's word, and its text.
fn told(error: &HostError) -> (Brief, Brief) {
    let report = error.report();
    (report.kind.into(), report.message.into())
}
