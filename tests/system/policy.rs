//! Who may call whom: every refusal with its text, and nothing of it reaches the provider.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use cofferdam_claims::{ActorClaims, KeyKind};
use cofferdam_host::{Actor, ActorMetadata, Authorizer, Claims, HostError, NativeCapability, Trust, WasmCloudEntity};
use cofferdam_tests::golden::{show, show_error};
use cofferdam_tests::process::until;
use cofferdam_tests::{Rig, artifacts, payload};
use serde_json::{Value, json};

const PROBE: &str = "cofferdam:probe";
const EXTRAS: &str = "wasmcloud:extras";

/// Says no to an actor by its name, and to an operation by its own.
struct Stern;

impl Authorizer for Stern {
    fn can_load(&self, claims: &Claims<ActorMetadata>) -> bool {
        name(claims) != "unloadable"
    }

    fn can_invoke(&self, claims: &Claims<ActorMetadata>, _target: &WasmCloudEntity, operation: &str) -> bool {
        name(claims) != "banned" && operation != "Forbidden"
    }
}

fn name(claims: &Claims<ActorMetadata>) -> &str {
    claims.metadata.as_ref().and_then(|metadata| metadata.name.as_deref()).unwrap_or_default()
}

/// A host with the probe, and an actor that may do everything.
struct Scene {
    rig: Rig,
    probe: String,
    asker: String,
    asked: u64,
    table: String,
}

impl Scene {
    async fn start() -> Self {
        let rig = Rig::start_with(|builder| builder.with_authorizer(Stern)).await;
        let probe = rig.provider("probe", PROBE).await;
        let asker = rig.actor("caller", &[PROBE, EXTRAS]).await;
        rig.link(&asker, PROBE, &probe, &[]).await.expect("the probe accepts");
        Self { rig, probe, asker, asked: 0, table: String::new() }
    }

    fn note(&mut self, what: &str, shown: &str) {
        let _ = writeln!(self.table, "{what}\n    {shown}");
    }

    /// An actor of the guest `caller` under this name.
    async fn caller(&self, name: &str, caps: &[&str]) -> String {
        self.rig.start_actor(caller_as(artifacts::claims(name, caps))).await
    }

    /// A link that is set before its actor runs can't be refused yet: returns an actor that has one.
    async fn linked_before(&self, name: &str, caps: &[&str], contract_id: &str, provider: &str) -> String {
        let actor = caller_as(artifacts::claims(name, caps));
        let id = actor.public_key();
        self.rig.link(&id, contract_id, provider, &[]).await.expect("nobody is there to refuse");
        self.rig.start_actor(actor).await
    }

    async fn call(&mut self, what: &str, actor: &str, namespace: &str, operation: &str) {
        let ended = self.rig.forward(actor, namespace, operation, &json!({})).await;
        self.note(what, &show(&ended));
    }

    async fn set_link(&mut self, what: &str, actor: &str, contract_id: &str) {
        let ended = self.rig.link(actor, contract_id, &self.probe.clone(), &[]).await;
        self.note(what, &ended.err().map_or("linked".to_owned(), |error| show_error(&error)));
    }

    /// Has the probe call an actor.
    async fn call_of_the_probe(&mut self, what: &str, actor: &str) {
        let errand = json!({ "actor": actor, "operation": "HealthRequest" });
        let ended = self.rig.forward(&self.asker, PROBE, "Call", &errand).await;
        self.asked += 1;
        let shown = ended.map(|health| payload::unpack(&health).to_string().into_bytes());
        self.note(what, &show(&shown));
    }

    /// What has reached the probe: calls that were not the asker's, and who is bound.
    async fn reached(&mut self) -> (u64, Vec<String>) {
        let answer = self.rig.forward(&self.asker, PROBE, "Reached", &Value::Null).await.expect("it may ask");
        let reached = payload::unpack(&answer);
        let others = reached["calls"].as_u64().expect("it counts") - self.asked;
        self.asked += 1;
        (others, serde_json::from_value(reached["linked"].clone()).expect("it knows who is bound"))
    }
}

