//! What answers calls to a provider, across all of its processes: lets them through while one is ready, and says why not
//! while none is. The caller's own thread does the call.

use std::sync::Arc;

use arc_swap::ArcSwap;
use cofferdam_channel::protocol::call::Fault;
use cofferdam_channel::socket::SocketClient;
use cofferdam_channel::{CallFailure, Client, Outgoing};

use super::output;
use crate::words::{CallError, Callee, Deadline, Invocation, Outcome, ProviderKey};

/// What answers calls to a provider.
pub struct ProviderGate {
    key: ProviderKey,
    passage: ArcSwap<Passage>,
}

/// What a call finds at the gate.
pub(super) enum Passage {
    /// A process that takes calls.
    Open(Arc<SocketClient>),
    /// It takes no new calls.
    Draining,
    /// There is none, for this reason.
    Closed(&'static str),
}

impl ProviderGate {
    pub(super) fn new(key: ProviderKey) -> Self {
        Self { key, passage: ArcSwap::from_pointee(Passage::Closed("it has not been started")) }
    }

    pub(super) fn set(&self, passage: Passage) {
        self.passage.store(Arc::new(passage));
    }

    fn explain(
        &self,
        failure: CallFailure,
        invocation: &Invocation<'_>,
        began: Deadline,
        words: &mut Vec<u8>,
    ) -> CallError {
        let (provider, operation) = (self.key.clone(), invocation.operation.to_owned());
        let target = || format!("provider {}", self.key);
        let late = |outcome| CallError::DeadlineExceeded {
            target: target(),
            operation: invocation.operation.to_owned(),
            waited: Deadline::now().since(began),
            outcome,
        };
        match failure {
            CallFailure::Answered(fault) => {
                let message = output::words(&String::from_utf8_lossy(words));
                words.clear();
                match fault {
                    Fault::Panicked => CallError::ProviderPanicked { provider, operation, message },
                    Fault::Late => late(Outcome::Unknown),
                    Fault::Unavailable => CallError::ProviderUnavailable { provider, state: message },
                    Fault::Failed | Fault::Denied | Fault::Invalid | Fault::Internal => {
                        CallError::ProviderFailed { provider, operation, message }
                    }
                }
            }
            CallFailure::Late { delivered: true } => late(Outcome::Unknown),
            CallFailure::Late { delivered: false } => late(Outcome::NotDelivered),
            CallFailure::Cancelled => CallError::CallerGone { target: target(), operation },
            CallFailure::Overloaded { limit } => {
                CallError::Overloaded { target: target(), limit: u32::try_from(limit).unwrap_or(u32::MAX) }
            }
            CallFailure::TooLarge { bytes, limit } => CallError::PayloadTooLarge {
                what: format!("argument for {}", target()),
                bytes: bytes as u64,
                limit: limit as u64,
            },
            CallFailure::Unsendable { why } => CallError::Unsendable { target: target(), why },
            CallFailure::Closed { delivered: true, cause } => {
                CallError::ProviderCrashed { provider, operation, cause: cause.to_string() }
            }
            CallFailure::Closed { delivered: false, cause } => {
                CallError::ProviderUnavailable { provider, state: cause.to_string() }
            }
        }
    }
}

impl Callee for ProviderGate {
    fn call(&self, invocation: &Invocation<'_>, reply: &mut Vec<u8>) -> Result<(), CallError> {
        let passage = self.passage.load();
        let client = match &**passage {
            Passage::Open(client) => client,
            Passage::Draining => return Err(CallError::ProviderDraining { provider: self.key.clone() }),
            Passage::Closed(state) => {
                return Err(CallError::ProviderUnavailable { provider: self.key.clone(), state: (*state).to_owned() });
            }
        };
        let began = Deadline::now();
        let outgoing = Outgoing {
            actor: invocation.origin.public_key(),
            operation: invocation.operation,
            payload: invocation.payload,
            deadline: invocation.deadline,
            cancelled: invocation.cancelled,
        };
        client.call(&outgoing, reply).map_err(|failure| self.explain(failure, invocation, began, reply))
    }
}
