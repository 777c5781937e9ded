//! A thousand deaths in a row, under load: nothing leaks, nobody else notices, and what was acknowledged is there.
//!
//! The probe dies by a signal, by a fault of its own and by abort, in turn. A store on the side is killed now and then
//! while a client counts in it. Another store counts all the while, and nothing ever happens to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cofferdam_host::control::ProviderReport;
use cofferdam_host::supervision::{RestartBudget, RestartPolicy};
use cofferdam_host::{Host, NativeCapability};
use cofferdam_tests::process::{Held, alone, memory_bytes, signal, until};
use cofferdam_tests::{Rig, artifacts, payload};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const PROBE: &str = "cofferdam:probe";
const STORE: &str = "wasmcloud:keyvalue";

/// Deaths of the probe.
const DEATHS: u64 = 1000;

/// Every so many of them the store on the side dies, too.
const STORE_DIES_EVERY: u64 = 20;

/// Deaths before the leaks are looked for: caches and pools are filled by then.
const WARM_UP: u64 = 30;

/// What the host's memory may grow by: far less than one page for each death.
const GROWTH_BYTES_MAX: u64 = 48 << 20;

/// How long all of it may take, on a busy machine.
const TIME_MAX: Duration = Duration::from_secs(240);

/// A client that counts until it is told to stop.
struct Counting {
    stop: Arc<AtomicBool>,
    /// The last number that was acknowledged.
    acknowledged: Arc<AtomicU64>,
    task: JoinHandle<Counted>,
}

/// What became of its calls.
struct Counted {
    good: u64,
    failures: Vec<String>,
}

impl Counting {
    fn begin(host: Host, actor: String) -> Self {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, noted) = (stop.clone(), acknowledged.clone());
        let task = tokio::spawn(async move {
            let mut counted = Counted { good: 0, failures: Vec::new() };
            while !stopped.load(Ordering::Acquire) {
                match next(&host, &actor).await {
                    Ok(number) => {
                        let before = noted.swap(number, Ordering::AcqRel);
                        assert!(number > before, "{number} came after {before} was acknowledged");
                        counted.good += 1;
                    }
                    Err(failure) => counted.failures.push(failure),
                }
            }
            counted
        });
        Self { stop, acknowledged, task }
    }

    async fn end(self) -> (Counted, u64) {
        self.stop.store(true, Ordering::Release);
        let counted = self.task.await.expect("no number was lost");
        (counted, self.acknowledged.load(Ordering::Acquire))
    }
}

/// The next number of an actor's counter.
async fn next(host: &Host, actor: &str) -> Result<u64, String> {
    let answer = host.call_actor(actor, "HandleRequest", &payload::get("/torture")).await;
    let (_, body) = payload::answer(&answer.map_err(|error| error.to_string())?);
    let answer: Value = serde_json::from_str(&body).expect("the counter answers JSON");
    answer["counter"].as_u64().ok_or_else(|| answer.to_string())
}

/// What dies, and what does not.
struct Scene {
    rig: Rig,
    actor: String,
    probe: String,
    /// The store that dies, and the actor that counts in it.
    side: (String, String),
    /// The store that nothing happens to.
    calm: (String, String),
}

impl Scene {
    async fn start() -> Self {
        let restart = RestartPolicy {
            budget: RestartBudget::None,
            first_delay: Duration::ZERO,
            delay_max: Duration::ZERO,
            ..RestartPolicy::default()
        };
        let rig = Rig::start_with(|builder| builder.with_restart_policy(restart)).await;
        let actor = rig.actor("caller", &[PROBE]).await;
        let probe = rig.provider("probe", PROBE).await;
        rig.link(&actor, PROBE, &probe, &[]).await.expect("the probe accepts");
        let side = Self::counter(&rig).await;
        let calm = Self::counter(&rig).await;
        Self { rig, actor, probe, side, calm }
    }

    /// A counter with a store of its own.
    async fn counter(rig: &Rig) -> (String, String) {
        let actor = rig.actor("kvcounter", &["wasmcloud:httpserver", STORE]).await;
        let store: NativeCapability = artifacts::provider("keyvalue", STORE);
        let store = rig.start_provider(store).await;
        rig.link(&actor, STORE, &store, &[]).await.expect("the store accepts");
        (store, actor)
    }