fn caller_as(claims: ActorClaims) -> Actor {
    Actor::from_slice(&artifacts::sign_as(&artifacts::guest("caller"), claims)).expect("it verifies")
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_calls_reach_nobody() {
    let mut scene = Scene::start().await;
    let (probe, asker) = (scene.probe.clone(), scene.asker.clone());

    let unlinked = scene.caller("unlinked", &[PROBE, EXTRAS]).await;
    scene.call("claim, no link", &unlinked, PROBE, "Echo").await;
    scene.call("claim, no link, built in", &unlinked, EXTRAS, "RequestGuid").await;
    scene.call("an actor that doesn't run", &unlinked, &KeyKind::Actor.generate().public_key(), "Echo").await;
    scene.call("operation that the authorizer refuses", &asker, PROBE, "Forbidden").await;
    scene.call("the same, of an actor", &asker, &unlinked, "Forbidden").await;

    let unclaimed = scene.linked_before("unclaimed", &[], PROBE, &probe).await;
    scene.call("link, no claim", &unclaimed, PROBE, "Echo").await;
    scene.set_link("link, no claim, set while it runs", &unclaimed, PROBE).await;
    let extra = scene.linked_before("unclaimed", &[], EXTRAS, cofferdam_host::extras::PUBLIC_KEY).await;
    scene.call("link, no claim, built in", &extra, EXTRAS, "RequestGuid").await;

    let banned = scene.linked_before("banned", &[PROBE], PROBE, &probe).await;
    scene.call("actor that the authorizer refuses", &banned, PROBE, "Echo").await;
    scene.set_link("the same, linked while it runs", &banned, PROBE).await;

    let confused = scene.caller("confused", &["wasmcloud:keyvalue"]).await;
    scene.set_link("link for a contract that the provider does not serve", &confused, "wasmcloud:keyvalue").await;
    scene.call("call over that link", &confused, "wasmcloud:keyvalue", "Echo").await;

    scene.call_of_the_probe("the provider calls an actor linked to it", &asker).await;
    for (what, actor) in [
        ("the provider calls an actor not linked to it", &unlinked),
        ("the provider calls an actor whose claims don't allow the link", &unclaimed),
        ("the provider calls an actor whose link the authorizer refuses", &banned),
        ("the provider calls an actor linked for another contract", &confused),
        ("the provider calls an actor that doesn't run", &KeyKind::Actor.generate().public_key()),
    ] {
        scene.call_of_the_probe(what, actor).await;
    }
    let absent = KeyKind::Actor.generate().public_key();
    scene.rig.link(&absent, PROBE, &probe, &[]).await.expect("nobody is there to refuse");
    scene.call_of_the_probe("the provider calls an actor that is linked to it and doesn't run", &absent).await;
    assert_eq!(scene.reached().await, (0, vec![asker.clone()]), "calls of others, and who is bound");
    insta::assert_snapshot!("denied", scene.table);
    scene.rig.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_that_expire_and_links_that_go_end_what_was_allowed() {
    let mut scene = Scene::start().await;
    let (probe, asker) = (scene.probe.clone(), scene.asker.clone());
    let leaver = scene.caller("leaver", &[PROBE]).await;
    scene.set_link("linked", &leaver, PROBE).await;
    scene.call("while it is linked", &leaver, PROBE, "Echo").await;
    scene.rig.host.remove_link(&leaver, PROBE, None).await.expect("a link can be removed");
    scene.call("after its link is gone", &leaver, PROBE, "Echo").await;
    scene.call_of_the_probe("the provider calls it after its link is gone", &leaver).await;

    let expires = SystemTime::now() + Duration::from_secs(5);
    let mortal = caller_as(ActorClaims { expires: Some(expires), ..artifacts::claims("mortal", &[PROBE]) });
    let id = scene.rig.start_actor(mortal.clone()).await;
    scene.rig.link(&id, PROBE, &probe, &[]).await.expect("the probe accepts");
    scene.call("in time", &id, PROBE, "Echo").await;
    until("the claims expire", async || SystemTime::now() > expires).await;
    scene.call("expired while it ran", &id, PROBE, "Echo").await;
    scene.call("the same, to an actor", &id, &asker, "Echo").await;
    scene.call_of_the_probe("the provider calls it after that", &id).await;
    scene.rig.host.stop_actor(&id).await.expect("it can be stopped");
    let started = scene.rig.host.start_actor(mortal).await.expect_err("its time is over");
    scene.note("started again", &redacted(&started));

    assert_eq!(scene.reached().await.0, 2, "the two that were allowed");
    insta::assert_snapshot!("ended", scene.table);
    scene.rig.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_good_claims_of_a_trusted_issuer_start() {
    let others = KeyKind::Account.generate().public_key();
    let trust = Trust::only([others]).expect("it is an account");
    let rig = Rig::start_with(|builder| builder.with_trust(trust).with_authorizer(Stern)).await;
    let (guest, now) = (artifacts::guest("caller"), SystemTime::now());
    let (early, late) = (now - Duration::from_secs(60), now + Duration::from_secs(3600));
    let claims = |name| artifacts::claims(name, &[PROBE]);
    let mut rejected = artifacts::sign_as(&guest, claims("changed"));
    let position = rejected.windows(4).position(|bytes| bytes == b"Echo").expect("a name to change");
    rejected[position] = b'e';

    let mut table = String::new();
    for (what, wasm) in [
        ("unsigned", guest.clone()),
        ("expired", artifacts::sign_as(&guest, ActorClaims { expires: Some(early), ..claims("late") })),
        ("not yet valid", artifacts::sign_as(&guest, ActorClaims { not_before: Some(late), ..claims("early") })),
        ("changed after it was signed", rejected),
        ("no module", b"\0asm".to_vec()),
        ("untrusted issuer", artifacts::sign_as(&guest, claims("foreign"))),
    ] {
        let ended = match Actor::from_slice(&wasm) {
            Ok(actor) => rig.host.start_actor(actor).await,
            Err(error) => Err(error),
        };
        let _ = writeln!(table, "actor, {what}\n    {}", redacted(&ended.expect_err(what)));
    }
    let archive = artifacts::archive("probe", PROBE);
    let provider = NativeCapability::from_archive(&archive, None).expect("its signature is good");
    let refused = rig.host.start_native_capability(provider).await.expect_err("nobody trusts its issuer");
    let _ = writeln!(table, "provider, untrusted issuer\n    {}", redacted(&refused));
    assert!(rig.host.actors().await.expect("it runs").is_empty());
    assert_eq!(rig.host.providers().await.expect("it runs").len(), 1, "the built-in one");
    rig.host.stop().await;

    let rig = Rig::start_with(|builder| builder.with_authorizer(Stern)).await;
    let refused = rig.host.start_actor(caller_as(claims("unloadable"))).await.expect_err("the authorizer says no");
    let _ = writeln!(table, "actor, refused by the authorizer\n    {}", redacted(&refused));
    insta::assert_snapshot!("not_started", table);
    rig.host.stop().await;
}

/// Times are those of this run.
fn redacted(error: &HostError) -> String {
    let shown = show_error(error);
    shown.split(|c: char| c.is_ascii_digit()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("#")
}
