//! An unrelated actor that calls an unrelated provider, without a pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cofferdam_host::Host;
use cofferdam_tests::process::until;
use cofferdam_tests::{Rig, payload};
use parking_lot::Mutex;
use serde_json::json;
use tokio::task::JoinHandle;

const PROBE: &str = "cofferdam:probe";

/// The pair, and what became of its calls.
pub(super) struct Load {
    probe: String,
    pid: u32,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    answered: AtomicU64,
    failures: Mutex<Vec<String>>,
}

impl Load {
    /// Begins to call. A call that takes longer than `timeout` has failed.
    pub(super) async fn begin(rig: &Rig, timeout: Duration) -> Self {
        let actor = rig.actor("caller", &[PROBE]).await;
        let probe = rig.provider("probe", PROBE).await;
        rig.link(&actor, PROBE, &probe, &[]).await.expect("the probe accepts");
        let pid = rig.ready_pid(&probe, 1).await;
        let seen = Arc::new(Seen::default());
        let task = tokio::spawn(call(rig.host.clone(), actor, seen.clone(), timeout));
        Self { probe, pid, seen, task }
    }

    /// Waits until it has called once more, and says what has failed up to now.
    pub(super) async fn goes_on(&self, rig: &Rig) -> Vec<String> {
        let before = self.seen.answered.load(Ordering::Acquire);
        until("the unrelated actor is answered", async || self.seen.answered.load(Ordering::Acquire) > before).await;
        assert_eq!(rig.ready_pid(&self.probe, 1).await, self.pid, "the unrelated provider was touched");
        self.seen.failures.lock().clone()
    }

    pub(super) async fn end(self) {
        self.seen.stop.store(true, Ordering::Release);
        self.task.await.expect("it only counts");
    }
}

async fn call(host: Host, actor: String, seen: Arc<Seen>, timeout: Duration) {
    let echo = payload::pack(&payload::forward(PROBE, "Echo", &json!("still here")));
    while !seen.stop.load(Ordering::Acquire) {
        let began = Instant::now();
        let ended = host.call_actor(&actor, "Forward", &echo).await;
        let took = began.elapsed();
        match ended {
            Ok(_) if took <= timeout => drop(seen.answered.fetch_add(1, Ordering::AcqRel)),
            Ok(_) => seen.failures.lock().push(format!("it took {took:?}")),
            Err(error) => seen.failures.lock().push(error.to_string()),
        }
    }
}
