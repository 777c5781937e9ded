//! Why the log can't be written or read.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why the log can't be written or read.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The system refused.
    #[error("the audit log {}: {act}: {source}", path.display())]
    Io {
        /// What was attempted.
        act: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others may write what this user's host is to vouch for.
    #[error("the audit log {} is not safe to use: {why}", path.display())]
    Unsafe {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// There are segments, and none has a record.
    #[error("the audit log {} can't be continued: no record of it can be read", path.display())]
    NoTip {
        /// The directory.
        path: PathBuf,
    },
    /// Far more files than a host leaves.
    #[error("the audit log {} has more than {limit} segments", path.display())]
    TooManySegments {
        /// The directory.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// The host's key can't sign.
    #[error("the audit log can't be signed: {0}")]
    Sign(#[from] super::HeadError),
}

impl AuditError {
    pub(super) fn io(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { act, path, source }
    }

    /// What a person can do about it.
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => "free some space on its disk",
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "name the directory of the segments by --dir, or the host's state directory by --state-dir"
            }
            Self::Io { .. } => "check the directory and its permissions",
            Self::Unsafe { .. } => "make it yours alone (chown; chmod 700)",
            Self::NoTip { .. } => {
                "keep the directory as evidence: move it away, and the host begins another log at its start"
            }
            Self::TooManySegments { .. } => "give the directory of one log",
            Self::Sign(_) => "check the key file host.nk",
        }
    }
}
