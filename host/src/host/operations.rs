//! What the operator's socket asks of the host.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::state::{RunningProvider, Standing};
use super::{Host, HostError, Inner};
use crate::control::{
    ActorReport, CallRequest, ErrorReport, ExplainReport, ExplainRequest, LinkReport, Operations, ProviderAct,
    ProviderReport, ProviderRequest, PsReport, Who,
};
use crate::extras;
use crate::links::Link;
use crate::provider::{Binding, Provider, Want};
use crate::words::{AuditEvent, Blame, CallError, LinkKey, Metering, Outcome, ProviderKey};

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
    fn heard(&self, who: Who, command: &str, subject: &str) {
        let Some(host) = self.host.upgrade() else { return };
        let (command, subject) = (command.into(), subject.into());
        host.record(AuditEvent::OperatorCommand { uid: who.uid, pid: who.pid, command, subject, count: 1 });
    }

    fn refused(&self, uid: Option<u32>) {
        if let Some(host) = self.host.upgrade() {
            host.record(AuditEvent::OperatorRefused { uid, count: 1 });
        }
    }

    async fn ps(&self) -> PsReport {
        self.host.upgrade().map(|host| host.report()).unwrap_or_default()
    }

    async fn call(&self, request: CallRequest) -> Result<Vec<u8>, CallError> {
        let Some(host) = self.host.upgrade() else { return Err(CallError::HostStopping) };
        let CallRequest { actor, operation, payload, timeout_ms } = request;
        host.call_actor(&actor, &operation, payload, Duration::from_millis(timeout_ms)).await
    }

    async fn explain(&self, request: ExplainRequest) -> Result<ExplainReport, ErrorReport> {
        let Some(inner) = self.host.upgrade() else { return Err(HostError::Stopping.report()) };
        Host { inner }.explain(&request).map_err(|error| error.report())
    }

    async fn attend(&self, request: ProviderRequest) -> Result<ProviderReport, ErrorReport> {
        let Some(inner) = self.host.upgrade() else { return Err(HostError::Stopping.report()) };
        let ProviderRequest { act, provider: name, link, timeout_ms } = request;
        let host = Host { inner };
        let provider = host.find_provider(&name, link.as_deref()).map_err(|error| error.report())?;
        let waited = Duration::from_millis(timeout_ms);
        let want = match act {
            ProviderAct::Stop => None,
            ProviderAct::Restart => Some(Want::Restart),
            ProviderAct::Hold => Some(Want::Hold),
            ProviderAct::Release => Some(Want::Release),
        };
        let doing = async {
            match want {
                None => host.stop_running(provider.clone()).await,
                Some(want) => Ok(provider.attend(want).await?),
            }
        };
        match tokio::time::timeout(waited, doing).await {
            Ok(Ok(())) => {
                let contract = host.inner.state.lock().providers.get(provider.key()).map(contract_of);
                Ok(provider_report(provider.key(), contract.unwrap_or_default(), &provider))
            }
            Ok(Err(error)) => Err(error.report()),
            Err(_) => Err(ErrorReport {
                blame: Blame::Provider,
                kind: "deadline_exceeded".to_owned(),
                outcome: Outcome::Unknown,
                message: format!("{} of provider {} was not done within {waited:?}", act.word(), provider.key()),
                next: "it goes on; see `cofferdam ps`".to_owned(),
            }),
        }
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
                metered: actor.module.metering() == Metering::On,
                runaways: actor.module.runaways(),
            }
        });
        let providers =
            state.providers.iter().map(|(key, running)| provider_report(key, contract_of(running), &running.provider));
        PsReport {
            pid: std::process::id(),
            host_id: running.host_id.clone(),
            namespace: self.config.namespace.clone(),
            state_dir: absolute(&running.state_dir),
            audit: running.audit.lock().as_ref().map_or_else(|| "closed".to_owned(), crate::audit::Audit::state),
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

fn contract_of(running: &RunningProvider) -> String {
    running.claims.metadata().capid.clone()
}

fn provider_report(key: &ProviderKey, contract: String, provider: &Provider) -> ProviderReport {
    let status = provider.status();
    ProviderReport {
        id: key.id.clone(),
        contract,
        link: key.link_name.clone(),
        name: status.name,
        pid: status.pid,
        state: status.state.to_owned(),
        why: status.why,
        next_try_ms: status.next_try.map(|at| u64::try_from(at.remaining().as_millis()).unwrap_or(u64::MAX)),
        generation: status.generation.0,
        started_in_us: status.started_in.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
        restarts: status.restarts,
        last_exit: status.last_exit,
        unconfined: status.unconfined.words().map(str::to_owned).collect(),
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

/// Whoever asks is somewhere else.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}
