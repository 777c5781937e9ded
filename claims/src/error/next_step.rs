//! What a person can do about each fault. Kept beside the faults, so that a new one does not compile without.

use std::io::{Error, ErrorKind};

use super::{Bearer, Fault};
use crate::files::is_not_a_file;
use crate::keys::KeyError;

impl Fault {
    /// What a person can do about it.
    pub fn next_step(&self) -> String {
        match self {
            Self::Unreadable { source } => unreadable(source).into(),
            Self::Unwritable { source } => unwritable(source).into(),
            Self::Oversized { .. } => "use a smaller file: strip debug information before signing".into(),
            Self::Empty => "fetch or build the file again: nothing was written into it".into(),
            Self::Truncated { .. } => "fetch or build the file again; the copy is incomplete".into(),
            Self::NotWasm { .. } => "give a .wasm file; `cofferdam inspect FILE` tells what a file is".into(),
            Self::NotAModule { .. } => {
                "build the actor as a core module (target wasm32-unknown-unknown or wasm32-wasip1)".into()
            }
            Self::Framing { .. } => "build the module again".into(),
            Self::SeveralTokens { .. } => "sign it again: signing replaces every earlier token".into(),
            Self::Archive { .. } | Self::EntryName { .. } | Self::EntryKind { .. } | Self::DuplicateFile { .. } => {
                "make the archive with `cofferdam par create`".into()
            }
            Self::TooManyEntries { .. } | Self::ExtraFile { .. } | Self::MissingLibrary { .. } | Self::NoLibrary => {
                "make the archive again with `cofferdam par create`, with one library a target".into()
            }
            Self::MissingTarget { target, .. } => {
                format!("ask the provider's vendor for a build for {target}, or add one and sign the archive again")
            }
            Self::BadTarget { .. } => "name the target by processor and system".into(),
            Self::Unsigned { bearer: Bearer::Actor, .. } => "sign it with `cofferdam claims sign`".into(),
            Self::Unsigned { bearer: Bearer::Provider, .. } => "make the archive with `cofferdam par create`".into(),
            Self::Token { .. } | Self::Algorithm { .. } | Self::Signature { .. } => {
                "get the file again from its issuer, or sign it with a key of your own".into()
            }
            Self::Unsignable { .. } => "make the claims smaller: fewer or shorter tags, capabilities and names".into(),
            Self::WrongKey { source: KeyError::NoSeed { .. }, .. } => {
                "give the seed (S…) that belongs to this key".into()
            }
            Self::WrongKey { role: "issuer", .. } => {
                "sign it with an account key (`cofferdam keys gen account`)".into()
            }
            Self::WrongKey { bearer: Bearer::Actor, .. } => {
                "sign it for an actor key (`cofferdam keys gen actor`)".into()
            }
            Self::WrongKey { bearer: Bearer::Provider, .. } => {
                "sign it for a provider key (`cofferdam keys gen provider`)".into()
            }
            Self::Expired { .. } => "sign it again with a later expiry".into(),
            Self::NotYetValid { .. } => "wait, correct the clock of this machine, or sign it again".into(),
            Self::Untrusted { issuer, .. } => {
                format!("to accept this issuer, add it to `host.trust` in the manifest or give `--trust {issuer}`")
            }
            Self::WrongHash { .. } => "the file was changed after it was signed: get it again, or sign it again".into(),
            Self::NoContract => "sign the archive again and name the contract that the provider serves".into(),
            Self::SubjectMismatch { .. } => "give the file that belongs to this public key".into(),
        }
    }
}

/// What a person can do about a file that cannot be read.
pub fn unreadable(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::IsADirectory => "give a file, not a directory",
        _ if is_not_a_file(error) => "save it to a file, and give that",
        _ => "check the path and its permissions",
    }
}

/// What a person can do about a file that cannot be written.
pub fn unwritable(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space there, or write to another place",
        ErrorKind::IsADirectory => "name a file in that directory",
        _ => "check that the directory exists and is writable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_to_be_saved_to_one() {
        let cases = [
            (Error::new(ErrorKind::InvalidInput, crate::NotAFile), "save it to a file, and give that"),
            (ErrorKind::IsADirectory.into(), "give a file, not a directory"),
            (ErrorKind::InvalidInput.into(), "check the path and its permissions"),
            (ErrorKind::NotFound.into(), "check the path and its permissions"),
        ];
        for (source, next) in cases {
            assert_eq!(unreadable(&source), next, "{source}");
        }
    }

    #[test]
    fn a_full_disk_wants_space() {
        let cases = [
            (ErrorKind::StorageFull, "free some space there, or write to another place"),
            (ErrorKind::QuotaExceeded, "free some space there, or write to another place"),
            (ErrorKind::IsADirectory, "name a file in that directory"),
            (ErrorKind::PermissionDenied, "check that the directory exists and is writable"),
        ];
        for (kind, next) in cases {
            assert_eq!(Fault::Unwritable { source: kind.into() }.next_step(), next, "{kind}");
        }
    }
}
