//! What the audit log is told of the life of a provider: each death, each further start and each hold, by the one task that
//! knows of them, in their order. Whoever looks at the status sees states and may miss some; here none is missed.
//!
//! Nothing here waits: the log takes an event, or counts it as lost, at once.

use super::Runner;
use super::deaths::{Death, decided};
use crate::provider::generation::Process;
use crate::supervision::{Generation, State};
use crate::words::{AuditEvent, Brief};

impl Runner {
    /// A process has died, unasked, and what comes next was decided.
    pub(super) fn record_death(&self, death: &Death) {
        let (provider, link) = self.spec.authority.subject();
        self.record(AuditEvent::ProviderCrashed {
            provider,
            link,
            generation: death.generation.0,
            pid: death.pid,
            cause: self.in_words(&death.cause).into(),
            decision: decided(death.after).into(),
        });
    }

    /// A process takes calls. The first one is the host's to tell, with what it has verified of the provider.
    pub(super) fn record_opening(&self) {
        let State::Ready { generation, .. } = self.supervision.state() else { return };
        let Some(pid) = self.process.as_ref().map(Process::pid).filter(|_| generation > Generation(1)) else { return };
        let (provider, link) = self.spec.authority.subject();
        self.record(AuditEvent::ProviderRestarted { provider, link, generation: generation.0, pid });
    }

    /// The provider is held, if it was not `before`.
    pub(super) fn record_hold(&self, before: State) {
        let State::Held { generation, why, .. } = self.supervision.state() else { return };
        if matches!(before, State::Held { .. }) {
            return;
        }
        let (provider, link) = self.spec.authority.subject();
        let why = Brief::from(self.held_in_words(why));
        self.record(AuditEvent::ProviderHeld { provider, link, generation: generation.0, why });
    }

    fn record(&self, event: AuditEvent) {
        self.spec.authority.auditor().record(event);
    }
}
