//! Actors without a host around them, called on the caller's own thread: the same broker, policy, claims and actor runtime,
//! and a provider, if there is one, in this very process. What is missing is what a bench wants to know the price of: the
//! way to another process, or to another thread.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cofferdam_channel::Cancelled;
use cofferdam_claims::{Trust, verify_actor};
use cofferdam_host::actor::{ActorRuntime, ActorRuntimeConfig, ActorSpec};
use cofferdam_host::broker::Broker;
use cofferdam_host::policy::Policy;
use cofferdam_host::router::{ActorRoute, LinkRoute, Routes};
use cofferdam_host::words::{
    ActorCall, ActorLimits, CallError, CallLimits, Callee, Deadline, Invocation, LinkKey, Metering, ProviderKey,
    WasmCloudEntity,
};
use cofferdam_testkit::{Rig, no_actors};
use cofferdam_tests::artifacts;

use crate::callers::CONTRACT;

/// Of one call from outside, which may be many calls of the guest.
const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct Stage {
    broker: Arc<Broker>,
    actors: Vec<String>,
}

/// A guest, and what it claims.
pub(crate) struct Cast {
    pub(crate) guest: &'static str,
    pub(crate) claims: &'static [&'static str],
}

impl Stage {
    /// Loads them in this order. Whoever claims [`CONTRACT`] is linked to the provider `template`, in this process.
    pub(crate) fn set(casts: &[Cast]) -> Self {
        let limits = CallLimits { timeout: TIMEOUT, ..CallLimits::default() };
        let broker = Arc::new(Broker::new(Policy::new(None), limits));
        let runtime = ActorRuntime::new(ActorRuntimeConfig::default()).expect("a runtime without a cache");
        let template: Arc<dyn Callee> = Arc::new(InProcess::start());
        let routes: Vec<_> = casts.iter().map(|cast| route(cast, &runtime, &broker, &template)).collect();
        let actors = routes.iter().map(|route| route.entity.public_key().to_owned()).collect();
        broker.publish(Routes::new(routes, []));
        Self { broker, actors }
    }

    pub(crate) fn public_key(&self, actor: usize) -> &str {
        &self.actors[actor]
    }

    /// A call from outside, on this thread.
    pub(crate) fn call(&self, actor: usize, operation: &str, payload: &[u8]) -> Vec<u8> {
        let (actor, deadline) = (self.public_key(actor), Deadline::after(TIMEOUT));
        let call = ActorCall { actor, operation, payload, deadline, cancelled: Cancelled::never() };
        self.broker.call_actor(&call).expect("the call succeeds")
    }
}

impl Drop for Stage {
    /// Routes hold actors, and actors hold the broker that holds the routes.
    fn drop(&mut self) {
        self.broker.publish(Routes::default());
    }
}

fn route(cast: &Cast, runtime: &ActorRuntime, broker: &Arc<Broker>, template: &Arc<dyn Callee>) -> ActorRoute {
    let wasm = artifacts::sign(cast.guest, &artifacts::guest(cast.guest), cast.claims, None);
    let claims =
        verify_actor(cast.guest, &wasm, &Trust::Any, SystemTime::now()).expect("what was just signed verifies");
    let entity = WasmCloudEntity::Actor(claims.subject().to_owned());
    let spec = ActorSpec {
        entity: entity.clone(),
        name: cast.guest.to_owned(),
        wasm: &wasm,
        metering: Metering::On,
        limits: ActorLimits::default(),
        call_limits: broker.limits(),
    };
    let module = runtime.load(spec, broker.clone()).expect("a good actor loads");
    let linked = cast.claims.contains(&CONTRACT).then(|| {
        let key = LinkKey::new(entity.public_key(), CONTRACT, None);
        LinkRoute::new(&key, &ProviderKey::new("VTEMPLATE", None), Some(template.clone()))
    });
    ActorRoute { entity, claims: Arc::new(claims), callee: Arc::new(module), links: linked.into_iter().collect() }
}

/// The provider `template`, called by its C ABI as the shim does it.
struct InProcess(Rig);

impl InProcess {
    fn start() -> Self {
        Self(Rig::new(&cofferdam_template::cofferdam_provider_v1, no_actors).expect("the provider can be made"))
    }
}

impl Callee for InProcess {
    fn call(&self, invocation: &Invocation<'_>, reply: &mut Vec<u8>) -> Result<(), CallError> {
        let actor = invocation.origin.public_key();
        let answer = self.0.call(actor, invocation.operation, invocation.payload);
        reply.extend(answer.expect("an echo comes back"));
        Ok(())
    }
}
