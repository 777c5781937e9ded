//! Peers that are no registries, or bad ones: each costs a typed error within bounds, and nothing bad is kept.

use cofferdam_registry::{Credentials, Kind, Login, RegistryConfig, SizeLimits, Wanted};
use cofferdam_tests::registry::{PASSWORD, Peer, Registry, Turn, USER, config};
use serde_json::json;

use super::{large, module, pull, push, refused};

const ACTOR: Wanted = Wanted::Only(Kind::Actor);

fn manifest(digest: &str, size: u64) -> Vec<u8> {
    let layer =
        json!({ "mediaType": "application/vnd.module.wasm.content.layer.v1+wasm", "digest": digest, "size": size });
    json!({ "schemaVersion": 2, "config": layer, "layers": [layer] }).to_string().into_bytes()
}

/// One answer, whatever is asked.
async fn against(turns: Vec<Turn>) -> (&'static str, String, usize) {
    let peer = Peer::start(turns);
    let folder = tempfile::tempdir().expect("a temporary directory");
    let credentials = Credentials::everywhere(Login::new(USER, PASSWORD));
    let config = RegistryConfig { credentials, ..config(folder.path(), &[peer.address()]) };
    let (kind, text) = refused(pull(&config, &format!("{}/a/echo:1", peer.address()), ACTOR).await);
    (kind, text, peer.heads().iter().filter(|head| head.contains("/manifests/")).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_all_kinds_cost_a_typed_error() {
    let good = cofferdam_registry::Digest::of(b"x").to_string();
    let huge = vec![b' '; (4 << 20) + 1];
    let repeats = format!("you said {PASSWORD}");
    let cases: Vec<(&str, Turn, &str, &str, usize)> = vec![
        ("busy", Turn::status("503 Busy", "", b"later"), "registry_status", "status 503, and said: later", 5),
        ("asked too often", Turn::status("429 Slow", "", b""), "registry_busy", "429", 5),
        ("a page", Turn::status("200 OK", "", b"<html>"), "registry_wrong_artifact", "manifest is not one", 1),
        ("nothing", Turn::Answer(Vec::new()), "registry_broke_off", "broke off", 0),
        ("noise", Turn::Answer(vec![0xff; 64]), "registry_broke_off", "broke off", 0),
        ("a huge manifest", Turn::status("200 OK", "", &huge), "registry_too_large", "limit of 4194304", 1),
        (
            "another digest",
            Turn::status("200 OK", &format!("docker-content-digest: {good}\r\n"), b"y"),
            "registry_digest",
            "",
            1,
        ),
        (
            "a huge layer",
            Turn::status("200 OK", "", &manifest(&good, 1 << 40)),
            "registry_too_large",
            "1099511627776",
            1,
        ),
        ("a path for a digest", Turn::status("200 OK", "", &manifest("sha256:../../x", 1)), "registry_protocol", "", 1),
        (
            "the password",
            Turn::status("403 No", "", repeats.as_bytes()),
            "registry_unauthorized",
            "hold the password",
            1,
        ),
    ];
    for (name, turn, kind, says, asked) in cases {
        let (found, text, times) = against(vec![turn]).await;
        assert_eq!((found, times), (kind, asked), "{name}: {text}");
        assert!(text.contains(says) && !text.contains(PASSWORD) && text.len() < 2000, "{name}: {text}");
    }
}

/// The manifest is an honest one, and the bytes are not those that it names.
#[tokio::test(flavor = "multi_thread")]
async fn other_bytes_than_the_manifest_names_are_never_kept() {
    let good = cofferdam_registry::Digest::of(b"\0asm").to_string();
    let manifest = Turn::status("200 OK", "", &manifest(&good, 4));
    let cases =
        [(&b"evil"[..], "registry_digest"), (b"evil and long", "registry_protocol"), (b"\0a", "registry_broke_off")];
    for (bytes, kind) in cases {
        // One connection asks who may, the next for the manifest, and all others for the layer.
        let turns = vec![Turn::status("200 OK", "", b"{}"), manifest.clone(), Turn::status("200 OK", "", bytes)];
        let peer = Peer::start(turns);
        let folder = tempfile::tempdir().expect("a temporary directory");
        let config = config(folder.path(), &[peer.address()]);
        let (found, text) = refused(pull(&config, &format!("{}/a/echo:1", peer.address()), ACTOR).await);
        assert_eq!(found, kind, "{text}");
        let kept = std::fs::read_dir(config.cache_dir.join("blobs")).expect("the cache is there");
        assert_eq!(kept.count(), 1, "the manifest alone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_tried_again() {
    let registry = Registry::start();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let bytes = module();
    push(&config(folder.path(), &[registry.address()]), &registry.reference("a/echo:1"), &bytes).await.expect("pushed");
    let (busy, broken) = (Turn::status("503 Busy", "", b""), Turn::Answer(Vec::new()));
    let pass = Turn::Pass(registry.address().to_owned());
    let peer = Peer::start(vec![busy.clone(), broken, busy, pass]);
    let config = config(folder.path(), &[peer.address()]);
    let pulled = pull(&config, &format!("{}/a/echo:1", peer.address()), ACTOR).await.expect("in the end");
    assert!(pulled.bytes == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_bounded_on_both_sides_of_the_limit() {
    let registry = Registry::start();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let roomy = config(folder.path(), &[registry.address()]);
    let bytes = large(1000);
    let reference = registry.reference("a/p:1");
    push(&roomy, &reference, &bytes).await.expect("pushed");
    for (provider_bytes_max, expected) in [(1000, ""), (999, "registry_too_large")] {
        let sizes = SizeLimits { provider_bytes_max, ..SizeLimits::default() };
        let config = RegistryConfig { sizes, ..roomy.clone() };
        assert_eq!(refused(pull(&config, &reference, Wanted::Only(Kind::Provider)).await).0, expected);
        assert_eq!(refused(push(&config, &reference, &bytes).await).0, expected);
    }
    assert_eq!(refused(push(&roomy, &reference, b"neither").await).0, "registry_wrong_artifact");
}
