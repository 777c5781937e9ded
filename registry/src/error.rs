//! Why something was not fetched or put: what was attempted, on what, whose fault it is, and what to do next.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::cache::CacheError;
use crate::credentials::CredentialsError;
use crate::digest::Digest;
use crate::media::{Kind, Wanted};
use crate::reference::ReferenceError;

/// Why the registry was of no use.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The text names no place in a registry.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// What `latest` means is the registry's choice of the day.
    #[error("{reference} means `latest`, which this host does not take")]
    Latest {
        /// As it was written.
        reference: String,
    },
    /// What a digest names is there already, or never will be.
    #[error("nothing can be pushed to {reference}: it names its content by digest")]
    PushToDigest {
        /// As it was written.
        reference: String,
    },
    /// The file with the certificates of a private authority.
    #[error("the file of certificate authorities {} can't be used: {why}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Who to be at the registry can't be found out.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The cache can't be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A transfer failed.
    #[error("{act} {reference}: {fault}")]
    Transfer {
        /// What was attempted: `pulling` or `pushing`.
        act: &'static str,
        /// Of what.
        reference: String,
        /// Why it failed.
        #[source]
        fault: Fault,
    },
}

/// Why a transfer failed. Texts of registries are clipped, and never hold a password.
#[derive(Debug, Error)]
pub enum Fault {
    /// No connection came about.
    #[error("the registry can't be reached: {why}")]
    Unreachable {
        /// What the system said.
        why: String,
    },
    /// The connection is not safe, or not of the kind it should be.
    #[error("the registry has no certificate that this machine accepts: {why}")]
    Tls {
        /// What is wrong.
        why: String,
    },
    /// The connection broke, or stood still for too long.
    #[error("the transfer broke off: {why}")]
    Broken {
        /// How.
        why: String,
    },
    /// The registry would not, for now or for good.
    #[error("the registry answered with status {status}{}", said_by(said))]
    Status {
        /// Of HTTP.
        status: u16,
        /// Its own words.
        said: String,
    },
    /// The registry wants to know who asks, or knows and says no.
    #[error("the registry gives no access{}", said_by(said))]
    Unauthorized {
        /// Its own words.
        said: String,
    },
    /// Nothing is there.
    #[error("the registry has no such thing")]
    NotFound,
    /// The registry does not do what registries do.
    #[error("the registry broke the rules of registries: {why}")]
    Protocol {
        /// Which.
        why: String,
    },
    /// What was found is no artifact of ours.
    #[error("what is there is not one {wanted}: {why}")]
    NotThat {
        /// What was looked for.
        wanted: Wanted,
        /// What it is instead.
        why: String,
    },
    /// It is larger than allowed. Nothing of it was fetched.
    #[error("{what} has {bytes} bytes, more than the limit of {bytes_max}")]
    TooLarge {
        /// Of which part.
        what: &'static str,
        /// Its size, as far as it is known.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// The bytes are not those that were asked for.
    #[error("the registry sent other bytes than {expected} names; they hash to {found}")]
    Digest {
        /// What was asked for.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// All attempts together took too long.
    #[error("it took longer than {0:?}")]
    TooLate(Duration),
    /// The cache failed.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The credentials failed.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

/// Who has to do something about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Whoever wrote the reference, or set this up.
    Operator,
    /// The registry, or what lies between.
    Registry,
    /// This machine.
    Machine,
}

impl Fault {
    /// Whether it may be gone a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..),
            _ => false,
        }
    }

