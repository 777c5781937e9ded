//! Makes good and bad files, always the same: fixed keys, fixed time.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cofferdam_claims::{
    ActorClaims, ClaimsError, KeyPair, Packing, ProviderArchive, Validity, WriteOptions, sign_actor,
};
use data_encoding::BASE64URL_NOPAD;
use nkeys::KeyPairType;
use serde_json::{Value, json};
use sha2::Digest;

/// The time of every test: 2026-01-01.
pub(crate) const NOW_S: u64 = 1_767_225_600;

pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

pub(crate) fn now() -> SystemTime {
    at(NOW_S)
}

fn fixed(kind: KeyPairType, fill: u8) -> KeyPair {
    KeyPair::new_from_raw(kind, [fill; 32]).unwrap()
}

pub(crate) fn account() -> KeyPair {
    fixed(KeyPairType::Account, 1)
}

pub(crate) fn other_account() -> KeyPair {
    fixed(KeyPairType::Account, 2)
}

pub(crate) fn actor() -> KeyPair {
    fixed(KeyPairType::Module, 3)
}

pub(crate) fn provider() -> KeyPair {
    fixed(KeyPairType::Service, 4)
}

pub(crate) fn hash(bytes: &[u8]) -> String {
    data_encoding::HEXUPPER.encode(&sha2::Sha256::digest(bytes))
}

/// A small module with a function, a memory and a custom section of its own.
pub(crate) fn module() -> Vec<u8> {
    wat::parse_str(r#"(module (memory (export "m") 1) (func (export "f") (result i32) i32.const 7) (@custom "x" "y"))"#)
        .unwrap()
}

pub(crate) fn request() -> ActorClaims {
    ActorClaims {
        name: "Counter".to_owned(),
        caps: vec!["wasmcloud:keyvalue".to_owned()],
        tags: vec!["test".to_owned()],
        rev: Some(2),
        ver: Some("0.2.0".to_owned()),
        call_alias: Some(" My-Counter.One ".to_owned()),
        issued_at: Some(at(NOW_S - 60)),
        ..ActorClaims::default()
    }
}

pub(crate) fn signed_module() -> Vec<u8> {
    sign_actor("good.wasm", &module(), request(), &account(), &actor()).unwrap()
}

/// A section, its length padded to `length_bytes` as compilers do.
pub(crate) fn section(id: u8, body: &[u8], length_bytes: usize) -> Vec<u8> {
    let mut out = vec![id];
    let mut length = body.len();
    for index in 0..length_bytes {
        let more = if index + 1 < length_bytes { 0x80 } else { 0 };
        out.push((length & 0x7f) as u8 | more);
        length >>= 7;
    }
    assert_eq!(length, 0, "the padding is too short");
    out.extend_from_slice(body);
    out
}

pub(crate) fn custom(name: &str, content: &[u8]) -> Vec<u8> {
    let mut body = vec![name.len() as u8];
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(content);
    section(0, &body, 5)
}

/// The module with this text as its token.
pub(crate) fn with_token(token: &str) -> Vec<u8> {
    [module(), custom("jwt", token.as_bytes())].concat()
}

/// A token of any header and any claims, honestly signed by `key`.
pub(crate) fn token(header: &Value, claims: &Value, key: &KeyPair) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = BASE64URL_NOPAD.encode(&key.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

pub(crate) fn header() -> Value {
    json!({"typ": "jwt", "alg": "Ed25519"})
}

/// Good claims of [`module`].
pub(crate) fn claims() -> Value {
    json!({
        "jti": "id", "iat": NOW_S, "iss": account().public_key(), "sub": actor().public_key(),
        "wascap": {"name": "Counter", "hash": hash(&module()), "caps": [], "prov": false},
    })
}

/// Good claims with some fields replaced.
pub(crate) fn claims_with(changes: Value) -> Value {
    let mut claims = claims();
    for (field, value) in changes.as_object().unwrap() {
        claims[field] = value.clone();
    }
    claims
}

pub(crate) const LIBRARY: &[u8] = b"\x7fELF of a library";

pub(crate) fn archive() -> ProviderArchive {
    let version = Some("1.2.3".to_owned());
    let mut archive = ProviderArchive::new("wasmcloud:keyvalue", "Store", "cofferdam", Some(3), version);
    archive.add_library("x86_64-linux", LIBRARY).unwrap();
    archive.add_library("aarch64-linux", b"another").unwrap();
    archive
}

pub(crate) fn archive_bytes(packing: Packing) -> Vec<u8> {
    let options = WriteOptions { validity: Validity { issued_at: Some(now()), ..Validity::default() }, packing };
    archive().to_bytes("good.par", &account(), &provider(), &options).unwrap()
}

/// One case of a golden table.
pub(crate) fn render(table: &mut String, case: &str, error: &ClaimsError) {
    let refused = if error.is_refusal() { "refused" } else { "bad file" };
    writeln!(table, "{case} [{}, {refused}]\n  {error}\n  -> {}\n", error.check(), error.next_step()).unwrap();
}
