//! The lines of log that a provider sends on its control socket, bounded, printable and without the values of its links.

use std::time::Instant;

use cofferdam_claims::printable;

use super::hidden::Hidden;
use super::output::{Limiter, tell_dropped};
use super::tail::Tail;
use crate::words::ProviderKey;

/// Takes the lines of one provider, across its processes.
pub(super) struct ProviderLog {
    provider: ProviderKey,
    limiter: Limiter,
    hidden: Hidden,
    tail: Tail,
}

impl ProviderLog {
    pub(super) fn new(provider: ProviderKey, hidden: Hidden) -> Self {
        Self { provider, limiter: Limiter::default(), hidden, tail: Tail::default() }
    }

    /// Another process begins: its last lines are kept apart from those of the one before.
    pub(super) fn begin(&mut self) -> Tail {
        self.tail = Tail::default();
        self.tail.clone()
    }

    /// A line, and how many the shim dropped before it.
    pub(super) fn line(&mut self, level: u32, line: &str, dropped: u64) {
        let Some(dropped_here) = self.limiter.admit(Instant::now()) else { return };
        let (provider, line) = (&self.provider, printable(&self.hidden.taken_out_of(line)));
        tell_dropped(provider, dropped + dropped_here);
        self.tail.push("log", &line, dropped + dropped_here);
        match level {
            0 => tracing::error!(target: "cofferdam::provider", %provider, "{line}"),
            1 => tracing::warn!(target: "cofferdam::provider", %provider, "{line}"),
            2 => tracing::info!(target: "cofferdam::provider", %provider, "{line}"),
            _ => tracing::debug!(target: "cofferdam::provider", %provider, "{line}"),
        }
    }
}