    fn verdict(&self) -> (Whose, &'static str, &'static str) {
        use Whose::{Machine, Operator, Registry};
        match self {
            Self::Unreachable { .. } => {
                (Registry, "registry_unreachable", "check the registry's name and that it runs, and try again")
            }
            Self::Tls { .. } => (
                Operator,
                "registry_tls",
                "name its authority by --registry-ca; if it speaks plain HTTP on purpose, name it by --allowed-insecure",
            ),
            Self::Broken { .. } => (Registry, "registry_broke_off", "try again: what came stays and is gone on with"),
            Self::Status { status: 429, .. } => (Registry, "registry_busy", "try again later"),
            Self::Status { .. } => (Registry, "registry_status", "look at the registry's log, and try again"),
            Self::Unauthorized { .. } => (
                Operator,
                "registry_unauthorized",
                "set OCI_REGISTRY_USER and OCI_REGISTRY_PASSWORD, or log in with a tool that writes the Docker \
                 configuration",
            ),
            Self::NotFound => (Operator, "registry_not_found", "check repository and tag"),
            Self::Protocol { .. } => (Registry, "registry_protocol", "check that the address is one of a registry"),
            Self::NotThat { .. } => {
                (Operator, "registry_wrong_artifact", "check the reference; `cofferdam push` puts actors and archives")
            }
            Self::TooLarge { .. } => (Operator, "registry_too_large", "check the reference, or push a smaller one"),
            Self::Digest { .. } => {
                (Registry, "registry_digest", "do not use this registry before somebody has looked at it")
            }
            Self::TooLate(_) => (Registry, "registry_too_late", "try again: what came stays and is gone on with"),
            Self::Cache(error) => (Machine, "registry_cache", error.next_step()),
            Self::Credentials(error) => (Operator, "registry_credentials", error.next_step()),
        }
    }
}

impl RegistryError {
    /// Who has to do something, the word for programs, and what to do.
    pub fn verdict(&self) -> (Whose, &'static str, &'static str) {
        use Whose::{Machine, Operator};
        match self {
            Self::Reference(_) => (
                Operator,
                "bad_reference",
                "write REGISTRY/REPOSITORY:TAG, or check the path if it is meant to be a file",
            ),
            Self::Latest { .. } => {
                (Operator, "latest_refused", "name a version or a digest, or allow it by --allow-oci-latest")
            }
            Self::PushToDigest { .. } => (Operator, "push_to_digest", "give a tag: REGISTRY/REPOSITORY:TAG"),
            Self::Authorities { .. } => (Operator, "bad_authorities", "give a file of certificates in PEM form"),
            Self::Credentials(error) => (Operator, "registry_credentials", error.next_step()),
            Self::Cache(error) => (Machine, "registry_cache", error.next_step()),
            Self::Transfer { fault, .. } => fault.verdict(),
        }
    }

    /// Whether it is a no to something well formed.
    pub fn is_refusal(&self) -> bool {
        let refused = |fault: &Fault| matches!(fault, Fault::Unauthorized { .. } | Fault::Digest { .. });
        matches!(self, Self::Latest { .. }) || matches!(self, Self::Transfer { fault, .. } if refused(fault))
    }

    /// Whether time ran out.
    pub fn is_late(&self) -> bool {
        matches!(self, Self::Transfer { fault: Fault::TooLate(_), .. })
    }

    /// Whether what was written is wrong, and no registry was asked.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Latest { .. } | Self::Transfer { .. } | Self::Cache(_))
    }
}

/// What the bytes are, for an error.
pub(crate) fn other_kind(found: Option<Kind>) -> String {
    found.map_or_else(|| "its bytes are neither".to_owned(), |kind| format!("its bytes are those of an {kind}"))
}

fn said_by(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(", and said: {said}") }
}

/// What an error and its causes say, without the address, which may hold a token.
pub(crate) fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = String::new();
    let mut next: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = next {
        let own = error.to_string();
        // Some repeat what their cause says.
        if !text.contains(&own) {
            text = if text.is_empty() { own } else { format!("{text}: {own}") };
        }
        next = error.source();
    }
    text
}

/// Whether a cause of the error is one of TLS. An error of the system's hides what it wraps from its list of causes, and
/// wraps others of its kind.
pub(crate) fn is_of_tls(error: &reqwest::Error) -> bool {
    let mut next = std::error::Error::source(error);
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return true;
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map(|wrapped| wrapped as &(dyn std::error::Error + 'static)).or_else(|| error.source());
    }
    false
}
