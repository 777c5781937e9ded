//! Why a call failed. Each variant names who failed, whose fault it is, what became of the call and what to do next.

mod verdict;

use std::time::Duration;

use thiserror::Error;

use super::{Blame, Outcome, ProviderKey};

/// Why authorization said no. The texts are the reference's: actors and operators match on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Denial {
    /// The contract is not among the `caps` of the actor's claims, or a provider called an actor not linked to it.
    #[error("Authorization denied - Actor does not have required claims")]
    Claims,
    /// An installed `Authorizer` refused.
    #[error("Authorization denied - authorizer rejected invocation")]
    Authorizer,
    /// A provider called an actor that has no link to it.
    #[error("Authorization denied - Actor is not linked to this provider")]
    NotLinked,
    /// The actor's claims have expired since it was started.
    #[error("Authorization denied - Actor claims have expired")]
    Expired,
}

/// How a guest died. The instance is discarded; the actor lives on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Trap {
    /// It used up the fuel that its deadline allows.
    #[error("ran out of fuel")]
    OutOfFuel,
    /// It recursed too deep.
    #[error("stack overflow")]
    StackOverflow,
    /// It touched memory or a table out of bounds.
    #[error("access out of bounds")]
    OutOfBounds,
    /// It executed `unreachable`, which is how a Rust panic ends.
    #[error("unreachable executed")]
    Unreachable,
    /// It divided by zero, overflowed a conversion, or called through a wrong signature.
    #[error("illegal operation")]
    Illegal,
    /// It broke the waPC protocol, for example by a pointer outside its memory.
    #[error("waPC protocol violation")]
    Protocol,
    /// It called `proc_exit` during a call.
    #[error("exited")]
    Exited,
}

