//! Does one cell, watches what follows, and leaves all as it was.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use cofferdam_faults::{Cell, Fault, LibraryFault, ShimFault, Stage, disguised};
use cofferdam_host::Tier;
use cofferdam_host::control::ProviderReport;
use cofferdam_host::crash::Reports;
use cofferdam_host::supervision::{HealthPolicy, RestartBudget, RestartPolicy, WhileDown};
use cofferdam_host::words::{EnvGrant, Grants, ProviderLimits};
use cofferdam_host::{HostError, NativeCapability};
use cofferdam_rogue::{MARK, VARIABLE};
use cofferdam_tests::golden::{redact, show};
use cofferdam_tests::process::{signal, until};
use cofferdam_tests::{Rig, artifacts, payload};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::expected::dies;
use super::load::Load;
use super::telling::{died, in_words, told, without_chance};

const ROGUE: &str = "cofferdam:rogue";

/// How long a call may take. Long for a call that works, on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long a start may take: longer than what is slow.
const START_TIMEOUT: Duration = Duration::from_millis(3200);

/// How long a drain may take: longer than a process that broke the protocol is given to end by itself, shorter than a call.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(750);

/// When a call that hangs is stuck: well after the next call has given up, which waits from that one's deadline on. Else
/// that one would now and then be the first that the next process has.
const STUCK_AFTER: Duration = Duration::from_millis(2500);

/// Deaths after which a provider is held, where that is what the cell is about: one by a signal, the others by the fault.
const DEATHS_BORNE: u32 = 3;

/// Calls after which who takes none is found at the latest: it would be by the second, were it looked at all the while.
const CALLS_IGNORED_MAX: usize = 5;

/// The argument of a call whose callee reads no further: more than the buffers of a socket hold.
const LARGE_BYTES: usize = 2 << 20;

/// A host, an actor whose provider does wrong, and an unrelated pair.
pub(super) struct Ward {
    rig: Rig,
    tier: Tier,
    actor: String,
    load: Load,
    good: NativeCapability,
    /// Where the host finds its shim.
    shim: PathBuf,
}

type Ended = Result<Vec<u8>, HostError>;

impl Ward {
    pub(super) async fn start(tier: Tier) -> Self {
        let shims = tempfile::tempdir().expect("a temporary directory").keep();
        let shim = shims.join("shim");
        symlink(artifacts::shim(), &shim).expect("a link can be made");
        let (interval, timeout) = (Duration::from_millis(50), Duration::from_millis(500));
        let health = HealthPolicy { interval, timeout, stuck_after: STUCK_AFTER, ..HealthPolicy::default() };
        let found = shim.clone();
        let rig = Rig::start_with(|builder| {
            let builder = builder.with_shim(found).with_rpc_timeout(TIMEOUT).with_restart_policy(restarts());
            let builder = builder.with_start_timeout(START_TIMEOUT).with_drain_timeout(DRAIN_TIMEOUT);
            builder.with_health_policy(health).with_tier(tier)
        })
        .await;
        let load = Load::begin(&rig, TIMEOUT).await;
        let actor = rig.actor("caller", &[ROGUE]).await;
        Self { rig, tier, actor, load, good: artifacts::provider("rogue", ROGUE), shim }
    }

    pub(super) async fn end(self) {
        self.load.end().await;
        self.rig.host.stop().await;
        let shims = self.shim.parent().expect("it lies in a folder");
        fs::remove_dir_all(shims).expect("it is ours");
    }

