//! Hosts that start what is in registries: by the library, by a manifest, and never what a file would not get past.

use cofferdam_claims::Trust;
use cofferdam_host::{HostError, HostManifest};
use cofferdam_tests::registry::{Registry, config};
use cofferdam_tests::{Rig, artifacts, http};

use super::push;

const HTTP: &str = "wasmcloud:httpserver";

/// The bytes of a provider of the workspace, with its public key.
fn archive(library: &str, contract_id: &str) -> (Vec<u8>, String) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let key = cofferdam_claims::KeyKind::Provider.generate();
    let mut archive = artifacts::archive(library, contract_id);
    let path = archive.write(folder.path().join("p.par.gz"), artifacts::issuer(), &key, true).expect("it is written");
    (std::fs::read(path).expect("it is there"), key.public_key())
}

async fn with_both(registry: &Registry) -> (String, String, String) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let config = config(folder.path(), &[registry.address()]);
    let (actor, provider) = (registry.reference("a/echo:1"), registry.reference("a/http:1"));
    push(&config, &actor, &super::module()).await.expect("pushed");
    let (bytes, id) = archive("httpserver", HTTP);
    push(&config, &provider, &bytes).await.expect("pushed");
    (actor, provider, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_starts_what_is_in_a_registry_and_stops_it_by_reference() {
    let registry = Registry::start();
    let (actor, provider, provider_id) = with_both(&registry).await;
    let rig = Rig::start_with(|builder| builder.oci_allow_insecure(vec![registry.address().to_owned()])).await;
    rig.host.start_actor_from_registry(&actor).await.expect("it starts");
    rig.host.start_capability_from_registry(&provider, None).await.expect("it starts");
    let actor_id = rig.host.actors().await.expect("started").remove(0);
    let mut expected = vec![(actor.clone(), actor_id.clone()), (provider.clone(), provider_id.clone())];
    expected.sort();
    assert_eq!(rig.host.oci_references().await.expect("started"), expected);

    let port = http::free_port().to_string();
    rig.link(&actor_id, HTTP, &provider_id, &[("PORT", &port)]).await.expect("linked");
    let (status, body) = http::get_async(format!("http://127.0.0.1:{port}/x")).await.expect("it answers");
    assert_eq!(status, 200, "{body}");

    rig.host.stop_actor(&actor).await.expect("it stops");
    rig.host.stop_provider(&provider, HTTP, None).await.expect("it stops");
    assert_eq!(rig.host.oci_references().await.expect("started"), []);
    rig.host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_may_name_references_and_a_file_of_that_name_wins() {
    let registry = Registry::start();
    let (actor, provider, provider_id) = with_both(&registry).await;
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("manifest.yaml");
    let text = format!("actors: [\"{actor}\"]\ncapabilities: [{{image_ref: \"{provider}\"}}]\n");
    std::fs::write(&path, text).expect("it can be written");
    let manifest = || HostManifest::from_path(&path, &|_: &str| None).expect("it is good");
    let rig = Rig::start_with(|builder| builder.oci_allow_insecure(vec![registry.address().to_owned()])).await;
    rig.host.apply_manifest(manifest()).await.expect("both start");
    rig.host.apply_manifest(manifest()).await.expect("again, nothing changes");
    let started = rig.host.providers().await.expect("started");
    assert!(started.iter().any(|(id, ..)| *id == provider_id), "{started:?}");

    let file = folder.path().join(&actor);
    std::fs::create_dir_all(file.parent().expect("it has a folder")).expect("made");
    std::fs::write(&file, super::module()).expect("it can be written");
    rig.host.apply_manifest(manifest()).await.expect("the file is another actor");
    assert_eq!(rig.host.actors().await.expect("started").len(), 2);
    assert_eq!(rig.host.oci_references().await.expect("started").len(), 2, "a file is no reference");
    rig.host.stop().await;
}

/// The registry says which bytes these are, and the claims in them whose.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_from_a_registry_is_trusted_no_more_than_a_file() {
    let registry = Registry::start();
    let (actor, provider, _) = with_both(&registry).await;
    let other = cofferdam_claims::KeyKind::Account.generate().public_key();
    let trust = Trust::only([&*other]).expect("an account");
    let insecure = vec![registry.address().to_owned()];
    let rig = Rig::start_with(|builder| builder.oci_allow_insecure(insecure).with_trust(trust)).await;
    let outcomes = [
        rig.host.start_actor_from_registry(&actor).await,
        rig.host.start_capability_from_registry(&provider, None).await,
    ];
    for outcome in outcomes {
        assert!(matches!(outcome, Err(HostError::Claims(_))), "{outcome:?}");
    }
    let kinds = [("echo:1", "bad_reference"), (&registry.reference("a/echo"), "latest_refused")];
    for (reference, kind) in kinds {
        let refused = rig.host.start_actor_from_registry(reference).await.expect_err("refused");
        assert_eq!(refused.report().kind, kind, "{refused}");
    }
    rig.host.stop().await;
}
