//! A loaded actor: answers invocations, each on an instance of its own, on the caller's own thread where it is metered.
//!
//! The code of an unmetered actor can't be ended, so no caller's thread goes into it: it runs on threads apart
//! ([`super::apart`]), and the caller has its answer or its error by the deadline all the same.

use std::sync::Arc;
use std::time::Duration;

use cofferdam_channel::Cancelled;

use super::ActorError;
use super::apart::{Apart, Gone};
use super::instance::Blueprint;
use super::instances::Instances;
use super::janitor::Janitor;
use super::runaways::{HostRunaways, TooMany, Whose};
use crate::words::{CallError, CallLimits, Callee, Deadline, Invocation, Metering, WasmCloudEntity};

/// A loaded actor.
pub struct ActorModule {
    pub(super) instances: Arc<Instances>,
    /// Where an unmetered one runs.
    apart: Option<Apart>,
}

impl std::fmt::Debug for ActorModule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (actor, pool) = (self.instances.public_key(), self.instances());
        f.debug_struct("ActorModule").field("actor", &actor).field("pool", &pool).finish()
    }
}

/// What the actors of one runtime share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) janitor: Arc<Janitor>,
    pub(super) runaways: HostRunaways,
}

impl ActorModule {
    /// Makes the first instance at once, so that an actor whose start code fails does not load. A WASI command runs
    /// here, once, by the time-out of a call.
    pub(super) fn start(
        blueprint: Blueprint,
        call_limits: CallLimits,
        metering: Metering,
        shared: &Shared,
    ) -> Result<Self, ActorError> {
        let limit = blueprint.limits.instances_max;
        let instances = Instances::new(blueprint, call_limits, shared.janitor.clone());
        let deadline = Deadline::after(call_limits.timeout);
        let apart = match metering {
            Metering::On => None,
            Metering::Off => Some(Apart::new(limit, shared.runaways.clone())),
        };
        let module = Self { instances, apart };
        match &module.apart {
            None => module.instances.start(deadline)?,
            Some(apart) => {
                let instances = module.instances.clone();
                let started = apart.run(deadline, move || instances.start(deadline));
                started.map_err(|gone| module.not_started(&gone, call_limits.timeout))??;
            }
        }
        Ok(module)
    }

    /// Idle and busy instances.
    pub fn instances(&self) -> (u32, u32) {
        self.instances.pool().counts()
    }

    /// Whether it is ended at the deadline of its calls.
    pub fn metering(&self) -> Metering {
        if self.apart.is_some() { Metering::Off } else { Metering::On }
    }

    /// Calls that run on after their deadline, each on a thread of its own. A metered actor has none.
    pub fn runaways(&self) -> u32 {
        self.apart.as_ref().map_or(0, Apart::runaways)
    }

    /// Whether it answers calls. A WASI command ran when it was loaded, and does not.
    pub fn is_callable(&self) -> bool {
        self.instances.is_callable()
    }

    /// Takes no more calls (they fail as for an actor that is not running) and waits for those being served, until the
    /// deadline. Returns how many are still being served; they end by their own deadlines, or as runaways when they like.
    pub fn retire(&self, deadline: Deadline) -> u32 {
        self.instances.pool().retire(deadline)
    }

    /// On a thread apart, with a copy of the call: the caller may have gone before the guest has read it.
    fn call_apart(&self, apart: &Apart, invocation: &Invocation<'_>) -> Result<Vec<u8>, CallError> {
        let began = Deadline::now();
        let (instances, call) = (self.instances.clone(), Copied::of(invocation));
        let served = apart.run(invocation.deadline, move || {
            let mut reply = Vec::new();
            instances.call(&call.lent(), &mut reply).map(|()| reply)
        });
        served.map_err(|gone| self.gone(apart, gone, invocation, Deadline::now().since(began)))?
    }

    fn gone(&self, apart: &Apart, gone: Gone, invocation: &Invocation<'_>, waited: Duration) -> CallError {
        let (actor, operation) = (self.instances.public_key().to_owned(), invocation.operation.to_owned());
        match gone {
            Gone::Full => CallError::Overloaded { target: self.instances.target(), limit: apart.limit() },
            Gone::RunsOn => {
                tracing::warn!(%actor, %operation, "an unmetered actor runs on after its deadline, on a thread of its own");
                CallError::ActorRunsOn { actor, operation, waited }
            }
            Gone::TooMany(TooMany { whose: Whose::Actor, count }) => CallError::ActorRunaways { actor, count },
            Gone::TooMany(TooMany { whose: Whose::Host, count }) => CallError::HostRunaways { actor, count },
            Gone::NoThread(error) => self.instances.ours(&format!("no thread can be started for it: {error}")),
            Gone::Panicked(message) => self.instances.ours(&message),
        }
    }

    fn not_started(&self, gone: &Gone, timeout: Duration) -> ActorError {
        let message = match gone {
            Gone::RunsOn => format!("its start code did not end within {timeout:?} and runs on, as it is unmetered"),
            Gone::TooMany(TooMany { count, .. }) => format!(
                "{count} calls of unmetered actors run on after their deadlines, which is the limit: restart the host"
            ),
            Gone::NoThread(error) => format!("no thread can be started for it: {error}"),
            Gone::Full => "no thread became free for it".to_owned(),
            Gone::Panicked(message) => format!("the host panicked: {message}"),
        };
        ActorError::Start { actor: self.instances.public_key().to_owned(), message }
    }
}

impl Callee for ActorModule {
    fn call(&self, invocation: &Invocation<'_>, reply: &mut Vec<u8>) -> Result<(), CallError> {
        self.instances.check(invocation)?;
        let Some(apart) = &self.apart else {
            return self.instances.call(invocation, reply);
        };
        let answer = self.call_apart(apart, invocation)?;
        if reply.is_empty() {
            *reply = answer;
        } else {
            reply.extend_from_slice(&answer);
        }
        Ok(())
    }
}

/// An invocation that borrows nothing.
struct Copied {
    origin: WasmCloudEntity,
    target: WasmCloudEntity,
    operation: String,
    payload: Vec<u8>,
    deadline: Deadline,
    cancelled: Cancelled,
    depth: u8,
}

impl Copied {
    fn of(invocation: &Invocation<'_>) -> Self {
        let Invocation { origin, target, operation, payload, deadline, cancelled, depth } = *invocation;
        Self {
            origin: origin.clone(),
            target: target.clone(),
            operation: operation.to_owned(),
            payload: payload.to_owned(),
            deadline,
            cancelled: cancelled.clone(),
            depth,
        }
    }

    fn lent(&self) -> Invocation<'_> {
        let Self { origin, target, operation, payload, deadline, cancelled, depth } = self;
        let (deadline, depth) = (*deadline, *depth);
        Invocation { origin, target, operation, payload, deadline, cancelled, depth }
    }
}