    /// Does it, and says in a few lines what followed.
    pub(super) async fn walk(&self, cell: Cell) -> String {
        self.point(cell);
        self.forget_starts();
        self.forget_deaths();
        let provider = self.provider(cell);
        let id = provider.id();
        let bound = if cell.stage == Stage::Binding { cell.fault.name() } else { "" };
        let values: &[(&str, &str)] = if bound.is_empty() { &[] } else { &[("FAULT", bound)] };
        self.rig.link(&self.actor, ROGUE, &id, values).await.expect("a link may come first");
        let mut row = format!("{cell}\n");
        let mut say = |what: &str, words: String| {
            let _ = writeln!(row, "    {what:7} {words}");
        };
        match self.rig.host.start_native_capability(provider).await {
            Err(error) => {
                say("start", told(&Err(error)));
                say("next", told(&self.call("Echo", &json!("next")).await));
            }
            Ok(()) if cell.stage == Stage::Draining => say("caller", self.drain(cell, &id).await),
            Ok(()) if cell.stage == Stage::Restarting => {
                signal(self.rig.ready_pid(&id, 1).await, Signal::SIGKILL);
                until("it is held", async || self.row(&id).await.is_some_and(|row| row.state == "held")).await;
                say("next", told(&self.call("Echo", &json!("next")).await));
            }
            Ok(()) => {
                if let Some(caller) = self.act(cell, &id).await {
                    say("caller", caller);
                }
                if dies(cell, self.tier) && cell.stage == Stage::Binding {
                    self.rig.ready_pid(&id, 2).await;
                }
                say("next", told(&self.call("Echo", &json!("next")).await));
                if cell.fault == Fault::Shim(ShimFault::TakesNoCalls) && self.tier == Tier::Lanes {
                    self.call_until_answered().await;
                }
                if dies(cell, self.tier) {
                    self.rig.ready_pid(&id, 2).await;
                } else {
                    say("did", told(&self.call("Acted", &Value::Null).await));
                }
            }
        }
        say("ps", self.row(&id).await.map_or_else(|| "not kept".to_owned(), |row| in_words(&row)));
        if cell.stage == Stage::Binding {
            say("link", self.link(&id).await);
        }
        say("report", self.report(cell).await);
        self.rig.host.stop_provider(&id, ROGUE, None).await.expect("what runs can be stopped");
        let failures = self.load.goes_on(&self.rig).await;
        assert_eq!(failures, Vec::<String>::new(), "calls that have nothing to do with: {cell}");
        without_chance(cell, &row)
    }

    /// Takes away what tells a library that it was started before.
    fn forget_starts(&self) {
        let own = self.rig.folder.path().join("state/providers").join(self.good.id()).join("default");
        // It is not there before the first.
        let _ = fs::remove_file(own.join(MARK));
    }

    /// There is room for so many reports only.
    fn forget_deaths(&self) {
        for id in self.reports().list().expect("the folder can be read") {
            for extension in ["json", "md"] {
                let path = self.reports().folder().join(format!("{id}.{extension}"));
                fs::remove_file(path).expect("it is there");
            }
        }
    }

    /// What the host starts as its shim from now on.
    fn point(&self, cell: Cell) {
        let target = match cell.fault {
            Fault::Library(_) => artifacts::shim(),
            Fault::Shim(_) | Fault::Lane(_) => artifacts::programs().join("cofferdam-rogue-shim"),
        };
        let new = self.shim.with_file_name("new");
        symlink(target, &new).expect("a link can be made");
        fs::rename(new, &self.shim).expect("a link can be replaced");
        fs::write(self.shim.with_file_name("fault"), cell.to_string()).expect("it can be written");
    }

    fn provider(&self, cell: Cell) -> NativeCapability {
        let provider = match cell.fault {
            Fault::Library(fault @ (LibraryFault::AbiMismatch | LibraryFault::MissingSymbol)) => {
                let path = artifacts::programs().join("libcofferdam_rogue.so");
                let library = disguised(fault, &fs::read(path).expect("it was built"));
                let archive = artifacts::archive_of("rogue", ROGUE, &library);
                NativeCapability::from_archive(&archive, None).expect("what was just signed verifies")
            }
            _ => self.good.clone(),
        };
        let mut grants = Grants::default();
        if matches!(cell.stage, Stage::Loading | Stage::Restarting) {
            grants.env.push(EnvGrant { name: VARIABLE.to_owned(), value: Some(cell.to_string()) });
        }
        let provider = if cell.stage == Stage::Restarting {
            let budget = RestartBudget::Crashes(DEATHS_BORNE);
            provider.with_restart_policy(RestartPolicy { budget, ..restarts() })
        } else {
            provider
        };
        let limits = ProviderLimits {
            memory_bytes: Some(128 << 20),
            threads: Some(64),
            files: Some(64),
            // One that asks whether another lingers.
            calls: Some(if cell.stage == Stage::Draining { 2 } else { 1 }),
            ..ProviderLimits::default()
        };
        provider.with_grants(grants).with_limits(limits)
    }

