//! What one call costs, on each tier: what it allocates in the host, and the system calls that it makes. Golden numbers: one
//! more is a change that somebody should see.

mod system_calls;
mod tracer;

use std::alloc::System;

use cofferdam_host::Tier;
use cofferdam_tests::{Rig, payload};
use serde_json::json;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CONTRACT: &str = "cofferdam:echo";
/// Calls by which the long run is longer than the short one: what is beside the calls is the same in both.
const CALLS: u32 = 400;
/// The least of so many tries: now and then the host does something else meanwhile.
const TRIES: usize = 4;

/// An actor that can be made to call a provider.
struct Scene {
    rig: Rig,
    actor: String,
}

impl Scene {
    async fn start(tier: Tier) -> Self {
        let rig = Rig::start_with(|builder| builder.with_tier(tier)).await;
        let actor = rig.actor("caller", &[CONTRACT]).await;
        let provider = rig.provider("template", CONTRACT).await;
        rig.link(&actor, CONTRACT, &provider, &[]).await.expect("the link is accepted");
        Self { rig, actor }
    }

    async fn calls(&self, bytes: usize, calls: u32) {
        let mut forward = payload::forward(CONTRACT, "Echo", &json!("x".repeat(bytes)));
        forward["times"] = json!(calls);
        let forward = payload::pack(&forward);
        self.rig.host.call_actor(&self.actor, "Forward", &forward).await.expect("the calls succeed");
    }

    async fn allocations(&self, bytes: usize, calls: u32) -> usize {
        let region = Region::new(ALLOCATOR);
        self.calls(bytes, calls).await;
        region.change().allocations
    }
}

async fn allocations_per_call(tier: Tier, bytes: usize) -> f64 {
    let scene = Scene::start(tier).await;
    scene.calls(bytes, CALLS).await;
    let mut least = usize::MAX;
    for _ in 0..TRIES {
        let (few, many) = (scene.allocations(bytes, 100).await, scene.allocations(bytes, 100 + CALLS).await);
        least = least.min(many.saturating_sub(few));
    }
    scene.rig.host.stop().await;
    least as f64 / f64::from(CALLS)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_allocates_as_often_as_it_says_here() {
    // On a socket: the place where the caller waits, and the answer.
    for (tier, bytes, expected) in [(Tier::Lanes, 64, 0.0), (Tier::Lanes, 48 << 10, 0.0), (Tier::Socket, 64, 2.0)] {
        let counted = allocations_per_call(tier, bytes).await;
        let off = (counted - expected).abs();
        assert!(off < 0.05, "{tier:?}, {bytes} bytes: {counted} allocations a call, {expected} are expected");
    }
}
