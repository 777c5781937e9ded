//! From the spawn of a process to a provider that takes calls, with the whole sandbox; the same from the archive, with
//! claims and hashes checked; and from its death to the next call that succeeds.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cofferdam_host::supervision::{RestartBudget, RestartPolicy};
use cofferdam_host::{NativeCapability, ProviderArchive};
use cofferdam_tests::{Rig, artifacts, process};
use nix::sys::signal::Signal;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::callers::CONTRACT;
use crate::progress::Progress;
use crate::rounds::{median, micros, rounds};
use crate::row::{Row, Unit};

const LIBRARY: &str = "template";

/// Starts of a provider, each after the floor's.
const STARTS: usize = 100;
/// Deaths that are recovered from.
const KILLS: usize = 40;
/// The next call after a death comes no later than this, or the bench has failed.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn measure() -> Vec<Row> {
    let provider = Start::prepare();
    let samples = rounds("starts", STARTS, || {
        let (floor, took) = (provider.floor(), provider.start());
        [floor, took.from_spawn_us, took.from_archive_us]
    });
    let [floor, spawn, archive] = samples.medians();
    let recovered = median(&provider.recoveries(Progress::of("recoveries", KILLS)));
    let row = |what, took_us| Row::new(what, Unit::Micros, took_us);
    vec![
        row("spawn -> confined provider takes calls", spawn).against("exec + dlopen", floor).at_most(3.0),
        row("archive -> the same, hashes and claims too", archive).against("exec + dlopen", floor),
        row("kill -9 -> first call that succeeds", recovered).above("the spawn above", spawn).at_most(10_000.0),
    ]
}

/// How long one start took until the provider took calls, its link bound.
struct Took {
    /// From the order to start a process, by the host's own word.
    from_spawn_us: f64,
    /// From the archive: claims and hashes, too.
    from_archive_us: f64,
}

struct Start {
    runtime: Runtime,
    rig: Rig,
    archive: ProviderArchive,
    actor: String,
}

impl Start {
    fn prepare() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let archive = artifacts::archive(LIBRARY, CONTRACT);
        let (rig, actor) = runtime.block_on(async {
            // Each death counts as the first: it is the restart that is measured, not how restarts are spaced.
            let restart = RestartPolicy {
                budget: RestartBudget::None,
                healthy_after: Duration::ZERO,
                ..RestartPolicy::default()
            };
            let rig = Rig::start_with(|builder| builder.with_restart_policy(restart)).await;
            let actor = rig.actor("caller", &[CONTRACT]).await;
            rig.link(&actor, CONTRACT, &Self::provider(&archive).id(), &[]).await.expect("a link may come first");
            (rig, actor)
        });
        Self { runtime, rig, archive, actor }
    }

    fn provider(archive: &ProviderArchive) -> NativeCapability {
        NativeCapability::from_archive(archive, None).expect("a good archive")
    }

    /// A program that opens the library, in µs.
    fn floor(&self) -> f64 {
        let began = Instant::now();
        let mut child = Command::new(artifacts::programs().join("exec-dlopen"))
            .arg(library())
            .env_clear()
            .stdout(Stdio::piped())
            .spawn()
            .expect("the floor's program is built");
        let mut said = [0];
        child.stdout.take().expect("a pipe").read_exact(&mut said).expect("the library opens");
        let took = micros(began);
        child.wait().expect("it ends");
        took
    }

    /// A provider that is started, and stopped again.
    fn start(&self) -> Took {
        self.runtime.block_on(async {
            let provider = Self::provider(&self.archive);
            let id = provider.id();
            let began = Instant::now();
            self.rig.host.start_native_capability(provider).await.expect("it starts");
            let from_archive_us = micros(began);
            let report = self.rig.ps().await;
            let row = report.providers.iter().find(|row| row.id == id).expect("it runs");
            let from_spawn_us = row.started_in_us.expect("it is ready") as f64;
            self.rig.host.stop_provider(&id, CONTRACT, None).await.expect("it stops");
            Took { from_spawn_us, from_archive_us }
        })
    }

    /// `kill -9` to the first call that succeeds, in µs: one for each step.
    fn recoveries(&self, mut progress: Progress) -> Vec<f64> {
        self.runtime.block_on(async {
            let id = self.rig.start_provider(Self::provider(&self.archive)).await;
            let mut took = Vec::new();
            for generation in 1..=progress.steps() as u64 {
                progress.step();
                let pid = self.rig.ready_pid(&id, generation).await;
                let began = Instant::now();
                process::signal(pid, Signal::SIGKILL);
                // The last answer may still come from the process that is about to die.
                while self.answers().await && process::lives(pid) {}
                while !self.answers().await {
                    assert!(began.elapsed() < PATIENCE, "the provider did not come back");
                }
                took.push(micros(began));
            }
            self.rig.host.stop_provider(&id, CONTRACT, None).await.expect("it stops");
            took
        })
    }

    async fn answers(&self) -> bool {
        self.rig.forward(&self.actor, CONTRACT, "Echo", &json!("hello")).await.is_ok()
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        self.runtime.block_on(self.rig.host.stop());
    }
}

fn library() -> PathBuf {
    artifacts::programs().join(format!("libcofferdam_{LIBRARY}.so"))
}
