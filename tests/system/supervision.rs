//! Providers that die too often, hang or are attended to: what calls find, what `ps` says, and that nobody else is touched.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use cofferdam_host::control::{Client, ProviderAct, ProviderReport, ProviderRequest};
use cofferdam_host::supervision::{HealthPolicy, Restart, RestartBudget, RestartPolicy, WhileDown};
use cofferdam_host::{HostBuilder, HostError, NativeCapability};
use cofferdam_tests::golden::show;
use cofferdam_tests::process::{lives, signal, until};
use cofferdam_tests::{Rig, artifacts, payload};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const PROBE: &str = "cofferdam:probe";
const OTHER: &str = "cofferdam:other";

/// Calls of the probe at once.
const CONCURRENCY: usize = 4;

/// Packed once: the library is large, and its archive is the same for every host.
static THE_PROBE: OnceLock<NativeCapability> = OnceLock::new();
static THE_OTHER: OnceLock<NativeCapability> = OnceLock::new();

fn packed(place: &OnceLock<NativeCapability>, contract: &str) -> NativeCapability {
    place.get_or_init(|| artifacts::provider("probe", contract)).clone()
}

/// Short waits, and no hold unless a test asks for one.
fn quick() -> RestartPolicy {
    RestartPolicy {
        budget: RestartBudget::None,
        first_delay: Duration::from_millis(1),
        delay_max: Duration::from_millis(10),
        ..RestartPolicy::default()
    }
}

fn often() -> HealthPolicy {
    let (interval, timeout) = (Duration::from_millis(100), Duration::from_millis(400));
    HealthPolicy { interval, timeout, ..HealthPolicy::default() }
}

/// An actor, a probe that is to suffer, and another that is not to.
struct Ward {
    rig: Rig,
    actor: String,
    probe: String,
    other: String,
    other_pid: u32,
}

impl Ward {
    async fn start(restart: RestartPolicy) -> Self {
        Self::start_with(restart, |builder| builder).await
    }

    async fn start_with(restart: RestartPolicy, configure: impl FnOnce(HostBuilder) -> HostBuilder) -> Self {
        let rig = Rig::start_with(configure).await;
        let actor = rig.actor("caller", &[PROBE, OTHER]).await;
        let probe = rig.start_provider(packed(&THE_PROBE, PROBE).with_restart_policy(restart)).await;
        let other = rig.start_provider(packed(&THE_OTHER, OTHER)).await;
        rig.link(&actor, PROBE, &probe, &[]).await.expect("the probe accepts");
        rig.link(&actor, OTHER, &other, &[]).await.expect("the other accepts");
        let other_pid = rig.ready_pid(&other, 1).await;
        Self { rig, actor, probe, other, other_pid }
    }

    async fn call(&self, operation: &str, argument: &Value) -> Result<Vec<u8>, HostError> {
        self.rig.forward(&self.actor, PROBE, operation, argument).await
    }

    /// Blame, outcome and text of an error.
    async fn fails(&self, operation: &str, argument: &Value) -> String {
        let error = self.call(operation, argument).await.expect_err(operation);
        let report = error.report();
        format!("{} {} {}", report.blame.as_str(), report.outcome.as_str(), show(&Err(error)))
    }

    fn begin(&self, operation: &str, argument: &Value) -> JoinHandle<Result<Vec<u8>, HostError>> {
        let (host, actor) = (self.rig.host.clone(), self.actor.clone());
        let call = payload::pack(&payload::forward(PROBE, operation, argument));
        tokio::spawn(async move { host.call_actor(&actor, "Forward", &call).await })
    }

    async fn row(&self) -> ProviderReport {
        let report = self.rig.ps().await;
        report.providers.into_iter().find(|row| row.id == self.probe).expect("it is kept")
    }

    async fn becomes(&self, state: &str) -> ProviderReport {
        let mut row = self.row().await;
        until(&format!("the probe is {state}"), async || {
            row = self.row().await;
            row.state == state
        })
        .await;
        row
    }

    /// Lets it die, this often, each time once it is ready.
    async fn crashes(&self, times: u64) {
        let first = self.row().await.generation;
        for crash in 0..times {
            let pid = self.rig.ready_pid(&self.probe, first + crash).await;
            signal(pid, Signal::SIGKILL);
            until("it has died", async || !lives(pid)).await;
            until("the host knows", async || self.row().await.pid != Some(pid)).await;
        }
    }

