//! Honest signatures over dishonest claims: a fuzzer never guesses a signature, and most of what reads claims comes after it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use nkeys::{KeyPair, KeyPairType};

/// The time of every check: 2026-01-01.
pub fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

/// The account that signs: `AC…`, always the same.
pub fn account() -> KeyPair {
    fixed(KeyPairType::Account, 1)
}

/// The actor that is signed.
pub fn actor() -> KeyPair {
    fixed(KeyPairType::Module, 3)
}

/// The provider that is signed.
pub fn provider() -> KeyPair {
    fixed(KeyPairType::Service, 4)
}

fn fixed(kind: KeyPairType, fill: u8) -> KeyPair {
    KeyPair::new_from_raw(kind, [fill; 32]).expect("32 bytes are a seed")
}

/// A token of these claims, whatever they are, signed by [`account`]. `ISSUER`, `ACTOR` and `PROVIDER` in the text stand for
/// the keys, so that a mutation can't lose them by one letter.
pub fn token(claims: &str) -> String {
    let claims = claims
        .replace("ISSUER", &account().public_key())
        .replace("ACTOR", &actor().public_key())
        .replace("PROVIDER", &provider().public_key());
    let header = BASE64URL_NOPAD.encode(br#"{"typ":"jwt","alg":"Ed25519"}"#);
    let signed = format!("{header}.{}", BASE64URL_NOPAD.encode(claims.as_bytes()));
    let signature = account().sign(signed.as_bytes()).expect("the account has its seed");
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}
