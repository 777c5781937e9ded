//! Every bad module and its error; the limits, each from both sides; the real actors.

use cofferdam_claims::{
    ActorClaims, Check, Fault, KeyKind, KeyPair, TOKEN_BYTES_MAX, Trust, inspect_actor, module_hash, read_module,
    sign_actor, verify_actor,
};
use serde_json::json;

use crate::build::*;

/// The error of a module, when only `account()` is trusted.
fn error_of(wasm: &[u8]) -> cofferdam_claims::ClaimsError {
    let trust = Trust::only([account().public_key()]).unwrap();
    verify_actor("bad.wasm", wasm, &trust, now()).unwrap_err()
}

fn forged(changes: serde_json::Value) -> Vec<u8> {
    with_token(&token(&header(), &claims_with(changes), &account()))
}

fn signed(request: ActorClaims, issuer: &KeyPair) -> Vec<u8> {
    sign_actor("bad.wasm", &module(), request, issuer, &actor()).unwrap()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table with a line for each case")]
fn every_bad_module_has_its_error() {
    let good = signed_module();
    let module = module();
    let mut changed = good.clone();
    let position = module.windows(2).position(|pair| pair == [0x41, 7]).unwrap();
    changed[position + 1] = 8;
    let own_token = token(&header(), &claims(), &account());
    let wrong_signature = token(&header(), &claims(), &other_account());
    let metadata = claims()["wascap"].clone();

    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty file", vec![]),
        ("text", b"#!/bin/sh".to_vec()),
        ("half a magic", b"\0as".to_vec()),
        ("component", b"\0asm\x0d\0\x01\0".to_vec()),
        ("another version", b"\0asm\x02\0\0\0".to_vec()),
        ("unsigned", module.clone()),
        ("truncated section", module[..module.len() - 1].to_vec()),
        ("truncated length", [&module[..], &[0, 0x80]].concat()),
        ("length over 32 bits", [&module[..], &[0, 0xff, 0xff, 0xff, 0xff, 0x7f]].concat()),
        ("unknown section", [module.clone(), section(14, b"", 1)].concat()),
        ("two types sections", [module.clone(), section(1, b"", 1)].concat()),
        ("custom without a name", [module.clone(), section(0, b"", 1)].concat()),
        ("custom with a long name", [module.clone(), section(0, b"\x09jwt", 1)].concat()),
        ("custom with a bad name", [module.clone(), section(0, b"\x03\xff\xfe\xfd", 1)].concat()),
        ("two tokens", [good.clone(), custom("jwt", own_token.as_bytes())].concat()),
        ("two tokens, two names", [good.clone(), custom("wasmcloud_jwt", own_token.as_bytes())].concat()),
        ("token not text", [module.clone(), custom("jwt", b"\xff\xff")].concat()),
        ("token of one part", with_token("abc")),
        ("token of four parts", with_token("a.b.c.d")),
        ("token too large", with_token(&"a".repeat(TOKEN_BYTES_MAX + 1))),
        ("header not base64", with_token("!!!.e30.AA")),
        ("header not JSON", with_token("AAAA.e30.AA")),
        ("alg none", with_token(&token(&json!({"typ": "jwt", "alg": "none"}), &claims(), &account()))),
        ("alg HS256", with_token(&token(&json!({"typ": "jwt", "alg": "HS256"}), &claims(), &account()))),
        ("critical header", {
            let header = json!({"typ": "jwt", "alg": "Ed25519", "crit\u{1b}[31m": []});
            with_token(&token(&header, &claims(), &account()))
        }),
        ("not a jwt", with_token(&token(&json!({"typ": "jws", "alg": "Ed25519"}), &claims(), &account()))),
        ("no metadata", forged(json!({"wascap": null}))),
        ("no hash", forged(json!({"wascap": {"name": "x"}}))),
        ("expiry not a number", forged(json!({"exp": "never"}))),
        (
            "issuer is a host",
            forged(json!({"iss": KeyPair::new_from_raw(nkeys::KeyPairType::Server, [5; 32]).unwrap().public_key()})),
        ),
        ("issuer is nothing", forged(json!({"iss": "me"}))),
        ("subject is a provider", forged(json!({"sub": provider().public_key()}))),
        ("subject is a file name", forged(json!({"sub": "test.wasm"}))),
        ("wrong signature", with_token(&wrong_signature)),
        ("no signature", with_token(own_token.rsplit_once('.').unwrap().0.to_owned().as_str())),
        ("empty signature", with_token(&format!("{}.", own_token.rsplit_once('.').unwrap().0))),
        ("expired", signed(ActorClaims { expires: Some(at(NOW_S - 1)), ..request() }, &account())),
        ("expired this second", signed(ActorClaims { expires: Some(now()), ..request() }, &account())),
        ("not yet valid", signed(ActorClaims { not_before: Some(at(NOW_S + 1)), ..request() }, &account())),
        ("untrusted issuer", signed(request(), &other_account())),
        ("changed module", changed.clone()),
        ("section added", [good.clone(), custom("more", b"")].concat()),
        ("hash in lower case", {
            let mut metadata = metadata.clone();
            metadata["hash"] = json!(hash(&module).to_lowercase());
            forged(json!({"wascap": metadata}))
        }),
        ("untrusted, expired and changed", {
            let request = ActorClaims { expires: Some(at(5)), ..request() };
            [signed(request, &other_account()), custom("more", b"")].concat()
        }),
        ("untrusted and changed", [signed(request(), &other_account()), custom("more", b"")].concat()),
    ];
    let mut table = String::new();
    for (case, wasm) in &cases {
        render(&mut table, case, &error_of(wasm));
    }
    insta::assert_snapshot!("bad_modules", table);
}

