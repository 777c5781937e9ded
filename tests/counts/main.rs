//! What one call allocates in the host, on each tier. A golden number: one more is a change that somebody should see.
#![forbid(unsafe_code)]

use std::alloc::System;

use cofferdam_host::{Host, Tier};
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

async fn allocations(host: &Host, actor: &str, bytes: usize, calls: u32) -> usize {
    let mut forward = payload::forward(CONTRACT, "Echo", &json!("x".repeat(bytes)));
    forward["times"] = json!(calls);
    let forward = payload::pack(&forward);
    let region = Region::new(ALLOCATOR);
    host.call_actor(actor, "Forward", &forward).await.expect("the calls succeed");
    region.change().allocations
}

async fn per_call(tier: Tier, bytes: usize) -> f64 {
    let rig = Rig::start_with(|builder| builder.with_tier(tier)).await;
    let actor = rig.actor("caller", &[CONTRACT]).await;
    let provider = rig.provider("template", CONTRACT).await;
    rig.link(&actor, CONTRACT, &provider, &[]).await.expect("the link is accepted");
    allocations(&rig.host, &actor, bytes, CALLS).await;
    let mut least = usize::MAX;
    for _ in 0..TRIES {
        let (few, many) = (
            allocations(&rig.host, &actor, bytes, 100).await,
            allocations(&rig.host, &actor, bytes, 100 + CALLS).await,
        );
        least = least.min(many.saturating_sub(few));
    }
    rig.host.stop().await;
    least as f64 / f64::from(CALLS)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_allocates_as_often_as_it_says_here() {
    // On a socket: the place where the caller waits, and the answer.
    for (tier, bytes, expected) in [(Tier::Lanes, 64, 0.0), (Tier::Lanes, 48 << 10, 0.0), (Tier::Socket, 64, 2.0)] {
        let counted = per_call(tier, bytes).await;
        let off = (counted - expected).abs();
        assert!(off < 0.05, "{tier:?}, {bytes} bytes: {counted} allocations a call, {expected} are expected");
    }
}
