//! Many callers of a provider whose calls block: how near it comes to the calls that it declares to take at once, and how
//! long a caller waits at worst.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::callers::{Callers, block};
use crate::rounds::{ROUNDS, median, quantile, rounds};
use crate::row::{Row, Unit};

const CALLERS: usize = 64;
/// What the provider `slow` declares.
const CONCURRENCY: f64 = 32.0;
const BLOCKS: Duration = Duration::from_micros(1_500);
/// Of each caller in a round.
const CALLS: usize = 20;

pub(crate) fn measure() -> Vec<Row> {
    // One actor, on as many instances as there are callers.
    let callers = Callers::of("slow", 1, |builder| builder);
    let mut waits_ms = Vec::new();
    let samples = rounds("calls that block", ROUNDS, || {
        let (a_second, waits) = round(&callers);
        waits_ms.extend(waits);
        [a_second]
    });
    let [a_second] = samples.medians();
    let ideal = CONCURRENCY / BLOCKS.as_secs_f64();
    let what = format!("{CALLERS} callers, each call blocks 1.5 ms");
    vec![
        Row::new(&*what, Unit::PerSecond, a_second).against("32 at once, as declared", ideal).at_least(0.6),
        Row::new("the same, p99 of a call", Unit::Millis, quantile(&waits_ms, 0.99)).at_most(5.0),
        Row::new("the same, p50 of a call", Unit::Millis, median(&waits_ms)),
    ]
}

/// Calls a second, and how long each took from outside, in ms.
fn round(callers: &Callers) -> (f64, Vec<f64>) {
    let block = block(BLOCKS);
    callers.runtime.block_on(async {
        let (began, mut tasks) = (Instant::now(), JoinSet::new());
        for _ in 0..CALLERS {
            let (host, actor, block) = (callers.rig.host.clone(), callers.actors[0].clone(), block.clone());
            tasks.spawn(async move {
                let mut waits_ms = Vec::new();
                for _ in 0..CALLS {
                    let began = Instant::now();
                    host.call_actor(&actor, "Forward", &block).await.expect("the calls succeed");
                    waits_ms.push(began.elapsed().as_secs_f64() * 1e3);
                }
                waits_ms
            });
        }
        let waits: Vec<f64> = tasks.join_all().await.concat();
        (waits.len() as f64 / began.elapsed().as_secs_f64(), waits)
    })
}
