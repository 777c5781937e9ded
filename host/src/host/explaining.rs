//! The authority of a provider, told to the operator.

use super::{Host, Result};
use crate::control::{AuthorityReport, ExplainReport, ExplainRequest, GroupReport, LimitsReport, RunningReport};
use crate::grants::{Allowance, Line};
use crate::provider::{Bounds, SandboxSpec, Status};
use cofferdam_channel::protocol::Confinement;
use cofferdam_claims::ProviderMetadata;

/// What a provider would get and why, before it is known where it runs.
pub fn explain_packaged(id: &str, image: &str, metadata: &ProviderMetadata, allowance: &Allowance) -> ExplainReport {
    ExplainReport {
        id: id.to_owned(),
        name: metadata.name.clone().unwrap_or_else(|| "Unnamed".to_owned()),
        contract: metadata.capid.clone(),
        image: image.to_owned(),
        needs: allowance.needs_lines().map(reports),
        grants: allowance.grants_lines().map(reports),
        effective: reports(allowance.effective_lines()),
        running: None,
    }
}

impl Host {
    pub(super) fn explain(&self, request: &ExplainRequest) -> Result<ExplainReport> {
        let provider = self.find_provider(&request.provider, request.link.as_deref())?;
        let key = provider.key();
        let (status, state) = (provider.status(), self.inner.state.lock());
        let Some(entry) = state.providers.get(key) else { return Err(super::HostError::Stopping) };
        let (authority, limits) = (&entry.authority, &entry.sandbox.limits);
        let running = RunningReport {
            link: key.link_name.clone(),
            state: status.state.to_owned(),
            why: status.why.clone(),
            pid: status.pid,
            uid: entry.sandbox.identity.map(|identity| identity.uid),
            listening: authority.listeners(),
            sandbox: entry.sandbox.sandbox.word().to_owned(),
            unconfined: status.unconfined.words().map(str::to_owned).collect(),
            limits: LimitsReport {
                memory_bytes: limits.memory_bytes,
                threads: limits.threads,
                files: limits.files,
                file_bytes: limits.file_bytes,
                cpu_s: (limits.cpu_s != u64::MAX).then_some(limits.cpu_s),
                calls: entry.calls_max,
            },
            control_group: group(&status, &entry.sandbox),
        };
        let report = explain_packaged(&key.id, &entry.image, entry.claims.metadata(), authority.allowance());
        Ok(ExplainReport { running: Some(running), ..report })
    }
}

/// What bounds its process from outside, if there is a process and a group.
fn group(status: &Status, sandbox: &SandboxSpec) -> Option<GroupReport> {
    let in_force = status.pid.is_some() && !status.unconfined.contains(Confinement::CONTROL_GROUP);
    let Bounds { memory_bytes, tasks, cpus_milli } = sandbox.bounds().filter(|_| in_force)?;
    Some(GroupReport { memory_bytes, tasks, cpus_milli })
}

fn reports(lines: Vec<Line>) -> Vec<AuthorityReport> {
    let report = |Line { kind, what, why }| AuthorityReport { kind: kind.to_owned(), what, why: why.to_owned() };
    lines.into_iter().map(report).collect()
}
