//! What is pushed is pulled, by whatever way, and the cache is never believed.

use cofferdam_registry::{Digest, Kind, Latest, Offline, Origin, RegistryConfig, Wanted};
use cofferdam_tests::registry::{Peer, Registry, Turn, config};
use cofferdam_tests::{artifacts, http};
use serde_json::Value;

use super::{large, module, pull, push, refused};

const ACTOR: Wanted = Wanted::Only(Kind::Actor);
const PROVIDER: Wanted = Wanted::Only(Kind::Provider);

fn archive() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("provider.par.gz");
    let mut archive = artifacts::unsigned("any", "test:any", b"a library");
    let key = cofferdam_claims::KeyKind::Provider.generate();
    let path = archive.write(path, artifacts::issuer(), &key, true).expect("it can be written");
    std::fs::read(path).expect("it is there")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_is_pulled_with_the_media_types_of_the_reference() {
    let registry = Registry::start();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let config = config(folder.path(), &[registry.address()]);
    let cases = [
        ("a/echo:1", module(), Kind::Actor, "application/vnd.module.wasm.content.layer.v1+wasm"),
        ("a/kv:0.1.0", archive(), Kind::Provider, "application/vnd.wasmcloud.provider.archive.layer.v1+par"),
    ];
    for (rest, bytes, kind, media_type) in cases {
        let reference = registry.reference(rest);
        let pushed = push(&config, &reference, &bytes).await.expect("it is pushed");
        assert_eq!((pushed.kind, pushed.digest), (kind, Digest::of(&bytes)), "{rest}");
        assert_eq!(push(&config, &reference, &bytes).await.expect("and again"), pushed, "{rest}");

        let pulled = pull(&config, &reference, Wanted::Only(kind)).await.expect("it is pulled");
        assert!(pulled.bytes == bytes && pulled.manifest == pushed.manifest, "{rest}");
        assert_eq!((pulled.kind, pulled.meant_by), (kind, Origin::Registry), "{rest}");

        let (repository, tag) = rest.split_once(':').expect("it has a tag");
        let url = format!("http://{}/v2/{repository}/manifests/{tag}", registry.address());
        // Nothing was asked for, and the real registry takes a request without `accept` for one of old times.
        let (status, manifest) = http::get_as(&url, "application/vnd.oci.image.manifest.v1+json").expect("it answers");
        let manifest: Value = serde_json::from_str(&manifest).expect("a manifest is JSON");
        assert_eq!((status, manifest["layers"][0]["mediaType"].as_str()), (200, Some(media_type)), "{rest}");
    }
    let other = pull(&config, &registry.reference("a/echo:1"), PROVIDER).await;
    assert_eq!(refused(other).0, "registry_wrong_artifact");
    let missing = pull(&config, &registry.reference("a/echo:2"), ACTOR).await;
    assert_eq!(refused(missing).0, "registry_not_found");
    let missing = pull(&config, &registry.reference("no/such:1"), ACTOR).await;
    assert_eq!(refused(missing).0, "registry_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn latest_is_taken_only_where_it_is_allowed() {
    let registry = Registry::start();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let config = config(folder.path(), &[registry.address()]);
    let allowed = RegistryConfig { latest: Latest::Allowed, ..config.clone() };
    let [untagged, latest] = ["a/echo", "a/echo:latest"].map(|rest| registry.reference(rest));
    push(&allowed, &untagged, &module()).await.expect("it is pushed");
    for reference in [untagged, latest] {
        assert!(pull(&allowed, &reference, ACTOR).await.is_ok(), "{reference}");
        assert_eq!(refused(pull(&config, &reference, ACTOR).await).0, "latest_refused");
        assert_eq!(refused(push(&config, &reference, &module()).await).0, "latest_refused");
    }
}

/// A tag is asked for each time; when nobody can be asked, what it last meant is used, or not, as configured.
#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_away_is_not_missed_for_what_is_known() {
    let registry = Registry::start();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let config = config(folder.path(), &[registry.address()]);
    let strict = RegistryConfig { offline: Offline::Fail, ..config.clone() };
    let tag = registry.reference("a/echo:1");
    let (first, second) = (module(), module());
    push(&config, &tag, &first).await.expect("it is pushed");
    assert!(pull(&config, &tag, ACTOR).await.expect("it is pulled").bytes == first);
    push(&config, &tag, &second).await.expect("the tag means something else");
    let pulled = pull(&config, &tag, ACTOR).await.expect("it is pulled");
    assert!(pulled.bytes == second, "a tag is asked for each time");
    let digest = registry.reference(&format!("a/echo@{}", pulled.manifest));
    let never = registry.reference("a/echo:2");
    drop(registry);

    let remembered = pull(&config, &tag, ACTOR).await.expect("it is remembered");
    assert!(remembered.bytes == second && matches!(remembered.meant_by, Origin::Remembered(_)));
    assert_eq!(refused(pull(&strict, &tag, ACTOR).await).0, "registry_unreachable");
    let by_digest = pull(&strict, &digest, ACTOR).await.expect("nobody has to be asked");
    assert!(by_digest.bytes == second && by_digest.meant_by == Origin::Digest);
    assert_eq!(refused(pull(&config, &never, ACTOR).await).0, "registry_unreachable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_was_changed_is_not_believed() {
    let registry = Registry::start();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let config = config(folder.path(), &[registry.address()]);
    let (reference, bytes) = (registry.reference("a/echo:1"), module());
    let pushed = push(&config, &reference, &bytes).await.expect("it is pushed");
    pull(&config, &reference, ACTOR).await.expect("it is pulled");
    for digest in [pushed.digest, pushed.manifest] {
        let kept = config.cache_dir.join("blobs").join(digest.hex());
        let mut changed = std::fs::read(&kept).expect("it is kept");
        changed[20] ^= 1;
        std::fs::write(&kept, changed).expect("it can be changed");
    }
    let by_digest = registry.reference(&format!("a/echo@{}", pushed.manifest));
    for reference in [reference, by_digest] {
        assert!(pull(&config, &reference, ACTOR).await.expect("it is fetched anew").bytes == bytes);
    }
}

/// Each connection breaks off after a part, and no part is sent twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_breaks_off_is_gone_on_with() {
    const PART: usize = 700 << 10;
    let registry = Registry::start();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let bytes = large(2 << 20);
    push(&config(folder.path(), &[registry.address()]), &registry.reference("a/p:1"), &bytes).await.expect("pushed");

    let peer = Peer::start(vec![Turn::Cut(registry.address().to_owned(), PART)]);
    let reference = format!("{}/a/p:1", peer.address());
    let config = config(folder.path(), &[peer.address()]);
    let pulled = pull(&config, &reference, PROVIDER).await.expect("it comes in parts");
    assert!(pulled.bytes == bytes);
    let starts: Vec<u64> = peer.heads().iter().filter_map(|head| range_start(head)).collect();
    assert!(starts.len() >= 3 && starts.windows(2).all(|pair| pair[0] < pair[1]), "{starts:?}");
}