    /// Deaths of the probe, and now and then of the store on the side; waits until both are there again.
    async fn deaths(&self, range: std::ops::Range<u64>) {
        for death in range {
            let row = self.ready_after(&self.probe, 0).await;
            let (operation, cause) = match death % 3 {
                0 => ("", "killed by signal 9 (SIGKILL)"),
                1 => ("Segfault", "killed by signal 11 (SIGSEGV)"),
                _ => ("Abort", "killed by signal 6 (SIGABRT)"),
            };
            if operation.is_empty() {
                signal(row.pid.expect("it is ready"), Signal::SIGKILL);
            } else {
                let error = self.rig.forward(&self.actor, PROBE, operation, &Value::Null).await.expect_err("it dies");
                let text = error.to_string();
                assert!(text.contains("crashed during") && text.contains(cause), "{death}: {text}");
            }
            let next = self.ready_after(&self.probe, row.generation).await;
            let expected = (row.generation + 1, Some(cause));
            assert_eq!((next.generation, next.last_exit.as_deref()), expected, "after death {death}");
            if death % STORE_DIES_EVERY == 0 {
                let row = self.ready_after(&self.side.0, 0).await;
                signal(row.pid.expect("it is ready"), Signal::SIGKILL);
                self.ready_after(&self.side.0, row.generation).await;
            }
        }
    }

    /// The provider, once a process later than this one takes calls.
    async fn ready_after(&self, provider: &str, generation: u64) -> ProviderReport {
        let mut found = None;
        until("it takes calls again", async || {
            let report = self.rig.ps().await;
            found = report.providers.into_iter().find(|row| row.id == provider);
            found.as_ref().is_some_and(|row| row.state == "ready" && row.generation > generation)
        })
        .await;
        found.expect("it was found")
    }
}

#[test]
fn a_thousand_deaths_cost_nobody_else_anything() {
    alone("torture::a_thousand_deaths_cost_nobody_else_anything", || async {
        let scene = Scene::start().await;
        let began = Instant::now();
        let calm_pid = scene.rig.ready_pid(&scene.calm.0, 1).await;
        let counting = |(_, actor): &(String, String)| Counting::begin(scene.rig.host.clone(), actor.clone());
        let (side, calm) = (counting(&scene.side), counting(&scene.calm));

        scene.deaths(0..WARM_UP).await;
        let (held, memory) = (Held::now(), memory_bytes());
        scene.deaths(WARM_UP..DEATHS).await;
        let took = began.elapsed();

        // Calls come and go, and so do their threads: what counts is that it comes back to what it was.
        until("what the deaths took is given back", async || Held::now().is_within(held)).await;
        let grown = memory_bytes().saturating_sub(memory);
        assert!(grown < GROWTH_BYTES_MAX, "the host grew by {grown} bytes");
        assert!(took < TIME_MAX, "{DEATHS} deaths took {took:?}");

        let (counted, acknowledged) = calm.end().await;
        assert_eq!(counted.failures, Vec::<String>::new(), "the store that nothing happened to");
        assert_eq!(counted.good, acknowledged, "each call counted once");
        assert_eq!(scene.rig.ready_pid(&scene.calm.0, 1).await, calm_pid);
        let (counted, acknowledged) = side.end().await;
        let kept = next(&scene.rig.host, &scene.side.1).await.expect("the store is there");
        // What failed may have been counted, and what was acknowledged was.
        assert!(kept > acknowledged, "{kept} came after {acknowledged} was acknowledged");
        assert!(kept <= counted.good + counted.failures.len() as u64 + 1, "something was counted twice: {kept}");
        eprintln!(
            "{DEATHS} deaths in {took:?}, {:?} each; memory +{} KiB; {acknowledged} acknowledged, {} failed",
            took / u32::try_from(DEATHS).expect("it is small"),
            grown >> 10,
            counted.failures.len(),
        );
        assert_eq!(show_echo(&scene).await, json!("good"));
        scene.rig.host.stop().await;
        until("no process is left", async || Held::now().children == 0).await;
    });
}

async fn show_echo(scene: &Scene) -> Value {
    let echo = scene.rig.forward(&scene.actor, PROBE, "Echo", &json!("good")).await;
    payload::unpack(&echo.expect("it is well"))
}