#[test]
fn signing_refuses_the_wrong_keys() {
    let public_only = KeyPair::from_public_key(&account().public_key()).unwrap();
    let cases = [
        ("issuer without a seed", &public_only, &actor()),
        ("actor as issuer", &actor(), &actor()),
        ("account as actor", &account(), &account()),
    ];
    let mut table = String::new();
    for (case, issuer, subject) in cases {
        let error = sign_actor("new.wasm", &module(), request(), issuer, subject).unwrap_err();
        render(&mut table, case, &error);
    }
    let large = ActorClaims { tags: vec!["x".repeat(TOKEN_BYTES_MAX)], ..request() };
    render(&mut table, "too many tags", &sign_actor("new.wasm", &module(), large, &account(), &actor()).unwrap_err());
    render(&mut table, "not wasm", &sign_actor("new.wasm", b"x", request(), &account(), &actor()).unwrap_err());
    render(&mut table, "no file", &read_module("no/such/file.wasm".as_ref()).unwrap_err());
    insta::assert_snapshot!("signing", table);
}

#[test]
fn what_was_signed_verifies() {
    let wasm = signed_module();
    let trust = Trust::only([account().public_key()]).unwrap();
    let verified = verify_actor("good.wasm", &wasm, &trust, now()).unwrap();
    assert_eq!((verified.subject(), verified.issuer()), (&*actor().public_key(), &*account().public_key()));
    assert_eq!(verified.expires(), None);
    assert_eq!(verified.metadata().call_alias.as_deref(), Some("my_counter_one"));
    assert_eq!(verified.metadata().module_hash, module_hash("good.wasm", &wasm).unwrap());
    assert!(verified.metadata().has_capability("wasmcloud:keyvalue"));
    assert!(!verified.metadata().has_capability("wasmcloud:httpserver"));
    insta::assert_snapshot!("good_token", payload(verified.token()));

    verified.check_subject(&actor().public_key()).unwrap();
    let mut table = String::new();
    render(&mut table, "another actor", &verified.check_subject(&provider().public_key()).unwrap_err());
    insta::assert_snapshot!("subject", table);
    assert_eq!(wasm, signed_module(), "signing is deterministic");
}

/// The claims of a token as text. Only for tokens of our own.
fn payload(token: &str) -> String {
    let claims = token.split('.').nth(1).unwrap();
    String::from_utf8(data_encoding::BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap()).unwrap()
}

#[test]
fn signing_again_replaces_every_token() {
    let twice = [signed_module(), custom("wasmcloud_jwt", b"old"), custom("jwt", b"older")].concat();
    let again = sign_actor("again.wasm", &twice, request(), &account(), &actor()).unwrap();
    assert_eq!(again, signed_module());
}

#[test]
fn times_count_from_both_sides() {
    let (from, until) = (NOW_S, NOW_S + 10);
    let request = ActorClaims { not_before: Some(at(from)), expires: Some(at(until)), ..request() };
    let wasm = sign_actor("timed.wasm", &module(), request, &account(), &actor()).unwrap();
    let check_at = |seconds| verify_actor("timed.wasm", &wasm, &Trust::Any, at(seconds)).map_err(|e| e.check());
    assert_eq!(check_at(from - 1).unwrap_err(), Check::NotBefore);
    let verified = check_at(from).unwrap();
    assert_eq!(verified.expires(), Some(at(until)));
    check_at(until - 1).unwrap();
    assert_eq!(check_at(until).unwrap_err(), Check::Expiry);

    verified.check_time(at(until - 1)).unwrap();
    assert_eq!(verified.check_time(at(until)).unwrap_err().check(), Check::Expiry);
    assert_eq!(verified.check_time(at(0)).unwrap_err().check(), Check::NotBefore);
}

