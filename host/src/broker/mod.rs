//! The broker: takes every call, finds its target, checks it, and hands it on, all on the caller's own thread.
//!
//! It owns nothing but the present [`Routes`], which `host.rs` replaces. A call takes no lock: it loads the routes once
//! and works with what it found.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwap;

use crate::policy::{Linked, Policy};
use crate::router::{Routes, Target};
use crate::words::{
    ActorCall, CallError, CallLimits, Callee, Deadline, Denial, HostCall, Inbound, Invocation, Outbound,
    WasmCloudEntity,
};

/// Carries calls between actors, providers and the embedding program.
pub struct Broker {
    routes: ArcSwap<Routes>,
    policy: Policy,
    limits: CallLimits,
    system: WasmCloudEntity,
    stopping: AtomicBool,
}

impl Broker {
    /// A broker that knows nobody yet.
    pub fn new(policy: Policy, limits: CallLimits) -> Self {
        let (routes, system) = (ArcSwap::default(), WasmCloudEntity::system());
        Self { routes, policy, limits, system, stopping: AtomicBool::new(false) }
    }

    /// The rules in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The bounds of a call.
    pub fn limits(&self) -> CallLimits {
        self.limits
    }

    /// Calls that begin from now on see these.
    pub fn publish(&self, routes: Routes) {
        self.routes.store(Arc::new(routes));
    }

    /// Refuses calls that begin from now on; those on their way may make nested ones until they end.
    pub fn refuse_new_calls(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// A call from outside: from the embedding program or the operator, in the host's own name.
    pub fn call_actor(
        &self,
        actor: &str,
        operation: &str,
        payload: &[u8],
        deadline: Deadline,
    ) -> Result<Vec<u8>, CallError> {
        self.check_running()?;
        let routes = self.routes.load();
        let Some(route) = routes.actor_or_alias(actor) else {
            return Err(CallError::NoSuchActor { actor: actor.to_owned() });
        };
        let invocation =
            Invocation { origin: &self.system, target: &route.entity, operation, payload, deadline, depth: 0 };
        let mut reply = Vec::new();
        route.callee.call(&invocation, &mut reply)?;
        Ok(reply)
    }

    fn check_running(&self) -> Result<(), CallError> {
        if self.stopping.load(Ordering::Acquire) { Err(CallError::HostStopping) } else { Ok(()) }
    }

    /// The callee of a resolved target.
    fn callee<'a>(target: Target<'a>) -> Result<(&'a WasmCloudEntity, &'a dyn Callee), CallError> {
        match target {
            Target::Actor(route) => Ok((&route.entity, &*route.callee)),
            Target::Link(link) => match &link.callee {
                Some(callee) => Ok((&link.target, &**callee)),
                None => Err(CallError::ProviderUnavailable {
                    provider: link.provider.clone(),
                    state: format!("it has not been started, or does not serve {}", link.contract_id),
                }),
            },
        }
    }
}

impl Outbound for Broker {
    fn host_call(&self, call: &HostCall<'_>, reply: &mut Vec<u8>) -> Result<(), CallError> {
        let routes = self.routes.load();
        let origin_key = call.origin.public_key();
        let origin = routes.actor(origin_key).ok_or_else(|| CallError::NoSuchActor { actor: origin_key.to_owned() })?;
        let target = routes.resolve(origin, call.namespace, call.binding).ok_or_else(|| CallError::NoTarget {
            actor: origin_key.to_owned(),
            namespace: call.namespace.to_owned(),
        })?;
        let entity = match target {
            Target::Actor(route) => &route.entity,
            Target::Link(link) => &link.target,
        };
        self.policy.check_call(&origin.claims, entity, call.operation, SystemTime::now())?;
        let (target, callee) = Self::callee(target)?;
        let invocation = Invocation {
            origin: call.origin,
            target,
            operation: call.operation,
            payload: call.payload,
            deadline: call.deadline,
            depth: call.depth.saturating_add(1),
        };
        callee.call(&invocation, reply)
    }
}

impl Inbound for Broker {
    fn provider_call(
        &self,
        origin: &WasmCloudEntity,
        call: &ActorCall<'_>,
        reply: &mut Vec<u8>,
    ) -> Result<(), CallError> {
        self.check_running()?;
        let routes = self.routes.load();
        // An actor that runs and isn't linked, and one that doesn't run, look the same to a provider that is not linked.
        let route = routes.actor(call.actor).ok_or(Denial::NotLinked)?;
        let linked = if route.is_linked_to(origin) { Linked::Yes } else { Linked::No };
        self.policy.check_provider_call(&route.claims, origin, linked, SystemTime::now())?;
        let invocation = Invocation {
            origin,
            target: &route.entity,
            operation: call.operation,
            payload: call.payload,
            deadline: call.deadline.min(Deadline::after(self.limits.timeout)),
            depth: 0,
        };
        route.callee.call(&invocation, reply)
    }
}
