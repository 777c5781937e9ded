//! The smallest provider: answers `Echo` with what it was sent. Copy this folder to begin a provider of your own.
//!
//! It holds what every provider has: a name, how many calls it serves at once, who is linked, and one operation.
#![deny(unsafe_code)]

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use cofferdam_provider::{Call, Failure, Host, Link, Provider, Reply};

/// The provider: one value in one process.
pub struct Echo {
    linked: Mutex<BTreeSet<String>>,
}

impl Provider for Echo {
    const NAME: &'static str = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    const CONCURRENCY: u32 = 64;

    fn create(_host: Host) -> Result<Self, Failure> {
        Ok(Self { linked: Mutex::default() })
    }

    fn bind(&self, link: &Link<'_>) -> Result<(), Failure> {
        self.linked.lock().unwrap_or_else(PoisonError::into_inner).insert(link.actor().to_owned());
        Ok(())
    }

    fn unbind(&self, actor: &str) {
        self.linked.lock().unwrap_or_else(PoisonError::into_inner).remove(actor);
    }

    fn handle(&self, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Failure> {
        match call.operation() {
            "Echo" => reply.write(call.payload()),
            other => Err(Failure::unknown_operation(other)),
        }
    }
}

#[allow(unsafe_code, reason = "the exported symbol is what makes this library a provider")]
mod exported {
    cofferdam_provider::export!(super::Echo);
}

pub use exported::cofferdam_provider_v1;
