//! The broker: takes every call, finds its target, checks it, and hands it on, all on the caller's own thread.
//!
//! It owns nothing but the present [`Routes`], which `host` replaces, and the count of calls on their way. A call takes no lock: it loads the routes once
//! and works with what it found.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use crate::policy::{Linked, Policy};
use crate::router::{Routes, Target};
use crate::words::{
    ActorCall, Auditor, CallError, CallLimits, Callee, Deadline, Denial, Denied, DeniedBecause, HostCall, Inbound,
    Invocation, Outbound, WasmCloudEntity,
};

/// Carries calls between actors, providers and the embedding program.
pub struct Broker {
    routes: ArcSwap<Routes>,
    policy: Policy,
    limits: CallLimits,
    system: WasmCloudEntity,
    stopping: AtomicBool,
    /// Calls that came from outside or from a provider and have not ended. Each may have made others; those count with it.
    in_flight: AtomicUsize,
    last_ended: Notify,
    /// Told of denials, and of nothing else.
    auditor: OnceLock<Arc<dyn Auditor>>,
}

/// A call that was let in. Dropping it, however that comes about, is its end.
struct Admitted<'a> {
    broker: &'a Broker,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        let was_last = self.broker.in_flight.fetch_sub(1, Ordering::SeqCst) == 1;
        if was_last && self.broker.stopping.load(Ordering::SeqCst) {
            self.broker.last_ended.notify_waiters();
        }
    }
}

impl Broker {
    /// A broker that knows nobody yet.
    pub fn new(policy: Policy, limits: CallLimits) -> Self {
        let (routes, system) = (ArcSwap::default(), WasmCloudEntity::system());
        let (stopping, in_flight) = (AtomicBool::new(false), AtomicUsize::new(0));
        Self {
            routes,
            policy,
            limits,
            system,
            stopping,
            in_flight,
            last_ended: Notify::new(),
            auditor: OnceLock::new(),
        }
    }

    /// Denials are told to this auditor from now on. The first one stays.
    pub fn tell(&self, auditor: Arc<dyn Auditor>) {
        let _ = self.auditor.set(auditor);
    }

    #[cold]
    fn denied(&self, origin: &str, target: &str, operation: &str, reason: DeniedBecause) {
        if let Some(auditor) = self.auditor.get() {
            auditor.denied(Denied { origin, target, operation, reason });
        }
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

    /// Refuses calls that come from outside or from providers from now on. Those that were let in may still call whom
    /// they like until they end.
    pub fn refuse_new_calls(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Waits until the last call that was let in has ended. Call [`Broker::refuse_new_calls`] first.
    pub async fn calls_ended(&self) {
        loop {
            let mut ended = std::pin::pin!(self.last_ended.notified());
            // Before looking: an end between the look and the wait is not to be missed.
            ended.as_mut().enable();
            if self.calls_in_flight() == 0 {
                return;
            }
            ended.await;
        }
    }

    /// Calls that were let in and have not ended.
    pub fn calls_in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// A call from outside: from the embedding program or the operator, in the host's own name.
    pub fn call_actor(&self, call: &ActorCall<'_>) -> Result<Vec<u8>, CallError> {
        let ActorCall { actor, operation, payload, deadline, cancelled } = *call;
        let _admitted = self.admit()?;
        let routes = self.routes.load();
        let Some(route) = routes.actor_or_alias(actor) else {
            return Err(CallError::NoSuchActor { actor: actor.to_owned() });
        };
        let invocation = Invocation {
            origin: &self.system,
            target: &route.entity,
            operation,
            payload,
            deadline,
            cancelled,
            depth: 0,
        };
        let mut reply = Vec::new();
        route.callee.call(&invocation, &mut reply)?;
        Ok(reply)
    }

    /// Counts first and looks then: whoever stops the host either sees the call or has it refused.
    fn admit(&self) -> Result<Admitted<'_>, CallError> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let admitted = Admitted { broker: self };
        if self.stopping.load(Ordering::SeqCst) { Err(CallError::HostStopping) } else { Ok(admitted) }
    }

    /// The callee of a resolved target.
    fn callee<'a>(target: Target<'a>) -> Result<(&'a WasmCloudEntity, &'a dyn Callee), CallError> {
        match target {
            Target::Actor(route) => Ok((&route.entity, &*route.callee)),
            Target::Link(link) => match &link.callee {
                Some(callee) => Ok((&link.target, &**callee)),
                None => Err(CallError::ProviderNotRunning {
                    provider: link.provider.clone(),
                    state: format!("it has not been started, or does not serve {}", link.contract_id),
                }),
            },
        }
    }
}

/// What a denial was about: the contract of a provider, the key of an actor.
fn contract_of(target: &WasmCloudEntity) -> &str {
    match target {
        WasmCloudEntity::Actor(key) => key,
        WasmCloudEntity::Capability { contract_id, .. } => contract_id,
    }
}

impl Outbound for Broker {
    fn host_call(&self, call: &HostCall<'_>, reply: &mut Vec<u8>) -> Result<(), CallError> {
        let routes = self.routes.load();
        let origin_key = call.origin.public_key();
        let origin = routes.actor(origin_key).ok_or_else(|| CallError::NoSuchActor { actor: origin_key.to_owned() })?;
        let target = routes.resolve(origin, call.namespace, call.binding).ok_or_else(|| {
            self.denied(origin_key, call.namespace, call.operation, DeniedBecause::NoTarget);
            CallError::NoTarget { actor: origin_key.to_owned(), namespace: call.namespace.to_owned() }
        })?;
        let entity = match target {
            Target::Actor(route) => &route.entity,
            Target::Link(link) => &link.target,
        };
        self.policy.check_call(&origin.claims, entity, call.operation, SystemTime::now()).inspect_err(|denial| {
            self.denied(origin_key, contract_of(entity), call.operation, (*denial).into());
        })?;
        let (target, callee) = Self::callee(target)?;
        let invocation = Invocation {
            origin: call.origin,
            target,
            operation: call.operation,
            payload: call.payload,
            deadline: call.deadline,
            cancelled: call.cancelled,
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
        let _admitted = self.admit()?;
        let routes = self.routes.load();
        // An actor that runs and one that doesn't look the same to a provider that is not linked.
        let route = match routes.actor(call.actor) {
            Some(route) => route,
            None if routes.is_absent(call.actor, origin) => {
                return Err(CallError::NoSuchActor { actor: call.actor.to_owned() });
            }
            None => {
                self.denied(origin.public_key(), call.actor, call.operation, DeniedBecause::NotLinked);
                return Err(Denial::NotLinked.into());
            }
        };
        let linked = if route.is_linked_to(origin) { Linked::Yes } else { Linked::No };
        self.policy.check_provider_call(&route.claims, origin, linked, SystemTime::now()).inspect_err(|denial| {
            self.denied(origin.public_key(), call.actor, call.operation, (*denial).into());
        })?;
        let invocation = Invocation {
            origin,
            target: &route.entity,
            operation: call.operation,
            payload: call.payload,
            deadline: call.deadline.min(Deadline::after(self.limits.timeout)),
            cancelled: call.cancelled,
            depth: 0,
        };
        route.callee.call(&invocation, reply)
    }
}
