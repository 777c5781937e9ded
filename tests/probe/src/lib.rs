//! A provider that does what a test tells it to, well or badly, and says what has reached it. Never shipped.
//!
//! | operation | payload | outcome |
//! |---|---|---|
//! | `Echo` | any bytes | the same bytes |
//! | `Reached` | ignored | map `{calls: uint, linked: [str]}`: the calls before this one, and the actors that are bound |
//! | `Call` | map `{actor: str, operation: str}` | calls that actor, linked or not, with no payload; its answer, or the error's text |
//! | `Wait` | an unsigned number | answers after so many milliseconds, whether or not anybody still waits |
//! | `Bytes` | an unsigned number | so many bytes of `x` |
//! | `Panic`, `Abort` | ignored | what they say |
//!
//! The link value `REJECT` makes it reject the link, for that reason.
#![deny(unsafe_code)]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cofferdam_provider::{Call, Failure, Host, Link, Provider, Reply, Request};
use serde::{Deserialize, Serialize};

/// The provider.
pub struct Probe {
    host: Host,
    calls: AtomicU64,
    linked: Mutex<BTreeSet<String>>,
}

#[derive(Deserialize)]
struct Errand<'a> {
    actor: &'a str,
    operation: &'a str,
}

#[derive(Serialize)]
struct Reached<'a> {
    calls: u64,
    linked: &'a BTreeSet<String>,
}

impl Provider for Probe {
    const NAME: &'static str = "probe";
    const CONCURRENCY: u32 = 4;

    fn create(host: Host) -> Result<Self, Failure> {
        Ok(Self { host, calls: AtomicU64::new(0), linked: Mutex::default() })
    }

    fn bind(&self, link: &Link<'_>) -> Result<(), Failure> {
        if let Some(reason) = link.get("REJECT") {
            return Err(Failure::new(reason));
        }
        self.linked.lock().unwrap_or_else(PoisonError::into_inner).insert(link.actor().to_owned());
        Ok(())
    }

    fn unbind(&self, actor: &str) {
        self.linked.lock().unwrap_or_else(PoisonError::into_inner).remove(actor);
    }

    fn handle(&self, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Failure> {
        let calls = self.calls.fetch_add(1, Ordering::AcqRel);
        match call.operation() {
            "Echo" => reply.write(call.payload()),
            "Reached" => {
                let linked = &*self.linked.lock().unwrap_or_else(PoisonError::into_inner);
                reply.write(&rmp_serde::to_vec_named(&Reached { calls, linked })?)
            }
            "Call" => {
                let Errand { actor, operation } = rmp_serde::from_slice(call.payload())?;
                let request = Request { actor, operation, payload: b"", deadline_ns: call.deadline_ns() };
                reply.write(&self.host.call(&request)?)
            }
            "Wait" => {
                #[expect(clippy::disallowed_methods, reason = "being slow is what the test asks for")]
                std::thread::sleep(Duration::from_millis(rmp_serde::from_slice(call.payload())?));
                reply.write(b"waited")
            }
            "Bytes" => reply.write(&vec![b'x'; rmp_serde::from_slice(call.payload())?]),
            "Panic" => panic!("asked to panic"),
            "Abort" => std::process::abort(),
            other => Err(Failure::unknown_operation(other)),
        }
    }
}

#[allow(unsafe_code, reason = "the exported symbol is what makes this library a provider")]
mod exported {
    cofferdam_provider::export!(super::Probe);
}

pub use exported::cofferdam_provider_v1;
