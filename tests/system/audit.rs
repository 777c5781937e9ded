//! The audit log of a host that does some of each: all of it is there, nothing of it is secret, and it verifies. And of one
//! whose provider dies in a loop: each death is there.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use cofferdam_claims::{KeyKind, Trust};
use cofferdam_host::audit::{Expected, FOLDER, Record, SignedHead, read, verify};
use cofferdam_host::control::Client;
use cofferdam_host::supervision::{RestartBudget, RestartPolicy};
use cofferdam_host::{Actor, HostBuilder};
use cofferdam_tests::process::{signal, until};
use cofferdam_tests::{Rig, artifacts, payload};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const PROBE: &str = "cofferdam:probe";

/// The value of a link, which nobody may find in the log.
const SECRET: &str = "hunter2-hunter2";

fn records(dir: &Path) -> Vec<Record> {
    let mut records = Vec::new();
    let unreadable = read(dir, |record| records.push(record)).expect("it can be read");
    assert_eq!(unreadable, 0);
    records
}

/// The records of a kind.
fn of_kind<'a>(records: &'a [Record], kind: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record.kind() == kind).map(|record| &record.event).collect()
}

fn good(dir: &Path, host: &str, head: Option<SignedHead>) -> Option<SignedHead> {
    let expected = Expected::new(Some(host.to_owned()), head).expect("a head of this host");
    verify(dir, expected, |_| {}).expect("it can be read").unwrap_or_else(|finding| panic!("{finding}")).head
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_does_is_in_its_audit_log() {
    let rig = Rig::start().await;
    let log = rig.folder.path().join("state").join(FOLDER);
    let probe = rig.provider("probe", PROBE).await;
    let actor = rig.actor("caller", &[PROBE]).await;
    let denied = rig.actor("caller", &[]).await;
    rig.link(&actor, PROBE, &probe, &[("TOKEN", SECRET)]).await.expect("the probe accepts");
    rig.link(&denied, PROBE, &probe, &[]).await.expect_err("it may not");
    for _ in 0..50 {
        rig.forward(&actor, "wasmcloud:nothing", "Get", &Value::Null).await.expect_err("it is not linked");
    }
    rig.forward(&actor, PROBE, "Echo", &json!({"argument": SECRET})).await.expect("it may");
    signal(rig.ready_pid(&probe, 1).await, Signal::SIGKILL);
    rig.ready_pid(&probe, 2).await;
    let mut client = Client::connect(&rig.folder.path().join("host.sock")).await.expect("it is served");
    let call = payload::pack(&payload::forward(PROBE, "Echo", &Value::Null));
    let call = cofferdam_host::control::CallRequest {
        actor: actor.clone(),
        operation: "Forward".to_owned(),
        payload: call,
        timeout_ms: 2000,
    };
    client.call(call).await.expect("the actor answers");
    until("the restart is written", async || !of_kind(&records(&log), "provider_restarted").is_empty()).await;
    let kept = good(&log, &rig.host.id(), None).expect("a running host signs");
    rig.host.remove_link(&actor, PROBE, None).await.expect("it can be removed");
    rig.host.stop_actor(&actor).await.expect("it can be stopped");
    rig.host.stop().await;
    drop(client);

    good(&log, &rig.host.id(), Some(kept)).expect("it was signed at the end");
    let records = records(&log);
    let mut counted = BTreeMap::<&str, usize>::new();
    for record in records.iter().filter(|record| record.kind() != "head") {
        *counted.entry(record.kind()).or_default() += 1;
    }
    let expected = [
        ("actor_started", 2),
        ("actor_stopped", 1),
        ("denied", 2),
        ("host_started", 1),
        ("host_stopped", 1),
        ("link_refused", 1),
        ("link_removed", 1),
        ("link_set", 1),
        ("operator_command", 1),
        ("provider_crashed", 1),
        ("provider_restarted", 1),
        ("provider_started", 1),
    ];
    assert_eq!(counted, BTreeMap::from(expected));
    let crashed = of_kind(&records, "provider_crashed")[0];
    assert!(crashed["cause"].as_str().is_some_and(|cause| cause.contains("SIGKILL")), "{crashed}");
    let denials: u64 = of_kind(&records, "denied").iter().filter_map(|event| event["count"].as_u64()).sum();
    assert_eq!(denials, 50);
    let command = of_kind(&records, "operator_command")[0];
    let own = (u64::from(std::process::id()), nix::unistd::geteuid().as_raw().into(), &*actor);
    let told = (command["pid"].as_u64(), command["uid"].as_u64(), command["subject"].as_str());
    assert_eq!(told, (Some(own.0), Some(own.1), Some(own.2)), "{command}");
    assert_eq!(of_kind(&records, "link_set")[0]["values"], json!(["TOKEN"]));
    assert!(!records.iter().any(|record| record.event.to_string().contains(SECRET)));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_recorded_and_the_chain_goes_on_with_the_next_host() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (state, mut ids) = (folder.path().join("state"), Vec::new());
    for trust in [KeyKind::Account.generate().public_key(), artifacts::issuer().public_key()] {
        let trust = Trust::only([trust]).expect("an account");
        let host = HostBuilder::new().with_state_dir(&state).with_shim(artifacts::shim()).with_trust(trust).build();
        host.start().await.expect("it starts");
        ids.push(host.id());
        let actor: Actor = artifacts::actor("echo", &[]);
        let _ = host.start_actor(actor).await;
        host.stop().await;
    }
    let log = state.join(FOLDER);
    good(&log, &ids[0], None).expect("it is signed");
    let records = records(&log);
    let kinds: Vec<&str> = records.iter().map(Record::kind).filter(|kind| *kind != "head").collect();
    let expected = ["host_started", "actor_refused", "host_stopped", "host_started", "actor_started", "host_stopped"];
    assert_eq!(kinds, expected);
    assert_eq!(of_kind(&records, "actor_refused")[0]["error"], "claims_refused");
    let previous: Vec<&Value> = of_kind(&records, "host_started").iter().map(|event| &event["previous"]).collect();
    assert_eq!(previous, ["none", "stopped"]);
}

/// Restarts come at once, and a provider is held after so many deaths.
fn at_once(budget: RestartBudget) -> RestartPolicy {
    RestartPolicy { budget, first_delay: Duration::ZERO, delay_max: Duration::ZERO, ..RestartPolicy::default() }
}

/// Kills each process of the probe as soon as it can be seen, ready or not.
async fn kill_all(rig: &Rig, probe: &str, count: u64) -> Vec<u64> {
    let mut killed = Vec::new();
    for generation in 1..=count {
        let mut process = None;
        until("there is a process", async || {
            let row = rig.ps().await.providers.into_iter().find(|row| row.id == probe);
            process = row.filter(|row| row.generation == generation).and_then(|row| row.pid);
            process.is_some()
        })
        .await;
        let pid = process.expect("it was seen");
        signal(pid, Signal::SIGKILL);
        killed.push(pid.into());
    }
    killed
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_deaths_in_a_row_has_a_record() {
    const DEATHS: u64 = 60;
    let rig = Rig::start_with(|builder| builder.with_restart_policy(at_once(RestartBudget::None))).await;
    let log = rig.folder.path().join("state").join(FOLDER);
    let probe = rig.provider("probe", PROBE).await;
    let killed = kill_all(&rig, &probe, DEATHS).await;
    rig.ready_pid(&probe, DEATHS + 1).await;
    rig.host.stop().await;

    good(&log, &rig.host.id(), None).expect("it was signed at the end");
    let records = records(&log);
    let told = of_kind(&records, "provider_crashed");
    let told: Vec<_> = told.iter().map(|event| (event["generation"].as_u64(), event["pid"].as_u64())).collect();
    let died: Vec<_> = (1..=DEATHS).zip(killed).map(|(generation, pid)| (Some(generation), Some(pid))).collect();
    assert_eq!(told, died);
    for event in of_kind(&records, "provider_crashed") {
        let said = (event["cause"].as_str(), event["decision"].as_str());
        assert_eq!(said, (Some("killed by signal 9 (SIGKILL)"), Some("it is restarted now")), "{event}");
    }
    // Some died before they took calls. None took calls twice, and none after its death.
    let (mut started, mut died) = (1, 0);
    for record in &records {
        let generation = record.event["generation"].as_u64().unwrap_or_default();
        match record.kind() {
            "provider_restarted" => assert!(generation > std::mem::replace(&mut started, generation), "{record:?}"),
            "provider_crashed" => died = generation,
            _ => continue,
        }
        assert!(record.kind() == "provider_crashed" || generation == died + 1, "{record:?} came after death {died}");
    }
    assert_eq!(started, DEATHS + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_told_once_and_after_the_death_that_led_to_it() {
    const DEATHS: u64 = 3;
    let policy = at_once(RestartBudget::Crashes(u32::try_from(DEATHS).expect("it is small")));
    let rig = Rig::start_with(|builder| builder.with_restart_policy(policy)).await;
    let log = rig.folder.path().join("state").join(FOLDER);
    let probe = rig.provider("probe", PROBE).await;
    kill_all(&rig, &probe, DEATHS).await;
    until("it is held", async || rig.ps().await.providers.iter().any(|row| row.state == "held")).await;
    // Who holds it now is another matter, and no further hold.
    rig.host.hold_provider(&probe, None).await.expect("it can be held");
    rig.host.release_provider(&probe, None).await.expect("it can be released");
    rig.host.hold_provider(&probe, None).await.expect("it can be held");
    rig.host.stop().await;

    good(&log, &rig.host.id(), None).expect("it was signed at the end");
    let records = records(&log);
    let life = |record: &&Record| ["provider_crashed", "provider_held"].contains(&record.kind());
    let life: Vec<_> = records.iter().filter(life).map(|record| (record.kind(), &record.event)).collect();
    let kinds: Vec<&str> = life.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, ["provider_crashed", "provider_crashed", "provider_crashed", "provider_held", "provider_held"]);
    assert!(life[2].1["decision"].as_str().is_some_and(|decision| decision.starts_with("it is held")), "{life:?}");
    assert_eq!((&life[3].1["generation"], &life[4].1["generation"]), (&json!(DEATHS), &json!(DEATHS + 1)));
    assert_eq!(life[4].1["why"], "an operator holds it");
}
