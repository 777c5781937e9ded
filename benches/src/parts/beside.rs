//! What a provider in trouble costs those that have nothing to do with it: the time of a call to another provider, next to the
//! time of the same call while the provider is idle. Rounds of the one and the other alternate.
//!
//! Each call is measured, and not the mean of many. The guest repeats the call by itself and has no clock, so the stamps are
//! those of the host's authorizer, which is asked on the way of each call: from one to the next is one call and the way back
//! into the guest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cofferdam_host::supervision::{RestartBudget, RestartPolicy, WhileDown};
use cofferdam_host::{ActorMetadata, Authorizer, Claims, WasmCloudEntity};
use cofferdam_tests::process::{Held, signal, until};
use cofferdam_tests::{Rig, artifacts};
use nix::sys::signal::Signal;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::callers::{CONTRACT, echoes};
use crate::progress::Progress;
use crate::rounds::{ROUNDS, quantile};
use crate::row::{Row, Unit};
use crate::stamps::Stamps;

const PROBE: &str = "cofferdam:probe";

/// How long a round takes: many deaths fall into it, and many turns of the scheduler.
const ROUND: Duration = Duration::from_millis(150);
/// The same where restarts are delayed: all deaths fall into it until the provider is held.
const LONG_ROUND: Duration = Duration::from_secs(1);
/// Whoever finds no provider comes back so much later.
const PAUSE: Duration = Duration::from_millis(5);
/// Calls that the guest makes before the time is looked at.
const BATCH: u32 = 10;
/// Calls that the probe takes at once, by its own word.
const PROBE_CONCURRENCY: usize = 4;
/// The p99 of other calls while a provider crashes in a loop.
const CRASHING_RATIO_MAX: f64 = 1.5;

/// What the provider is made to do.
#[derive(Clone, Copy)]
enum Trouble {
    /// It dies whenever it takes calls, and is restarted and held as all are whose policy says nothing else.
    Crashing,
    /// It dies as soon as it takes calls, and is restarted at once, for ever.
    Restarted,
    /// It computes in as many calls as it takes at once.
    Burning,
}

struct Scene {
    runtime: Runtime,
    rig: Rig,
    stamps: Stamps,
    /// Whoever is measured, and whoever makes trouble.
    actors: [String; 2],
    probe: String,
    /// What there is while nobody is being started or explained.
    children: usize,
}

/// Trouble that ends when it is told to.
struct Troubled {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
    /// The process that goes on until it is killed.
    burning: Option<u32>,
    /// It is held by now, or will be soon.
    until_held: bool,
}

/// Measures all kinds of trouble.
pub(crate) fn measure() -> Vec<Row> {
    let scene = Scene::start(RestartPolicy { while_down: WhileDown::Wait, ..RestartPolicy::default() });
    let [crashing, p50_crashing] = scene.rows("crashes", Trouble::Crashing);
    scene.stop();
    let scene = Scene::start(RestartPolicy {
        budget: RestartBudget::None,
        first_delay: Duration::ZERO,
        delay_max: Duration::ZERO,
        // So that whoever kills it waits for the next process, and does not have to look for it.
        while_down: WhileDown::Wait,
        ..RestartPolicy::default()
    });
    let [restarted, p50_restarted] = scene.rows("flaps", Trouble::Restarted);
    let [burning, p50_burning] = scene.rows("computes", Trouble::Burning);
    scene.stop();
    vec![crashing.at_most(CRASHING_RATIO_MAX), p50_crashing, restarted, p50_restarted, burning, p50_burning]
}

