//! What cofferdam takes while nothing happens: memory of a shim, memory of an actor's instance, and the processors.

use std::io;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::callers::{Callers, block};
use crate::proc::{children, pss_kib, switches, ticks};
use crate::rounds::{ROUNDS, pause, rounds};
use crate::row::{Row, Unit};

/// As many as may be called from outside at once, and as one actor may have.
const INSTANCES: usize = 64;
/// So long that all of them are in a call at once.
const BLOCKS: Duration = Duration::from_millis(20);
/// Whoever was at work sleeps by then.
const SETTLED: Duration = Duration::from_millis(500);
const IDLE: Duration = Duration::from_secs(3);

const SHIM_KIB_MAX: f64 = 4096.0;
const INSTANCE_KIB_MAX: f64 = 80.0;

pub(crate) fn measure() -> Vec<Row> {
    let shim_kib = shim().expect("the kernel says what the shim has");
    let instance_kib = instance().expect("the kernel says what this process has");
    let (ticks, switches) = processors().expect("the kernel says what was used");
    vec![
        Row::new("PSS of an idle shim, its init included", Unit::Kib, shim_kib).at_most(SHIM_KIB_MAX),
        Row::new("PSS of an idle actor instance", Unit::Kib, instance_kib).at_most(INSTANCE_KIB_MAX),
        Row::new("processor time of host and shim in 3 s", Unit::Ticks, ticks).at_most(0.0),
        Row::new("their context switches meanwhile", Unit::PerSecond, switches),
    ]
}

/// In KiB, of all processes that there are for one provider. It shares its program with nobody.
fn shim() -> io::Result<f64> {
    let callers = Callers::start(1, |builder| builder);
    callers.round(1_000);
    pause(SETTLED);
    children()?.into_iter().map(pss_kib).sum()
}

/// In KiB: what this process gains when an actor that had one instance has many, divided by how many. The first actor makes
/// the threads, and what else is made once.
fn instance() -> io::Result<f64> {
    let callers = Callers::of("slow", ROUNDS + 1, |builder| builder);
    let mut actors = callers.actors.iter();
    let mut fill = || {
        let before = pss_kib(std::process::id())?;
        instantiate(&callers, actors.next().expect("there is one more than there are rounds"));
        io::Result::Ok((pss_kib(std::process::id())? - before) / (INSTANCES - 1) as f64)
    };
    fill()?;
    let mut failed = None;
    let samples = rounds("instances", ROUNDS, || {
        [fill().unwrap_or_else(|error| {
            failed = Some(error);
            f64::NAN
        })]
    });
    let [instance_kib] = samples.medians();
    failed.map_or(Ok(instance_kib), Err)
}

/// All instances that it may have, by as many calls at once.
fn instantiate(callers: &Callers, actor: &str) {
    let block = block(BLOCKS);
    callers.runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for _ in 0..INSTANCES {
            let (host, actor, block) = (callers.rig.host.clone(), actor.to_owned(), block.clone());
            tasks.spawn(async move { host.call_actor(&actor, "Forward", &block).await.map(drop) });
        }
        tasks.join_all().await.into_iter().for_each(|ended| ended.expect("the calls succeed"));
    });
}

/// Ticks of the host's and the shim's processes while nobody calls, and context switches a second.
fn processors() -> io::Result<(f64, f64)> {
    let callers = Callers::start(1, |builder| builder);
    callers.round(1_000);
    let mut pids = children()?;
    pids.push(std::process::id());
    pause(SETTLED);
    // What it takes to count is not to be counted.
    let switches_before = switches(&pids)?;
    let ticks_before = ticks(&pids)?;
    pause(IDLE);
    let ticks = ticks(&pids)? - ticks_before;
    let switches = switches(&pids)? - switches_before;
    Ok((ticks as f64, switches as f64 / IDLE.as_secs_f64()))
}
