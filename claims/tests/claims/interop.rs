//! Both directions with the crates of the ecosystem: `wascap` 0.16.2 for actors, `provider-archive` 0.16.2 for archives.

use cofferdam_claims::{Check, Fault, Packing, ProviderArchive, Trust, WriteOptions, sign_actor, verify_actor};
use wascap::jwt::{Component, validate_token};

use crate::build::*;

/// A module whose sections have the padded lengths that linkers write.
fn padded_module() -> Vec<u8> {
    let types = section(1, &[1, 0x60, 0, 1, 0x7f], 5);
    let functions = section(3, &[1, 0], 5);
    let code = section(10, &[1, 4, 0, 0x41, 7, 0x0b], 5);
    [b"\0asm\x01\0\0\0".to_vec(), types, functions, code, custom("producers", b"\0")].concat()
}

fn inputs() -> [Vec<u8>; 4] {
    let logger = include_bytes!("../../fixtures/logger.wasm").to_vec();
    [module(), padded_module(), logger, include_bytes!("../../fixtures/echo_messaging_v0.9.0.wasm").to_vec()]
}

/// wascap checks the hash of what we sign, because our tokens say that they are of its third revision.
#[test]
fn wascap_reads_our_actors() {
    for wasm in inputs() {
        let signed = sign_actor("ours.wasm", &wasm, request(), &account(), &actor()).unwrap();
        let token = wascap::wasm::extract_claims(&signed).unwrap().unwrap();
        let validation = validate_token::<Component>(&token.jwt).unwrap();
        assert!(validation.signature_valid && !validation.expired && !validation.cannot_use_yet);
        assert_eq!(token.claims.subject, actor().public_key());
        assert_eq!(token.claims.metadata.unwrap().call_alias.as_deref(), Some("my_counter_one"));

        let changed = [signed, custom("more", b"")].concat();
        assert!(wascap::wasm::extract_claims(changed).is_err(), "wascap does compare the hash");
    }
}

#[test]
fn we_read_the_actors_of_wascap() {
    let trust = Trust::only([account().public_key()]).unwrap();
    for wasm in inputs() {
        let (name, version) = ("Theirs".to_owned(), Some("1.0".to_owned()));
        let signed = wascap::wasm::sign_buffer_with_claims(
            name,
            &wasm,
            &actor(),
            &account(),
            Some(1),
            None,
            vec![],
            false,
            Some(4),
            version,
            None,
        );
        let verified = verify_actor("theirs.wasm", &signed.unwrap(), &trust, std::time::SystemTime::now()).unwrap();
        assert_eq!(verified.metadata().name.as_deref(), Some("Theirs"));
        assert_eq!(verified.metadata().rev, Some(4));
        assert!(verified.metadata().capabilities().is_empty());
        assert!(verified.expires().is_some());
    }
}

#[tokio::test]
async fn provider_archive_reads_our_archives() {
    for packing in [Packing::Plain, Packing::Gzip] {
        let options = WriteOptions { packing, ..WriteOptions::default() };
        let bytes = archive().to_bytes("ours.par", &account(), &provider(), &options).unwrap();
        let theirs = provider_archive::ProviderArchive::try_load(&bytes).await.unwrap();
        let mut targets = theirs.targets();
        targets.sort();
        assert_eq!(targets, ["aarch64-linux", "x86_64-linux"]);
        assert_eq!(theirs.target_bytes("x86_64-linux").unwrap(), LIBRARY);
        let token = theirs.claims_token().unwrap();
        assert_eq!(token.claims.subject, provider().public_key());
        assert_eq!(token.claims.metadata.unwrap().vendor, "cofferdam");
        assert!(validate_token::<wascap::jwt::CapabilityProvider>(&token.jwt).unwrap().signature_valid);
    }
}

/// Their archives name no contract, so they load, pass every other check, and are refused for that alone.
#[tokio::test]
async fn we_read_the_archives_of_provider_archive() {
    let folder = tempfile::tempdir().unwrap();
    let trust = Trust::only([account().public_key()]).unwrap();
    for (name, compress) in [("theirs.par", false), ("theirs.par.gz", true)] {
        let mut theirs = provider_archive::ProviderArchive::new("Theirs", "wasmCloud", Some(1), Some("0.1".to_owned()));
        theirs.add_library("x86_64-linux", LIBRARY).unwrap();
        theirs.add_library("aarch64-linux", &[7; 100_000]).unwrap();
        let path = folder.path().join(name);
        theirs.write(&path, &account(), &provider(), compress).await.unwrap();

        let ours = ProviderArchive::try_load_file(&path).unwrap();
        assert_eq!(ours.targets(), ["aarch64-linux", "x86_64-linux"]);
        assert_eq!(ours.target_bytes("aarch64-linux").unwrap(), [7; 100_000]);
        let inspection = ours.inspect(name, &trust, std::time::SystemTime::now()).unwrap();
        for (check, outcome) in inspection.checks {
            assert_eq!(outcome.is_err(), check == Check::Contract, "{check}");
        }
        let refused = ours.verify(name, &trust, std::time::SystemTime::now()).unwrap_err();
        assert!(matches!(refused.fault(), Fault::NoContract));
    }
}

/// The archives of the reference's time, which do name their contract.
#[test]
fn we_read_the_archives_of_the_reference() {
    let loaded = ProviderArchive::try_load(include_bytes!("../../fixtures/written_by_0.4.par.gz")).unwrap();
    let verified = loaded.verify("written_by_0.4.par.gz", &Trust::Any, now()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(verified.metadata().capid, "wasmcloud:keyvalue");
    assert_eq!(loaded.library(&verified, "x86_64-linux").unwrap(), b"blahblah");
    assert_eq!(loaded.targets(), ["aarch64-linux", "x86_64-linux"]);
}
