//! One instance of an actor: a store of its own, started once, then called by one thread at a time.
//!
//! After anything but an answer or an error of the guest's own, an instance is in an unknown state and its owner must
//! drop it.
#![allow(unsafe_code)]

use std::sync::Arc;

use wasmer::sys::NativeEngineExt as _;
use wasmer::sys::vm::TrapCode;
use wasmer::{FunctionEnv, Instance as WasmInstance, InstantiationError, Module, RuntimeError, Store, TypedFunction};

use super::clock::{CallClock, InstanceTunables};
use super::guest::{Fault, Guest, Serving};
use super::log::{GuestLog, Lines};
use super::shape::{GUEST_CALL, MEMORY, Shape};
use crate::words::{ActorLimits, Deadline, Invocation, Outbound, Trap, WasmCloudEntity};

/// What every instance of an actor is made of. The module comes before its engine, because fields drop in this order:
/// dropping the module takes its code out of wasmer's global table of traps, dropping the last clone of the engine
/// frees the code, and a freed address that is still in the table could be given to the next module.
pub(super) struct Blueprint {
    pub(super) module: Module,
    pub(super) engine: wasmer::Engine,
    pub(super) entity: Arc<WasmCloudEntity>,
    pub(super) shape: Shape,
    pub(super) limits: ActorLimits,
    pub(super) payload_bytes_max: u32,
    pub(super) outbound: Arc<dyn Outbound>,
    pub(super) log: Arc<GuestLog>,
}

/// One instance.
pub(super) struct Instance {
    guest_call: Option<TypedFunction<(i32, i32), i32>>,
    env: FunctionEnv<Guest>,
    clock: Arc<CallClock>,
    store: Store,
}

// SAFETY: `Store` is !Send only for its `on_called` callback and its trap handler, which are never set here. What else
// it owns (the instance's memory, tables, globals and code references) are heap objects without a tie to a thread;
// wasmer keeps the store in a thread-local only while a call runs, inside of `call` and `start`. The data of the host
// functions is `Guest: Send`, which `FunctionEnv::new` demands. An `Instance` is used through `&mut self` only, so by
// one thread at a time.
unsafe impl Send for Instance {}

/// How a call ended without an answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The guest said so by itself; the instance is whole.
    Guest(String),
    /// The answer is larger than a payload may be; the instance is whole.
    AnswerTooLarge(u64),
    /// The guest died.
    Died(Death),
}

/// How a guest died.
#[derive(Debug)]
pub(super) enum Death {
    Trap {
        trap: Trap,
        detail: String,
    },
    /// It left by `proc_exit`, which is a death only outside `_start`.
    Exited(i32),
    /// A host function of ours panicked.
    HostPanicked(String),
    /// wasmer refused, for lack of address space for instance.
    NotMade(String),
}

impl Instance {
    /// Makes and starts one, by the deadline.
    pub(super) fn new(blueprint: &Blueprint, deadline: Deadline, depth: u8) -> Result<Self, Death> {
        let clock = Arc::new(CallClock::new(deadline));
        let mut engine = blueprint.engine.clone();
        engine.set_tunables(InstanceTunables { limits: blueprint.limits, clock: Arc::clone(&clock) });
        let mut store = Store::new(engine);
        let env = FunctionEnv::new(&mut store, blueprint.guest(&clock, depth));
        let imports: Vec<_> = blueprint.shape.imports.iter().map(|import| import.make(&mut store, &env)).collect();
        let made = WasmInstance::new_by_index(&mut store, &blueprint.module, &imports);
        let instance = made.map_err(|error| match error {
            InstantiationError::Start(error) => death(&error, &clock),
            other => Death::NotMade(other.to_string()),
        })?;
        let not_made = |what: &str| Death::NotMade(format!("the export {what} is gone"));
        let memory = instance.exports.get_memory(MEMORY).map_err(|_| not_made(MEMORY))?;
        env.as_mut(&mut store).memory = Some(memory.clone());
        let guest_call = match blueprint.shape.has_guest_call {
            true => Some(instance.exports.get_typed_function(&store, GUEST_CALL).map_err(|_| not_made(GUEST_CALL))?),
            false => None,
        };
        let mut made = Self { guest_call, env, clock, store };
        made.start(&instance, blueprint)?;
        Ok(made)
    }

