//! What was found broken once, so that it stays mended.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use cofferdam_claims::ActorClaims;
use cofferdam_host::{Actor, ActorMetadata, Authorizer, Claims, HostBuilder, HostError, WasmCloudEntity};
use cofferdam_tests::golden::{show, show_error};
use cofferdam_tests::process::until;
use cofferdam_tests::{Rig, artifacts, payload};
use serde_json::{Value, json};

const PROBE: &str = "cofferdam:probe";

/// Says yes to everything, and is gone when the host is.
struct Lenient(#[expect(dead_code, reason = "it is dropped with its owner")] Arc<()>);

impl Authorizer for Lenient {
    fn can_load(&self, _claims: &Claims<ActorMetadata>) -> bool {
        true
    }

    fn can_invoke(&self, _claims: &Claims<ActorMetadata>, _target: &WasmCloudEntity, _operation: &str) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_there_until_it_has_drained() {
    let rig = Rig::start().await;
    let (actor, probe) = (rig.actor("caller", &[PROBE]).await, artifacts::provider("probe", PROBE));
    let id = rig.start_provider(probe.clone()).await;
    rig.link(&actor, PROBE, &id, &[]).await.expect("the probe accepts");
    let slow = {
        let (host, actor) = (rig.host.clone(), actor.clone());
        let call = payload::pack(&payload::forward(PROBE, "Wait", &json!(1000)));
        tokio::spawn(async move { host.call_actor(&actor, "Forward", &call).await })
    };
    let reached = async || {
        let answer = rig.forward(&actor, PROBE, "Reached", &Value::Null).await.expect("it may ask");
        payload::unpack(&answer)["calls"].as_u64().expect("it counts")
    };
    let mut asked = 0;
    until("the slow call is in", async || {
        let reached = reached().await;
        asked += 1;
        reached >= asked
    })
    .await;
    let stopping = {
        let (host, id) = (rig.host.clone(), id.clone());
        tokio::spawn(async move { host.stop_provider(&id, PROBE, None).await })
    };
    let mut later = String::new();
    until("calls are refused", async || {
        later = show(&rig.forward(&actor, PROBE, "Echo", &Value::Null).await);
        !later.starts_with("ok")
    })
    .await;
    assert!(later.contains("draining"), "{later}");
    let again = rig.host.start_native_capability(probe.clone()).await.expect_err("it is there still");
    assert!(show_error(&again).contains("already running provider"), "{again}");
    stopping.await.expect("no panic").expect("it can be stopped");
    assert_eq!(show(&slow.await.expect("no panic")), "ok: waited");
    rig.start_provider(probe).await;
    rig.host.stop().await;
}

/// Whoever is last decides, and the provider knows it.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_knows_of_the_last_change() {
    let rig = Rig::start().await;
    let (asker, actor) = (rig.actor("caller", &[PROBE]).await, artifacts::actor("caller", &[PROBE]));
    let id = rig.start_actor(actor.clone()).await;
    let probe = artifacts::provider("probe", PROBE);
    let probe_id = probe.id();
    for name in [&asker, &id] {
        rig.link(name, PROBE, &probe_id, &[]).await.expect("it may wait");
    }
    // Removed, and set, while the provider is being started and thereafter.
    let (starting, changing) = tokio::join!(rig.host.start_native_capability(probe), async {
        for _ in 0..20 {
            tokio::join!(
                async { drop(rig.host.remove_link(&id, PROBE, None).await) },
                async { drop(rig.link(&id, PROBE, &probe_id, &[]).await) },
                async { drop(rig.host.stop_actor(&id).await) },
                async { drop(rig.host.start_actor(actor.clone()).await) },
            );
        }
        rig.ps().await
    });
    starting.expect("a good provider starts");
    drop(changing);
    let ps = rig.ps().await;
    let is_linked = ps.links.iter().any(|link| link.actor == id);
    let runs = ps.actors.iter().any(|row| row.id == id);
    let answer = rig.forward(&asker, PROBE, "Reached", &Value::Null).await.expect("it may ask");
    let known: Vec<String> = serde_json::from_value(payload::unpack(&answer)["linked"].clone()).expect("names");
    assert_eq!(known.contains(&id), is_linked && runs, "linked: {is_linked}, runs: {runs}");
    rig.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_actor_is_unbound_when_it_stops() {
    let rig = Rig::start().await;
    let asker = rig.actor("caller", &[PROBE]).await;
    let probe = rig.provider("probe", PROBE).await;
    rig.link(&asker, PROBE, &probe, &[]).await.expect("the probe accepts");
    let expires = SystemTime::now() + Duration::from_secs(2);
    let claims = ActorClaims { expires: Some(expires), ..artifacts::claims("short", &[PROBE]) };
    let wasm = artifacts::sign_as(&artifacts::guest("caller"), claims);
    let short = rig.start_actor(Actor::from_slice(&wasm).expect("it is in time")).await;
    rig.link(&short, PROBE, &probe, &[]).await.expect("the probe accepts");
    let linked = async || {
        let answer = rig.forward(&asker, PROBE, "Reached", &Value::Null).await.expect("it may ask");
        payload::unpack(&answer)["linked"].to_string()
    };
    assert!(linked().await.contains(&short));
    until("it has expired", async || rig.forward(&short, PROBE, "Echo", &Value::Null).await.is_err()).await;
    rig.host.stop_actor(&short).await.expect("it can be stopped");
    assert!(!linked().await.contains(&short));
    rig.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_stands_for_nothing_else() {
    let rig = Rig::start().await;
    let key = "m".repeat(56);
    for (alias, kind) in [
        ("First", None),
        ("wasmcloud:keyvalue", Some("alias_refused")),
        (&key, Some("alias_refused")),
        ("first", Some("alias_taken")),
    ] {
        let wasm = artifacts::sign("named", &artifacts::guest("caller"), &[], Some(alias));
        let started = rig.host.start_actor(Actor::from_slice(&wasm).expect("it verifies")).await;
        assert_eq!(started.err().map(|error| error.report().kind), kind.map(str::to_owned), "{alias}");
    }
    let actors = rig.ps().await.actors;
    assert_eq!(actors.iter().map(|actor| actor.call_alias.as_deref()).collect::<Vec<_>>(), [Some("first")]);
    rig.host.stop().await;
}

/// Calls for a contract reach its provider, and those for an alias its actor.
#[tokio::test(flavor = "multi_thread")]
async fn an_alias_is_no_contract_and_a_contract_no_alias() {
    let rig = Rig::start().await;
    let named = |alias| {
        let wasm = artifacts::sign("named", &artifacts::guest("caller"), &["log-book"], Some(alias));
        Actor::from_slice(&wasm).expect("it verifies")
    };
    let kind = |error: HostError| error.report().kind;
    let actor = rig.start_actor(named("Key Value")).await;
    for contract in ["key_value", "key-value", "Key Value"] {
        let refused = rig.link(&actor, contract, &actor, &[]).await;
        assert_eq!(refused.map_err(kind), Err("contract_is_alias".to_owned()), "{contract}");
    }
    rig.link(&actor, "log-book", &actor, &[]).await.expect("no actor is called that");
    let refused = rig.host.start_actor(named("Log.Book")).await;
    assert_eq!(refused.map_err(kind), Err("alias_refused".to_owned()));
    rig.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_failed_has_left_nothing_behind() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (state, socket) = (folder.path().join("state"), folder.path().join("host.sock"));
    let builder = HostBuilder::new().with_state_dir(&state).with_shim(artifacts::shim());
    std::fs::write(&socket, "no socket").expect("a file can be written");
    let host = builder.clone().with_socket(&socket).build();
    for _ in 0..2 {
        host.start().await.expect_err("what lies there is no socket");
        let error = host.call_actor("M", "Echo", b"").await.expect_err("it has not been started");
        assert!(show_error(&error).contains("not been started"), "{error}");
    }
    let other = builder.build();
    other.start().await.expect("the state directory is free");
    drop(other);
    std::fs::remove_file(&socket).expect("it is a file");
    host.start().await.expect("nothing is in the way any more");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_dropped_is_gone() {
    for is_stopped in [true, false] {
        let kept = Arc::new(());
        let (watched, lenient): (Weak<()>, _) = (Arc::downgrade(&kept), Lenient(kept));
        let rig = Rig::start_with(|builder| builder.with_authorizer(lenient)).await;
        let actor = rig.actor("caller", &[PROBE]).await;
        let probe = rig.provider("probe", PROBE).await;
        rig.link(&actor, PROBE, &probe, &[]).await.expect("the probe accepts");
        if is_stopped {
            rig.host.stop().await;
        }
        drop(rig);
        until("nothing holds the host any more", async || watched.upgrade().is_none()).await;
    }
}
