//! Why the host did not do what it was asked for.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cofferdam_claims::{ClaimsError, KeyError};
use cofferdam_registry::{RegistryError, Whose};
use thiserror::Error;

use crate::actor::ActorError;
use crate::audit::AuditError;
use crate::control::ErrorReport;
use crate::control::{ServerError, paths::PathError};
use crate::grants::AllowanceError;
use crate::manifest::{ManifestError, SourceError};
use crate::provider::{AttendError, BindError, ExaminationError, ShimNotFound, StartError};
use crate::words::{Blame, CallError, Denial, LinkKey, Outcome, ProviderKey};

/// Why the host did not do what it was asked for.
#[derive(Debug, Error)]
pub enum HostError {
    /// `start` comes first.
    #[error("Activity cannot be performed, host has not been started")]
    NotStarted,
    /// The host has begun to stop.
    #[error("the host is stopping and starts nothing any more")]
    Stopping,
    /// One process or module for each key.
    #[error("Cannot start already running actor {actor}")]
    ActorRuns {
        /// Its public key.
        actor: String,
    },
    /// One process for each key.
    #[error("Cannot start already running provider {provider}")]
    ProviderRuns {
        /// What it is kept under.
        provider: ProviderKey,
    },
    /// The authorizer said no.
    #[error("Permission denied starting actor. ({actor})")]
    ActorRefused {
        /// Its public key.
        actor: String,
    },
    /// Its call alias could be taken for something else.
    #[error("actor {actor} can't be started: its call alias {alias:?} {why}")]
    AliasRefused {
        /// Its public key.
        actor: String,
        /// The alias, as calls name it.
        alias: String,
        /// What it could be taken for.
        why: &'static str,
    },
    /// Another actor that runs has its call alias.
    #[error("actor {actor} can't be started: its call alias {alias:?} is in use by actor {by}")]
    AliasTaken {
        /// Its public key.
        actor: String,
        /// The alias, as calls name it.
        alias: String,
        /// The other's public key.
        by: String,
    },
    /// Calls for the contract would reach an actor that runs.
    #[error("the contract {contract} can't be used: it is the call alias of actor {actor}, which would get its calls")]
    ContractIsAlias {
        /// The contract.
        contract: String,
        /// The actor's public key.
        actor: String,
    },
    /// Claims, signature, hash or issuer are not acceptable.
    #[error(transparent)]
    Claims(ClaimsError),
    /// A key file could not be used.
    #[error(transparent)]
    Key(KeyError),
    /// The module can't be run.
    #[error("{image}: {source}")]
    Actor {
        /// Where it came from.
        image: String,
        /// Why.
        #[source]
        source: ActorError,
    },
    /// What it needs, or what it is granted, can't be.
    #[error("provider {provider} can't be started: {source}")]
    Grants {
        /// What it is kept under.
        provider: ProviderKey,
        /// Why.
        #[source]
        source: AllowanceError,
    },
    /// Something that it is granted can't be given on this machine.
    #[error("provider {provider} can't be started: {what} can't be granted to it: {why}")]
    GrantUnusable {
        /// What it is kept under.
        provider: ProviderKey,
        /// Which grant.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The provider can't be run.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The provider refused a link.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The provider was not restarted, held or released.
    #[error(transparent)]
    Attend(#[from] AttendError),
    /// No provider goes by this name.
    #[error("no provider {name}{} runs here", link.as_ref().map(|link| format!(" under link name {link}")).unwrap_or_default())]
    NoSuchProvider {
        /// Its public key, its name, or where it came from.
        name: String,
        /// The link name that was asked for.
        link: Option<String>,
    },
    /// Several providers go by this name.
    #[error("several providers go by {name}: {}", candidates.join(", "))]
    AmbiguousProvider {
        /// The name.
        name: String,
        /// Some of them.
        candidates: Vec<String>,
    },
    /// The provider did not answer.
    #[error("the provider did not answer the link of actor {} for {} within {timeout:?}", key.actor, key.contract_id)]
    BindTimeout {
        /// The link.
        key: LinkKey,
        /// How long it had.
        timeout: Duration,
    },
    /// The policy refused a link.
    #[error("actor {} cannot be linked for {}: {denial}", key.actor, key.contract_id)]
    LinkDenied {
        /// The link.
        key: LinkKey,
        /// Why.
        denial: Denial,
    },
    /// The provider serves something else.
    #[error("actor {} cannot be linked for {}: the provider serves {serves}", key.actor, key.contract_id)]
    OtherContract {
        /// The link.
        key: LinkKey,
        /// What the provider's claims say.
        serves: String,
    },
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The manifest can't be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest names a file that isn't there.
    #[error(transparent)]
    Source(SourceError),
    /// Something in a registry could not be had.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// There is no shim.
    #[error(transparent)]
    Shim(#[from] ShimNotFound),
    /// What this machine can enforce could not be found out.
    #[error(transparent)]
    Examination(#[from] ExaminationError),
    /// No state directory or socket could be derived.
    #[error(transparent)]
    Paths(PathError),
    /// The operator's socket can't be served.
    #[error(transparent)]
    Control(#[from] ServerError),
    /// Another host has the state directory.
    #[error("the state directory {} is in use by another host{}", dir.display(), pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    StateTaken {
        /// The directory.
        dir: PathBuf,
        /// The other host, if it has said so.
        pid: Option<u32>,
    },
    /// Others could change the state directory, or read the key in it.
    #[error("{} is not safe to use: {why}", path.display())]
    StateUnsafe {
        /// The directory, or the key.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The state directory can't be used.
    #[error("the state directory {}: {act}: {source}", dir.display())]
    State {
        /// The directory.
        dir: PathBuf,
        /// What was attempted.
        act: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The audit log can't be taken up.
    #[error(transparent)]
    Audit(AuditError),
    /// The system refused.
    #[error("{act}: {source}")]
    System {
        /// What was attempted.
        act: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// We are wrong.
    #[error("internal error: {message}")]
    Internal {
        /// What broke.
        message: String,
    },
}

impl HostError {
    pub(super) fn state(dir: &Path, act: &'static str) -> impl FnOnce(io::Error) -> Self + use<> {
        let dir = dir.to_owned();
        move |source| Self::State { dir, act, source }
    }

    pub(super) fn system(act: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { act, source }
    }

    /// The error as programs read it.
    pub fn report(&self) -> ErrorReport {
        match self {
            Self::Call(error) => return ErrorReport::from(error),
            Self::Control(error) => return error.report(),
            _ => {}
        }
        let (blame, kind, next) = self.describe();
        let message = self.to_string();
        ErrorReport { blame, kind: kind.to_owned(), outcome: Outcome::NotDelivered, message, next }
    }

    fn describe(&self) -> (Blame, &'static str, String) {
        let (blame, kind, next) = match self {
            Self::NotStarted => (Blame::Peer, "not_started", "call `start` first"),
            Self::Stopping => (Blame::Operator, "host_stopping", "start another host"),
            Self::ActorRuns { .. } => (Blame::Operator, "actor_running", "stop it first, see `cofferdam ps`"),
            Self::ProviderRuns { .. } => {
                (Blame::Operator, "provider_running", "stop it first, or start it under another link name")
            }
            Self::ActorRefused { .. } => (Blame::Operator, "actor_refused", "change the authorizer"),
            Self::AliasRefused { .. } => (Blame::Actor, "alias_refused", "sign the actor with another call alias"),
            Self::AliasTaken { .. } => {
                (Blame::Operator, "alias_taken", "stop the other actor, or sign this one with another call alias")
            }
            Self::ContractIsAlias { .. } => {
                (Blame::Operator, "contract_is_alias", "stop the actor, or sign it with another call alias")
            }
            Self::Claims(error) => return (Blame::Operator, "claims_refused", error.next_step()),
            Self::Key(_) => (Blame::Operator, "key_unusable", "check the key file, or move it away"),
            Self::Actor { source, .. } => (source.blame(), "actor_unusable", "build the actor for waPC, or mend it"),
            Self::Grants { source, .. } if source.is_of_archive() => {
                (Blame::Provider, "bad_needs", "pack the archive again, with needs that are right")
            }
            Self::Grants { .. } => {
                (Blame::Operator, "bad_grants", "change its grants; docs/manifest.md has all of them")
            }
            Self::GrantUnusable { .. } => (Blame::Operator, "grant_unusable", "change that grant, or what it names"),
            Self::Start(StartError::NotReady { .. }) => {
                (Blame::Provider, "provider_not_ready", "the provider's own words, in the log, say more")
            }
            Self::Examination(_) => (Blame::Host, "examination_failed", "run the shim that belongs to this program"),
            Self::Start(StartError::Host { .. }) => (Blame::Host, "provider_not_started", "check the host's log"),
            Self::Bind(error) => error.verdict(),
            Self::Attend(error) => error.verdict(),
            Self::NoSuchProvider { .. } => {
                (Blame::Operator, "no_such_provider", "see `cofferdam ps` for those that run, and their link names")
            }
            Self::AmbiguousProvider { .. } => {
                (Blame::Operator, "ambiguous_provider", "give the public key, and the link name by --link")
            }
            Self::BindTimeout { .. } => (Blame::Provider, "link_unanswered", "look at the provider's log"),
            Self::LinkDenied { .. } => {
                (Blame::Operator, "link_denied", "sign the actor with the capability, or change the authorizer")
            }
            Self::OtherContract { .. } => (Blame::Operator, "link_contract", "link it for the provider's contract"),
            Self::Manifest(error) => return (Blame::Operator, "bad_manifest", error.next_step().to_owned()),
            Self::Source(error) => (Blame::Operator, "no_such_file", error.next_step()),
            Self::Registry(error) => {
                let (whose, kind, next) = error.verdict();
                (blame_of(whose), kind, next)
            }
            Self::Shim(_) => (Blame::Operator, "no_shim", "install `cofferdam-shim` beside `cofferdam`"),
            Self::Paths(error) => (Blame::Operator, "no_place", error.next_step()),
            Self::StateTaken { .. } => {
                (Blame::Operator, "state_taken", "stop that host, or choose another --namespace or --state-dir")
            }
            Self::StateUnsafe { .. } => (
                Blame::Operator,
                "state_unsafe",
                "make it yours alone (chown; chmod 700 the directory, 600 the key), or choose another --state-dir; \
                 replace a key that others may have read",
            ),
            Self::State { .. } => (Blame::Operator, "state_unusable", "check the directory and its permissions"),
            Self::Audit(error) => (Blame::Operator, "audit_unusable", error.next_step()),
            Self::System { .. } => (Blame::Host, "system_refused", "check the limits of this machine"),
            Self::Internal { .. } => (Blame::Host, "internal", "report this as a bug of cofferdam"),
            Self::Call(_) | Self::Control(_) => (Blame::Host, "internal", "report this as a bug of cofferdam"),
        };
        (blame, kind, next.to_owned())
    }
}

fn blame_of(whose: Whose) -> Blame {
    match whose {
        Whose::Operator => Blame::Operator,
        Whose::Registry => Blame::Peer,
        Whose::Machine => Blame::Host,
    }
}
