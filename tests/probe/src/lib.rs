//! A provider that does what a test tells it to, well or badly, and says what has reached it. Never shipped.
//!
//! | operation | payload | outcome |
//! |---|---|---|
//! | `Echo` | any bytes | the same bytes |
//! | `Reached` | ignored | map `{calls: uint, linked: [str]}`: the calls before this one, and the actors that are bound |
//! | `Call` | map `{actor: str, operation: str}` | calls that actor, linked or not, with no payload; its answer, or the error's text |
//! | `Wait` | an unsigned number | answers after so many milliseconds, whether or not anybody still waits |
//! | `Bytes` | an unsigned number | so many bytes of `x` |
//! | `Panic`, `Abort`, `Segfault` | ignored | what they say |
//! | `Exit` | an unsigned number | its process ends with that code |
//! | `Hang` | ignored | never answers, whoever has gone |
//! | `Health` | `fit`, `unfit` or `stuck` | how it answers health requests from now on |
//!
//! `Die`, `Say` and `PanicInThread` are in `deaths.rs`, what it asks of the world in `world.rs`. The link value `REJECT` makes it reject the link, for that reason.
#![deny(unsafe_code)]

mod deaths;
mod world;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cofferdam_provider::{Call, Failure, Host, Link, Provider, Reply, Request};
use serde::{Deserialize, Serialize};
use world::World;

/// The provider.
pub struct Probe {
    host: Host,
    calls: AtomicU64,
    running: AtomicU64,
    linked: Mutex<BTreeSet<String>>,
    health: Mutex<Health>,
    world: World,
}

/// How it answers health requests.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Health {
    #[default]
    Fit,
    Unfit,
    Stuck,
}

#[derive(Deserialize)]
struct Errand<'a> {
    actor: &'a str,
    operation: &'a str,
}

#[derive(Serialize)]
struct Reached<'a> {
    /// That came before this one.
    calls: u64,
    /// That have not ended, this one among them.
    running: u64,
    linked: &'a BTreeSet<String>,
}

/// A call that runs. Dropping it ends it, whether it answers or panics.
struct Running<'a> {
    all: &'a AtomicU64,
    count: u64,
}

impl<'a> Running<'a> {
    fn begin(all: &'a AtomicU64) -> Self {
        Self { all, count: all.fetch_add(1, Ordering::AcqRel) + 1 }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Provider for Probe {
    const NAME: &'static str = "probe";
    const CONCURRENCY: u32 = 4;

    fn create(host: Host) -> Result<Self, Failure> {
        Ok(Self {
            host,
            calls: AtomicU64::new(0),
            running: AtomicU64::new(0),
            linked: Mutex::default(),
            health: Mutex::default(),
            world: World::default(),
        })
    }

    fn bind(&self, link: &Link<'_>) -> Result<(), Failure> {
        if let Some(reason) = link.get("REJECT") {
            return Err(Failure::new(reason));
        }
        self.world.bind(self.host, link)?;
        self.linked.lock().unwrap_or_else(PoisonError::into_inner).insert(link.actor().to_owned());
        Ok(())
    }

    fn unbind(&self, actor: &str) {
        self.world.unbind(actor);
        self.linked.lock().unwrap_or_else(PoisonError::into_inner).remove(actor);
    }

    fn health(&self) -> Result<(), Failure> {
        let health = *self.health.lock().unwrap_or_else(PoisonError::into_inner);
        match health {
            Health::Fit => Ok(()),
            Health::Unfit => Err(Failure::new("asked to be unfit")),
            Health::Stuck => hang(),
        }
    }

    fn handle(&self, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Failure> {
        let calls = self.calls.fetch_add(1, Ordering::AcqRel);
        let running = Running::begin(&self.running);
        match call.operation() {
            "Echo" => reply.write(call.payload()),
            "Reached" => {
                let linked = &*self.linked.lock().unwrap_or_else(PoisonError::into_inner);
                reply.write(&rmp_serde::to_vec_named(&Reached { calls, running: running.count, linked })?)
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
            "Segfault" => cofferdam_faults::deaths::segfault(),
            "Exit" => std::process::exit(rmp_serde::from_slice(call.payload())?),
            "Hang" => hang(),
            "Health" => {
                *self.health.lock().unwrap_or_else(PoisonError::into_inner) = rmp_serde::from_slice(call.payload())?;
                reply.write(b"noted")
            }
            "Die" => deaths::die(rmp_serde::from_slice(call.payload())?),
            "Say" => {
                deaths::say(&self.host, rmp_serde::from_slice(call.payload())?);
                reply.write(b"said")
            }
            "PanicInThread" => {
                deaths::panic_in_thread();
                reply.write(b"panicked")
            }
            other => match self.world.run(self.host, other, call.payload()) {
                Some(outcome) => reply.write(&outcome?),
                None => Err(Failure::unknown_operation(other)),
            },
        }
    }
}

fn hang() -> ! {
    loop {
        std::thread::park();
    }
}

#[allow(unsafe_code, reason = "the exported symbol is what makes this library a provider")]
mod exported {
    cofferdam_provider::export!(super::Probe);
}

pub use exported::cofferdam_provider_v1;
