//! The trait that a provider implements.

use std::time::Duration;

use crate::{Call, Failure, Host, Link, Reply};

/// A capability provider. One value lives in one process; every method but `create` may be called from several threads
/// at once.
pub trait Provider: Send + Sync + Sized + 'static {
    /// Name and version, for people: `"keyvalue 0.1.0"`.
    const NAME: &'static str;

    /// How many [`Provider::handle`] may run at once. The host queues what is beyond it.
    const CONCURRENCY: u32 = 16;

    /// Makes the provider. The reason of a failure is shown to the operator.
    fn create(host: Host) -> Result<Self, Failure>;

    /// An actor was linked, with the values of its link. The reason of a refusal is shown to whoever set the link.
    /// The same link may be bound again, after a restart of the actor or with other values: that replaces the earlier.
    fn bind(&self, link: &Link<'_>) -> Result<(), Failure>;

    /// The link of this actor is gone. An actor that was never bound is no error.
    fn unbind(&self, actor: &str);

    /// Answers one call of a linked actor. It may block until [`Call::deadline_ns`].
    fn handle(&self, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Failure>;

    /// Whether the provider is fit to serve; the reason of a failure is shown to the operator. Answer within a second.
    fn health(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// No new calls will come: stop taking work from the world, end what is in flight, return when there is nothing left
    /// to wait for. The process ends after `timeout` at the latest.
    fn shutdown(&self, timeout: Duration) {
        let _ = timeout;
    }
}
