//! Makes whatever host call it is told to: drives actor-to-actor calls, cycles, denials and providers in tests, and the
//! benchmarks. Raw waPC, no contract.
//!
//! | operation | payload | outcome |
//! |---|---|---|
//! | `Forward` | a call, see below | the reply's bytes as they came; the error's text as this call's error |
//! | `Try` | a call | map `{reply: bin}` or `{error: str}`: the guest goes on after a failed host call |
//! | `Echo` | any bytes | the same bytes |
//! | `Fail` | UTF-8 text | an error with that text |
//! | `Log` | UTF-8 text | writes it with `__console_log`, answers nothing |
//! | `HealthRequest` | ignored | `{healthy: true, message: ""}` |
//!
//! A call is a MessagePack map `{binding: str = "default", namespace: str, operation: str, payload: any = nil,
//! times: uint = 1}`. A payload of type bin is passed as its bytes, nil as no bytes, any other value is encoded as
//! MessagePack again, so that calls nest and can be written as JSON: A -> B -> A is a `Forward` whose payload is a
//! `Forward`. `times` repeats the call and answers with the last reply, which takes this guest's own decoding out of a
//! benchmark. Needs the claims of the contracts it is told to call.

use rmpv::Value;
use wapc_guest::prelude::*;

/// One host call, as a payload tells it.
struct Call {
    binding: String,
    namespace: String,
    operation: String,
    payload: Vec<u8>,
    times: u64,
}

#[no_mangle]
pub extern "C" fn wapc_init() {
    register_function("Forward", |payload| Call::parse(payload)?.make());
    register_function("Try", try_call);
    register_function("Echo", |payload| Ok(payload.to_vec()));
    register_function("Fail", |payload| Err(String::from_utf8_lossy(payload).into()));
    register_function("Log", |payload| {
        console_log(&String::from_utf8_lossy(payload));
        Ok(Vec::new())
    });
    register_function("HealthRequest", |_| {
        encode(&Value::Map(vec![("healthy".into(), true.into()), ("message".into(), "".into())]))
    });
}

fn try_call(payload: &[u8]) -> CallResult {
    let outcome = match Call::parse(payload)?.make() {
        Ok(reply) => ("reply".into(), Value::Binary(reply)),
        Err(error) => ("error".into(), error.to_string().into()),
    };
    encode(&Value::Map(vec![outcome]))
}

impl Call {
    fn parse(mut payload: &[u8]) -> HandlerResult<Self> {
        let value = rmpv::decode::read_value(&mut payload).map_err(|e| format!("the call is no MessagePack: {e}"))?;
        let Value::Map(fields) = value else {
            return Err("the call is not a map".into());
        };
        let mut call = Call {
            binding: "default".to_string(),
            namespace: String::new(),
            operation: String::new(),
            payload: Vec::new(),
            times: 1,
        };
        for (name, value) in fields {
            match name.as_str() {
                Some("binding") => call.binding = text(value)?,
                Some("namespace") => call.namespace = text(value)?,
                Some("operation") => call.operation = text(value)?,
                Some("payload") => call.payload = bytes(value)?,
                Some("times") => call.times = value.as_u64().ok_or("times is not an unsigned number")?,
                _ => return Err(format!("the call has an unknown field {name}").into()),
            }
        }
        Ok(call)
    }

    fn make(&self) -> CallResult {
        let mut reply = Vec::new();
        for _ in 0..self.times {
            reply = host_call(&self.binding, &self.namespace, &self.operation, &self.payload)?;
        }
        Ok(reply)
    }
}

fn text(value: Value) -> HandlerResult<String> {
    value.as_str().map(str::to_string).ok_or_else(|| format!("{value} is not a string").into())
}

fn bytes(value: Value) -> CallResult {
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::Binary(bytes) => Ok(bytes),
        other => encode(&other),
    }
}

fn encode(value: &Value) -> CallResult {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value)?;
    Ok(bytes)
}
