//! The audit log of a host that does some of each: all of it is there, nothing of it is secret, and it verifies.

use std::collections::BTreeMap;
use std::path::Path;

use cofferdam_claims::{KeyKind, Trust};
use cofferdam_host::audit::{Expected, FOLDER, Record, SignedHead, read, verify};
use cofferdam_host::control::Client;
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
