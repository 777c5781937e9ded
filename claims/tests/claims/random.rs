//! No bytes make a parser panic, and no change to a signed file goes unnoticed. proptest prints a failing case and keeps
//! it beside this file.

use cofferdam_claims::{ActorClaims, Packing, ProviderArchive, Trust, inspect_actor, sign_actor, verify_actor};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::build::*;

/// Reads the bytes as everything that can be read here.
fn read_all(bytes: &[u8]) {
    let _ = inspect_actor("random", bytes, &Trust::Any, now());
    let _ = inspect_actor("random", &[module(), custom("jwt", bytes)].concat(), &Trust::Any, now());
    let _ = inspect_actor("random", &[b"\0asm\x01\0\0\0", bytes].concat(), &Trust::Any, now());
    let _ = sign_actor("random", bytes, request(), &account(), &actor());
    if let Ok(archive) = ProviderArchive::try_load(bytes) {
        let _ = archive.inspect("random", &Trust::Any, now());
    }
    let _ = ProviderArchive::try_load(&[b"\x1f\x8b\x08\0\0\0\0\0\0\x03", bytes].concat());
}

/// What a changed archive may at most still say: exactly what was signed.
fn check_archive(bytes: &[u8]) {
    let Ok(archive) = ProviderArchive::try_load(bytes) else { return };
    let Ok(verified) = archive.verify("changed.par", &Trust::Any, now()) else { return };
    let good = ProviderArchive::try_load(&archive_bytes(Packing::Plain)).unwrap();
    assert_eq!(archive.claims(), good.claims());
    for target in good.targets() {
        assert_eq!(archive.library(&verified, &target).unwrap(), good.target_bytes(&target).unwrap());
    }
    assert_eq!(archive.targets(), good.targets());
}

#[test]
fn no_flipped_bit_of_a_signed_module_verifies() {
    let good = signed_module();
    verify_actor("good.wasm", &good, &Trust::Any, now()).unwrap();
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(verify_actor("flipped.wasm", &bytes, &Trust::Any, now()).is_err(), "bit {bit}");
    }
}

#[test]
fn no_cut_module_or_archive_verifies() {
    let good = signed_module();
    for length in 0..good.len() {
        assert!(verify_actor("cut.wasm", &good[..length], &Trust::Any, now()).is_err(), "{length} bytes");
    }
    for packing in [Packing::Plain, Packing::Gzip] {
        let good = archive_bytes(packing);
        for length in 0..good.len() {
            let end_mark_is_whole = packing == Packing::Plain && length % 512 == 0 && length >= good.len() - 1024;
            let loaded = ProviderArchive::try_load(&good[..length]);
            assert!(loaded.is_err() || end_mark_is_whole, "{packing:?}, {length} bytes");
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..2048)) {
        read_all(&bytes);
    }

    #[test]
    fn random_tokens_never_panic(token in "[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,200}\\.[A-Za-z0-9_-]{0,90}") {
        read_all(token.as_bytes());
    }

    #[test]
    fn random_claims_never_panic(json in "\\{(\"(exp|nbf|iat|iss|sub|jti|wascap)\":(null|-?[0-9]{1,22}|\"\\PC{0,60}\"|\\{\\}),?){0,8}\\}") {
        let part = |text: &str| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
        read_all(format!("{}.{}.", part(&header().to_string()), part(&json)).as_bytes());
    }

    #[test]
    fn a_spliced_module_never_verifies(at in any::<Index>(), cut in 0usize..40, with in vec(any::<u8>(), 0..40)) {
        let good = signed_module();
        let start = at.index(good.len());
        let mut bytes = good.clone();
        bytes.splice(start..(start + cut).min(good.len()), with);
        read_all(&bytes);
        // The one part that no signature covers is how the token's own section is framed.
        if bytes != good && let Ok(verified) = verify_actor("spliced.wasm", &bytes, &Trust::Any, now()) {
            let original = verify_actor("good.wasm", &good, &Trust::Any, now()).unwrap();
            prop_assert_eq!(verified.token(), original.token());
        }
    }

    #[test]
    fn a_flipped_bit_of_a_real_actor_never_verifies(at in any::<Index>(), bit in 0u8..8) {
        let mut bytes = include_bytes!("../../fixtures/echo_messaging_v0.9.0.wasm").to_vec();
        bytes[at.index(179_585)] ^= 1 << bit;
        prop_assert!(verify_actor("flipped.wasm", &bytes, &Trust::Any, now()).is_err());
    }

    #[test]
    fn a_changed_archive_says_what_was_signed_or_nothing(
        at in any::<Index>(), cut in 0usize..600, with in vec(any::<u8>(), 0..40), bit in 0u8..8,
    ) {
        for packing in [Packing::Plain, Packing::Gzip] {
            let good = archive_bytes(packing);
            let start = at.index(good.len());
            let mut flipped = good.clone();
            flipped[start] ^= 1 << bit;
            check_archive(&flipped);
            let mut spliced = good.clone();
            spliced.splice(start..(start + cut).min(good.len()), with.clone());
            check_archive(&spliced);
            read_all(&spliced);
        }
    }

    #[test]
    fn whatever_is_signed_verifies(
        name in "\\PC{0,40}", caps in vec("[a-z:]{0,20}", 0..5), rev in any::<Option<i32>>(),
        sections in btree_map(1u8..=13, (vec(any::<u8>(), 0..200), 2usize..=5), 0..6),
    ) {
        let framed: Vec<u8> = sections.iter().flat_map(|(id, (body, pad))| section(*id, body, *pad)).collect();
        let wasm = [b"\0asm\x01\0\0\0".to_vec(), framed].concat();
        let request = ActorClaims { name: name.clone(), caps: caps.clone(), rev, ..request() };
        let signed = sign_actor("any.wasm", &wasm, request, &account(), &actor()).unwrap();
        let verified = verify_actor("any.wasm", &signed, &Trust::Any, now()).unwrap();
        prop_assert_eq!(verified.metadata().name.as_deref(), Some(&*name));
        prop_assert_eq!(verified.metadata().capabilities(), &caps[..]);
        prop_assert_eq!(verified.metadata().rev, rev);
    }
}
