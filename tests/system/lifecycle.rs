//! Starting, linking and stopping, in every order, and what is said when it can't be.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::{Component, Path, PathBuf};

use cofferdam_host::{HostBuilder, HostError, HostManifest, NativeCapability};
use cofferdam_tests::golden::{redact, show, show_error};
use cofferdam_tests::process::until;
use cofferdam_tests::{Rig, artifacts, http, payload};
use serde_json::{Value, json};

const HTTP: &str = "wasmcloud:httpserver";
const PROBE: &str = "cofferdam:probe";

/// The state of the only link, as the operator sees it.
async fn link_state(rig: &Rig) -> String {
    let links = rig.ps().await.links;
    assert_eq!(links.len(), 1, "{links:?}");
    links[0].state.clone()
}

/// What has reached the probe.
async fn reached(rig: &Rig, asker: &str) -> Value {
    payload::unpack(&rig.forward(asker, PROBE, "Reached", &Value::Null).await.expect("it may ask"))
}

/// The actors that are bound to the probe.
async fn linked(rig: &Rig, asker: &str) -> Vec<String> {
    serde_json::from_value(reached(rig, asker).await["linked"].clone()).expect("it knows who is bound")
}

/// The calls that have reached the probe before this one.
async fn calls(rig: &Rig, asker: &str) -> u64 {
    reached(rig, asker).await["calls"].as_u64().expect("it counts")
}

/// As from here, where the current directory of a test is.
fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().expect("a test is somewhere");
    let up = here.components().skip(1).map(|_| Component::ParentDir);
    up.chain(path.components().skip(1)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_may_be_relative() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let state = relative(&folder.path().join("state"));
    let rig = Rig::start_with(|builder| builder.with_state_dir(state).with_shim(relative(&artifacts::shim()))).await;
    let id = rig.provider("keyvalue", "wasmcloud:keyvalue").await;
    assert!(rig.ready_pid(&id, 1).await > 0);
    assert!(folder.path().join("state/providers").join(id).is_dir());
    rig.host.stop().await;
}

fn error_of<T>(result: Result<T, HostError>) -> String {
    result.err().map_or("no error".to_owned(), |error| show_error(&error))
}

