//! One call on its way, and the one thing a call can be made to.

use cofferdam_channel::Cancelled;

use super::{CallError, Deadline, WasmCloudEntity};

/// One call on its way from `origin` to `target`. It borrows everything: the call path allocates nothing for it.
#[derive(Clone, Copy, Debug)]
pub struct Invocation<'a> {
    /// Who calls.
    pub origin: &'a WasmCloudEntity,
    /// Who is called.
    pub target: &'a WasmCloudEntity,
    /// The operation of the contract, such as `HandleRequest`.
    pub operation: &'a str,
    /// The argument, MessagePack by convention and opaque to the host.
    pub payload: &'a [u8],
    /// When the caller stops waiting.
    pub deadline: Deadline,
    /// Set when whoever waits for the first call of this stack has gone.
    pub cancelled: &'a Cancelled,
    /// How many actors are on the stack already: 0 for a call from outside.
    pub depth: u8,
}

/// Something that answers calls: an actor, a provider, the built-in extras, a host of the lattice.
pub trait Callee: Send + Sync {
    /// Answers one invocation on the caller's own thread. The answer is appended to `reply`, which the caller hands in
    /// empty and may reuse. Returns by the invocation's deadline; blocks until then at most.
    fn call(&self, invocation: &Invocation<'_>, reply: &mut Vec<u8>) -> Result<(), CallError>;
}

/// What a guest asked of the world by `__host_call`, before anything is resolved.
#[derive(Clone, Copy, Debug)]
pub struct HostCall<'a> {
    /// The actor that calls.
    pub origin: &'a WasmCloudEntity,
    /// The link name.
    pub binding: &'a str,
    /// A public key, a call alias or a contract id.
    pub namespace: &'a str,
    /// The operation of the contract.
    pub operation: &'a str,
    /// The argument.
    pub payload: &'a [u8],
    /// A moment before the deadline of the call that the guest is serving, so that it can still say what happened.
    pub deadline: Deadline,
    /// That of the call that the guest is serving.
    pub cancelled: &'a Cancelled,
    /// The depth of the call that the guest is serving.
    pub depth: u8,
}

/// Where the calls of actors go: resolves, authorizes and calls. Actors know nothing behind it.
pub trait Outbound: Send + Sync {
    /// Brokers one call on the guest's own thread, appending the answer to `reply`.
    fn host_call(&self, call: &HostCall<'_>, reply: &mut Vec<u8>) -> Result<(), CallError>;
}

/// Where the calls of providers to actors go: authorizes and calls. Providers know nothing behind it.
pub trait Inbound: Send + Sync {
    /// Brokers one call of the provider `origin` to an actor, on the thread that carries it, appending the answer to
    /// `reply`. The deadline is the provider's own word.
    fn provider_call(
        &self,
        origin: &WasmCloudEntity,
        call: &ActorCall<'_>,
        reply: &mut Vec<u8>,
    ) -> Result<(), CallError>;
}

/// What a provider, or somebody outside of the host, asks of an actor.
#[derive(Clone, Copy, Debug)]
pub struct ActorCall<'a> {
    /// The actor's public key, as the caller states it; its call alias from outside.
    pub actor: &'a str,
    /// The operation.
    pub operation: &'a str,
    /// The argument.
    pub payload: &'a [u8],
    /// When the caller stops waiting, by its word.
    pub deadline: Deadline,
    /// Set when the caller has gone.
    pub cancelled: &'a Cancelled,
}
