//! A thread that does something at a time. It sleeps while there is none, and wakes when that time has come or an earlier one
//! is wanted.

use std::io;
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};

use crate::Deadline;

/// Rings when it was set to.
pub(crate) struct Alarm {
    state: Arc<(Mutex<State>, Condvar)>,
}

struct State {
    at: Deadline,
    over: bool,
}

impl Alarm {
    /// Starts the thread. `ring` may set it anew.
    pub(crate) fn start(name: &str, ring: impl Fn() + Send + 'static) -> io::Result<Self> {
        let state = Arc::new((Mutex::new(State { at: Deadline::NEVER, over: false }), Condvar::new()));
        let ours = state.clone();
        thread::Builder::new().name(name.to_owned()).spawn(move || wait(&ours, ring))?;
        Ok(Self { state })
    }

    /// It is to ring by then. It may ring earlier, for somebody who wanted that: one needless ring costs less than to set it
    /// back each time.
    pub(crate) fn set(&self, by: Deadline) {
        let (state, changed) = &*self.state;
        let mut state = state.lock();
        if by < state.at {
            state.at = by;
            changed.notify_one();
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.state.0.lock().over = true;
        self.state.1.notify_one();
    }
}

fn wait((state, changed): &(Mutex<State>, Condvar), ring: impl Fn()) {
    let mut waiting = state.lock();
    while !waiting.over {
        if waiting.at.expired() {
            waiting.at = Deadline::NEVER;
            parking_lot::MutexGuard::unlocked(&mut waiting, &ring);
        } else if waiting.at == Deadline::NEVER {
            changed.wait(&mut waiting);
        } else {
            let left = waiting.at.remaining();
            changed.wait_for(&mut waiting, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_rings_by_the_earliest_time_and_once() {
        let (rings, rung) = channel();
        let alarm = Alarm::start("test", move || rings.send(Deadline::now()).unwrap_or_default()).unwrap();
        let early = Deadline::after(Duration::from_millis(20));
        alarm.set(Deadline::after(Duration::from_secs(1000)));
        alarm.set(early);
        alarm.set(Deadline::after(Duration::from_secs(500)));
        assert!(rung.recv_timeout(Duration::from_secs(20)).unwrap() >= early);
        drop(alarm);
        assert!(
            rung.recv_timeout(Duration::from_secs(20)).is_err(),
            "the thread ends, and its end of the channel with it"
        );
    }
}
