//! Whether a connection is idle, or doesn't take what it asked for. Looked at by a timer, so that requests cost a few steps
//! under a lock that only their own loop takes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// What one connection is busy with.
#[derive(Debug)]
pub(crate) struct Pace {
    write_timeout: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Being read or answered by the actor.
    requests: usize,
    /// Answers that are not written yet, and when each last got on.
    unsent: BTreeMap<u64, Instant>,
    next: u64,
    /// When the last of both ended.
    quiet_since: Instant,
}

/// Why a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It has asked for nothing.
    Idle,
    /// It does not take an answer.
    Stalled,
}

/// A request, until its answer is there.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<Pace>);

/// An answer, until all of it is written or given up.
#[derive(Debug)]
pub(crate) struct Unsent {
    pace: Arc<Pace>,
    number: u64,
}

impl Pace {
    pub(crate) fn new(write_timeout: Duration) -> Self {
        let state = State { requests: 0, unsent: BTreeMap::new(), next: 0, quiet_since: Instant::now() };
        Self { write_timeout, state: Mutex::new(state) }
    }

    pub(crate) fn request(self: &Arc<Self>) -> UnderWay {
        self.lock().requests += 1;
        UnderWay(Arc::clone(self))
    }

    pub(crate) fn unsent(self: &Arc<Self>) -> Unsent {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.unsent.insert(number, Instant::now());
        drop(state);
        Unsent { pace: Arc::clone(self), number }
    }

    /// Waits until there is a reason to end it: it asks for nothing for so long from now, or it stalls.
    pub(crate) async fn end(&self, idle: Duration) -> End {
        let begun = Instant::now();
        loop {
            match self.look(begun, idle, Instant::now()) {
                Ok(next) => sleep_until(next).await,
                Err(end) => return end,
            }
        }
    }

    /// The reason, or when to look again: whatever begins meanwhile, none falls due before.
    fn look(&self, begun: Instant, idle: Duration, now: Instant) -> Result<Instant, End> {
        let state = self.lock();
        let next = now + idle.min(self.write_timeout);
        let Some(oldest) = state.unsent.values().min() else {
            if state.requests > 0 {
                return Ok(next);
            }
            let due = state.quiet_since.max(begun) + idle;
            return if due <= now { Err(End::Idle) } else { Ok(next.min(due)) };
        };
        let due = *oldest + self.write_timeout;
        if due <= now { Err(End::Stalled) } else { Ok(next.min(due)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unsent {
    /// Some more of it goes out.
    pub(crate) fn gets_on(&self) {
        self.pace.lock().unsent.insert(self.number, Instant::now());
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.requests -= 1;
        state.quiet_since = Instant::now();
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        let mut state = self.pace.lock();
        state.unsent.remove(&self.number);
        state.quiet_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{End, Pace};

    #[test]
    fn idle_and_stalled_are_told_apart() {
        let (write, idle) = (Duration::from_secs(100), Duration::from_secs(30));
        let pace = Arc::new(Pace::new(write));
        let begun = Instant::now();
        let after = |seconds| pace.look(begun, idle, begun + Duration::from_secs(seconds)).map(|next| next - begun);
        // It was made before, and is counted from `begun`.
        assert_eq!((after(0), after(29), after(30)), (Ok(idle), Ok(idle), Err(End::Idle)));
        let request = pace.request();
        assert_eq!(after(40), Ok(Duration::from_secs(70)));
        let (first, second) = (pace.unsent(), pace.unsent());
        drop(request);
        assert_eq!(after(40), Ok(Duration::from_secs(70)));
        assert_eq!(after(102), Err(End::Stalled));
        drop(second);
        assert_eq!(after(102), Err(End::Stalled));
        drop(first);
        assert!(after(20).is_ok());
        assert_eq!(after(35), Err(End::Idle));
    }
}
