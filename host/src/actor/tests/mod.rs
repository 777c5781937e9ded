//! Tests of the actor runtime: tables of guests, operations and what comes of them. The guests are those of
//! `tests/guests`; the small ones that exist for one test are inline.

mod cache;
mod faults;
mod nested;
mod overshoot;
mod pool;
mod refused;
mod unmetered;
mod wasi;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cofferdam_channel::Cancelled;

use super::{ActorError, ActorModule, ActorRuntime, ActorRuntimeConfig, ActorSpec};
use crate::words::{
    ActorLimits, CallError, CallLimits, Callee, Deadline, HostCall, Invocation, Metering, Outbound, Outcome,
    WasmCloudEntity,
};

/// The public key of the actor under test.
pub(super) const ACTOR: &str = "MACTOR";

/// Answers every host call with an error.
pub(super) struct Nowhere;

impl Outbound for Nowhere {
    fn host_call(&self, call: &HostCall<'_>, _: &mut Vec<u8>) -> Result<(), CallError> {
        Err(CallError::NoTarget { actor: call.origin.public_key().to_owned(), namespace: call.namespace.to_owned() })
    }
}

fn guests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().expect("the crate's folder").join("../tests/guests")
}

/// A guest of `tests/guests/wat`, translated.
pub(super) fn wat_guest(name: &str) -> Vec<u8> {
    wat::parse_file(guests().join("wat").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A guest of `tests/guests/built`.
pub(super) fn built_guest(name: &str) -> Vec<u8> {
    std::fs::read(guests().join("built").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(super) fn limits(instances_max: u32) -> ActorLimits {
    ActorLimits { instances_max, ..ActorLimits::default() }
}

pub(super) fn spec(wasm: &[u8], limits: ActorLimits) -> ActorSpec<'_> {
    let call_limits = CallLimits { timeout: Duration::from_secs(5), payload_bytes_max: 1 << 20, depth_max: 16 };
    let (entity, name, metering) = (WasmCloudEntity::Actor(ACTOR.into()), "under test".into(), Metering::On);
    ActorSpec { entity, name, wasm, metering, limits, call_limits }
}

pub(super) fn try_load(wasm: &[u8], limits: ActorLimits) -> Result<ActorModule, ActorError> {
    let runtime = ActorRuntime::new(ActorRuntimeConfig::default()).unwrap();
    runtime.load(spec(wasm, limits), Arc::new(Nowhere))
}

pub(super) fn load(wasm: &[u8]) -> ActorModule {
    try_load(wasm, limits(4)).unwrap_or_else(|error| panic!("{error}"))
}

/// One call from outside.
pub(super) fn call_within(
    actor: &dyn Callee,
    operation: &str,
    payload: &[u8],
    timeout: Duration,
) -> Result<Vec<u8>, CallError> {
    let (origin, target) = (WasmCloudEntity::system(), WasmCloudEntity::Actor(ACTOR.into()));
    let deadline = Deadline::after(timeout);
    let mut reply = Vec::new();
    let invocation = Invocation {
        origin: &origin,
        target: &target,
        operation,
        payload,
        deadline,
        cancelled: Cancelled::never(),
        depth: 0,
    };
    actor.call(&invocation, &mut reply).map(|()| reply)
}

pub(super) fn call(actor: &dyn Callee, operation: &str, payload: &[u8]) -> Result<Vec<u8>, CallError> {
    call_within(actor, operation, payload, Duration::from_secs(10))
}

/// An outcome in one line, for tables.
pub(super) fn show(outcome: Result<Vec<u8>, CallError>) -> String {
    match outcome {
        Ok(reply) => format!("ok {}", reply.escape_ascii()),
        Err(error) => format!("{}: {error}", error.kind()),
    }
}
