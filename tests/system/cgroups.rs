//! Control groups of providers: what they bound, what is said of it, and that nothing of them is left behind.
//!
//! Where this user of this machine may make none, only that is tested, and said.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use cofferdam_faults::{Cell, Fault, LibraryFault, Stage};
use cofferdam_host::NativeCapability;
use cofferdam_host::control::{Client, ExplainReport, ExplainRequest, ProviderReport};
use cofferdam_host::crash::Reports;
use cofferdam_host::supervision::{RestartBudget, RestartPolicy};
use cofferdam_host::words::{EnvGrant, Grants, ProviderLimits};
use cofferdam_rogue::VARIABLE;
use cofferdam_tests::cgroups::{bounds_of, due, groups_of_hosts_in, may_be_made, processor_time};
use cofferdam_tests::elsewhere::{self, Who};
use cofferdam_tests::process::{alone, signal, until};
use cofferdam_tests::{Rig, artifacts};
use nix::sys::signal::Signal;
use serde_json::json;
use tempfile::TempDir;

const PROBE: &str = "cofferdam:probe";
const OTHER: &str = "cofferdam:rogue";
const DYING: &str = "cofferdam:dying";

/// A file system in memory: what is written there is memory of whoever writes.
const IN_MEMORY: &str = "/dev/shm";

/// A host whose state lies in memory, with a probe, another provider, and an actor that is linked to both.
struct Scene {
    rig: Rig,
    state: TempDir,
    actor: String,
    probe: String,
}

impl Scene {
    async fn start(limits: ProviderLimits) -> Self {
        let state = tempfile::tempdir_in(IN_MEMORY).expect("a file system in memory");
        let delay_max = Duration::from_millis(10);
        let restart = RestartPolicy { budget: RestartBudget::None, delay_max, ..RestartPolicy::default() };
        let dir = state.path().join("state");
        let rig = Rig::start_with(|builder| builder.with_state_dir(dir).with_restart_policy(restart)).await;
        let actor = rig.actor("caller", &[PROBE, OTHER]).await;
        let probe = rig.start_provider(probe(limits)).await;
        let other = rig.provider("rogue", OTHER).await;
        rig.link(&actor, PROBE, &probe, &[]).await.expect("the probe accepts");
        rig.link(&actor, OTHER, &other, &[]).await.expect("the other accepts");
        Self { rig, state, actor, probe }
    }

    async fn ask(&self, operation: &str, payload: serde_json::Value) -> String {
        match self.rig.forward(&self.actor, PROBE, operation, &payload).await {
            Ok(answer) => String::from_utf8_lossy(&answer).into_owned(),
            Err(error) => error.to_string(),
        }
    }

    async fn row(&self) -> ProviderReport {
        let mut report = self.rig.ps().await;
        let at = report.providers.iter().position(|row| row.id == self.probe).expect("it is kept");
        report.providers.swap_remove(at)
    }

    async fn explain(&self) -> ExplainReport {
        let mut client = Client::connect(&self.rig.folder.path().join("host.sock")).await.expect("it is served");
        client.explain(ExplainRequest { provider: self.probe.clone(), link: None }).await.expect("it runs")
    }

    async fn others_live(&self) {
        let rest = self.rig.forward(&self.actor, OTHER, "Rest", &json!({})).await;
        assert_eq!(rest.expect("the other answers"), b"here");
    }
}

fn probe(limits: ProviderLimits) -> NativeCapability {
    artifacts::provider("probe", PROBE).with_limits(limits)
}