/// A process that ended in the middle left a part; the next one goes on from there, unless the part is spoilt.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_process_left_is_gone_on_with_unless_it_is_spoilt() {
    let registry = Registry::start();
    let peer = Peer::start(vec![Turn::Pass(registry.address().to_owned())]);
    let folder = tempfile::tempdir().expect("a temporary directory");
    let config = config(folder.path(), &[peer.address()]);
    let bytes = large(1 << 20);
    let reference = format!("{}/a/p:1", peer.address());
    let digest = push(&config, &reference, &bytes).await.expect("pushed").digest.hex();
    let left = config.cache_dir.join("partial").join(&digest);
    for (part, expected) in [(&bytes[..300_000], &[300_000][..]), (b"spoilt", &[6, 0])] {
        std::fs::create_dir_all(left.parent().expect("it has a folder")).expect("it can be made");
        std::fs::set_permissions(&config.cache_dir, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("ours");
        std::fs::write(&left, part).expect("it can be written");
        let before = peer.heads().len();
        assert!(pull(&config, &reference, PROVIDER).await.expect("it is pulled").bytes == bytes);
        let starts: Vec<u64> = peer.heads()[before..].iter().filter_map(|head| range_start(head)).collect();
        assert_eq!(starts, expected);
        assert!(!left.exists());
        std::fs::remove_file(config.cache_dir.join("blobs").join(&digest)).expect("it is kept");
    }
}

fn range_start(head: &str) -> Option<u64> {
    head.split("range: bytes=").nth(1)?.split('-').next()?.parse().ok()
}
