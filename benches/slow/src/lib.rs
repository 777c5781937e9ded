//! A provider whose calls block, as those of a driver of a database do. For the bench, never shipped.
//!
//! | operation | payload | outcome |
//! |---|---|---|
//! | `Block` | an unsigned number | answers after so many microseconds |
#![deny(unsafe_code)]

use std::time::Duration;

use cofferdam_provider::{Call, Failure, Host, Link, Provider, Reply};

/// The provider.
pub struct Slow;

impl Provider for Slow {
    const NAME: &'static str = "slow";
    const CONCURRENCY: u32 = 32;

    fn create(_host: Host) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn bind(&self, _link: &Link<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn unbind(&self, _actor: &str) {}

    fn handle(&self, call: &Call<'_>, reply: &mut Reply<'_>) -> Result<(), Failure> {
        match call.operation() {
            "Block" => {
                #[expect(clippy::disallowed_methods, reason = "being slow is what the bench asks for")]
                std::thread::sleep(Duration::from_micros(rmp_serde::from_slice(call.payload())?));
                reply.write(b"waited")
            }
            other => Err(Failure::unknown_operation(other)),
        }
    }
}

#[allow(unsafe_code, reason = "the exported symbol is what makes this library a provider")]
mod exported {
    cofferdam_provider::export!(super::Slow);
}

pub use exported::cofferdam_provider_v1;
