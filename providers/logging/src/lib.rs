//! The provider of `wasmcloud:logging`: what actors write goes to the host's log, under the actor's public key.
//!
//! | link value | meaning |
//! |---|---|
//! | any | ignored: there is nothing to set |
//!
//! The one operation is `WriteLog {target, level, text}`, as crate `wasmcloud-actor-logging` 0.1.2 has it; it answers with
//! nothing. A line reads `[actor] target: text`.
//!
//! | level of the contract | level of the host |
//! |---|---|
//! | `error`, `warn`, `info`, `debug` | the same |
//! | `trace` | `debug` |
//! | any other | `info` |
//!
//! Control characters and those that reorder or hide text are escaped, so no actor can forge a line or drive a
//! terminal. A target is cut at 128 bytes, a text at 4096. The host bounds the rate: it drops and counts what comes
//! too fast, and the actor is not told.
#![deny(unsafe_code)]

mod line;

use cofferdam_provider::{Call, Failure, Host, Link, Provider, Reply};
use serde::Deserialize;
use thiserror::Error;

/// The provider. It keeps nothing.
#[derive(Debug)]
pub struct Logging {
    host: Host,
}

/// The caller's mistake.
#[derive(Debug, Error)]
#[error("the argument of WriteLog is not what the contract says")]
struct Malformed(#[from] rmp_serde::decode::Error);

#[derive(Deserialize)]
struct WriteLogArgs<'a> {
    target: &'a str,
    level: &'a str,
    text: &'a str,
}

impl Provider for Logging {
    const NAME: &'static str = concat!("logging ", env!("CARGO_PKG_VERSION"));
    /// Nothing in it waits.
    const CONCURRENCY: u32 = 4;

    fn create(host: Host) -> Result<Self, Failure> {
        Ok(Self { host })
    }

    fn bind(&self, _link: &Link<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn unbind(&self, _actor: &str) {}

    fn handle(&self, call: &Call<'_>, _reply: &mut Reply<'_>) -> Result<(), Failure> {
        match call.operation() {
            "WriteLog" => {
                let WriteLogArgs { target, level, text } = rmp_serde::from_slice(call.payload()).map_err(Malformed)?;
                self.host.log(line::level(level), &line::line(call.actor(), target, text));
                Ok(())
            }
            other => Err(Failure::unknown_operation(other)),
        }
    }
}

#[allow(unsafe_code, reason = "the exported symbol is what makes this library a provider")]
mod exported {
    cofferdam_provider::export!(super::Logging);
}
pub use exported::cofferdam_provider_v1;
