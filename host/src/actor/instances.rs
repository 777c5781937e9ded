//! The instances of a loaded actor, and the life of a call on one of them, on the thread that it comes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;

use cofferdam_channel::Cancelled;

use super::ActorError;
use super::guest::panic_text;
use super::instance::{Blueprint, Death, Failure, First, Instance};
use super::janitor::{Janitor, Visited};
use super::pool::{Lease, Pool, Refused};
use crate::words::{CallError, CallLimits, Deadline, Invocation, Outcome, Trap};

/// The instances of one actor.
pub(super) struct Instances {
    /// Before the blueprint, so that instances drop before the code they run.
    pool: Pool<Instance>,
    blueprint: Blueprint,
    call_limits: CallLimits,
    public_key: String,
    janitor: Arc<Janitor>,
    this: Weak<Self>,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Instance")
    }
}

impl Visited for Instances {
    fn visit(&self, now: Deadline) -> Option<Deadline> {
        self.pool.sweep(now)
    }
}

impl Instances {
    /// None yet.
    pub(super) fn new(blueprint: Blueprint, call_limits: CallLimits, janitor: Arc<Janitor>) -> Arc<Self> {
        let public_key = blueprint.entity.public_key().to_owned();
        let pool = Pool::new(&blueprint.limits);
        Arc::new_cyclic(|this| Self { pool, blueprint, call_limits, public_key, janitor, this: this.clone() })
    }

    /// Makes the first one. A WASI command runs here, once.
    pub(super) fn start(&self, deadline: Deadline) -> Result<(), ActorError> {
        let first = Instance::new(&self.blueprint, First { deadline, cancelled: Cancelled::never(), depth: 0 })
            .map_err(|death| ActorError::Start { actor: self.public_key.clone(), message: say(&death) })?;
        if self.is_callable()
            && let Ok(lease) = self.pool.acquire(deadline)
        {
            self.put_back(lease, first);
        }
        Ok(())
    }

    pub(super) fn pool(&self) -> &Pool<Instance> {
        &self.pool
    }

    pub(super) fn public_key(&self) -> &str {
        &self.public_key
    }

    /// Whether they answer calls.
    pub(super) fn is_callable(&self) -> bool {
        self.blueprint.shape.has_guest_call
    }

    /// The words for the actor.
    pub(super) fn target(&self) -> String {
        self.blueprint.entity.to_string()
    }

    fn put_back(&self, lease: Lease<'_, Instance>, instance: Instance) {
        if let Some(at) = lease.put_back(instance, Deadline::now()) {
            let this: Weak<Self> = self.this.clone();
            self.janitor.visit_at(at, this);
        }
    }

    /// Whether the call may begin at all.
    pub(super) fn check(&self, invocation: &Invocation<'_>) -> Result<(), CallError> {
        if !self.is_callable() {
            return Err(CallError::ActorNotCallable { actor: self.public_key.clone() });
        }
        let limit = self.call_limits.depth_max;
        if invocation.depth >= limit {
            return Err(CallError::TooDeep { target: self.blueprint.entity.to_string(), limit });
        }
        let bytes = invocation.payload.len().max(invocation.operation.len()) as u64;
        self.check_payload(("argument for", Outcome::NotDelivered), bytes)?;
        if invocation.deadline.expired() {
            return Err(CallError::DeadlineExceeded {
                target: self.blueprint.entity.to_string(),
                operation: invocation.operation.to_owned(),
                waited: Duration::ZERO,
                outcome: Outcome::NotDelivered,
            });
        }
        Ok(())
    }

    fn check_payload(&self, (what, outcome): (&str, Outcome), bytes: u64) -> Result<(), CallError> {
        let limit = u64::from(self.call_limits.payload_bytes_max);
        if bytes <= limit {
            return Ok(());
        }
        Err(CallError::PayloadTooLarge { what: format!("{what} {}", self.blueprint.entity), bytes, limit, outcome })
    }