    async fn attend(&self, act: ProviderAct) -> Result<ProviderReport, String> {
        let path = self.rig.folder.path().join("host.sock");
        let mut client = Client::connect(&path).await.expect("the socket is served");
        let request = ProviderRequest { act, provider: self.probe.clone(), link: None, timeout_ms: 20_000 };
        client.attend(request).await.map_err(|error| {
            let report = error.report();
            format!("{}: {}", report.kind, report.message)
        })
    }

    /// The other provider works, in the same process as ever.
    async fn end(self) {
        assert_eq!(self.rig.ready_pid(&self.other, 1).await, self.other_pid, "the other provider was touched");
        let good = self.rig.forward(&self.actor, OTHER, "Echo", &json!("good")).await;
        assert_eq!(show(&good), "ok: \\xa4good");
        self.rig.host.stop().await;
    }
}

const ECHO: &str = "ok: \\xa4good";

#[tokio::test(flavor = "multi_thread")]
async fn who_dies_too_often_is_held_until_released() {
    let ward = Ward::start(RestartPolicy { budget: RestartBudget::Crashes(5), ..quick() }).await;
    ward.crashes(5).await;
    let row = ward.becomes("held").await;
    let why = "it died 5 times within 60s, the last time: killed by signal 9 (SIGKILL)";
    assert_eq!((row.why.as_deref(), row.restarts, row.pid), (Some(why), 4, None));
    assert!(row.next_try_ms.is_some_and(|ms| (50_000..=75_000).contains(&ms)), "{row:?}");
    let failed = ward.fails("Echo", &json!("good")).await;
    assert!(failed.starts_with("provider ") && failed.contains("is held: it died 5 times"), "{failed}");
    // A link that is set meanwhile waits, and nobody waits for it.
    let began = Instant::now();
    ward.rig.link(&ward.actor, PROBE, &ward.probe, &[("NEW", "value")]).await.expect("it waits");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let released = ward.attend(ProviderAct::Release).await.expect("it is well");
    assert_eq!((released.state.as_str(), released.generation), ("ready", 6));
    assert_eq!(show(&ward.call("Echo", &json!("good")).await), ECHO);
    // What was before counts no more.
    ward.crashes(4).await;
    ward.rig.ready_pid(&ward.probe, 10).await;
    ward.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_ends_by_itself_when_a_try_goes_well() {
    let restart = RestartPolicy {
        budget: RestartBudget::Crashes(2),
        cool_down: Duration::from_millis(200),
        healthy_after: Duration::from_secs(1),
        ..quick()
    };
    let ward = Ward::start(restart).await;
    ward.crashes(2).await;
    // The probe of the hold takes calls, and dies: held again, at once, whatever the budget.
    ward.rig.ready_pid(&ward.probe, 3).await;
    assert_eq!(ward.row().await.why.as_deref(), Some("it was held, and is being tried"));
    assert_eq!(show(&ward.call("Echo", &json!("good")).await), ECHO);
    ward.crashes(1).await;
    let held = ward.becomes("held").await;
    assert!(held.why.is_some_and(|why| why.starts_with("it was tried again 1 times and died again")));
    ward.rig.ready_pid(&ward.probe, 4).await;
    until("the hold is over", async || ward.row().await.why.is_none()).await;
    ward.crashes(1).await;
    ward.rig.ready_pid(&ward.probe, 5).await;
    ward.end().await;
}

/// All its calls end, each too late for its caller, and then nobody calls.
#[tokio::test(flavor = "multi_thread")]
async fn who_answers_too_late_is_not_stuck_and_drains_well() {
    let ward = Ward::start_with(quick(), |builder| {
        let health = HealthPolicy { stuck_after: Duration::from_millis(600), ..often() };
        builder.with_rpc_timeout(Duration::from_millis(600)).with_health_policy(health)
    })
    .await;
    let pid = ward.rig.ready_pid(&ward.probe, 1).await;
    let late: Vec<_> = (0..CONCURRENCY).map(|_| ward.begin("Wait", &json!(900))).collect();
    for call in late {
        let late = show(&call.await.expect("no panic"));
        assert!(late.contains("did not answer Wait"), "{late}");
    }
    // Longer than it takes to be found stuck.
    for _ in 0..4 {
        let waited = ward.rig.forward(&ward.actor, OTHER, "Wait", &json!(400)).await;
        assert_eq!(show(&waited), "ok: waited");
    }
    assert_eq!(ward.rig.ready_pid(&ward.probe, 1).await, pid);
    ward.attend(ProviderAct::Restart).await.expect("it drains");
    assert_eq!(ward.row().await.last_exit.as_deref(), Some("exited with code 0"));
    ward.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_stuck_in_all_its_calls_is_restarted_as_hung() {
    let ward = Ward::start_with(quick(), |builder| builder.with_rpc_timeout(Duration::from_secs(1))).await;
    let pid = ward.rig.ready_pid(&ward.probe, 1).await;
    // One that is not stuck is enough to live.
    let stuck: Vec<_> = (1..CONCURRENCY).map(|_| ward.begin("Hang", &Value::Null)).collect();
    for call in stuck {
        let late = show(&call.await.expect("no panic"));
        assert!(late.contains("did not answer Hang"), "{late}");
    }
    assert_eq!(show(&ward.call("Wait", &json!(700)).await), "ok: waited");
    assert_eq!(ward.rig.ready_pid(&ward.probe, 1).await, pid);
    drop(ward.call("Hang", &Value::Null).await.expect_err("it hangs"));
    ward.rig.ready_pid(&ward.probe, 2).await;
    let exit = ward.row().await.last_exit.expect("it was ended");
    assert!(exit.starts_with("it hung: each of the 4 calls that it can run at once is stuck"), "{exit}");
    assert_eq!(show(&ward.call("Echo", &json!("good")).await), ECHO);
    until("the old one is gone", async || !lives(pid)).await;
    ward.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fails_three_health_checks_is_restarted_as_hung() {
    let ward = Ward::start_with(quick(), |builder| builder.with_health_policy(often())).await;
    let mut generation = 1;
    for (health, said) in [("unfit", "with: asked to be unfit"), ("stuck", "for want of an answer")] {
        let waiting = ward.begin("Wait", &json!(60_000));
        assert_eq!(show(&ward.call("Health", &json!(health)).await), "ok: noted");
        generation += 1;
        ward.rig.ready_pid(&ward.probe, generation).await;
        let exit = ward.row().await.last_exit.expect("it was ended");
        assert_eq!(exit, format!("it hung: it failed 3 health checks in a row, the last {said}"));
        let cut = show(&waiting.await.expect("no panic"));
        assert!(cut.contains("hung during Wait and was ended: it hung") || cut.contains("did not answer"), "{cut}");
        assert_eq!(show(&ward.call("Echo", &json!("good")).await), ECHO);
    }
    ward.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_stopped_by_a_signal_is_found_by_its_heartbeat() {
    let ward = Ward::start_with(quick(), |builder| builder.with_health_policy(often())).await;
    let pid = ward.rig.ready_pid(&ward.probe, 1).await;
    signal(pid, Signal::SIGSTOP);
    ward.rig.ready_pid(&ward.probe, 2).await;
    assert!(!lives(pid));
    assert!(ward.row().await.last_exit.is_some_and(|exit| exit.contains("health checks")));
    ward.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_wait_for_the_next_process_where_they_may() {
    let slow = RestartPolicy { first_delay: Duration::from_millis(500), delay_max: Duration::from_secs(1), ..quick() };
    for while_down in [WhileDown::Fail, WhileDown::Wait] {
        let ward = Ward::start(RestartPolicy { while_down, ..slow }).await;
        ward.crashes(1).await;
        ward.rig.ready_pid(&ward.probe, 2).await;
        // The second crash in a row: half a second without a process.
        ward.crashes(1).await;
        let calls: Vec<_> = (0..16).map(|_| ward.begin("Echo", &json!("good"))).collect();
        for call in calls {
            let ended = call.await.expect("no panic");
            match while_down {
                WhileDown::Wait => assert_eq!(show(&ended), ECHO),
                WhileDown::Fail => {
                    let report = ended.expect_err("it is down").report();
                    assert!(report.message.contains("is not available: it is being restarted: killed"), "{report:?}");
                }
            }
        }
        // What was delivered is not sent again.
        ward.rig.ready_pid(&ward.probe, 3).await;
        let killed = ward.fails("Abort", &Value::Null).await;
        assert!(killed.contains("crashed during Abort: killed by signal 6"), "{killed}");
        let reached = ward.rig.ready_pid(&ward.probe, 4).await;
        assert!(lives(reached));
        let reached = payload::unpack(&ward.call("Reached", &Value::Null).await.expect("it answers"));
        assert_eq!(reached["calls"], 0, "a call ran twice");
        ward.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_restart_hold_release_and_stop() {
    let ward = Ward::start(quick()).await;
    let first = ward.rig.ready_pid(&ward.probe, 1).await;

    let restarted = ward.attend(ProviderAct::Restart).await.expect("it is well");
    assert_eq!((restarted.state.as_str(), restarted.generation, restarted.restarts), ("ready", 2, 0));
    assert!(!lives(first) && restarted.pid != Some(first));
    assert_eq!(show(&ward.call("Echo", &json!("good")).await), ECHO);

    let waiting = ward.begin("Wait", &json!(60_000));
    until("it waits", async || ward.rig.ps().await.actors[0].calls_in_flight == 1).await;
    let held = ward.attend(ProviderAct::Hold).await.expect("it is well");
    assert_eq!((held.state.as_str(), held.why.as_deref()), ("held", Some("an operator holds it")));
    assert_eq!((held.pid, held.next_try_ms), (None, None));
    assert!(!lives(restarted.pid.expect("it was ready")));
    let cut = waiting.await.expect("no panic").expect_err("it was cut").report();
    assert!(cut.message.contains("was stopped during Wait") || cut.message.contains("did not answer"), "{cut:?}");
    let failed = ward.fails("Echo", &json!("good")).await;
    assert!(failed.starts_with("operator ") && failed.contains("is held: an operator holds it"), "{failed}");
    ward.attend(ProviderAct::Hold).await.expect("twice is no error");

    let released = ward.attend(ProviderAct::Release).await.expect("it is well");
    assert_eq!((released.state.as_str(), released.generation), ("ready", 3));
    assert_eq!(show(&ward.call("Echo", &json!("good")).await), ECHO);
    let again = ward.attend(ProviderAct::Release).await.expect("it is not held, which is no error");
    assert_eq!((again.generation, again.pid), (3, released.pid));

    ward.attend(ProviderAct::Hold).await.expect("it is well");
    let restarted = ward.attend(ProviderAct::Restart).await.expect("a restart ends a hold");
    assert_eq!((restarted.state.as_str(), restarted.generation), ("ready", 4));

    let stopped = ward.attend(ProviderAct::Stop).await.expect("it is well");
    assert_eq!((stopped.state.as_str(), stopped.pid), ("stopped", None));
    let failed = ward.fails("Echo", &json!("good")).await;
    assert!(failed.starts_with("operator ") && failed.contains("it has not been started"), "{failed}");
    let gone = ward.attend(ProviderAct::Restart).await.expect_err("it is not kept");
    assert!(gone.starts_with("no_such_provider: "), "{gone}");
    ward.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_says_who_is_restarted() {
    for (restart, operation, argument, expected) in [
        (Restart::Always, "Exit", json!(0), "ready"),
        (Restart::OnFailure, "Exit", json!(0), "held"),
        (Restart::OnFailure, "Exit", json!(3), "ready"),
        (Restart::Never, "Segfault", Value::Null, "held"),
    ] {
        let ward = Ward::start(RestartPolicy { restart, ..quick() }).await;
        drop(ward.call(operation, &argument).await.expect_err("it dies"));
        until("it has died", async || ward.row().await.last_exit.is_some()).await;
        let row = ward.becomes(expected).await;
        assert_eq!(row.next_try_ms, None, "{row:?}");
        if expected == "held" {
            let released = ward.attend(ProviderAct::Release).await.expect("it is well");
            assert_eq!(released.generation, 2);
        }
        ward.end().await;
    }
}

/// A provider is named by its key, by its name, and by its link where that is needed.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_goes_by_its_name_if_no_other_does() {
    let ward = Ward::start(quick()).await;
    let kind = |ended: Result<(), HostError>| ended.map_err(|error| error.report().kind);
    for name in ["probe", "Probe"] {
        let ended = kind(ward.rig.host.restart_provider(name, None).await);
        assert_eq!(ended, Err("ambiguous_provider".to_owned()));
    }
    assert_eq!(kind(ward.rig.host.hold_provider(&ward.probe, Some("backup")).await), Err("no_such_provider".into()));
    assert_eq!(kind(ward.rig.host.hold_provider("nobody", None).await), Err("no_such_provider".into()));
    assert_eq!(kind(ward.rig.host.restart_provider(&ward.probe, Some("default")).await), Ok(()));
    ward.rig.host.stop_provider(&ward.probe, PROBE, None).await.expect("it can be stopped");
    assert_eq!(ward.rig.ready_pid(&ward.other, 1).await, ward.other_pid);
    assert_eq!(kind(ward.rig.host.hold_provider("probe", None).await), Ok(()));
    assert_eq!(kind(ward.rig.host.release_provider("probe", None).await), Ok(()));
    ward.rig.host.stop().await;
}