    /// Does it in a provider that takes calls. What the caller is told, if somebody calls.
    async fn act(&self, cell: Cell, id: &str) -> Option<String> {
        match (cell.stage, cell.fault) {
            (Stage::Ready, fault) => {
                if matches!(fault, Fault::Library(_)) {
                    self.arm(cell).await;
                }
                if dies(cell, self.tier) {
                    self.rig.ready_pid(id, 2).await;
                } else {
                    until("it has done it", async || {
                        self.call("Acted", &Value::Null).await.is_ok_and(|said| said != b"nothing")
                    })
                    .await;
                }
                None
            }
            (Stage::Calling, Fault::Shim(ShimFault::StopsReading)) => {
                Some(told(&self.call("Act", &json!("x".repeat(LARGE_BYTES))).await))
            }
            (Stage::Calling, fault) => Some(told(&self.call("Act", &json!(fault.name())).await)),
            _ => None,
        }
    }

    /// That nobody takes calls shows where there always is one, though none is taken and overdue.
    async fn call_until_answered(&self) {
        for _ in 0..CALLS_IGNORED_MAX {
            if self.call("Echo", &json!("again")).await.is_ok() {
                return;
            }
        }
        panic!("none of {CALLS_IGNORED_MAX} calls was taken");
    }

    /// Does it in a provider that is being stopped while a call is in it. What that call is told.
    async fn drain(&self, cell: Cell, id: &str) -> String {
        if matches!(cell.fault, Fault::Library(_)) {
            self.arm(cell).await;
        }
        let lingering = self.begin("Linger", &json!("linger"));
        until("the call is in it", async || {
            self.call("Lingering", &Value::Null).await.is_ok_and(|said| said == b"yes")
        })
        .await;
        self.rig.host.stop_provider(id, ROGUE, None).await.expect("a provider can be stopped");
        told(&lingering.await.expect("no panic"))
    }

    async fn arm(&self, cell: Cell) {
        let armed = self.call("Arm", &json!({ "fault": cell.fault.name(), "stage": cell.stage.name() })).await;
        assert_eq!(show(&armed), "ok: armed", "{cell}");
    }

    async fn call(&self, operation: &str, argument: &Value) -> Ended {
        self.rig.forward(&self.actor, ROGUE, operation, argument).await
    }

    fn begin(&self, operation: &str, argument: &Value) -> JoinHandle<Ended> {
        let (host, actor) = (self.rig.host.clone(), self.actor.clone());
        let call = payload::pack(&payload::forward(ROGUE, operation, argument));
        tokio::spawn(async move { host.call_actor(&actor, "Forward", &call).await })
    }

    async fn row(&self, id: &str) -> Option<ProviderReport> {
        let report = self.rig.ps().await;
        report.providers.into_iter().find(|row| row.id == id)
    }

    /// What became of the link.
    async fn link(&self, provider: &str) -> String {
        let report = self.rig.ps().await;
        let link = report.links.iter().find(|link| link.provider == provider);
        redact(&link.expect("it was set").state)
    }

    fn reports(&self) -> Reports {
        Reports::of(&self.rig.folder.path().join("state"))
    }

    /// What is written of the last death, if there was one.
    async fn report(&self, cell: Cell) -> String {
        if !dies(cell, self.tier) {
            let ids = self.reports().list().expect("the folder can be read");
            assert_eq!(ids, Vec::<String>::new(), "nobody has died: {cell}");
            return "none".to_owned();
        }
        let mut ids = Vec::new();
        let deaths = if cell.stage == Stage::Restarting { DEATHS_BORNE as usize } else { 1 };
        until("the report is written", async || {
            ids = self.reports().list().expect("the folder can be read");
            ids.len() >= deaths
        })
        .await;
        assert_eq!(ids.len(), deaths, "as many have died: {cell}");
        let reports = ids.iter().map(|id| self.reports().read(id).expect("what was written can be read"));
        died(&reports.max_by_key(|report| report.generation).expect("one has died"))
    }
}

/// At once, for ever, and what finds no process waits for the next, so that its outcome is the same each time.
fn restarts() -> RestartPolicy {
    RestartPolicy {
        budget: RestartBudget::None,
        first_delay: Duration::from_millis(1),
        delay_max: Duration::from_millis(10),
        while_down: WhileDown::Wait,
        ..RestartPolicy::default()
    }
}
