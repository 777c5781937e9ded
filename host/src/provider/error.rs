//! Why a provider was not started, or a link not bound.

use thiserror::Error;

use crate::words::{Blame, ProviderKey};

/// Why a link was not bound.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BindError {
    /// The provider refused.
    #[error("provider {provider} rejected the link of actor {actor}: {reason}")]
    Rejected {
        /// Which provider.
        provider: ProviderKey,
        /// Which actor.
        actor: String,
        /// The provider's words.
        reason: String,
    },
    /// It has as many links as it may have.
    #[error("actor {actor} can't be linked to provider {provider}, which has {limit} links, the most it may have")]
    TooMany {
        /// Which provider.
        provider: ProviderKey,
        /// Which actor.
        actor: String,
        /// How many links.
        limit: usize,
    },
    /// Too many commands wait for the provider already, and it was not told of this one.
    #[error("provider {provider} was not told of the link of actor {actor}: too much waits for it already")]
    Overloaded {
        /// Which provider.
        provider: ProviderKey,
        /// Which actor.
        actor: String,
    },
    /// The provider is being stopped, or has been, and was not told. The link is bound when it is started again.
    #[error("provider {provider} is being stopped; it is linked to actor {actor} when it is started again")]
    Stopped {
        /// Which provider.
        provider: ProviderKey,
        /// Which actor.
        actor: String,
    },
    /// The provider is held, and was not told. The link is bound when it is released.
    #[error("provider {provider} is held; it is linked to actor {actor} when it is released")]
    Held {
        /// Which provider.
        provider: ProviderKey,
        /// Which actor.
        actor: String,
    },
}

/// Whose fault it is, the word for programs, and what to do next.
type Verdict = (Blame, &'static str, &'static str);

impl BindError {
    pub(crate) const fn verdict(&self) -> Verdict {
        match self {
            Self::Rejected { .. } => {
                (Blame::Operator, "link_rejected", "change the values of the link, and set it again")
            }
            Self::TooMany { .. } => {
                (Blame::Operator, "too_many_links", "start the provider again under another link name")
            }
            Self::Overloaded { .. } => {
                (Blame::Provider, "link_untold", "look at the provider's log, and set the link again")
            }
            Self::Stopped { .. } => (Blame::Operator, "link_pending", "start the provider again"),
            Self::Held { .. } => {
                (Blame::Operator, "link_pending", "release the provider: `cofferdam provider release`")
            }
        }
    }
}

/// Why a provider was not restarted, held or released.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AttendError {
    /// A process was started, and did not become ready. Its policy says what comes next.
    #[error("provider {provider} was started again and did not become ready: {reason}")]
    NotReady {
        /// Which provider.
        provider: ProviderKey,
        /// What happened.
        reason: String,
    },
    /// Somebody holds it.
    #[error("provider {provider} was held meanwhile")]
    Held {
        /// Which provider.
        provider: ProviderKey,
    },
    /// Somebody started it again.
    #[error("provider {provider} was released meanwhile")]
    Released {
        /// Which provider.
        provider: ProviderKey,
    },
    /// Somebody stopped it.
    #[error("provider {provider} was stopped meanwhile")]
    Stopped {
        /// Which provider.
        provider: ProviderKey,
    },
    /// Too many commands wait for the provider already, and it was not told of this one.
    #[error("provider {provider} was not told: too much waits for it already")]
    Overloaded {
        /// Which provider.
        provider: ProviderKey,
    },
}

impl AttendError {
    pub(crate) const fn verdict(&self) -> Verdict {
        match self {
            Self::NotReady { .. } => {
                (Blame::Provider, "provider_not_ready", "see `cofferdam ps`; the provider's own words are in the log")
            }
            Self::Overloaded { .. } => (Blame::Host, "busy", "try again"),
            Self::Held { .. } | Self::Released { .. } | Self::Stopped { .. } => {
                (Blame::Operator, "provider_changed", "see `cofferdam ps`, and ask whoever did it")
            }
        }
    }
}

/// Why a provider was not started.
#[derive(Debug, Error)]
pub enum StartError {
    /// Its process ended, or did not become ready. It is not tried again.
    #[error("provider {provider} could not be started: {reason}")]
    NotReady {
        /// Which provider.
        provider: ProviderKey,
        /// What happened.
        reason: String,
    },
    /// Something of the host was missing.
    #[error("provider {provider} could not be started: {act}: {source}")]
    Host {
        /// Which provider.
        provider: ProviderKey,
        /// What was attempted.
        act: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}