    fn acquire(&self, deadline: Deadline) -> Result<Lease<'_, Instance>, CallError> {
        self.pool.acquire(deadline).map_err(|refused| match refused {
            Refused::Full => {
                CallError::Overloaded { target: self.blueprint.entity.to_string(), limit: self.pool.limit() }
            }
            Refused::Retired => CallError::NoSuchActor { actor: self.public_key.clone() },
        })
    }

    fn make(&self, invocation: &Invocation<'_>) -> Result<Instance, CallError> {
        let Invocation { deadline, cancelled, depth, .. } = *invocation;
        let began = Deadline::now();
        Instance::new(&self.blueprint, First { deadline, cancelled, depth })
            .map_err(|death| self.not_made(&death, invocation, Deadline::now().since(began)))
    }

    /// The call did not reach the guest: no instance was there for it.
    pub(super) fn not_made(&self, death: &Death, invocation: &Invocation<'_>, waited: Duration) -> CallError {
        match death {
            Death::Abandoned => self.abandoned(invocation),
            // Its start code has no other time than that of the call.
            Death::Trap { trap: Trap::OutOfFuel, .. } => CallError::DeadlineExceeded {
                target: self.blueprint.entity.to_string(),
                operation: invocation.operation.to_owned(),
                waited,
                outcome: Outcome::NotDelivered,
            },
            Death::HostPanicked(message) | Death::NotMade(message) => self.ours(message),
            Death::Trap { .. } | Death::Exited(_) => {
                CallError::ActorNotInstantiated { actor: self.public_key.clone(), message: say(death) }
            }
        }
    }

    pub(super) fn ours(&self, message: &str) -> CallError {
        CallError::Internal { message: format!("{}: {message}", self.blueprint.entity) }
    }

    fn abandoned(&self, invocation: &Invocation<'_>) -> CallError {
        CallError::CallerGone { target: self.blueprint.entity.to_string(), operation: invocation.operation.to_owned() }
    }

    fn died(&self, death: &Death, invocation: &Invocation<'_>) -> CallError {
        let (trap, detail) = match death {
            Death::Trap { trap, detail } => (*trap, detail.clone()),
            Death::Exited(code) => (Trap::Exited, format!(": proc_exit({code})")),
            Death::Abandoned => return self.abandoned(invocation),
            Death::HostPanicked(message) | Death::NotMade(message) => return self.ours(message),
        };
        let (actor, operation) = (self.public_key.clone(), invocation.operation.to_owned());
        CallError::ActorTrapped { actor, operation, trap, detail }
    }
}

impl Instances {
    /// Serves a call that passed [`Self::check`] on this thread.
    pub(super) fn call(&self, invocation: &Invocation<'_>, reply: &mut Vec<u8>) -> Result<(), CallError> {
        let mut lease = self.acquire(invocation.deadline)?;
        // Whatever fails from here on drops the lease, and with it the instance.
        let served = catch_unwind(AssertUnwindSafe(|| {
            let mut instance = match lease.instance.take() {
                Some(instance) => instance,
                None => self.make(invocation)?,
            };
            let outcome = instance.call(invocation, reply);
            Ok::<_, CallError>((instance, outcome))
        }));
        let (instance, outcome) = match served {
            Ok(served) => served?,
            Err(panic) => {
                let message = format!("{} in wasmer: {}", self.blueprint.entity, panic_text(panic.as_ref()));
                return Err(CallError::Internal { message });
            }
        };
        match outcome {
            Err(Failure::Died(death)) => Err(self.died(&death, invocation)),
            // The actor was delivered the call, whatever became of its own.
            Err(Failure::Late(error)) => Err(error.after_delivery()),
            Ok(()) => {
                self.put_back(lease, instance);
                Ok(())
            }
            Err(Failure::Guest { message, cause }) => {
                self.put_back(lease, instance);
                let (actor, operation) = (self.public_key.clone(), invocation.operation.to_owned());
                Err(CallError::ActorFailed { actor, operation, message, cause })
            }
            Err(Failure::AnswerTooLarge(bytes)) => {
                self.put_back(lease, instance);
                self.check_payload(("answer of", Outcome::Answered), bytes)
            }
        }
    }
}

/// How an instance died while it was being made, in words.
fn say(death: &Death) -> String {
    match death {
        Death::Trap { trap, detail } => format!("{trap}{detail}"),
        Death::Abandoned => "its caller has gone".to_owned(),
        Death::Exited(code) => format!("it ended with proc_exit({code})"),
        Death::HostPanicked(message) | Death::NotMade(message) => message.clone(),
    }
}
