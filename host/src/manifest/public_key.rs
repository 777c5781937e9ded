//! The shape of a public key (its length, its letters, its kind) and its checksum.

use super::fault::{Fault, shown};

/// The kinds of keys that a manifest names.
#[derive(Clone, Copy, Debug)]
pub(super) enum KeyKind {
    Account,
    Actor,
    Provider,
}

/// Characters of a public key; a seed, which is secret, has two more.
const LENGTH: usize = 56;

/// Whether `text` is such a key, and if it isn't, why.
pub(super) fn check(text: &str, kind: KeyKind) -> Result<(), Fault> {
    let (first, what) = match kind {
        KeyKind::Account => ('A', "an account's (issuer's) public key"),
        KeyKind::Actor => ('M', "an actor's public key"),
        KeyKind::Provider => ('V', "a provider's public key"),
    };
    let why = match () {
        () if is_seed(text) => "it is a seed, which is secret".to_owned(),
        () if text.chars().any(|c| !is_letter(c)) => "it has other characters than A to Z and 2 to 7".to_owned(),
        () if text.len() != LENGTH => format!("it has {} characters", text.len()),
        () if !text.starts_with(first) => format!("it begins with {}", &text[..1]),
        () if cofferdam_claims::KeyKind::of(text).is_err() => {
            return Err(Fault::KeyChecksum { found: shown(text), what });
        }
        () => return Ok(()),
    };
    Err(Fault::NotAKey { found: shown(text), what, first, why })
}

/// Whether a text may be the secret half of a key: then nothing may repeat it.
pub(super) fn is_seed(text: &str) -> bool {
    let text = text.trim();
    text.len() == LENGTH + 2 && text.starts_with('S') && text.chars().all(is_letter)
}

fn is_letter(c: char) -> bool {
    matches!(c, 'A'..='Z' | '2'..='7')
}
