//! The real thing: a signed actor calls a provider in its own process, claims and policy included.
//!
//! The guest repeats the call by itself, so that what is measured is the call and not the way into the guest.

use std::time::Instant;

use cofferdam_host::Tier;
use cofferdam_tests::Rig;
use serde::Serialize;
use serde_bytes::Bytes;
use tokio::runtime::Runtime;

const BYTES: usize = 64;
const CONTRACT: &str = "cofferdam:echo";

pub(crate) struct CallPath {
    runtime: Runtime,
    rig: Rig,
    actor: String,
}

/// What the `caller` guest is told.
#[derive(Serialize)]
struct Forward<'a> {
    binding: &'a str,
    namespace: &'a str,
    operation: &'a str,
    payload: &'a Bytes,
    times: u32,
}

/// So many calls of 64 bytes, as the `caller` guest is told.
pub(crate) fn forward(contract: &str, times: u32) -> Vec<u8> {
    let payload = Bytes::new(&[7; BYTES]);
    let forward = Forward { binding: "default", namespace: contract, operation: "Echo", payload, times };
    rmp_serde::to_vec_named(&forward).expect("plain data")
}

impl CallPath {
    pub(crate) fn start(tier: Tier) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let (rig, actor) = runtime.block_on(async {
            let rig = Rig::start_with(|builder| builder.with_tier(tier)).await;
            let actor = rig.actor("caller", &[CONTRACT]).await;
            let provider = rig.provider("template", CONTRACT).await;
            rig.link(&actor, CONTRACT, &provider, &[]).await.expect("the link is accepted");
            (rig, actor)
        });
        Self { runtime, rig, actor }
    }

    /// The mean of one call in µs.
    pub(crate) fn round(&self, calls: u32) -> f64 {
        let payload = forward(CONTRACT, calls);
        let began = Instant::now();
        let answer = self.runtime.block_on(self.rig.host.call_actor(&self.actor, "Forward", &payload));
        let took = began.elapsed();
        assert_eq!(answer.expect("the calls succeed").len(), BYTES, "the echo comes back");
        took.as_secs_f64() * 1e6 / f64::from(calls)
    }

    pub(crate) fn stop(&self) {
        self.runtime.block_on(self.rig.host.stop());
    }
}
