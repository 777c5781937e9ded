//! What follows from an error of a call: whose fault it is, what became of the call, and what to do next.

use super::{CallError, Trap};
use crate::words::{Blame, Outcome};

impl CallError {
    /// Whose fault it is.
    pub const fn blame(&self) -> Blame {
        match self {
            Self::Denied(_) | Self::NoTarget { .. } | Self::NoSuchActor { .. } => Blame::Operator,
            Self::ActorFailed { cause: Some(cause), .. } => cause.blame(),
            Self::ActorFailed { .. } | Self::ActorTrapped { .. } | Self::ActorNotInstantiated { .. } => Blame::Actor,
            Self::ActorRunsOn { .. } | Self::ActorRunaways { .. } => Blame::Actor,
            // Of whichever actors the operator believed without a meter.
            Self::HostRunaways { .. } => Blame::Operator,
            Self::ActorNotCallable { .. }
            | Self::TooDeep { .. }
            | Self::PayloadTooLarge { .. }
            | Self::Unsendable { .. } => Blame::Actor,
            Self::ProviderFailed { .. } | Self::ProviderPanicked { .. } => Blame::Provider,
            Self::ProviderCrashed { .. } | Self::ProviderHung { .. } | Self::ProviderBroke { .. } => Blame::Provider,
            Self::ProviderHeld { blame, .. } => *blame,
            Self::ProviderStopped { .. } | Self::ProviderNotRunning { .. } => Blame::Operator,
            Self::ProviderUnavailable { .. } | Self::DeadlineExceeded { .. } => Blame::Provider,
            Self::CallerGone { .. } => Blame::Peer,
            Self::ProviderDraining { .. } | Self::HostNotStarted | Self::HostStopping => Blame::Operator,
            Self::Overloaded { .. } | Self::Internal { .. } => Blame::Host,
        }
    }

    /// What became of the call.
    pub const fn outcome(&self) -> Outcome {
        match self {
            // The actor answered, and doesn't know itself.
            Self::ActorFailed { cause: Some(cause), .. } if matches!(cause.outcome(), Outcome::Unknown) => {
                Outcome::Unknown
            }
            Self::ActorFailed { .. } | Self::ProviderFailed { .. } => Outcome::Answered,
            Self::ActorTrapped { .. } | Self::ActorRunsOn { .. } | Self::ProviderPanicked { .. } => Outcome::Unknown,
            Self::ProviderCrashed { .. }
            | Self::ProviderHung { .. }
            | Self::ProviderBroke { .. }
            | Self::ProviderStopped { .. } => Outcome::Unknown,
            Self::DeadlineExceeded { outcome, .. } | Self::PayloadTooLarge { outcome, .. } => *outcome,
            Self::CallerGone { .. } | Self::Internal { .. } => Outcome::Unknown,
            _ => Outcome::NotDelivered,
        }
    }

    /// Who used up the time of the call, if that is why it failed.
    pub(crate) fn late(&self) -> Option<&Self> {
        match self {
            Self::ActorFailed { cause: Some(cause), .. } => cause.late(),
            Self::DeadlineExceeded { .. } | Self::ActorRunsOn { .. } => Some(self),
            Self::ActorTrapped { trap: Trap::OutOfFuel, .. } => Some(self),
            _ => None,
        }
    }

    /// The same, of a call that was delivered to somebody who made the one that was late.
    pub(crate) fn after_delivery(mut self) -> Self {
        if let Self::DeadlineExceeded { outcome, .. } = &mut self {
            *outcome = Outcome::Unknown;
        }
        self
    }

