//! A count of what is under way, which somebody can wait to become zero.

use std::sync::Arc;

use tokio::sync::watch;

/// Counts its guards.
#[derive(Debug)]
pub(crate) struct Gauge(Arc<watch::Sender<usize>>);

/// One more, until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Arc<watch::Sender<usize>>);

impl Gauge {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    pub(crate) fn enter(&self) -> Counted {
        self.0.send_modify(|count| *count += 1);
        Counted(Arc::clone(&self.0))
    }

    /// Waits until there are fewer than the limit, which is asked for whenever the count changes and when told to.
    pub(crate) async fn below(&self, limit: impl Fn() -> usize) {
        // Fails only when the sender is gone, and we hold it.
        let _ = self.0.subscribe().wait_for(|count| *count < limit()).await;
    }

    /// Makes those who wait ask for their limit again.
    pub(crate) fn look_again(&self) {
        self.0.send_modify(|_| ());
    }

    /// Waits until there are none. Bound it by a time-out.
    pub(crate) async fn idle(&self) {
        // Fails only when the sender is gone, and we hold it.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
