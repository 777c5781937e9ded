//! Calls whose time is used up, or whose caller goes: who is blamed, what is known of the call, and that nothing goes on.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use cofferdam_host::HostError;
use cofferdam_tests::golden::show;
use cofferdam_tests::process::until;
use cofferdam_tests::{Rig, artifacts, http, payload};
use serde_json::{Value, json};

const HTTP: &str = "wasmcloud:httpserver";
const PROBE: &str = "cofferdam:probe";

/// Far longer than a test may take: what ends, ends because its caller has gone.
const NEVER: Duration = Duration::from_secs(600);
const NEVER_MS: u64 = 600_000;

async fn rig(timeout: Duration) -> (Rig, String, String) {
    let rig = Rig::start_with(|builder| builder.with_rpc_timeout(timeout)).await;
    let actor = rig.actor("caller", &[PROBE]).await;
    let probe = rig.provider("probe", PROBE).await;
    rig.link(&actor, PROBE, &probe, &[]).await.expect("the probe accepts");
    (rig, actor, probe)
}

/// How many calls an actor serves.
async fn in_flight(rig: &Rig, actor: &str) -> u64 {
    let report = rig.ps().await;
    report.actors.iter().find(|row| row.id == actor).map_or(0, |row| u64::from(row.calls_in_flight))
}

/// Blame, outcome, and what was at the bottom of it. Whether the actors in between still had the time to pass it on
/// depends on how busy the machine is.
fn judged(ended: &Result<Vec<u8>, HostError>) -> String {
    let Err(error) = ended else { return show(ended) };
    let report = error.report();
    let shown = show(ended);
    let cause = ["provider V…", "actor M… trapped"].iter().filter_map(|who| shown.rfind(who)).max().unwrap_or(0);
    format!("blame {}, outcome {}, {}", report.blame.as_str(), report.outcome.as_str(), &shown[cause..])
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_used_up_the_time_is_blamed() {
    let mut table = String::new();
    for timeout_ms in [1000, 100] {
        let (rig, a, _) = rig(Duration::from_millis(timeout_ms)).await;
        // Another actor of the same module.
        let wasm = artifacts::sign("other", &artifacts::guest("caller"), &[], None);
        let b = rig.start_actor(cofferdam_host::Actor::from_slice(&wasm).expect("it verifies")).await;
        let spinner = artifacts::sign("spinner", &artifacts::wat("faults"), &[], None);
        let spinner = rig.start_actor(cofferdam_host::Actor::from_slice(&spinner).expect("it verifies")).await;
        let slow = payload::forward(PROBE, "Wait", &json!(2 * timeout_ms));
        let spin = payload::forward(&spinner, "Loop", &Value::Null);
        let nested = payload::forward(&b, "Forward", &payload::forward(&a, "Forward", &slow));
        for (what, call) in [("A -> provider", &slow), ("A -> B -> A -> provider", &nested), ("A -> B", &spin)] {
            let began = Instant::now();
            let ended = rig.host.call_actor(&a, "Forward", &payload::pack(call)).await;
            let took = began.elapsed();
            assert!(took < Duration::from_millis(timeout_ms + 500), "{what} took {took:?}");
            let _ = writeln!(table, "{what}, {timeout_ms} ms: {}", judged(&ended));
        }
        // A guest that handles the error has the time to.
        until("the guest handles it", async || match rig.host.call_actor(&a, "Try", &payload::pack(&slow)).await {
            Ok(answer) => {
                payload::unpack(&answer)["error"].as_str().is_some_and(|text| text.contains("did not answer"))
            }
            Err(error) => {
                assert_eq!(error.report().blame.as_str(), "provider", "{error}");
                false
            }
        })
        .await;
        rig.host.stop().await;
    }
    insta::assert_snapshot!("late", table);
}

/// An HTTP client that leaves takes its guest with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_ends_with_its_http_client() {
    let (rig, _, _) = rig(NEVER).await;
    let actor = rig.actor("responder", &[HTTP]).await;
    let web = rig.provider("httpserver", HTTP).await;
    let port = http::free_port();
    rig.link(&actor, HTTP, &web, &[("PORT", &port.to_string())]).await.expect("it accepts");
    let mut client = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    client.write_all(b"GET /loop HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
    until("the guest loops", async || in_flight(&rig, &actor).await == 1).await;
    drop(client);
    until("the guest has ended", async || in_flight(&rig, &actor).await == 0).await;
    let (status, _) = http::get_async(format!("http://127.0.0.1:{port}/bytes/3")).await.expect("an answer");
    assert_eq!(status, 200, "the next one is served");
    rig.host.stop().await;
}

/// A call that nobody waits for any more ends while it waits for a provider, at every depth.
#[tokio::test(flavor = "multi_thread")]
async fn a_nested_call_ends_with_its_caller() {
    let (rig, actor, probe) = rig(NEVER).await;
    let slow = payload::forward(PROBE, "Wait", &json!(NEVER_MS));
    let nested = payload::forward(&actor, "Forward", &slow);
    for (call, depth) in [(&slow, 1), (&nested, 2)] {
        let (host, id, call) = (rig.host.clone(), actor.clone(), payload::pack(call));
        let waiting = tokio::spawn(async move { host.call_actor(&id, "Forward", &call).await });
        until("the call is on its way", async || in_flight(&rig, &actor).await == depth).await;
        waiting.abort();
        until("the call has ended", async || in_flight(&rig, &actor).await == 0).await;
        let good = rig.forward(&actor, PROBE, "Echo", &json!("good")).await;
        assert_eq!(show(&good), "ok: \\xa4good", "after a call of depth {depth}");
    }
    // The handlers go on, which only the end of their process changes.
    let pid = rig.ready_pid(&probe, 1).await;
    cofferdam_tests::process::signal(pid, nix::sys::signal::Signal::SIGKILL);
    rig.ready_pid(&probe, 2).await;
    rig.host.stop().await;
}