/// Why a call failed.
#[derive(Clone, Debug, Error)]
pub enum CallError {
    /// Authorization said no; nothing was delivered.
    #[error("{0}")]
    Denied(#[from] Denial),
    /// No actor, alias or link answers to the name that the actor used.
    #[error(
        "The target {namespace} was not found as an actor public key, an actor call alias, or as the contract ID in an \
         existing link from source actor {actor}"
    )]
    NoTarget {
        /// The calling actor.
        actor: String,
        /// What it asked for.
        namespace: String,
    },
    /// The actor is not running here.
    #[error("No claims found for actor '{actor}'. Has it been started?")]
    NoSuchActor {
        /// Its public key or alias.
        actor: String,
    },
    /// The actor's own code answered with an error.
    #[error("actor {actor} answered {operation} with an error: {message}")]
    ActorFailed {
        /// Its public key.
        actor: String,
        /// The operation.
        operation: String,
        /// The actor's words.
        message: String,
        /// What failed in truth, when these words end in those of a host call that failed: the actor passed them on.
        cause: Option<Box<CallError>>,
    },
    /// The actor's guest died during the call.
    #[error("actor {actor} trapped in {operation}: {trap}{detail}")]
    ActorTrapped {
        /// Its public key.
        actor: String,
        /// The operation.
        operation: String,
        /// How it died.
        trap: Trap,
        /// More, beginning with a separator, or empty.
        detail: String,
    },
    /// The actor is not metered, and its code went on when the deadline passed: nothing ends it but itself.
    #[error("actor {actor} did not answer {operation} within {waited:?} and runs on, as it is unmetered")]
    ActorRunsOn {
        /// Its public key.
        actor: String,
        /// The operation.
        operation: String,
        /// The time that it had.
        waited: Duration,
    },
    /// So many calls of an unmetered actor run on after their deadlines that it gets no more.
    #[error("actor {actor} is not called: {count} of its calls run on after their deadlines, as it is unmetered")]
    ActorRunaways {
        /// Its public key.
        actor: String,
        /// How many.
        count: u32,
    },
    /// The same of all unmetered actors of this host together.
    #[error("actor {actor} is not called: {count} calls of unmetered actors run on after their deadlines in this host")]
    HostRunaways {
        /// The public key of the one that was to be called.
        actor: String,
        /// How many.
        count: u32,
    },
    /// A new instance of the actor could not be made.
    #[error("actor {actor} could not be instantiated: {message}")]
    ActorNotInstantiated {
        /// Its public key.
        actor: String,
        /// Why.
        message: String,
    },
    /// The actor exports no `__guest_call`.
    #[error("actor {actor} answers no calls: it is a WASI command, which ran when it was started")]
    ActorNotCallable {
        /// Its public key.
        actor: String,
    },
    /// The provider answered with an error.
    #[error("provider {provider} answered {operation} with an error: {message}")]
    ProviderFailed {
        /// Which provider.
        provider: ProviderKey,
        /// The operation.
        operation: String,
        /// The provider's words.
        message: String,
    },
    /// The provider's code panicked in this call; its process lives on.
    #[error("provider {provider} panicked in {operation}: {message}")]
    ProviderPanicked {
        /// Which provider.
        provider: ProviderKey,
        /// The operation.
        operation: String,
        /// The panic's message.
        message: String,
    },
    /// The provider's process died while the call was in flight.
    #[error("provider {provider} crashed during {operation}: {cause}")]
    ProviderCrashed {
        /// Which provider.
        provider: ProviderKey,
        /// The operation.
        operation: String,
        /// The signal or exit code, in words.
        cause: String,
    },
    /// The provider's process neither died nor worked while the call was in flight, and was ended for that.
    #[error("provider {provider} hung during {operation} and was ended: {cause}")]
    ProviderHung {
        /// Which provider.
        provider: ProviderKey,
        /// The operation.
        operation: String,
        /// How it was found.
        cause: String,
    },
    /// The provider's process lived and broke the protocol while the call was in flight, and was ended for that.
    #[error("provider {provider} was ended during {operation}: {cause}")]
    ProviderBroke {
        /// Which provider.
        provider: ProviderKey,
        /// The operation.
        operation: String,
        /// Which rule it broke, and where.
        cause: String,
    },
    /// An operator stopped, held or restarted the provider, and the call had not ended when the time for that was over.
    #[error("provider {provider} was stopped during {operation}, which had not ended in time")]
    ProviderStopped {
        /// Which provider.
        provider: ProviderKey,
        /// The operation.
        operation: String,
    },
    /// The provider has no process that takes calls at this moment, and gets one by itself.
    #[error("provider {provider} is not available: {state}")]
    ProviderUnavailable {
        /// Which provider.
        provider: ProviderKey,
        /// Its state, in words.
        state: String,
    },
    /// The provider has not been started, or was stopped.
    #[error("provider {provider} is not available: {state}")]
    ProviderNotRunning {
        /// Which provider.
        provider: ProviderKey,
        /// Its state, in words.
        state: String,
    },
    /// The provider is held: it gets no process until it is released or, after crashes, tried again.
    #[error("provider {provider} is held: {why}")]
    ProviderHeld {
        /// Which provider.
        provider: ProviderKey,
        /// Why, and when it is tried again if it is.
        why: String,
        /// Whose fault that is: an operator's who holds it, or the provider's that died too often.
        blame: Blame,
    },
    /// The provider is draining and takes no new calls.
    #[error("provider {provider} is draining")]
    ProviderDraining {
        /// Which provider.
        provider: ProviderKey,
    },
    /// The deadline passed.
    #[error("{target} did not answer {operation} within {waited:?}")]
    DeadlineExceeded {
        /// Who was called, in words.
        target: String,
        /// The operation.
        operation: String,
        /// The time that it had.
        waited: Duration,
        /// Whether the callee saw it.
        outcome: Outcome,
    },
    /// Whoever waited for the call has gone, so it was given up.
    #[error("{operation} of {target} was given up: its caller has gone")]
    CallerGone {
        /// Who was called, in words.
        target: String,
        /// The operation.
        operation: String,
    },
    /// The callee serves as many calls as it may, and none ended by the deadline.
    #[error("{target} already serves its limit of {limit} calls at once")]
    Overloaded {
        /// Who was called, in words.
        target: String,
        /// The limit.
        limit: u32,
    },
    /// Too many actors on one stack.
    #[error("call to {target} refused: {limit} nested calls are the limit")]
    TooDeep {
        /// Who was called, in words.
        target: String,
        /// The limit.
        limit: u8,
    },
    /// Argument or answer too large.
    #[error("{what} of {bytes} bytes exceeds the limit of {limit} bytes")]
    PayloadTooLarge {
        /// "argument" or "answer", with of whom.
        what: String,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
        /// Not delivered for an argument, answered for an answer.
        outcome: Outcome,
    },
    /// The call breaks a rule of the protocol, such as the length of a name; nothing was sent.
    #[error("a call to {target} can't be sent: {why}")]
    Unsendable {
        /// Who was called, in words.
        target: String,
        /// Which rule.
        why: String,
    },
    /// `start` comes first.
    #[error("Activity cannot be performed, host has not been started")]
    HostNotStarted,
    /// The host is stopping.
    #[error("the host is stopping")]
    HostStopping,
    /// We are wrong.
    #[error("internal error: {message}")]
    Internal {
        /// What broke.
        message: String,
    },
}
