//! Every error of a call: whose fault it is, what became of the call, what a person reads, and what is next.

use std::fmt::Write as _;
use std::time::Duration;

use super::*;
use crate::words::{Denial, ProviderKey};

/// One of each, and more where the verdict depends on what is inside.
fn samples() -> Vec<CallError> {
    let mut samples = of_actors_and_hosts();
    samples.extend(of_providers());
    samples
}

fn crashed() -> CallError {
    CallError::ProviderCrashed {
        provider: ProviderKey::new("VP", None),
        operation: "Get".to_owned(),
        cause: "killed by signal 11 (SIGSEGV)".to_owned(),
    }
}

fn held(why: &str, blame: Blame) -> CallError {
    CallError::ProviderHeld { provider: ProviderKey::new("VP", None), why: why.to_owned(), blame }
}

fn of_actors_and_hosts() -> Vec<CallError> {
    let (actor, operation, message) = ("MA".to_owned(), "Get".to_owned(), "no".to_owned());
    let target = "provider VP (link default)".to_owned();
    let failed = |cause| CallError::ActorFailed {
        actor: actor.clone(),
        operation: operation.clone(),
        message: message.clone(),
        cause,
    };
    let late = |outcome| CallError::DeadlineExceeded {
        target: target.clone(),
        operation: operation.clone(),
        waited: Duration::from_secs(2),
        outcome,
    };
    let large = |what: &str, outcome| CallError::PayloadTooLarge { what: what.to_owned(), bytes: 9, limit: 8, outcome };
    vec![
        Denial::Claims.into(),
        Denial::Authorizer.into(),
        Denial::NotLinked.into(),
        Denial::Expired.into(),
        CallError::NoTarget { actor: actor.clone(), namespace: "x:y".to_owned() },
        CallError::NoSuchActor { actor: actor.clone() },
        failed(None),
        failed(Some(Box::new(crashed()))),
        failed(Some(Box::new(held("an operator holds it", Blame::Operator)))),
        CallError::ActorTrapped {
            actor: actor.clone(),
            operation: operation.clone(),
            trap: Trap::Unreachable,
            detail: String::new(),
        },
        CallError::ActorNotInstantiated { actor: actor.clone(), message: message.clone() },
        CallError::ActorNotCallable { actor: actor.clone() },
        CallError::ActorRunsOn { actor: actor.clone(), operation: operation.clone(), waited: Duration::from_secs(2) },
        CallError::ActorRunaways { actor: actor.clone(), count: 4 },
        CallError::HostRunaways { actor: actor.clone(), count: 32 },
        late(Outcome::NotDelivered),
        late(Outcome::Unknown),
        CallError::CallerGone { target: target.clone(), operation: operation.clone() },
        CallError::Overloaded { target: target.clone(), limit: 4 },
        CallError::TooDeep { target: target.clone(), limit: 16 },
        large("argument of a host call", Outcome::NotDelivered),
        large("answer of a host call", Outcome::Answered),
        CallError::Unsendable { target: target.clone(), why: "its operation has 600 bytes".to_owned() },
        CallError::HostNotStarted,
        CallError::HostStopping,
        CallError::Internal { message },
    ]
}

fn of_providers() -> Vec<CallError> {
    let (provider, operation, message) = (ProviderKey::new("VP", None), "Get".to_owned(), "no".to_owned());
    vec![
        CallError::ProviderFailed {
            provider: provider.clone(),
            operation: operation.clone(),
            message: message.clone(),
        },
        CallError::ProviderPanicked {
            provider: provider.clone(),
            operation: operation.clone(),
            message: message.clone(),
        },
        crashed(),
        CallError::ProviderHung {
            provider: provider.clone(),
            operation: operation.clone(),
            cause: "it failed 3 health checks in a row".to_owned(),
        },
        CallError::ProviderBroke {
            provider: provider.clone(),
            operation: operation.clone(),
            cause: "it broke the protocol on its socket for calls: the peer sent an empty frame".to_owned(),
        },
        CallError::ProviderStopped { provider: provider.clone(), operation: operation.clone() },
        CallError::ProviderUnavailable { provider: provider.clone(), state: "it is being restarted".to_owned() },
        CallError::ProviderNotRunning { provider: provider.clone(), state: "it has not been started".to_owned() },
        held("it crashed 5 times within 60s", Blame::Provider),
        held("an operator holds it", Blame::Operator),
        CallError::ProviderDraining { provider: provider.clone() },
    ]
}

/// Its place among the kinds. A kind without a place here does not compile; one without a sample fails the test.
const fn place(error: &CallError) -> usize {
    match error {
        CallError::Denied(_) => 0,
        CallError::NoTarget { .. } => 1,
        CallError::NoSuchActor { .. } => 2,
        CallError::ActorFailed { .. } => 3,
        CallError::ActorTrapped { .. } => 4,
        CallError::ActorNotInstantiated { .. } => 5,
        CallError::ActorNotCallable { .. } => 6,
        CallError::ProviderFailed { .. } => 7,
        CallError::ProviderPanicked { .. } => 8,
        CallError::ProviderCrashed { .. } => 9,
        CallError::ProviderHung { .. } => 10,
        CallError::ProviderBroke { .. } => 11,
        CallError::ProviderStopped { .. } => 12,
        CallError::ProviderUnavailable { .. } => 13,
        CallError::ProviderNotRunning { .. } => 14,
        CallError::ProviderHeld { .. } => 15,
        CallError::ProviderDraining { .. } => 16,
        CallError::DeadlineExceeded { .. } => 17,
        CallError::CallerGone { .. } => 18,
        CallError::Overloaded { .. } => 19,
        CallError::TooDeep { .. } => 20,
        CallError::PayloadTooLarge { .. } => 21,
        CallError::Unsendable { .. } => 22,
        CallError::HostNotStarted => 23,
        CallError::HostStopping => 24,
        CallError::ActorRunsOn { .. } => 25,
        CallError::ActorRunaways { .. } => 26,
        CallError::HostRunaways { .. } => 27,
        CallError::Internal { .. } => KINDS - 1,
    }
}

const KINDS: usize = 29;

#[test]
fn every_error_says_whose_fault_it_is_and_what_became_of_the_call() {
    let mut shown = [false; KINDS];
    let mut table = String::new();
    for error in samples() {
        shown[place(&error)] = true;
        let (kind, blame, outcome) = (error.kind(), error.blame().as_str(), error.outcome().as_str());
        let _ = writeln!(table, "{kind:22} {blame:8} {outcome:13} {error}\n    next: {}", error.next_step());
    }
    assert_eq!(shown, [true; KINDS], "each kind has a sample");
    insta::assert_snapshot!("errors", table);
}
