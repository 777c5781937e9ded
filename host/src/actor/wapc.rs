//! The waPC side of the host: what a guest imports from module `wapc` (REFERENCE 5).
//!
//! All of it runs on the guest's own thread. A pointer outside the guest's memory ends the guest.

use wasmer::{Function, FunctionEnv, FunctionEnvMut, RuntimeError, Store};

use super::guest::{Fault, Guest, host_function};
use crate::words::{CallError, Deadline, HostCall, Outcome};

/// Longest binding, namespace or operation, in bytes.
const NAME_BYTES_MAX: usize = 1 << 10;
/// Longest error text taken from a guest, in bytes.
const ERROR_BYTES_MAX: i32 = 16 << 10;
/// Copies from here on look at the clock first: the meter does not see them.
const LARGE_COPY_BYTES: usize = 4 << 10;

type Env<'a> = FunctionEnvMut<'a, Guest>;

/// The functions of module `wapc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WapcFunction {
    ConsoleLog,
    HostCall,
    HostResponse,
    HostResponseLen,
    HostError,
    HostErrorLen,
    GuestRequest,
    GuestResponse,
    GuestError,
}

impl WapcFunction {
    pub(super) fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "__console_log" => Self::ConsoleLog,
            "__host_call" => Self::HostCall,
            "__host_response" => Self::HostResponse,
            "__host_response_len" => Self::HostResponseLen,
            "__host_error" => Self::HostError,
            "__host_error_len" => Self::HostErrorLen,
            "__guest_request" => Self::GuestRequest,
            "__guest_response" => Self::GuestResponse,
            "__guest_error" => Self::GuestError,
            _ => return None,
        })
    }

    /// Parameters and results, all of them i32.
    pub(super) const fn arity(self) -> (usize, usize) {
        match self {
            Self::HostCall => (8, 1),
            Self::ConsoleLog | Self::GuestRequest | Self::GuestResponse | Self::GuestError => (2, 0),
            Self::HostResponse | Self::HostError => (1, 0),
            Self::HostResponseLen | Self::HostErrorLen => (0, 1),
        }
    }

    pub(super) fn make(self, store: &mut Store, env: &FunctionEnv<Guest>) -> Function {
        match self {
            Self::ConsoleLog => Function::new_typed_with_env(store, env, console_log),
            Self::HostCall => Function::new_typed_with_env(store, env, host_call),
            Self::HostResponse => Function::new_typed_with_env(store, env, host_response),
            Self::HostResponseLen => Function::new_typed_with_env(store, env, host_response_len),
            Self::HostError => Function::new_typed_with_env(store, env, host_error),
            Self::HostErrorLen => Function::new_typed_with_env(store, env, host_error_len),
            Self::GuestRequest => Function::new_typed_with_env(store, env, guest_request),
            Self::GuestResponse => Function::new_typed_with_env(store, env, guest_response),
            Self::GuestError => Function::new_typed_with_env(store, env, guest_error),
        }
    }
}

fn console_log(env: Env<'_>, ptr: i32, len: i32) -> Result<(), RuntimeError> {
    host_function("__console_log", env, |guest, memory| {
        guest.check_deadline("__console_log")?;
        guest.log.line(memory.bytes(ptr, len)?);
        Ok(())
    })
}

/// Answers 1 when the callee answered, 0 when `__host_error` says why not.
#[allow(clippy::too_many_arguments)] // the shape is waPC's
fn host_call(
    env: Env<'_>,
    binding_ptr: i32,
    binding_len: i32,
    namespace_ptr: i32,
    namespace_len: i32,
    operation_ptr: i32,
    operation_len: i32,
    ptr: i32,
    len: i32,
) -> Result<i32, RuntimeError> {
    host_function("__host_call", env, |guest, memory| {
        guest.check_deadline("__host_call")?;
        let (began, cancelled) = (Deadline::now(), guest.clock.cancelled());
        let call = HostCall {
            origin: &guest.entity,
            binding: memory.text("binding", binding_ptr, binding_len, NAME_BYTES_MAX)?,
            namespace: memory.text("namespace", namespace_ptr, namespace_len, NAME_BYTES_MAX)?,
            operation: memory.text("operation", operation_ptr, operation_len, NAME_BYTES_MAX)?,
            payload: memory.bytes(ptr, len)?,
            deadline: guest.clock.nested_deadline(began),
            cancelled: &cancelled,
            depth: guest.serving.depth,
        };
        guest.host_reply.clear();
        guest.host_error = None;
        let limit = guest.payload_bytes_max;
        let answer = check_payload(("argument", Outcome::NotDelivered), call.payload.len(), limit)
            .and_then(|()| guest.outbound.host_call(&call, &mut guest.host_reply))
            .and_then(|()| check_payload(("answer", Outcome::Answered), guest.host_reply.len(), limit));
        let Err(error) = answer else { return Ok(1) };
        guest.host_reply.clear();
        guest.host_call_failed(error, began);
        Ok(0)
    })
}

