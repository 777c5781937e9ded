//! The checks by name, and which one each fault belongs to.

use std::fmt;

use super::Fault;

/// The checks, in the order in which they are made. The first one that fails decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Check {
    /// The file can be read or written and is not too large.
    File,
    /// The module or archive is well formed.
    Format,
    /// There is a token.
    Signed,
    /// The token is well formed, its algorithm Ed25519.
    Token,
    /// Issuer and subject are keys of the right kind.
    Keys,
    /// The issuer's signature.
    Signature,
    /// Not expired.
    Expiry,
    /// Already valid.
    NotBefore,
    /// The issuer is one that is trusted.
    Issuer,
    /// The archive holds exactly the libraries that the claims name.
    Files,
    /// The content is what was signed.
    Hash,
    /// The provider says which contract it serves.
    Contract,
    /// The subject is the one that was asked for.
    Subject,
    /// There is a library for the target that was asked for.
    Target,
}

impl Check {
    /// The name as tables print it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Format => "format",
            Self::Signed => "signed",
            Self::Token => "token",
            Self::Keys => "keys",
            Self::Signature => "signature",
            Self::Expiry => "expiry",
            Self::NotBefore => "not before",
            Self::Issuer => "issuer",
            Self::Files => "files",
            Self::Hash => "hash",
            Self::Contract => "contract",
            Self::Subject => "subject",
            Self::Target => "target",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Fault {
    /// The check that failed.
    pub fn check(&self) -> Check {
        match self {
            Self::Unreadable { .. } | Self::Unwritable { .. } | Self::Oversized { .. } | Self::Empty => Check::File,
            Self::Truncated { .. }
            | Self::NotWasm { .. }
            | Self::NotAModule { .. }
            | Self::Framing { .. }
            | Self::SeveralTokens { .. }
            | Self::Archive { .. }
            | Self::EntryName { .. }
            | Self::EntryKind { .. }
            | Self::DuplicateFile { .. }
            | Self::TooManyEntries { .. } => Check::Format,
            Self::Unsigned { .. } => Check::Signed,
            Self::Token { .. } | Self::Algorithm { .. } | Self::Unsignable { .. } => Check::Token,
            Self::WrongKey { .. } => Check::Keys,
            Self::Signature { .. } => Check::Signature,
            Self::Expired { .. } => Check::Expiry,
            Self::NotYetValid { .. } => Check::NotBefore,
            Self::Untrusted { .. } => Check::Issuer,
            Self::ExtraFile { .. } | Self::MissingLibrary { .. } | Self::NoLibrary => Check::Files,
            Self::WrongHash { .. } => Check::Hash,
            Self::NoContract => Check::Contract,
            Self::SubjectMismatch { .. } => Check::Subject,
            Self::MissingTarget { .. } | Self::BadTarget { .. } => Check::Target,
        }
    }
}
