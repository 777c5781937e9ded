//! Which call a worker runs, so that a cancel finds it, and no other.

use cofferdam_protocol::call::CallId;
use parking_lot::Mutex;

use crate::Cancelled;

/// What one worker runs.
#[derive(Default)]
pub(crate) struct Running {
    call: Mutex<Present>,
}

/// The call that runs; 0 for none. The asking side counts from 1.
#[derive(Default)]
struct Present {
    call: CallId,
    cancelled: Cancelled,
}

impl Running {
    pub(crate) fn begin(&self, call: CallId) {
        let mut running = self.call.lock();
        // Whatever a call has handed on still hears of its own cancel only.
        if running.cancelled.is_set() {
            running.cancelled = Cancelled::new();
        }
        running.call = call;
    }

    pub(crate) fn end(&self) {
        self.call.lock().call = 0;
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.call.lock().call == 0
    }

    pub(crate) fn cancelled(&self) -> Cancelled {
        self.call.lock().cancelled.clone()
    }

    /// Only the call that is meant: under the lock no other can begin meanwhile.
    pub(crate) fn cancel(&self, call: CallId) {
        let running = self.call.lock();
        if running.call == call {
            running.cancelled.set();
        }
    }

    /// Whatever it is: its caller has gone with the connection.
    pub(crate) fn cancel_any(&self) {
        self.call.lock().cancelled.set();
    }
}
