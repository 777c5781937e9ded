//! What can be wrong with a signed file: one enum, and for each of its variants the check that failed and the next step.
//!
//! An error names the file it is about, because a host that starts from a manifest reads a dozen of them.

mod check;
mod next_step;
mod text;

use std::fmt;

use crate::archive::Packing;
use crate::keys::KeyError;

use text::{list, utc};

pub use check::Check;
pub use next_step::{unreadable, unwritable};
pub(crate) use text::plain;
pub use text::{deceives, printable};

/// One check failed on one file.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {fault}")]
pub struct ClaimsError {
    file: String,
    fault: Box<Fault>,
}

/// What carries the claims; it begins most of the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bearer {
    /// A WebAssembly module.
    Actor,
    /// A provider archive.
    Provider,
}

/// What failed. Sizes are in bytes, times in seconds since 1970.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The system refused to read the file.
    #[error("cannot be read: {source}")]
    Unreadable {
        /// What the system said.
        source: std::io::Error,
    },
    /// The system refused to write the file.
    #[error("cannot be written: {source}")]
    Unwritable {
        /// What the system said.
        source: std::io::Error,
    },
    /// Larger than the limit, so it was not read any further.
    #[error("{what} is larger than the limit of {bytes_max} bytes")]
    Oversized {
        /// The file, or the entry of the archive, or the whole.
        what: String,
        /// The limit.
        bytes_max: u64,
    },
    /// The file ends early.
    #[error("truncated: it has {file_bytes} bytes and ends inside {inside}")]
    Truncated {
        /// What was being read.
        inside: &'static str,
        /// How large the file is, as it lies on disk.
        file_bytes: u64,
    },
    /// The file is there and holds nothing.
    #[error("the file is empty")]
    Empty,
    /// The file does not begin as WebAssembly does.
    #[error("not a WebAssembly module: it begins with {found}, not with 00 61 73 6d")]
    NotWasm {
        /// Its first bytes in hex, or "text".
        found: String,
    },
    /// A component (of the component model), or a module of another version.
    #[error("not a WebAssembly module of version 1: {found}")]
    NotAModule {
        /// What it is.
        found: String,
    },
    /// A section that is not framed as the specification says.
    #[error("malformed WebAssembly at byte {offset}: {why}")]
    Framing {
        /// Where the section begins.
        offset: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// Two sections that could hold the token, so that two readers could see different claims.
    #[error("has more than one token: custom sections {first:?} and {second:?}")]
    SeveralTokens {
        /// The first section's name.
        first: String,
        /// The second one's.
        second: String,
    },
    /// Not a tar file, or a damaged one.
    #[error("malformed archive at byte {offset}{}: {why}", .packing.of_what())]
    Archive {
        /// Where, in the tar file.
        offset: u64,
        /// Whether that is the file itself or what it unpacks to.
        packing: Packing,
        /// What is wrong.
        why: String,
    },
    /// A name that no archive has: absolute, with a folder, or not plain text.
    #[error("the archive has an entry with a bad name, {name:?}")]
    EntryName {
        /// The name.
        name: String,
    },
    /// A link, a directory, a device or an extended header.
    #[error("the archive's entry {name:?} is not a plain file but {kind}")]
    EntryKind {
        /// The name.
        name: String,
        /// What it is.
        kind: String,
    },
    /// The same name twice.
    #[error("the archive holds {name:?} twice")]
    DuplicateFile {
        /// The name.
        name: String,
    },
    /// A file that the claims say nothing of.
    #[error(
        "the archive holds {name:?}; it may hold claims.jwt, an ARCH-OS.bin for each target in its claims, and no more"
    )]
    ExtraFile {
        /// The name.
        name: String,
    },
    /// More entries than any archive has.
    #[error("the archive has more than {entries_max} entries")]
    TooManyEntries {
        /// The limit.
        entries_max: u32,
    },
    /// The claims name a library that is not there.
    #[error("the claims name the target {target}, but the archive has no {target}.bin")]
    MissingLibrary {
        /// The target.
        target: String,
    },
    /// No library at all.
    #[error("the archive holds no library")]
    NoLibrary,
    /// There is no library for this target.
    #[error("has no library for the target {target}; it has {}", list(.present))]
    MissingTarget {
        /// What was asked for.
        target: String,
        /// What is there.
        present: Vec<String>,
    },
    /// The target is not of the form `{arch}-{os}`.
    #[error("{target:?} is not a target; a target is ARCH-OS, as in {}", crate::native_target())]
    BadTarget {
        /// The text.
        target: String,
    },
    /// No token.
    #[error("{bearer} is not signed: it has no {place}")]
    Unsigned {
        /// Whose claims are missing.
        bearer: Bearer,
        /// Where the token should be.
        place: &'static str,
    },
    /// The token cannot be understood.
    #[error("{bearer} claims token is malformed: {why}")]
    Token {
        /// Whose.
        bearer: Bearer,
        /// What is wrong with it.
        why: String,
    },
    /// The claims cannot be made into a token.
    #[error("{bearer} claims cannot be signed: {why}")]
    Unsignable {
        /// Whose.
        bearer: Bearer,
        /// Why.
        why: String,
    },
    /// The token asks for another algorithm.
    #[error("{bearer} claims token uses the algorithm {found:?}; only Ed25519 is accepted")]
    Algorithm {
        /// Whose.
        bearer: Bearer,
        /// The header's `alg`.
        found: String,
    },
    /// The issuer or the subject is not the right kind of key.
    #[error("{bearer} claims have a wrong {role}: {source}")]
    WrongKey {
        /// Whose.
        bearer: Bearer,
        /// `issuer` or `subject`.
        role: &'static str,
        /// What is wrong with the key.
        source: KeyError,
    },
    /// Not signed by the issuer named in it.
    #[error("{bearer} claims token has invalid signature: it was not made by {issuer}")]
    Signature {
        /// Whose.
        bearer: Bearer,
        /// The issuer that the token names.
        issuer: String,
    },
    /// `exp` has passed.
    #[error("{bearer} claims have expired: they were valid until {}, and it is {}", utc(*.expires_s), utc(*.now_s))]
    Expired {
        /// Whose.
        bearer: Bearer,
        /// `exp`.
        expires_s: u64,
        /// The time of the check.
        now_s: u64,
    },
    /// `nbf` is still to come.
    #[error(
        "{bearer} claims cannot be used yet: they are valid from {}, and it is {}", utc(*.not_before_s), utc(*.now_s)
    )]
    NotYetValid {
        /// Whose.
        bearer: Bearer,
        /// `nbf`.
        not_before_s: u64,
        /// The time of the check.
        now_s: u64,
    },
    /// The issuer is not one of those trusted here.
    #[error("{bearer} claims are issued by {issuer}, which is not trusted here")]
    Untrusted {
        /// Whose.
        bearer: Bearer,
        /// The issuer.
        issuer: String,
    },
    /// The content is not what was signed.
    #[error("{what} is not what was signed: its hash is {found}, the claims say {claimed}")]
    WrongHash {
        /// The module, or the library in the archive.
        what: String,
        /// The hash that was computed: upper-case hex SHA-256.
        found: String,
        /// The hash in the claims.
        claimed: String,
    },
    /// The provider's claims name no contract, so nothing could be linked to it.
    #[error("Provider claims name no contract (`capid` is missing)")]
    NoContract,
    /// Not the actor or provider that was asked for.
    #[error("{bearer} is {found}, where {expected} was expected")]
    SubjectMismatch {
        /// Whose.
        bearer: Bearer,
        /// The subject of the claims.
        found: String,
        /// Who was expected.
        expected: String,
    },
}

impl ClaimsError {
    /// The file, as the caller named it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// What failed.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// The check that failed.
    pub fn check(&self) -> Check {
        self.fault.check()
    }

    /// What a person can do about it.
    pub fn next_step(&self) -> String {
        self.fault.next_step()
    }

    /// Whether the file is well formed and was turned down, rather than unusable.
    pub fn is_refusal(&self) -> bool {
        self.check() >= Check::Signed && !matches!(self.check(), Check::Token | Check::Target)
    }
}

impl Fault {
    /// Says which file this is about.
    pub(crate) fn on(self, file: &str) -> ClaimsError {
        ClaimsError { file: file.to_owned(), fault: Box::new(self) }
    }
}

impl fmt::Display for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Actor => "Actor",
            Self::Provider => "Provider",
        })
    }
}