    fn start(&mut self, instance: &WasmInstance, blueprint: &Blueprint) -> Result<(), Death> {
        for name in &blueprint.shape.starters {
            let starter = instance.exports.get_typed_function::<(), ()>(&self.store, name);
            let starter = starter.map_err(|_| Death::NotMade(format!("the export {name} is gone")))?;
            if let Err(error) = starter.call(&mut self.store) {
                match death(&error, &self.clock) {
                    Death::Exited(0) => {}
                    death => return Err(death),
                }
            }
        }
        self.env.as_mut(&mut self.store).take_back();
        Ok(())
    }

    /// Serves one invocation. After `Failure::Died` the instance must be dropped.
    pub(super) fn call(&mut self, invocation: &Invocation<'_>, reply: &mut Vec<u8>) -> Result<(), Failure> {
        let Some(guest_call) = &self.guest_call else {
            return Err(Failure::Died(Death::NotMade("it answers no calls".to_owned())));
        };
        // Lengths were checked against the payload limit, a u32, by the caller; a guest reads them as unsigned.
        let (operation_len, payload_len) = (invocation.operation.len() as i32, invocation.payload.len() as i32);
        // SAFETY: the invocation is borrowed for all of this function. `take_back` follows below on every path, for
        // `TypedFunction::call` returns guest traps and host errors and `host_function` catches every panic; should
        // wasmer itself panic, the instance is dropped by the unwinding of its owner without being called again.
        unsafe { self.env.as_mut(&mut self.store).lend(invocation) };
        let answered = guest_call.call(&mut self.store, operation_len, payload_len);
        let guest = self.env.as_mut(&mut self.store);
        let outcome = match answered {
            Ok(1) => take_answer(&mut guest.serving, reply),
            Ok(_) => Err(Failure::Guest(guest.serving.error.take().unwrap_or_else(|| "it gave no reason".to_owned()))),
            Err(error) => Err(Failure::Died(death(&error, &self.clock))),
        };
        guest.take_back();
        outcome
    }
}

fn take_answer(serving: &mut Serving, reply: &mut Vec<u8>) -> Result<(), Failure> {
    if let Some(bytes) = serving.response_over {
        return Err(Failure::AnswerTooLarge(bytes));
    }
    if reply.is_empty() {
        std::mem::swap(reply, &mut serving.response);
    } else {
        reply.extend_from_slice(&serving.response);
    }
    Ok(())
}

impl Blueprint {
    fn guest(&self, clock: &Arc<CallClock>, depth: u8) -> Guest {
        Guest {
            entity: Arc::clone(&self.entity),
            outbound: Arc::clone(&self.outbound),
            clock: Arc::clone(clock),
            log: Arc::clone(&self.log),
            payload_bytes_max: self.payload_bytes_max,
            memory: None,
            serving: Serving { depth, ..Serving::default() },
            host_reply: Vec::new(),
            host_error: String::new(),
            lines: Lines::default(),
        }
    }
}

/// What an error of wasmer means.
fn death(error: &RuntimeError, clock: &CallClock) -> Death {
    match error.downcast_ref::<Fault>() {
        Some(Fault::Exited(code)) => return Death::Exited(*code),
        Some(fault @ Fault::Panicked { .. }) => return Death::HostPanicked(fault.to_string()),
        Some(Fault::Late(import)) => return out_of_fuel(&format!("in {import}, ")),
        Some(fault @ Fault::Protocol { .. }) => {
            return Death::Trap { trap: Trap::Protocol, detail: format!(": {fault}") };
        }
        None => {}
    }
    if clock.refused() {
        return out_of_fuel("");
    }
    let place = place(error);
    let Some(code) = error.clone().to_trap() else {
        return Death::Trap { trap: Trap::Illegal, detail: format!(": {}{place}", error.message()) };
    };
    let trap = match code {
        TrapCode::StackOverflow => Trap::StackOverflow,
        TrapCode::HeapAccessOutOfBounds | TrapCode::TableAccessOutOfBounds => Trap::OutOfBounds,
        TrapCode::UnreachableCodeReached => Trap::Unreachable,
        _ => Trap::Illegal,
    };
    Death::Trap { trap, detail: format!(": {}{place}", code.message()) }
}

fn out_of_fuel(place: &str) -> Death {
    Death::Trap { trap: Trap::OutOfFuel, detail: format!(": {place}the deadline of its call passed while it ran") }
}

/// Where in the module, as far as its name section tells.
fn place(error: &RuntimeError) -> String {
    let Some(frame) = error.trace().first() else { return String::new() };
    match frame.function_name() {
        Some(name) => format!(", in {}", super::log::printable(&name.as_bytes()[..name.len().min(200)])),
        None => format!(", in function {}", frame.func_index()),
    }
}
