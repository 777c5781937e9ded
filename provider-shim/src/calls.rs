//! Calls of actors, as the provider runs them.

use std::sync::Arc;

use cofferdam_abi::Status;
use cofferdam_channel::protocol::call::Fault;
use cofferdam_channel::{Answer, Incoming, Service};

use crate::library::LoadedLibrary;
use crate::sink;

/// Calls of actors, run by the provider.
pub(crate) struct Calls {
    pub(crate) library: Arc<LoadedLibrary>,
    pub(crate) payload_bytes_max: usize,
}

impl Service for Calls {
    fn serve(&self, call: &Incoming<'_>, answer: &mut Answer<'_>) -> Result<(), Fault> {
        let (status, refused) = self.library.handle(call, self.payload_bytes_max, answer);
        let fault = match status {
            Status::OK => return Ok(()),
            Status::FAILED => Fault::Failed,
            Status::PANICKED => Fault::Panicked,
            Status::DENIED => Fault::Denied,
            Status::LATE => Fault::Late,
            Status::UNAVAILABLE => Fault::Unavailable,
            Status::INVALID => Fault::Invalid,
            _ => Fault::Internal,
        };
        let mut words = sink::words_or_status(status, answer.bytes());
        if let Some(bytes) = refused {
            let limit = self.payload_bytes_max;
            words.push_str(&format!(" (an answer of {bytes} bytes was refused, the limit is {limit} bytes)"));
        }
        answer.replace(words.as_bytes());
        Err(fault)
    }
}
