//! One instance of an actor: a store of its own, started once, then called by one thread at a time.
//!
//! After anything but an answer or an error of the guest's own, an instance is in an unknown state and its owner must
//! drop it.
#![allow(unsafe_code)]

use std::sync::Arc;

use cofferdam_channel::Cancelled;
use wasmer::sys::NativeEngineExt as _;
use wasmer::sys::vm::TrapCode;
use wasmer::{FunctionEnv, Instance as WasmInstance, InstantiationError, Module, RuntimeError, Store, TypedFunction};

use super::clock::{CallClock, InstanceTunables, Over};
use super::guest::{Fault, Guest, Serving};
use super::log::{GuestLog, Lines};
use super::shape::{GUEST_CALL, MEMORY, Shape};
use crate::words::{ActorLimits, CallError, Deadline, Invocation, Outbound, Trap, WasmCloudEntity};

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

/// The call for which an instance is made.
#[derive(Clone, Copy)]
pub(super) struct First<'a> {
    pub(super) deadline: Deadline,
    pub(super) cancelled: &'a Cancelled,
    pub(super) depth: u8,
}

/// How a call ended without an answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The guest said so by itself, or passed on what failed in a host call; the instance is whole.
    Guest { message: String, cause: Option<Box<CallError>> },
    /// A host call used up most of the time, and the guest had not enough left to say so; it died.
    Late(CallError),
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
    /// Its caller has gone.
    Abandoned,
    /// It left by `proc_exit`, which is a death only outside `_start`.
    Exited(i32),
    /// A host function of ours panicked.
    HostPanicked(String),
    /// wasmer refused, for lack of address space for instance.
    NotMade(String),
}

impl Instance {
    /// Makes and starts one, by the deadline.
    pub(super) fn new(blueprint: &Blueprint, first: First<'_>) -> Result<Self, Death> {
        let First { deadline, cancelled, depth } = first;
        let clock = Arc::new(CallClock::new(deadline, cancelled));
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
            Ok(_) => Err(said(guest)),
            Err(error) => Err(died(guest, death(&error, &self.clock))),
        };
        guest.take_back();
        outcome
    }
}

/// The guest's own error.
fn said(guest: &mut Guest) -> Failure {
    let message = guest.serving.error.take().unwrap_or_else(|| "it gave no reason".to_owned());
    let passed_on = guest.host_error.take().filter(|failed| message.ends_with(&failed.text));
    Failure::Guest { message, cause: passed_on.map(|failed| Box::new(failed.error)) }
}

/// The guest's death, or the host call to which it lost its time.
fn died(guest: &mut Guest, death: Death) -> Failure {
    let now = Deadline::now();
    let out_of_time = matches!(death, Death::Trap { trap: Trap::OutOfFuel, .. });
    let late = guest.late_call.take().filter(|late| out_of_time && late.waited * 2 > guest.clock.served(now));
    late.map_or(Failure::Died(death), |late| Failure::Late(late.error))
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
            host_error: None,
            late_call: None,
            lines: Lines::default(),
        }
    }
}

/// What an error of wasmer means.
fn death(error: &RuntimeError, clock: &CallClock) -> Death {
    match error.downcast_ref::<Fault>() {
        Some(Fault::Exited(code)) => return Death::Exited(*code),
        Some(fault @ Fault::Panicked { .. }) => return Death::HostPanicked(fault.to_string()),
        Some(Fault::Late(import, over)) => return out_of_time(*over, &format!("in {import}, ")),
        Some(fault @ Fault::Protocol { .. }) => {
            return Death::Trap { trap: Trap::Protocol, detail: format!(": {fault}") };
        }
        None => {}
    }
    if let Some(over) = clock.refused() {
        return out_of_time(over, "");
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

fn out_of_time(over: Over, place: &str) -> Death {
    match over {
        Over::Deadline => {
            let detail = format!(": {place}the deadline of its call passed while it ran");
            Death::Trap { trap: Trap::OutOfFuel, detail }
        }
        Over::CallerGone => Death::Abandoned,
    }
}

/// Where in the module, as far as its name section tells.
fn place(error: &RuntimeError) -> String {
    let Some(frame) = error.trace().first() else { return String::new() };
    match frame.function_name() {
        Some(name) => format!(", in {}", super::log::printable(&name.as_bytes()[..name.len().min(200)])),
        None => format!(", in function {}", frame.func_index()),
    }
}