    /// The word for programs. A released word never changes.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Denied(_) => "denied",
            Self::NoTarget { .. } => "no_target",
            Self::NoSuchActor { .. } => "no_such_actor",
            Self::ActorFailed { .. } => "actor_failed",
            Self::ActorTrapped { .. } => "actor_trapped",
            Self::ActorRunsOn { .. } => "actor_runs_on",
            Self::ActorRunaways { .. } => "actor_runaways",
            Self::HostRunaways { .. } => "host_runaways",
            Self::ActorNotInstantiated { .. } => "actor_not_instantiated",
            Self::ActorNotCallable { .. } => "actor_not_callable",
            Self::ProviderFailed { .. } => "provider_failed",
            Self::ProviderPanicked { .. } => "provider_panicked",
            Self::ProviderCrashed { .. } => "provider_crashed",
            Self::ProviderHung { .. } => "provider_hung",
            Self::ProviderBroke { .. } => "provider_broke_protocol",
            Self::ProviderStopped { .. } => "provider_stopped",
            Self::ProviderUnavailable { .. } => "provider_unavailable",
            Self::ProviderNotRunning { .. } => "provider_not_running",
            Self::ProviderHeld { .. } => "provider_held",
            Self::ProviderDraining { .. } => "provider_draining",
            Self::DeadlineExceeded { .. } => "deadline_exceeded",
            Self::CallerGone { .. } => "caller_gone",
            Self::Overloaded { .. } => "overloaded",
            Self::TooDeep { .. } => "too_deep",
            Self::PayloadTooLarge { .. } => "payload_too_large",
            Self::Unsendable { .. } => "unsendable",
            Self::HostNotStarted => "not_started",
            Self::HostStopping => "host_stopping",
            Self::Internal { .. } => "internal",
        }
    }

    /// What to do next, for a person.
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::Denied(_) => "sign the actor with the capability, link it, or change the authorizer",
            Self::NoTarget { .. } => "set a link from the actor to a provider of that contract and link name",
            Self::NoSuchActor { .. } => "start the actor, or see `cofferdam ps` for those that run",
            Self::ActorFailed { cause: Some(cause), .. } => cause.next_step(),
            Self::ActorFailed { .. } => "the actor's own words say why",
            Self::ActorTrapped { .. } | Self::ActorNotInstantiated { .. } => {
                "mend the actor; the next call is a new one"
            }
            Self::ActorRunsOn { .. } => "mend the actor, or meter it: take its issuer from `--unmetered-issuer`",
            Self::ActorRunaways { .. } | Self::HostRunaways { .. } => {
                "see METERED in `cofferdam ps`; those that never end go with the host: restart it, with their actors metered"
            }
            Self::ActorNotCallable { .. } => "build the actor with a waPC entry point, `__guest_call`",
            Self::ProviderFailed { .. } => "the provider's own words say why",
            Self::ProviderPanicked { .. } => "report it to the provider's author",
            Self::ProviderCrashed { .. } | Self::ProviderHung { .. } | Self::ProviderBroke { .. } => {
                "the provider is restarted by itself; see `cofferdam ps`"
            }
            Self::ProviderStopped { .. } => "look whether it was carried out before you call again",
            Self::ProviderUnavailable { .. } => "wait for its restart; see `cofferdam ps`",
            Self::ProviderNotRunning { .. } => "start the provider; see `cofferdam ps` for those that run",
            Self::ProviderHeld { .. } => "see `cofferdam ps`; `cofferdam provider release` starts it again",
            Self::ProviderDraining { .. } => "wait for the provider to be started again",
            Self::DeadlineExceeded { .. } => "look at the callee's load, or raise the time-out",
            Self::CallerGone { .. } => "nothing, unless callers go more often than they should",
            Self::Overloaded { .. } => "call less at once, or raise the limit",
            Self::TooDeep { .. } => "look for actors that call each other without end",
            Self::PayloadTooLarge { .. } => "send less, or raise the payload limit",
            Self::Unsendable { .. } => "shorten the operation's name",
            Self::HostNotStarted => "call `start` first",
            Self::HostStopping => "call another host",
            Self::Internal { .. } => "report this as a bug of cofferdam",
        }
    }
}

#[cfg(test)]
mod tests;