impl Scene {
    fn start(restart: RestartPolicy) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let stamps = Stamps::default();
        let (rig, actors, probe) = runtime.block_on(async {
            let authorizer = stamps.clone();
            // A call may take long beside a provider that computes, and is not to be ended.
            let long = Duration::from_secs(10);
            let rig = Rig::start_with(|builder| builder.with_authorizer(authorizer).with_rpc_timeout(long)).await;
            let measured = rig.actor("caller", &[CONTRACT]).await;
            let echo = rig.provider("template", CONTRACT).await;
            rig.link(&measured, CONTRACT, &echo, &[]).await.expect("the link is accepted");
            let probe = artifacts::provider("probe", PROBE).with_restart_policy(restart);
            let (troubling, probe) = (rig.actor("caller", &[PROBE]).await, rig.start_provider(probe).await);
            rig.link(&troubling, PROBE, &probe, &[]).await.expect("the link is accepted");
            (rig, [measured, troubling], probe)
        });
        Self { runtime, rig, stamps, actors, probe, children: Held::now().children }
    }

    fn stop(self) {
        self.runtime.block_on(self.rig.host.stop());
    }

    /// p99 and p50 of a call next to those beside an idle provider.
    fn rows(&self, what: &'static str, trouble: Trouble) -> [Row; 2] {
        let [idle, beside] = self.rounds(trouble, Progress::of(what, ROUNDS));
        [("p99", 0.99), ("p50", 0.50)].map(|(name, part)| {
            Row::new(format!("{name} of a call, another provider {what}"), Unit::Micros, quantile(&beside, part))
                .against("the same beside it idle", quantile(&idle, part))
        })
    }

    /// The times of calls in µs, while the provider is idle and while it is not.
    fn rounds(&self, trouble: Trouble, mut progress: Progress) -> [Vec<f64>; 2] {
        let [mut idle, mut beside] = [Vec::new(), Vec::new()];
        let round = || self.round(if matches!(trouble, Trouble::Crashing) { LONG_ROUND } else { ROUND });
        round();
        for _ in 0..progress.steps() {
            progress.step();
            idle.extend(round());
            let troubled = self.runtime.block_on(self.begin(trouble));
            beside.extend(round());
            self.runtime.block_on(self.end(troubled));
        }
        [idle, beside]
    }

    fn round(&self, time: Duration) -> Vec<f64> {
        let (began, mut times) = (Instant::now(), Vec::new());
        let payload = echoes(BATCH);
        while began.elapsed() < time {
            self.stamps.clear();
            let answer = self.runtime.block_on(self.rig.host.call_actor(&self.actors[0], "Forward", &payload));
            answer.expect("the calls succeed");
            times.extend(self.stamps.between_us());
        }
        times
    }

    async fn begin(&self, trouble: Trouble) -> Troubled {
        let stop = Arc::new(AtomicBool::new(false));
        let make = |operation: &'static str| {
            let (host, actor, stop) = (self.rig.host.clone(), self.actors[1].clone(), stop.clone());
            let call = cofferdam_tests::payload::forward(PROBE, operation, &json!(null));
            let call = cofferdam_tests::payload::pack(&call);
            tokio::spawn(async move {
                while !stop.load(Ordering::Acquire) {
                    // It fails, by what is asked of it.
                    let _ = host.call_actor(&actor, "Forward", &call).await;
                    if matches!(trouble, Trouble::Crashing) {
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            })
        };
        let (tasks, burning) = match trouble {
            Trouble::Crashing | Trouble::Restarted => (vec![make("Segfault")], None),
            Trouble::Burning => {
                let pid = self.rig.ready_pid(&self.probe, 1).await;
                let tasks = (0..PROBE_CONCURRENCY).map(|_| make("Burn")).collect();
                until("all its calls compute", async || running(pid) >= PROBE_CONCURRENCY).await;
                (tasks, Some(pid))
            }
        };
        Troubled { stop, tasks, burning, until_held: matches!(trouble, Trouble::Crashing) }
    }

    async fn end(&self, troubled: Troubled) {
        troubled.stop.store(true, Ordering::Release);
        if let Some(pid) = troubled.burning {
            signal(pid, Signal::SIGKILL);
        }
        for task in troubled.tasks {
            task.await.expect("it ends");
        }
        if troubled.until_held {
            // What was before counts no more.
            self.rig.host.restart_provider(&self.probe, None).await.expect("it starts again");
        }
        let ready = self.rig.forward(&self.actors[1], PROBE, "Reached", &json!(null)).await;
        ready.expect("it is well again");
        until("nobody is started or explained any more", async || Held::now().children <= self.children).await;
    }
}

/// Threads of a process that have a processor, or would like one.
fn running(pid: u32) -> usize {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    let stats = threads.flatten().filter_map(|thread| std::fs::read_to_string(thread.path().join("stat")).ok());
    stats.filter(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('R'))).count()
}

/// Allows all, and notes when it is asked about the calls that are measured.
impl Authorizer for Stamps {
    fn can_load(&self, _: &Claims<ActorMetadata>) -> bool {
        true
    }

    fn can_invoke(&self, _: &Claims<ActorMetadata>, _: &WasmCloudEntity, operation: &str) -> bool {
        if operation == "Echo" {
            self.note();
        }
        true
    }
}
