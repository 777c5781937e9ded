//! Metering off for the issuers that an operator names: who is meant, what a loop costs then and whom, and who sees it.

use std::time::{Duration, Instant};

use cofferdam_claims::{ActorClaims, KeyKind, KeyPair, sign_actor};
use cofferdam_host::{Accounts, Actor};
use cofferdam_tests::golden::show;
use cofferdam_tests::{Rig, artifacts, http, payload};
use serde_json::Value;

const HTTP: &str = "wasmcloud:httpserver";
const TIMEOUT: Duration = Duration::from_millis(500);
/// What an error may come later than its deadline, on a busy machine.
const LATE_MAX: Duration = Duration::from_millis(1000);

/// A host where what the tests' own account signs is not metered.
async fn rig() -> Rig {
    let unmetered = Accounts::new([artifacts::issuer().public_key()]).expect("an account");
    Rig::start_with(|builder| builder.with_rpc_timeout(TIMEOUT).with_unmetered_issuers(unmetered)).await
}

/// The nasty guest, signed by an account, with claims that say something.
fn faults(issuer: &KeyPair, claims: ActorClaims) -> Actor {
    let signed = sign_actor("faults", &artifacts::wat("faults"), claims, issuer, &KeyKind::Actor.generate());
    Actor::from_slice(&signed.expect("a good module can be signed")).expect("it verifies")
}

/// Whether `ps` says that it is metered, and how many calls of it run on.
async fn seen(rig: &Rig, actor: &str) -> (bool, u32) {
    let report = rig.ps().await;
    let row = report.actors.iter().find(|row| row.id == actor).expect("it runs");
    (row.metered, row.runaways)
}

/// A call that must end by its deadline: how it ended, and who is to blame.
async fn loops(rig: &Rig, actor: &str, operation: &str, argument: &[u8]) -> String {
    let began = Instant::now();
    let ended = rig.host.call_actor(actor, operation, argument).await;
    assert!(began.elapsed() < TIMEOUT + LATE_MAX, "{operation} took {:?}", began.elapsed());
    let report = ended.as_ref().expect_err("it loops").report();
    format!("{}, blame {}, outcome {}", show(&ended), report.blame.as_str(), report.outcome.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_without_a_meter_costs_its_callers_their_deadline_and_nobody_else_anything() {
    let rig = rig().await;
    let (own, other) = (artifacts::issuer(), KeyKind::Account.generate());
    let unmetered = rig.start_actor(faults(own, artifacts::claims("unmetered", &[]))).await;
    // The issuer decides, and no other word of the claims.
    let name = own.public_key();
    let words = ActorClaims { tags: vec![name.clone()], ver: Some(name.clone()), ..artifacts::claims(&name, &[]) };
    let metered = rig.start_actor(faults(&other, words)).await;
    let caller = sign_actor(
        "caller",
        &artifacts::guest("caller"),
        artifacts::claims("caller", &[]),
        &other,
        &KeyKind::Actor.generate(),
    );
    let caller = rig.start_actor(Actor::from_slice(&caller.expect("it is signed")).expect("it verifies")).await;
    assert_eq!((seen(&rig, &unmetered).await, seen(&rig, &metered).await), ((false, 0), (true, 0)));

    let runs_on = "actor_runs_on: actor M… did not answer Loop within …, blame actor, outcome unknown";
    let ran_out = "actor_trapped: actor M… trapped in Loop: ran out of fuel…, blame actor, outcome unknown";
    let nested = payload::pack(&payload::forward(&unmetered, "Loop", &Value::Null));
    for count in 1..=4 {
        match count {
            // A caller with a meter has its thread back, and passes the blame on.
            2 => {
                let ended = loops(&rig, &caller, "Forward", &nested).await;
                assert!(
                    ended.contains("actor M… did not answer Loop within …, blame actor, outcome unknown"),
                    "{ended}"
                );
            }
            _ => assert_eq!(loops(&rig, &unmetered, "Loop", b"").await, runs_on),
        }
        assert_eq!(loops(&rig, &metered, "Loop", b"").await, ran_out);
        assert_eq!((seen(&rig, &unmetered).await, seen(&rig, &metered).await), ((false, count), (true, 0)));
        for good in [&metered, &caller] {
            let operation = if good == &caller { "Echo" } else { "Ok" };
            let answer = show(&rig.host.call_actor(good, operation, b"ok").await);
            assert_eq!(answer, "ok: ok", "beside {count} that run on");
        }
    }
    let refused = show(&rig.host.call_actor(&unmetered, "Ok", b"").await);
    assert!(refused.starts_with("actor_runaways: actor M… is not called: 4 of its calls run on"), "{refused}");
    // To stop the actor and the host is no wait for ever.
    let began = Instant::now();
    rig.host.stop_actor(&unmetered).await.expect("it is stopped");
    rig.host.stop().await;
    assert!(began.elapsed() < TIMEOUT * 3 + LATE_MAX, "stopping took {:?}", began.elapsed());
    let logged = std::fs::read_to_string(rig.folder.path().join("state/audit/0000000000000001.jsonl")).expect("a log");
    let started = logged.lines().filter(|line| line.contains(r#""kind":"actor_started""#));
    let metered: Vec<bool> = started.map(|line| line.contains(r#""metered":true"#)).collect();
    assert_eq!(metered, [false, true, true], "as they were started");
}

/// Calls of a provider have their error by their deadline, too, and others are served beside them.
#[tokio::test(flavor = "multi_thread")]
async fn http_clients_of_a_loop_without_a_meter_are_answered() {
    let rig = rig().await;
    let actor = rig.actor("responder", &[HTTP]).await;
    let web = rig.provider("httpserver", HTTP).await;
    let port = http::free_port();
    rig.link(&actor, HTTP, &web, &[("PORT", &port.to_string())]).await.expect("it accepts");
    for count in 1..=2 {
        let began = Instant::now();
        let (status, _) = http::get_async(format!("http://127.0.0.1:{port}/loop")).await.expect("an answer");
        assert!(status >= 500, "{status}");
        assert!(began.elapsed() < TIMEOUT + LATE_MAX, "{:?}", began.elapsed());
        let (status, _) = http::get_async(format!("http://127.0.0.1:{port}/bytes/3")).await.expect("an answer");
        assert_eq!((status, seen(&rig, &actor).await), (200, (false, count)));
    }
    rig.host.stop().await;
}