fn check_payload((what, outcome): (&str, Outcome), bytes: usize, limit: u32) -> Result<(), CallError> {
    let (bytes, limit) = (bytes as u64, u64::from(limit));
    if bytes <= limit {
        return Ok(());
    }
    Err(CallError::PayloadTooLarge { what: format!("{what} of a host call"), bytes, limit, outcome })
}

fn check_copy(guest: &Guest, import: &'static str, bytes: usize) -> Result<(), Fault> {
    if bytes < LARGE_COPY_BYTES { Ok(()) } else { guest.check_deadline(import) }
}

fn host_response(env: Env<'_>, ptr: i32) -> Result<(), RuntimeError> {
    host_function("__host_response", env, |guest, mut memory| {
        check_copy(guest, "__host_response", guest.host_reply.len())?;
        memory.write(ptr, &guest.host_reply)
    })
}

fn host_response_len(env: Env<'_>) -> Result<i32, RuntimeError> {
    host_function("__host_response_len", env, |guest, memory| length(&memory, guest.host_reply.len()))
}

fn host_error(env: Env<'_>, ptr: i32) -> Result<(), RuntimeError> {
    host_function("__host_error", env, |guest, mut memory| memory.write(ptr, host_error_text(guest).as_bytes()))
}

fn host_error_len(env: Env<'_>) -> Result<i32, RuntimeError> {
    host_function("__host_error_len", env, |guest, memory| length(&memory, host_error_text(guest).len()))
}

fn host_error_text(guest: &Guest) -> &str {
    guest.host_error.as_ref().map_or("", |failed| &failed.text)
}

fn length(memory: &super::guest::GuestMemory<'_>, len: usize) -> Result<i32, Fault> {
    i32::try_from(len).map_err(|_| memory.violation(format!("{len} bytes are more than a guest can hold")))
}

fn guest_request(env: Env<'_>, operation_ptr: i32, ptr: i32) -> Result<(), RuntimeError> {
    host_function("__guest_request", env, |guest, mut memory| {
        let Some(request) = guest.serving.request else {
            return Err(memory.violation("no call is being served".to_owned()));
        };
        check_copy(guest, "__guest_request", request.payload().len())?;
        memory.write(operation_ptr, request.operation())?;
        memory.write(ptr, request.payload())
    })
}

fn guest_response(env: Env<'_>, ptr: i32, len: i32) -> Result<(), RuntimeError> {
    host_function("__guest_response", env, |guest, memory| {
        let bytes = memory.bytes(ptr, len)?;
        let serving = &mut guest.serving;
        serving.response.clear();
        serving.response_over = None;
        if bytes.len() as u64 > u64::from(guest.payload_bytes_max) {
            serving.response_over = Some(bytes.len() as u64);
            return Ok(());
        }
        check_copy(guest, "__guest_response", bytes.len())?;
        guest.serving.response.extend_from_slice(bytes);
        Ok(())
    })
}

fn guest_error(env: Env<'_>, ptr: i32, len: i32) -> Result<(), RuntimeError> {
    host_function("__guest_error", env, |guest, memory| {
        guest.check_deadline("__guest_error")?;
        let bytes = memory.bytes(ptr, len)?;
        let taken = &bytes[..bytes.len().min(ERROR_BYTES_MAX as usize)];
        guest.serving.error = Some(String::from_utf8_lossy(taken).into_owned());
        Ok(())
    })
}
