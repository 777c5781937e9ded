//! What actors and providers say to each other: the contracts of 2021, word for word, and calls between actors.

use std::fmt::Write;

use cofferdam_host::{Actor, CallLimits, Host};
use cofferdam_tests::golden::{redact, show};
use cofferdam_tests::http::Answer;
use cofferdam_tests::log::Log;
use cofferdam_tests::process::{alone, until};
use cofferdam_tests::{Rig, artifacts, http, payload};
use serde_json::{Value, json};

const HTTP: &str = "wasmcloud:httpserver";
const STORE: &str = "wasmcloud:keyvalue";
const LOGGING: &str = "wasmcloud:logging";
const EXTRAS: &str = "wasmcloud:extras";
const PROBE: &str = "cofferdam:probe";

/// An HTTP actor, asked without an HTTP server.
async fn ask(host: &Host, actor: &str, target: &str) -> Answer {
    let answer = host.call_actor(actor, "HandleRequest", &payload::get(target)).await;
    payload::answer(&answer.unwrap_or_else(|error| panic!("{target}: {error}")))
}

/// One line for each operation of the tour.
fn tour(report: &str) -> String {
    let report: Value = serde_json::from_str(report).expect("the tour reports JSON");
    let mut table = String::new();
    for step in report["steps"].as_array().expect("it has steps") {
        let (operation, arguments) = (&step["operation"], &step["arguments"]);
        let outcome = step.get("reply").map_or_else(|| format!("error: {}", step["error"]), Value::to_string);
        let _ = writeln!(table, "{}{arguments} -> {}", operation.as_str().unwrap_or_default(), redact(&outcome));
    }
    table
}