/// Its library ends its process when it is opened.
fn dying_at_start(cpus_milli: Option<u32>) -> NativeCapability {
    let cell = Cell { fault: Fault::Library(LibraryFault::CrashInConstructor), stage: Stage::Loading };
    let env = vec![EnvGrant { name: VARIABLE.to_owned(), value: Some(cell.to_string()) }];
    let limits = ProviderLimits { cpus_milli, ..ProviderLimits::default() };
    artifacts::provider("rogue", DYING).with_grants(Grants { env, ..Grants::default() }).with_limits(limits)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fills_memory_that_no_limit_counts_is_ended_for_it() {
    if !may_be_made().await {
        return;
    }
    let limits = ProviderLimits { memory_bytes: Some(32 << 20), threads: Some(32), ..ProviderLimits::default() };
    let scene = Scene::start(limits).await;
    // 32 MiB, an eighth of it, 64 MiB, and 32 KiB for each of 32 threads.
    let shown = scene.explain().await.running.and_then(|running| running.control_group).expect("it is in a group");
    assert_eq!((shown.memory_bytes, shown.tasks, shown.cpus_milli), (101 << 20, 36, None));
    assert_eq!(scene.row().await.unconfined, Vec::<String>::new());
    let bounds = bounds_of(scene.rig.ready_pid(&scene.probe, 1).await);
    assert_eq!((bounds.memory_bytes, bounds.tasks), (Some(101 << 20), Some(36)), "the kernel knows of it");

    let seen = scene.ask("Group", json!(null)).await;
    assert!(
        seen.lines().count() > 0 && seen.lines().all(|line| line.ends_with(":/")),
        "where it is, is hidden: {seen}"
    );

    assert_eq!(scene.ask("Fill", json!(48 << 20)).await, "50331648 bytes", "less than the group may have");
    let died = scene.ask("Fill", json!(160 << 20)).await;
    let cause = "ran out of its memory limit of 101 MiB";
    assert!(died.contains(cause), "the caller is told: {died}");
    scene.rig.ready_pid(&scene.probe, 2).await;
    scene.others_live().await;
    let last_exit = scene.row().await.last_exit.unwrap_or_default();
    assert!(last_exit.contains(cause), "so is the operator: {last_exit}");
    let reports = Reports::of(&scene.state.path().join("state"));
    until("the report is written", async || reports.list().is_ok_and(|ids| !ids.is_empty())).await;
    let id = reports.list().expect("it can be read").remove(0);
    let report = reports.read(&id).expect("it can be read");
    assert!(report.cause.contains(cause), "{report:?}");
    let peak = report.resources.and_then(|used| used.group_memory_bytes_peak);
    assert!(peak.is_none_or(|peak| (64 << 20..=101 << 20).contains(&peak)), "{peak:?}");

    // Being killed by somebody is something else.
    signal(scene.rig.ready_pid(&scene.probe, 2).await, Signal::SIGKILL);
    scene.rig.ready_pid(&scene.probe, 3).await;
    let last_exit = scene.row().await.last_exit.unwrap_or_default();
    assert!(last_exit.contains("SIGKILL") && !last_exit.contains("memory"), "{last_exit}");
    scene.rig.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_burns_gets_its_quota() {
    if !may_be_made().await {
        return;
    }
    let limits = ProviderLimits { cpus_milli: Some(100), ..ProviderLimits::default() };
    let scene = Scene::start(limits).await;
    let pid = scene.rig.ready_pid(&scene.probe, 1).await;
    let began = std::time::Instant::now();
    // It is never answered; what the group has used is asked of the kernel.
    let burning = scene.rig.forward(&scene.actor, PROBE, "Burn", &json!(null));
    let throttled = until("it is throttled", async || bounds_of(pid).throttled.is_some_and(|times| times > 3));
    let (_, ()) = tokio::join!(burning, throttled);
    let used = processor_time(pid).as_secs_f64();
    // A tenth, and what it used while it was being started, and one period.
    let allowed = began.elapsed().as_secs_f64() * 0.1 + 0.5;
    assert!(used < allowed, "{used} s of at most {allowed} s");
    scene.others_live().await;
    scene.rig.host.stop().await;
}

/// Processes that die by themselves, by a signal, at their start, and by a drain.
#[test]
fn no_group_is_left_behind() {
    alone("cgroups::no_group_is_left_behind", || async {
        if !may_be_made().await {
            return;
        }
        let groups = || groups_of_hosts_in(std::process::id());
        until("what the question has made is gone", async || groups().is_empty()).await;
        let scene = Scene::start(ProviderLimits::default()).await;
        for generation in 1..=9 {
            let pid = scene.rig.ready_pid(&scene.probe, generation).await;
            match generation % 3 {
                0 => signal(pid, Signal::SIGKILL),
                1 => drop(scene.ask("Exit", json!(7)).await),
                _ => drop(scene.ask("Abort", json!(null)).await),
            }
        }
        scene.rig.ready_pid(&scene.probe, 10).await;
        scene.rig.host.restart_provider(&scene.probe, None).await.expect("it is drained, and another started");
        for cpus_milli in [None, Some(500)] {
            let dying = dying_at_start(cpus_milli);
            let id = dying.id();
            let died = scene.rig.host.start_native_capability(dying).await.expect_err("it can't be opened");
            assert!(died.to_string().contains("SIGSEGV"), "{died}");
            scene.rig.host.stop_provider(&id, DYING, None).await.expect("it is kept");
        }
        until("groups of the dead are gone", async || groups().len() <= due(2)).await;
        until("those of the living are there", async || groups().len() == due(2)).await;
        scene.rig.host.stop().await;
        drop(scene);
        until("the host's own is gone, too", async || groups().is_empty()).await;
    });
}

/// Nobody is root there, and nothing was delegated.
#[tokio::test(flavor = "multi_thread")]
async fn without_groups_a_host_says_so() {
    if let Some(report) = elsewhere::report() {
        return walk_without(&report).await;
    }
    let programs = ["cofferdam-shim", "libcofferdam_probe.so"];
    let everybody = elsewhere::everybody();
    let Some((_, nobody)) = everybody.iter().find(|(name, who)| *name == "user" && *who == Who::Nobody) else {
        return eprintln!("only as an unprivileged user: run by root, this tests what that user finds");
    };
    let table = elsewhere::run("cgroups::without_groups_a_host_says_so", *nobody, &programs, &["caller"], &[]);
    insta::assert_snapshot!("cgroups_user", table);
}

async fn walk_without(report: &Path) {
    let rig = Rig::start().await;
    let id = rig.provider("probe", PROBE).await;
    let ps = rig.ps().await;
    let row = ps.providers.iter().find(|row| row.id == id).expect("it runs");
    let mut table = format!("{}, without {}\n", row.state, row.unconfined.join(", "));
    rig.host.stop_provider(&id, PROBE, None).await.expect("it stops");
    let quota = ProviderLimits { cpus_milli: Some(500), ..ProviderLimits::default() };
    let held = probe(quota);
    let id = held.id();
    let refused = rig.host.start_native_capability(held).await.expect_err("nothing can hold it to that");
    // Where groups would lie is the machine's, and the reason may be any.
    let refused = refused.to_string();
    let (what, why) = refused.split_once("; no control group: ").expect("it says why");
    let next = why.split_once("; ").map_or("", |(_, next)| next);
    let _ = writeln!(table, "{}\n{next}", what.replace(&id, "VPROBE"));
    rig.host.stop().await;
    fs::write(report, table).expect("the report can be left");
}