/// Whatever comes first, it works when all are there; and again after either side was stopped and started.
#[tokio::test(flavor = "multi_thread")]
async fn links_may_come_in_any_order() {
    let rig = Rig::start().await;
    let (actor, probe) = (artifacts::actor("caller", &[PROBE]), artifacts::provider("probe", PROBE));
    let (actor_id, probe_id) = (actor.public_key(), probe.id());
    for order in ["apl", "alp", "pal", "pla", "lap", "lpa"] {
        for step in order.chars() {
            match step {
                'a' => drop(rig.start_actor(actor.clone()).await),
                'p' => drop(rig.start_provider(probe.clone()).await),
                _ => {
                    rig.link(&actor_id, PROBE, &probe_id, &[]).await.unwrap_or_else(|error| panic!("{order}: {error}"))
                }
            }
        }
        assert_eq!(link_state(&rig).await, "bound", "{order}");
        assert_eq!(linked(&rig, &actor_id).await, [actor_id.as_str()], "{order}");

        rig.host.stop_actor(&actor_id).await.expect("it can be stopped");
        assert_eq!(link_state(&rig).await, "waits for its actor", "{order}");
        rig.start_actor(actor.clone()).await;
        assert_eq!(linked(&rig, &actor_id).await, [actor_id.as_str()], "{order}");

        rig.host.stop_provider(&probe_id, PROBE, None).await.expect("it can be stopped");
        assert_eq!(link_state(&rig).await, "waits for its provider", "{order}");
        rig.start_provider(probe.clone()).await;
        assert_eq!(linked(&rig, &actor_id).await, [actor_id.as_str()], "{order}");

        rig.host.stop_actor(&actor_id).await.expect("it can be stopped");
        rig.host.stop_provider(&probe_id, PROBE, None).await.expect("it can be stopped");
        rig.host.remove_link(&actor_id, PROBE, None).await.expect("it can be removed");
    }
    rig.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_set_again_takes_the_place_of_the_first() {
    let rig = Rig::start().await;
    let echo = rig.actor("echo", &[HTTP]).await;
    let web = rig.provider("httpserver", HTTP).await;
    let ports = [http::free_port(), http::free_port()];
    let url = |port| format!("http://127.0.0.1:{port}/");
    for (port, other) in [(ports[0], ports[1]), (ports[1], ports[0]), (ports[1], ports[0])] {
        rig.link(&echo, HTTP, &web, &[("PORT", &port.to_string())]).await.expect("the port is free");
        assert_eq!(http::get_async(url(port)).await.expect("an answer").0, 200);
        assert!(http::get_async(url(other)).await.is_err(), "nobody listens on the other port");
    }
    let second = rig.provider("httpserver", HTTP).await;
    rig.link(&echo, HTTP, &second, &[("PORT", &ports[0].to_string())]).await.expect("the port is free");
    assert_eq!(http::get_async(url(ports[0])).await.expect("an answer").0, 200);
    assert!(http::get_async(url(ports[1])).await.is_err(), "the first server was told");
    rig.host.remove_link(&echo, HTTP, None).await.expect("it can be removed");
    assert!(http::get_async(url(ports[0])).await.is_err(), "the second server was told");
    rig.host.remove_link(&echo, HTTP, None).await.expect("removing it twice is no error");
    rig.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_is_said() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let fresh = || HostBuilder::new().with_state_dir(folder.path().join("fresh")).with_shim(artifacts::shim());
    let mut table = String::new();
    let mut note = |what: &str, shown: String| {
        let _ = writeln!(table, "{what}\n    {shown}");
    };
    let (actor, probe) = (artifacts::actor("caller", &[PROBE, HTTP]), artifacts::provider("probe", PROBE));
    let idle = fresh().build();
    note("call before start", show(&idle.call_actor("M", "Echo", b"").await));
    note("start an actor before start", error_of(idle.start_actor(actor.clone()).await));
    note("start a provider before start", error_of(idle.start_native_capability(probe.clone()).await));
    let link = idle.set_link("M", PROBE, None, "V".to_owned(), HashMap::new());
    note("link before start", error_of(link.await));
    idle.stop().await;

    let rig = Rig::start().await;
    let (actor_id, probe_id) = (rig.start_actor(actor.clone()).await, rig.start_provider(probe.clone()).await);
    note("an actor twice", error_of(rig.host.start_actor(actor).await));
    note("a provider twice", error_of(rig.host.start_native_capability(probe).await));
    note("rejected link", error_of(rig.link(&actor_id, PROBE, &probe_id, &[("REJECT", "not\x1b[31m you")]).await));
    note("the same in ps", link_state(&rig).await);
    rig.host.remove_link(&actor_id, PROBE, None).await.expect("it can be removed");
    let web = rig.provider("httpserver", HTTP).await;
    note("bad port", error_of(rig.link(&actor_id, HTTP, &web, &[("PORT", "eighty")]).await));
    note("the same in ps", link_state(&rig).await);

    let broken = artifacts::archive_of("broken", PROBE, b"no library at all");
    let broken = NativeCapability::from_archive(&broken, None).expect("its signature is good");
    note("a provider that is no library", error_of(rig.host.start_native_capability(broken).await));
    assert_eq!(rig.ps().await.providers.len(), 3, "it was not kept");

    let place = |text: String| text.replace(&rig.folder.path().display().to_string(), "DIR");
    let pid = format!("(pid {})", std::process::id());
    let second = fresh().with_state_dir(rig.folder.path().join("state")).build();
    note("second host, same state", place(error_of(second.start().await)).replace(&pid, "(pid …)"));
    let second = fresh().with_socket(rig.folder.path().join("host.sock")).build();
    note("second host, same socket", place(error_of(second.start().await)).replace(&pid, "(pid …)"));
    second.stop().await;

    for _ in 0..2 {
        rig.host.stop_actor(&actor_id).await.expect("once or twice");
        rig.host.stop_provider(&probe_id, PROBE, None).await.expect("once or twice");
    }
    note("call of a stopped actor", show(&rig.host.call_actor(&actor_id, "Echo", b"").await));
    rig.host.stop().await;
    rig.host.stop().await;
    note("call after stop", show(&rig.host.call_actor(&actor_id, "Echo", b"").await));
    note("start after stop", error_of(rig.host.start_actor(artifacts::actor("caller", &[])).await));
    insta::assert_snapshot!("said", table);
}

/// Draining: what is on its way ends well, what comes later does not begin.
#[tokio::test(flavor = "multi_thread")]
async fn stop_lets_calls_in_flight_end() {
    let rig = Rig::start().await;
    let actor = rig.actor("caller", &[PROBE]).await;
    let probe = rig.provider("probe", PROBE).await;
    rig.link(&actor, PROBE, &probe, &[]).await.expect("the probe accepts");
    for stop_all in [false, true] {
        let mut asked = calls(&rig, &actor).await;
        let slow = {
            let (host, actor) = (rig.host.clone(), actor.clone());
            let call = payload::pack(&payload::forward(PROBE, "Wait", &json!(700)));
            tokio::spawn(async move { host.call_actor(&actor, "Forward", &call).await })
        };
        until("the slow call is in", async || {
            asked += 1;
            calls(&rig, &actor).await > asked
        })
        .await;
        if stop_all {
            rig.host.stop().await;
        } else {
            rig.host.stop_provider(&probe, PROBE, None).await.expect("it can be stopped");
        }
        assert_eq!(show(&slow.await.expect("no panic")), "ok: waited");
        let later = show(&rig.forward(&actor, PROBE, "Echo", &Value::Null).await);
        let expected = if stop_all { "the host is stopping" } else { "is not available: it has not been started" };
        assert!(later.contains(expected), "{later}");
        if !stop_all {
            let again = artifacts::provider("probe", PROBE);
            rig.link(&actor, PROBE, &again.id(), &[]).await.expect("it may wait");
            rig.start_provider(again).await;
        }
    }
}

/// Waits 700 ms in the probe, then calls the probe of link `fresh`, and answers what that answers.
const TWO_CALLS: &str = r#"(module
  (import "wapc" "__host_call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response_len" (func $len (result i32)))
  (import "wapc" "__host_response" (func $response (param i32)))
  (import "wapc" "__guest_response" (func $answer (param i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "default")
  (data (i32.const 16) "fresh")
  (data (i32.const 32) "cofferdam:probe")
  (data (i32.const 64) "Wait")
  (data (i32.const 80) "Echo")
  (data (i32.const 96) "\cd\02\bc")
  (func (export "__guest_call") (param i32 i32) (result i32)
    (drop (call $call (i32.const 0) (i32.const 7) (i32.const 32) (i32.const 15)
      (i32.const 64) (i32.const 4) (i32.const 96) (i32.const 3)))
    (if (i32.eqz (call $call (i32.const 16) (i32.const 5) (i32.const 32) (i32.const 15)
      (i32.const 80) (i32.const 4) (i32.const 80) (i32.const 4))) (then (return (i32.const 0))))
    (call $response (i32.const 1024))
    (call $answer (i32.const 1024) (call $len))
    (i32.const 1)))"#;

/// While a host stops, what is on its way may still make its first call of a provider.
#[tokio::test(flavor = "multi_thread")]
async fn stop_lets_calls_on_their_way_begin_others() {
    let rig = Rig::start().await;
    let wasm = artifacts::sign("two calls", &wat::parse_str(TWO_CALLS).expect("it is a module"), &[PROBE], None);
    let actor = rig.start_actor(cofferdam_host::Actor::from_slice(&wasm).expect("it verifies")).await;
    let slow = rig.provider("probe", PROBE).await;
    let fresh = NativeCapability::from_archive(&artifacts::archive("probe", PROBE), Some("fresh".to_owned()));
    let fresh = rig.start_provider(fresh.expect("its signature is good")).await;
    rig.link(&actor, PROBE, &slow, &[]).await.expect("the probe accepts");
    let link = rig.host.set_link(&actor, PROBE, Some("fresh".to_owned()), fresh, HashMap::new());
    link.await.expect("the probe accepts");
    let (host, id) = (rig.host.clone(), actor.clone());
    let on_its_way = tokio::spawn(async move { host.call_actor(&id, "Both", b"").await });
    until("the slow call is in", async || rig.ps().await.actors.iter().any(|row| row.calls_in_flight == 1)).await;
    rig.host.stop().await;
    assert_eq!(show(&on_its_way.await.expect("no panic")), "ok: Echo");
    let again = error_of(rig.host.start().await);
    assert_eq!(again, "host_stopping: the host is stopping and starts nothing any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_applied_twice_changes_nothing() {
    let rig = Rig::start().await;
    let port = http::free_port();
    let wasm = artifacts::sign("echo", &artifacts::guest("echo"), &[HTTP], None);
    let echo = cofferdam_host::Actor::from_slice(&wasm).expect("it verifies").public_key();
    std::fs::write(rig.folder.path().join("echo.wasm"), wasm).expect("a file can be written");
    let mut archive = artifacts::archive("httpserver", HTTP);
    let (issuer, subject) = (artifacts::issuer(), cofferdam_claims::KeyKind::Provider.generate());
    archive.write(rig.folder.path().join("web.par"), issuer, &subject, false).expect("it can be written");
    let manifest = json!({
        "labels": { "rack": "7", "hostcore.os": "mine" },
        "actors": ["echo.wasm"],
        "capabilities": [{ "image_ref": "web.par" }],
        "links": [{ "actor": echo, "provider_id": subject.public_key(), "contract_id": HTTP, "values": { "PORT": port } }],
    });
    let path = rig.folder.path().join("manifest.json");
    std::fs::write(&path, manifest.to_string()).expect("a file can be written");
    let mut reports = Vec::new();
    for _ in 0..2 {
        let manifest = HostManifest::from_path(&path, &|_| None).expect("it can be read");
        rig.host.apply_manifest(manifest).await.expect("it can be applied");
        let (status, _) = http::get_async(format!("http://localhost:{port}/")).await.expect("an answer");
        assert_eq!((status, rig.host.labels()["rack"].as_str()), (200, "7"));
        assert_ne!(rig.host.labels()["hostcore.os"], "mine");
        let report = rig.ps().await;
        reports.push((report.actors, report.providers, report.links));
    }
    assert_eq!(reports[0], reports[1]);
    assert_eq!(redact(&reports[0].2[0].provider), "V…");
    rig.host.stop().await;
}