#[test]
fn an_expiry_beyond_time_is_no_panic() {
    let verified = verify_actor("long.wasm", &forged(json!({"exp": u64::MAX})), &Trust::Any, now()).unwrap();
    assert_eq!(verified.expires(), None);
}

#[test]
fn the_token_limit_is_exact() {
    let with_bytes = |bytes| {
        let error = error_of(&with_token(&"a".repeat(bytes)));
        error.to_string().contains("more than")
    };
    assert!(!with_bytes(TOKEN_BYTES_MAX));
    assert!(with_bytes(TOKEN_BYTES_MAX + 1));
}

/// A file of many small sections must not take many times its size, before anybody's signature has been checked.
#[test]
fn the_sections_are_bounded() {
    let with = |sections: usize| [&b"\0asm\x01\0\0\0"[..], &custom("x", b"").repeat(sections)].concat();
    assert!(module_hash("many.wasm", &with(10_000)).is_ok());
    let error = module_hash("many.wasm", &with(10_001)).unwrap_err().to_string();
    assert!(error.ends_with("it has more than 10000 sections"), "{error}");
    let bomb = [&b"\0asm\x01\0\0\0"[..], &b"\x0b\0".repeat(1 << 20)].concat();
    let error = module_hash("bomb.wasm", &bomb).unwrap_err().to_string();
    assert!(error.ends_with("a section of the same kind came before"), "{error}");
}

#[test]
fn nobody_is_trusted_by_an_empty_list() {
    let nobody = Trust::only(Vec::<String>::new()).unwrap();
    let error = verify_actor("good.wasm", &signed_module(), &nobody, now()).unwrap_err();
    assert!(matches!(error.fault(), Fault::Untrusted { .. }), "{error}");
    assert!(error.next_step().contains(&account().public_key()));
    assert!(Trust::only([actor().public_key()]).is_err());
}

#[test]
fn inspecting_lists_every_check() {
    let wasm = [signed(ActorClaims { expires: Some(at(5)), ..request() }, &other_account()), custom("m", b"")].concat();
    let trust = Trust::only([account().public_key()]).unwrap();
    let inspection = inspect_actor("bad.wasm", &wasm, &trust, now()).unwrap();
    let failed: Vec<_> = inspection.checks.iter().filter(|(_, outcome)| outcome.is_err()).map(|(c, _)| *c).collect();
    assert_eq!(failed, [Check::Expiry, Check::Issuer, Check::Hash]);
    assert_eq!(inspection.checks.len(), 6);
    assert_eq!(inspection.claims.subject, actor().public_key());
    assert!(inspect_actor("bad.wasm", &module(), &trust, now()).is_err());
}

#[test]
fn real_actors_verify() {
    let cases: [(&str, &[u8], &str, &[&str]); 3] = [
        (
            "logger.wasm",
            include_bytes!("../../fixtures/logger.wasm"),
            "MAARQX72EAZ4T4ODYOQZED3FJ6P27KWWVVTUNV6TVX2VBRVVSUKLAQHP",
            &["wasmcloud:httpserver", "wasmcloud:logging"],
        ),
        (
            "echo_messaging_v0.9.0.wasm",
            include_bytes!("../../fixtures/echo_messaging_v0.9.0.wasm"),
            "MDJ5BWS6JXSWOZL2ZENW2D4FBSHQ5ZMFGEGJB33TLKYKMXTLLAXINU36",
            &["wasmcloud:messaging", "wasmcloud:builtin:logging"],
        ),
        (
            "signed_loop.wasm",
            include_bytes!("../../fixtures/signed_loop.wasm"),
            "MBQ2RC3BARXFWTBFW5UJ6J3QSAVYJ7D64Z5LRCPR3UI44F65Q3OMNGYM",
            &["wascc:keyvalue", "wascc:messaging", "wascc:http_client", "wascc:http_server"],
        ),
    ];
    for (file, wasm, subject, caps) in cases {
        let verified = verify_actor(file, wasm, &Trust::Any, now()).unwrap();
        assert_eq!(verified.subject(), subject);
        assert_eq!(verified.metadata().capabilities(), caps);
        assert!(KeyKind::Account.check(verified.issuer()).is_ok());
    }
}