/// The same answers from two databases on disk and from memory.
#[tokio::test(flavor = "multi_thread")]
async fn every_keyvalue_operation_answers_as_its_contract_says() {
    let rig = Rig::start().await;
    let guide = rig.actor("kvtour", &[HTTP, STORE]).await;
    let store = rig.provider("keyvalue", STORE).await;
    let mut tours = Vec::new();
    for values in [&[][..], &[("DB", "other")], &[("MEMORY", "true")]] {
        rig.link(&guide, STORE, &store, values).await.expect("the store accepts");
        let (status, report) = ask(&rig.host, &guide, "/t1").await;
        assert_eq!(status, 200, "{report}");
        tours.push(tour(&report));
        let is_gone = async || ask(&rig.host, &guide, "/t1/brief").await.1.contains("false");
        until("the brief value expires", is_gone).await;
    }
    insta::assert_snapshot!("kvtour", tours[0]);
    assert!(tours.iter().all(|tour| *tour == tours[0]), "{tours:#?}");
    rig.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn extras_are_built_in() {
    let rig = Rig::start().await;
    let (first, second) = (rig.actor("extras", &[HTTP, EXTRAS]).await, rig.actor("extras", &[HTTP, EXTRAS]).await);
    for (actor, target, sequence) in
        [(&first, "/", [0, 1]), (&first, "/?min=7&max=8", [2, 3]), (&second, "/?min=7&max=8", [0, 1])]
    {
        rig.link(actor, EXTRAS, cofferdam_host::extras::PUBLIC_KEY, &[]).await.expect("the built-in one accepts");
        let (status, body) = ask(&rig.host, actor, target).await;
        let report: Value = serde_json::from_str(&body).expect("it reports JSON");
        let (guid, random) = (report["guid"].as_str().expect("text"), report["random"].as_u64().expect("a number"));
        assert_eq!((status, guid.len(), &report["sequence"]), (200, 36, &json!(sequence)), "{body}");
        assert!(if target == "/" { random < 100 } else { random == 7 }, "{body}");
    }
    let empty = rig.host.call_actor(&first, "HandleRequest", &payload::get("/?min=5&max=5")).await;
    assert!(show(&empty).ends_with("min must be less than max, got 5 and 5"), "{}", show(&empty));
    rig.host.stop().await;
}

/// A module that was signed in 2021, by tools and people that know nothing of us, and our own that does everything.
#[test]
fn lines_of_actors_reach_the_log() {
    alone("contracts::lines_of_actors_reach_the_log", || async {
        let log = Log::capture();
        let rig = Rig::start().await;
        let web = rig.provider("httpserver", HTTP).await;
        let logging = rig.provider("logging", LOGGING).await;
        let fixture = artifacts::root().join("claims/fixtures/logger.wasm");
        let old = rig.start_actor(Actor::from_file(fixture).expect("it verifies")).await;
        let ours = rig.actor("logger", &[HTTP, LOGGING]).await;
        let mut table = String::new();
        for (name, actor, last) in [
            ("logger.wasm of 2021", &old, "Finished matching HTTP method"),
            ("logger", &ours, "a level that no logger knows"),
        ] {
            let port = http::free_port();
            rig.link(actor, LOGGING, &logging, &[]).await.expect("it accepts");
            rig.link(actor, HTTP, &web, &[("PORT", &port.to_string())]).await.expect("it accepts");
            let health =
                rig.host.call_actor(actor, "HealthRequest", &payload::pack(&json!({ "placeholder": true }))).await;
            let health = payload::unpack(&health.expect("it is healthy"));
            let answer = http::get_async(format!("http://127.0.0.1:{port}/some/where?x=1")).await.expect("an answer");
            let _ = writeln!(table, "{name}: {health}, {answer:?}");
            let lines = || log.lines(&format!("[{actor}]"));
            until("its last line arrives", async || lines().iter().any(|line| line.contains(last))).await;
            for line in lines() {
                let words = line.split(" dropped=").next().unwrap_or_default();
                let _ = writeln!(table, "    {}", redact(words));
            }
        }
        insta::assert_snapshot!("log", table);
        rig.host.stop().await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn actors_call_each_other_by_key_and_by_alias() {
    let rig =
        Rig::start_with(|builder| builder.with_call_limits(CallLimits { depth_max: 4, ..CallLimits::default() })).await;
    let named = |alias| artifacts::sign("named", &artifacts::guest("caller"), &[], Some(alias));
    let start = async |alias| rig.start_actor(Actor::from_slice(&named(alias)).expect("it verifies")).await;
    let (a, b) = (start("First-Actor").await, start("second.actor X").await);
    let call = payload::forward;
    let health = json!({ "placeholder": true });
    let to_a = |inner: &Value| call("first_actor", "Forward", inner);
    let to_b = |inner: &Value| call(&b, "Forward", inner);
    let mut table = String::new();
    for (what, argument) in [
        ("A", call("first_actor", "HealthRequest", &health)),
        ("A -> B", call("second_actor_x", "HealthRequest", &health)),
        ("A -> B -> A", to_b(&call(&a, "HealthRequest", &health))),
        ("A -> A -> A", to_a(&to_a(&call("first_actor", "HealthRequest", &health)))),
        ("one too deep", to_b(&to_a(&to_b(&call("first_actor", "HealthRequest", &health))))),
        ("unnormalized alias", call("First-Actor", "HealthRequest", &health)),
        ("an error of B's own", call(&b, "Fail", &json!("words of B"))),
        ("an operation B does not have", call(&b, "Nonsense", &Value::Null)),
    ] {
        let ended = rig.host.call_actor("first_actor", "Forward", &payload::pack(&argument)).await;
        let _ = writeln!(table, "{what}: {}", show(&ended));
    }
    insta::assert_snapshot!("nested", table);
    let health = payload::pack(&health);
    for name in ["first_actor", "First-Actor", " FIRST actor ", &a] {
        rig.host.call_actor(name, "HealthRequest", &health).await.unwrap_or_else(|error| panic!("{name:?}: {error}"));
    }
    rig.host.stop().await;
}

/// On each side of the limit: arguments and answers of actors and of providers.
#[tokio::test(flavor = "multi_thread")]
async fn payloads_are_bounded() {
    const LIMIT: u32 = 100_000;
    let limits = CallLimits { payload_bytes_max: LIMIT, ..CallLimits::default() };
    let rig = Rig::start_with(|builder| builder.with_call_limits(limits)).await;
    let actor = rig.actor("caller", &[PROBE]).await;
    let probe = rig.provider("probe", PROBE).await;
    rig.link(&actor, PROBE, &probe, &[]).await.expect("the probe accepts");
    let mut table = String::new();
    for bytes in [LIMIT, LIMIT + 1] {
        let echo = rig.host.call_actor(&actor, "Echo", &vec![b'x'; bytes as usize]).await;
        let made = rig.forward(&actor, PROBE, "Bytes", &json!(bytes)).await;
        for (what, ended) in [("argument of an actor", echo), ("answer of a provider", made)] {
            let shown = ended.map(|answer| format!("{} bytes", answer.len()).into_bytes());
            let _ = writeln!(table, "{what}, {bytes}: {}", show(&shown));
        }
    }
    let _ = writeln!(table, "afterwards: {}", show(&rig.forward(&actor, PROBE, "Echo", &json!("small")).await));
    insta::assert_snapshot!("payloads", table);
    rig.host.stop().await;
}

/// The provider's own mistakes are the caller's errors, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_provider_costs_its_caller_an_error() {
    let rig = Rig::start().await;
    let actor = rig.actor("caller", &[PROBE]).await;
    let probe = rig.provider("probe", PROBE).await;
    rig.link(&actor, PROBE, &probe, &[]).await.expect("the probe accepts");
    let mut table = String::new();
    for (operation, argument) in [
        ("Nonsense", Value::Null),
        ("Call", json!("no map")),
        ("Panic", Value::Null),
        ("Wait", json!(2500)),
        ("Abort", Value::Null),
    ] {
        let ended = rig.forward(&actor, PROBE, operation, &argument).await;
        let _ = writeln!(table, "{operation}: {}", show(&ended));
        rig.ready_pid(&probe, if operation == "Abort" { 2 } else { 1 }).await;
        let good = rig.forward(&actor, PROBE, "Echo", &json!("good")).await;
        assert_eq!(show(&good), "ok: \\xa4good", "after {operation}");
    }
    insta::assert_snapshot!("bad_provider", table);
    rig.host.stop().await;
}
