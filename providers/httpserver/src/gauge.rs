//! A count of what is under way, which somebody can wait to fall. Counting is two steps of one atomic number: every
//! request on every loop passes here, and nobody waits but at a limit and at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts its guards.
#[derive(Debug)]
pub(crate) struct Gauge(Arc<Count>);

/// One more, until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Arc<Count>);

#[derive(Debug, Default)]
struct Count {
    count: AtomicUsize,
    /// How many wait. Only for them is a change told.
    waiting: AtomicUsize,
    fell: Notify,
}

/// One who waits, until it is dropped.
struct Waits<'a>(&'a Count);

impl Gauge {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn enter(&self) -> Counted {
        self.0.count.fetch_add(1, Ordering::SeqCst);
        Counted(Arc::clone(&self.0))
    }

    /// Waits until there are fewer than the limit, which is asked for whenever the count falls and when told to.
    pub(crate) async fn below(&self, limit: impl Fn() -> usize) {
        let is_below = || self.0.count.load(Ordering::SeqCst) < limit();
        if is_below() {
            return;
        }
        let _waits = Waits::on(&self.0);
        loop {
            // From here on no change is missed: whoever lowers the count after the look below tells this.
            let fell = self.0.fell.notified();
            if is_below() {
                return;
            }
            fell.await;
        }
    }

    /// Makes those who wait ask for their limit again.
    pub(crate) fn look_again(&self) {
        self.0.fell.notify_waiters();
    }

    /// Waits until there are none. Bound it by a time-out.
    pub(crate) async fn idle(&self) {
        self.below(|| 1).await;
    }
}

impl<'a> Waits<'a> {
    fn on(count: &'a Count) -> Self {
        count.waiting.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::SeqCst);
        // In one order with the two steps of who waits: either it sees the lower count, or this sees that it waits.
        if self.0.waiting.load(Ordering::SeqCst) > 0 {
            self.0.fell.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::runtime::Builder;
    use tokio::time::timeout;

    use super::Gauge;

    /// Guards that go on other threads wake who waits, every time.
    #[test]
    fn no_fall_is_missed() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let gauge = Gauge::new();
        for _ in 0..2000 {
            let guards: Vec<_> = (0..3).map(|_| gauge.enter()).collect();
            std::thread::scope(|scope| {
                scope.spawn(|| drop(guards));
                runtime.block_on(async { timeout(Duration::from_secs(20), gauge.idle()).await }).unwrap();
            });
        }
    }

    #[test]
    fn a_limit_that_changes_is_asked_for_again() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let (gauge, limit) = (Gauge::new(), AtomicUsize::new(1));
        let _guards = [gauge.enter(), gauge.enter()];
        runtime.block_on(async {
            let below = gauge.below(|| limit.load(Ordering::SeqCst));
            let change = async {
                limit.store(3, Ordering::SeqCst);
                gauge.look_again();
            };
            timeout(Duration::from_secs(20), async { tokio::join!(below, change) }).await.unwrap();
        });
    }
}
