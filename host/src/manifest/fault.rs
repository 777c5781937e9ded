//! What can be wrong with a manifest: one variant each, what is allowed, and the next step.
//!
//! Nothing here ever holds the value of a link, or a seed.

use std::time::Duration;

use cofferdam_claims::is_not_a_file;
use thiserror::Error;

use super::Format;
use super::public_key::is_seed;
use crate::words::{AddressError, NAMESPACE_RULE};

/// The most characters of a wrong text that are repeated.
const SHOWN_MAX: usize = 60;

/// What is wrong. Always the operator's to mend.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the fields are named by the texts")]
pub enum Fault {
    /// The system refused to read the file.
    #[error("the manifest cannot be read: {source}")]
    Unreadable { source: std::io::Error },
    /// Larger than the limit, so nothing of it was looked at.
    #[error("the manifest is larger than {bytes_max} bytes")]
    TooLarge { bytes_max: u64 },
    /// Some bytes are no text.
    #[error("the manifest is not UTF-8")]
    NotUtf8,
    /// It holds characters that the reader keeps for itself.
    #[error("a character of U+10F000 to U+10F07F, which are private")]
    PrivateCharacter,
    /// It is no YAML or no JSON.
    #[error("not {format}: {message}")]
    Syntax { format: Format, message: String },
    /// Lists and mappings within each other.
    #[error("lists and mappings are nested deeper than {depth_max}")]
    TooDeep { depth_max: usize },
    /// Aliases or entries without end.
    #[error("too much: {what}")]
    TooMuch { what: String },
    /// The variables made too long a text of it.
    #[error("with its variables expanded, the manifest is larger than {bytes_max} bytes")]
    ExpandedTooLarge { bytes_max: usize },
    /// A key that means nothing here.
    #[error("unknown key {key}{}; known are {}", meant(*.nearest), .known.join(", "))]
    UnknownKey { key: String, nearest: Option<&'static str>, known: &'static [&'static str] },
    /// A key that another version knows.
    #[error("the key {key} is not supported by this version{}; it knows {}", meant(*.nearest), .known.join(", "))]
    NotSupported { key: String, nearest: Option<&'static str>, known: &'static [&'static str] },
    /// The same key twice.
    #[error("the key {key} is there twice")]
    DuplicateKey { key: String },
    /// A key that must be there.
    #[error("the key {key} is missing")]
    MissingKey { key: &'static str },
    /// A list for a text, and the like.
    #[error("{found}, where {expected} is needed")]
    WrongType { found: &'static str, expected: &'static str },
    /// Only white space.
    #[error("blank, where {expected} is needed")]
    Blank { expected: &'static str },
    /// Not the public key that is needed.
    #[error("{found} is not {what}: {why}; needed are 56 of A to Z and 2 to 7, {first} first")]
    NotAKey { found: String, what: &'static str, first: char, why: String },
    /// A public key by its looks, and a letter of it is wrong.
    #[error("{found} is not {what}: its checksum is wrong, so at least one of its letters is")]
    KeyChecksum { found: String, what: &'static str },
    /// Not a number within the bounds.
    #[error("{found} is not a whole number from {min} to {max}")]
    NotANumber { found: String, min: u32, max: u32 },
    /// Not a number with decimals within the bounds.
    #[error("{found} is not a number from {min} to {max} with at most three decimals")]
    NotADecimal { found: String, min: f64, max: u32 },
    /// Not a size within the bounds.
    #[error("{found} is not a size from {min} to {max} bytes, by itself or in KiB, MiB, GiB or TiB")]
    NotASize { found: String, min: u64, max: u64 },
    /// Not a time within the bounds.
    #[error("{found} is not a time from {min:?} to {max:?}")]
    NotADuration { found: String, min: Duration, max: Duration },
    /// Neither a number within the bounds nor the word.
    #[error("{found} is not a whole number from 1 to {max}, and not none")]
    NotABudget { found: String, max: u32 },
    /// Not fit for subjects and file names.
    #[error("{found} is no namespace; one is {NAMESPACE_RULE}")]
    NotANamespace { found: String },
    /// Not an address that can be granted.
    #[error("{found} is not an address: {why}")]
    NotAnAddress { found: String, why: AddressError },
    /// Nothing can listen on a name.
    #[error("{found} can't be listened on: give an IP address, or `*` for any")]
    NotListenable { found: String },
    /// Not a name that a provider could ask for.
    #[error("{found} is not a name: {rule}")]
    NotAName { found: String, rule: &'static str },
    /// Not one of a few words.
    #[error("{found} is not one of {}", .known.join(", "))]
    NotOneOf { found: String, known: &'static [&'static str] },
    /// Another number of keys than one.
    #[error("one of the keys {} is needed, and no more than one", .known.join(", "))]
    NotOneKey { known: &'static [&'static str] },
    /// The same entry twice.
    #[error("the same {what} as {first}")]
    DuplicateEntry { what: &'static str, first: String },
}

impl Fault {
    /// The word for programs. A released word never changes.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "unreadable",
            Self::TooLarge { .. } | Self::ExpandedTooLarge { .. } => "too_large",
            Self::NotUtf8 => "not_utf8",
            Self::PrivateCharacter => "private_character",
            Self::Syntax { .. } => "syntax",
            Self::TooDeep { .. } => "too_deep",
            Self::TooMuch { .. } => "too_much",
            Self::UnknownKey { .. } => "unknown_key",
            Self::NotSupported { .. } => "not_supported",
            Self::DuplicateKey { .. } => "duplicate_key",
            Self::MissingKey { .. } => "missing_key",
            Self::WrongType { .. } => "wrong_type",
            Self::Blank { .. } => "blank",
            Self::NotAKey { .. } | Self::KeyChecksum { .. } => "not_a_key",
            Self::NotANumber { .. } | Self::NotADecimal { .. } => "not_a_number",
            Self::NotASize { .. } => "not_a_size",
            Self::NotADuration { .. } => "not_a_duration",
            Self::NotABudget { .. } => "not_a_number",
            Self::NotANamespace { .. } => "not_a_namespace",
            Self::NotAnAddress { .. } | Self::NotListenable { .. } => "not_an_address",
            Self::NotAName { .. } => "not_a_name",
            Self::NotOneOf { .. } => "not_one_of",
            Self::NotOneKey { .. } => "not_one_key",
            Self::DuplicateEntry { .. } => "duplicate_entry",
        }
    }

    /// What to do next, for a person.
    pub(super) fn next_step(&self) -> &'static str {
        match self {
            Self::Unreadable { source } if is_not_a_file(source) => "save it to a file, and give that",
            Self::Unreadable { .. } => "check the path given to --manifest, and who may read it",
            Self::TooLarge { .. } => "check that it is a manifest; values that long belong in a file of the provider",
            Self::NotUtf8 => "save the file as UTF-8",
            Self::PrivateCharacter => "leave the character out",
            Self::Syntax { format: Format::Yaml, .. } => "mend it there; a file that is JSON is named .json",
            Self::Syntax { format: Format::Json, .. } => {
                "mend it there; ${VAR} stands within quotes in JSON, and a file that is YAML is named .yaml"
            }
            Self::TooDeep { .. } => "check the indentation: no key needs that depth",
            Self::TooMuch { .. } => "write the entries out instead of aliases, and fewer of them",
            Self::ExpandedTooLarge { .. } => "look for a variable of the environment that is far too long",
            Self::UnknownKey { nearest: Some(_), .. } => "correct the key",
            Self::UnknownKey { nearest: None, .. } => "remove the key, or look it up in docs/manifest.md",
            Self::NotSupported { .. } => "remove the key, or run a version that knows it",
            Self::DuplicateKey { .. } => "remove one of them",
            Self::MissingKey { .. } => "add it; docs/manifest.md shows every key",
            Self::WrongType { found: "nothing", expected: "a text" } => {
                "write \"\" for an empty text, or remove the key"
            }
            Self::WrongType { .. } => "see docs/manifest.md for the shape of every key",
            Self::Blank { .. } => "write one; if it comes from a ${VAR}, set the variable",
            Self::NotAKey { found, .. } if found.contains("${") => "set the variable to the public key",
            Self::NotAKey { why, .. } if why.contains("secret") => {
                "write the public key; replace the seed if others saw it"
            }
            Self::NotAKey { .. } => "`cofferdam inspect FILE` prints the public keys of an actor or a provider",
            Self::KeyChecksum { .. } => {
                "copy the key again: `cofferdam inspect FILE` prints those of an actor, a provider or a seed file"
            }
            Self::NotANumber { .. } => "correct the number",
            Self::NotADecimal { .. } => "write how many processors it may use, as in 0.5 or 2",
            Self::NotASize { .. } => "write bytes, or a unit: 64KiB, 64MiB, 1GiB",
            Self::NotADuration { .. } => "write a number with a unit: 500ms, 60s, 5m, 1h",
            Self::NotABudget { .. } => "write how many crashes it takes to be held, or none to restart it for ever",
            Self::NotANamespace { .. } => "choose such a name; the default is \"default\"",
            Self::NotAnAddress { .. } => "write HOST:PORT, as in 127.0.0.1:8080, or *:443 for any host",
            Self::NotListenable { .. } => "write the address of an interface, as in 127.0.0.1:8080",
            Self::NotAName { .. } => "choose the name that the provider asks for; its documentation says it",
            Self::NotOneOf { .. } => "write one of these",
            Self::NotOneKey { .. } => "keep the one that is meant",
            Self::DuplicateEntry { what: "capability" | "link", .. } => {
                "remove one of them, or give them different link names"
            }
            Self::DuplicateEntry { .. } => "remove one of them",
        }
    }
}

/// A wrong text, fit to be repeated on one line: quoted, cut, and never a seed.
pub(super) fn shown(text: &str) -> String {
    if is_seed(text) {
        return "\"S…\"".to_owned();
    }
    let cut: String = text.chars().take(SHOWN_MAX).collect();
    if cut.len() < text.len() { format!("{:?}", format!("{cut}…")) } else { format!("{cut:?}") }
}

fn meant(nearest: Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |key| format!(" (did you mean {key}?)"))
}
