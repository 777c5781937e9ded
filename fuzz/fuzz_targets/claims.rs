//! Signed modules: the sections of a module, its token, and claims that somebody honestly signed.
//!
//! Bytes with the magic of a module are one; bytes that begin with `{` are claims, which the target signs; anything else is
//! a token in a small module.
#![no_main]

use cofferdam_claims::{
    ActorClaims, ClaimsError, Trust, Validity, inspect_actor, module_hash, sign_actor, verify_actor,
};
use cofferdam_fuzz::{errors, signing};
use libfuzzer_sys::fuzz_target;

const MODULE: &[u8] = b"\0asm\x01\0\0\0";

fuzz_target!(|bytes: &[u8]| {
    if bytes.starts_with(MODULE) {
        judge(bytes);
        sign(bytes);
    } else if let (b"{", Ok(claims)) = (&bytes[..bytes.len().min(1)], str::from_utf8(bytes)) {
        let hash = module_hash("empty.wasm", MODULE).expect("an empty module");
        judge(&with_token(signing::token(&claims.replace("HASH", &hash)).as_bytes()));
    } else {
        judge(&with_token(bytes));
    }
});

/// Verifying and inspecting say the same, and say it in words that can be shown.
fn judge(wasm: &[u8]) {
    let trusted = judge_by(&Trust::Any, wasm);
    if trusted {
        judge_by(&Trust::only([signing::account().public_key()]).expect("an account"), wasm);
    }
}

/// Whether it verifies.
fn judge_by(trust: &Trust, wasm: &[u8]) -> bool {
    let verified = verify_actor("fuzz.wasm", wasm, trust, signing::now());
    let inspected = inspect_actor("fuzz.wasm", wasm, trust, signing::now());
    match (&verified, &inspected) {
        (Err(refused), Err(unreadable)) => assert_eq!(refused.to_string(), unreadable.to_string()),
        (Ok(_), Err(unreadable)) => panic!("verified, and can't be inspected: {unreadable}"),
        (outcome, Ok(inspection)) => {
            let failed = inspection.checks.iter().find_map(|(_, check)| check.as_ref().err());
            let (outcome, failed) = (outcome.as_ref().err().map(shown), failed.map(shown));
            assert_eq!(outcome, failed, "the first failed check decides");
            inspection.checks.iter().filter_map(|(_, check)| check.as_ref().err()).for_each(refused);
        }
    }
    let accepted = verified.is_ok();
    match verified {
        Err(error) => refused(&error),
        Ok(verified) => {
            verified.check_time(signing::now()).expect("verified at this time");
            verified.check_subject(verified.subject()).expect("its own subject");
            assert!(trust.accepts(verified.issuer()));
            let _ = (verified.expires(), verified.metadata().capabilities());
        }
    }
    accepted
}

/// Whatever parses can be signed, then verifies, and is the same module as before.
fn sign(wasm: &[u8]) {
    let request = ActorClaims {
        name: "Fuzz".to_owned(),
        issued_at: Some(signing::now()),
        not_before: Validity::default().not_before,
        ..ActorClaims::default()
    };
    let hash = module_hash("fuzz.wasm", wasm);
    match sign_actor("fuzz.wasm", wasm, request, &signing::account(), &signing::actor()) {
        Err(error) => {
            refused(&error);
            assert!(hash.is_err(), "it can be hashed, and not signed: {error}");
        }
        Ok(signed) => {
            verify_actor("fuzz.wasm", &signed, &Trust::Any, signing::now()).expect("signed a moment ago");
            assert_eq!(module_hash("fuzz.wasm", &signed).ok(), hash.ok(), "signing changed the module");
        }
    }
}

/// A module of nothing but a token.
fn with_token(token: &[u8]) -> Vec<u8> {
    let mut body = b"\x03jwt".to_vec();
    body.extend_from_slice(token);
    let mut module = [MODULE, &[0]].concat();
    let mut left = body.len();
    while left > 0x7f {
        module.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    module.push(left as u8);
    module.extend_from_slice(&body);
    module
}

fn shown(error: &ClaimsError) -> String {
    format!("{}: {error}", error.check())
}

fn refused(error: &ClaimsError) {
    errors::check(&error.to_string(), &error.next_step());
}
