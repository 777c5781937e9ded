//! A count of what is under way, which somebody can wait to become zero.

use tokio::sync::watch;

/// Counts its guards.
#[derive(Debug)]
pub(crate) struct Gauge(watch::Sender<usize>);

/// One more, until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted<'a>(&'a Gauge);

impl Gauge {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    pub(crate) fn enter(&self) -> Counted<'_> {
        self.0.send_modify(|count| *count += 1);
        Counted(self)
    }

    /// Waits until there are none. Bound it by a time-out.
    pub(crate) async fn idle(&self) {
        // Fails only when the sender is gone, and we hold it.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count -= 1);
    }
}
