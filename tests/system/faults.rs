//! Actors that misbehave: each fault costs its own call an error, by the deadline, and the next call works.

use std::fmt::Write;
use std::time::{Duration, Instant};

use cofferdam_host::{Actor, ActorLimits};
use cofferdam_tests::golden::{show, show_error};
use cofferdam_tests::{Rig, artifacts, http};

/// Short, so that what ends by its deadline ends soon; long enough for a busy machine.
const TIMEOUT: Duration = Duration::from_millis(500);

/// What an error may come later than its deadline, on a busy machine.
const LATE_MAX: Duration = Duration::from_millis(500);

const FAULTS: &[&str] = &[
    "Ok",
    "Loop",
    "Recurse",
    "Grow",
    "Bomb",
    "Unreachable",
    "OutOfBounds",
    "FarOutOfBounds",
    "DivideByZero",
    "DivideOverflow",
    "TruncateNan",
    "IndirectType",
    "IndirectNull",
    "IndirectBounds",
    "LogFlood",
    "CallFlood",
    "Silent",
    "Two",
    "NoResponse",
    "ErrorButOne",
    "ResponseButZero",
    "Twice",
    "ErrorTwice",
    "ErrorNotUtf8",
    "Empty",
    "Reread",
    "NothingYet",
    "SomethingElse",
];

const BULK: &[&str] =
    &["FillOnce", "Fill", "Copy", "Init", "FillOutside", "TableGrow", "TableFill", "TableCopy", "TableInit"];

const POINTERS: &[&str] = &[
    "LogPast",
    "LogWrap",
    "LogHuge",
    "LogNegative",
    "RequestOp",
    "RequestPayload",
    "RequestWrap",
    "ResponsePast",
    "ResponseWrap",
    "ResponseHuge",
    "ErrorPast",
    "ErrorHuge",
    "CallBinding",
    "CallNamespace",
    "CallOperation",
    "CallPayload",
    "CallWrap",
    "CallHuge",
    "NotUtf8",
    "HostError",
    "LastBytes",
    "EmptyAtEnd",
];

async fn rig() -> Rig {
    let limits = ActorLimits { memory_bytes_max: 16 << 20, ..ActorLimits::default() };
    Rig::start_with(|builder| builder.with_rpc_timeout(TIMEOUT).with_actor_limits(limits)).await
}

fn signed(guest: &str) -> Actor {
    Actor::from_slice(&artifacts::sign(guest, &artifacts::wat(guest), &[], None)).expect("it verifies")
}

/// Calls every operation, and a good one of the same actor and of another after each.
async fn check(guest: &str, operations: &[&str]) -> String {
    let rig = rig().await;
    let actor = rig.start_actor(signed(guest)).await;
    let other = rig.actor("caller", &[]).await;
    let mut table = String::new();
    for operation in operations {
        let began = Instant::now();
        let ended = rig.host.call_actor(&actor, operation, b"payload").await;
        assert!(began.elapsed() < TIMEOUT + LATE_MAX, "{operation} took {:?}", began.elapsed());
        let _ = writeln!(table, "{operation:16} {}", show(&ended));
        assert_eq!(show(&rig.host.call_actor(&actor, "Ok", b"").await), "ok: ok", "after {operation}");
        assert_eq!(show(&rig.host.call_actor(&other, "Echo", b"hi").await), "ok: hi", "after {operation}");
    }
    for row in &rig.ps().await.actors {
        assert_eq!(row.calls_in_flight, 0, "{row:?}");
    }
    rig.host.stop().await;
    table
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_cost_their_own_call_only() {
    insta::assert_snapshot!("faults", check("faults", FAULTS).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_operators_end_by_the_deadline() {
    insta::assert_snapshot!("bulk", check("bulk", BULK).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn pointers_outside_the_memory_cost_their_own_call_only() {
    insta::assert_snapshot!("pointers", check("pointers", POINTERS).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_run_is_refused_and_not_kept() {
    let rig = rig().await;
    let mut table = String::new();
    for guest in [
        "start-loop",
        "start-trap",
        "start-section-loop",
        "init-loop",
        "init-trap",
        "no-guest-call",
        "guest-call-type",
        "guest-call-global",
        "import-module",
        "import-name",
        "import-type",
        "import-memory",
        "memory-huge",
        "memory-none",
        "memory-renamed",
        "memory-64",
        "table-huge",
        "data-outside",
    ] {
        let actor = signed(guest);
        let began = Instant::now();
        let error = rig.host.start_actor(actor.clone()).await.expect_err(guest);
        assert!(began.elapsed() < TIMEOUT + LATE_MAX, "{guest} took {:?}", began.elapsed());
        let _ = writeln!(table, "{guest:20} {}", show_error(&error));
        assert_eq!(rig.host.actors().await.expect("it runs"), Vec::<String>::new(), "{guest} was kept");
    }
    insta::assert_snapshot!("refused", table);
    rig.host.stop().await;
}

/// The same, as a person with `curl` sees it: statuses, and nothing of the inside.
#[tokio::test(flavor = "multi_thread")]
async fn over_http_a_fault_is_a_status() {
    let rig = rig().await;
    let actor = rig.actor("responder", &["wasmcloud:httpserver"]).await;
    let web = rig.provider("httpserver", "wasmcloud:httpserver").await;
    let port = http::free_port();
    rig.link(&actor, "wasmcloud:httpserver", &web, &[("PORT", &port.to_string())]).await.expect("it accepts");
    let mut table = String::new();
    for path in ["/status/204", "/error/secret", "/trap", "/loop", "/garbage", "/status/99", "/header/a/b", "/nothing"]
    {
        let (status, body) = http::get_async(format!("http://127.0.0.1:{port}{path}")).await.expect("an answer");
        let _ = writeln!(table, "{path:16} {status} {}", body.trim());
        let good = http::get_async(format!("http://127.0.0.1:{port}/bytes/3")).await.expect("an answer");
        assert_eq!(good, (200, "xxx".to_owned()), "after {path}");
    }
    insta::assert_snapshot!("http", table);
    rig.host.stop().await;
}
