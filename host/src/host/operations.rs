//! What the operator's socket asks of the host.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::state::Standing;
use super::{Host, Inner};
use crate::control::{ActorReport, CallRequest, LinkReport, Operations, ProviderReport, PsReport};
use crate::extras;
use crate::links::Link;
use crate::provider::Binding;
use crate::words::{CallError, LinkKey};

/// Answers the operator. It does not keep the host alive.
pub(super) struct Operator {
    host: Weak<Inner>,
}

impl Operator {
    pub(super) fn new(host: &Host) -> Self {
        Self { host: Arc::downgrade(&host.inner) }
    }
}

impl Operations for Operator {
    async fn ps(&self) -> PsReport {
        self.host.upgrade().map(|host| host.report()).unwrap_or_default()
    }

    async fn call(&self, request: CallRequest) -> Result<Vec<u8>, CallError> {
        let Some(host) = self.host.upgrade() else { return Err(CallError::HostStopping) };
        let CallRequest { actor, operation, payload, timeout_ms } = request;
        host.call_actor(&actor, &operation, payload, Duration::from_millis(timeout_ms)).await
    }

    async fn stop(&self) {
        if let Some(host) = self.host.upgrade() {
            host.broker.refuse_new_calls();
            host.stop_wanted.notify_one();
        }
    }
}

impl Inner {
    fn report(&self) -> PsReport {
        let Some(running) = self.running.get() else {
            return PsReport { pid: std::process::id(), ..PsReport::default() };
        };
        let state = self.state.lock();
        let actors = state.actors.iter().map(|(id, actor)| {
            let metadata = actor.claims.metadata();
            ActorReport {
                id: id.clone(),
                name: metadata.name.clone().unwrap_or_else(|| "Unnamed".to_owned()),
                revision: metadata.rev,
                call_alias: actor.call_alias(),
                calls_in_flight: actor.module.instances().1,
                metered: true,
            }
        });
        let providers = state.providers.iter().map(|(key, provider)| {
            let status = provider.provider.status();
            ProviderReport {
                id: key.id.clone(),
                contract: provider.claims.metadata().capid.clone(),
                link: key.link_name.clone(),
                name: status.name,
                pid: status.pid,
                state: status.state.to_owned(),
                generation: status.generation.0,
                restarts: status.restarts,
                last_exit: status.last_exit,
                unconfined: status.unconfined.words().map(str::to_owned).collect(),
            }
        });
        PsReport {
            pid: std::process::id(),
            host_id: running.host_id.clone(),
            namespace: self.config.namespace.clone(),
            uptime_s: running.since.elapsed().as_secs(),
            sandbox: self.config.sandbox.word().to_owned(),
            actors: actors.collect(),
            providers: std::iter::once(built_in()).chain(providers).collect(),
            links: state.links.iter().map(|(key, link)| self.link(&state, key, link)).collect(),
        }
    }

    fn link(&self, state: &super::state::State, key: &LinkKey, link: &Link) -> LinkReport {
        let standing = match state.standing(self.broker.policy(), key, link) {
            Standing::BuiltIn => "bound".to_owned(),
            Standing::NoActor => "waits for its actor".to_owned(),
            Standing::NoProvider => "waits for its provider".to_owned(),
            Standing::OtherContract(serves) => format!("rejected: the provider serves {serves}"),
            Standing::Denied(denial) => format!("denied: {denial}"),
            Standing::Bindable(bindable) => match bindable.provider.status().bindings.get(&key.actor) {
                Some(Binding::Accepted) => "bound".to_owned(),
                Some(Binding::Rejected(reason)) => format!("rejected: {reason}"),
                Some(Binding::Pending) | None => "pending".to_owned(),
            },
        };
        LinkReport {
            actor: key.actor.clone(),
            contract: key.contract_id.clone(),
            link: key.link_name.clone(),
            provider: link.provider.id.clone(),
            state: standing,
        }
    }
}

/// The extras run in the host itself, and never end before it.
fn built_in() -> ProviderReport {
    let key = extras::key();
    ProviderReport {
        id: key.id,
        contract: extras::CONTRACT_ID.to_owned(),
        link: key.link_name,
        name: "extras (built in)".to_owned(),
        pid: None,
        state: "ready".to_owned(),
        ..ProviderReport::default()
    }
}
