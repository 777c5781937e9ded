//! A loaded actor: answers invocations on the caller's own thread, each on an instance of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use cofferdam_channel::Cancelled;

use super::ActorError;
use super::guest::panic_text;
use super::instance::{Blueprint, Death, Failure, First, Instance};
use super::pool::{Lease, Pool, Refused};
use crate::words::{CallError, CallLimits, Callee, Deadline, Invocation, Outcome, Trap};

/// A loaded actor.
pub struct ActorModule {
    /// Before the blueprint, so that instances drop before the code they run.
    pool: Pool<Instance>,
    blueprint: Blueprint,
    call_limits: CallLimits,
    public_key: String,
}

impl std::fmt::Debug for ActorModule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActorModule").field("actor", &self.public_key).field("pool", &self.pool.counts()).finish()
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Instance")
    }
}

impl ActorModule {
    /// Makes the first instance at once, so that an actor whose start code fails does not load. A WASI command runs
    /// here, once, by the time-out of a call.
    pub(super) fn start(blueprint: Blueprint, call_limits: CallLimits) -> Result<Self, ActorError> {
        let public_key = blueprint.entity.public_key().to_owned();
        let pool = Pool::new(blueprint.limits.instances_max);
        let module = Self { pool, blueprint, call_limits, public_key };
        let deadline = Deadline::after(call_limits.timeout);
        let first = Instance::new(&module.blueprint, First { deadline, cancelled: Cancelled::never(), depth: 0 })
            .map_err(|death| ActorError::Start { actor: module.public_key.clone(), message: say(&death) })?;
        if module.blueprint.shape.has_guest_call
            && let Ok(lease) = module.pool.acquire(deadline)
        {
            lease.put_back(first, Deadline::now());
        }
        Ok(module)
    }

    /// Idle and busy instances.
    pub fn instances(&self) -> (u32, u32) {
        self.pool.counts()
    }

    /// Whether it answers calls. A WASI command ran when it was loaded, and does not.
    pub fn is_callable(&self) -> bool {
        self.blueprint.shape.has_guest_call
    }

    /// Takes no more calls (they fail as for an actor that is not running) and waits for those being served, until the
    /// deadline. Returns how many are still being served; they end by their own deadlines.
    pub fn retire(&self, deadline: Deadline) -> u32 {
        self.pool.retire(deadline)
    }

    fn check(&self, invocation: &Invocation<'_>) -> Result<(), CallError> {
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

    fn ours(&self, message: &str) -> CallError {
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

impl Callee for ActorModule {
    fn call(&self, invocation: &Invocation<'_>, reply: &mut Vec<u8>) -> Result<(), CallError> {
        self.check(invocation)?;
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
                lease.put_back(instance, Deadline::now());
                Ok(())
            }
            Err(Failure::Guest { message, cause }) => {
                lease.put_back(instance, Deadline::now());
                let (actor, operation) = (self.public_key.clone(), invocation.operation.to_owned());
                Err(CallError::ActorFailed { actor, operation, message, cause })
            }
            Err(Failure::AnswerTooLarge(bytes)) => {
                lease.put_back(instance, Deadline::now());
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
